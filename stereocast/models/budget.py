"""What diffusion models need of a GPU: weights, working memory, evaluations and time. Arithmetic only; loads nothing.

Figures are those of `bench card` on an H100 (bench/README.md), in half precision; others are scaled from them.
"""

from dataclasses import dataclass

from stereocast.errors import OutOfMemory

GB = 1_000_000_000
VIDEO_WEIGHTS = 5_200_000_000  # DynamiCrafter in half precision: the published files hold float32
VIDEO_LARGEST_PART = 2_900_000_000  # its UNet: what is on the GPU at a time with --offload
DEPTH_WEIGHTS = 4_500_000_000  # DepthCrafter with SVD's image encoder and VAE
DEPTH_LARGEST_PART = 3_100_000_000
_VIDEO_WORK = 8_000_000_000  # one evaluation of 16 frames at 576x1024, and its decoder
_SECONDS = 0.27  # such an evaluation
_TFLOPS = 600.0  # what the same GPU reaches in a large half-precision product
_PIXELS = 576 * 1024


def video_work(height: int, width: int, frames: int = 16, batch: int = 1) -> int:
    """Working memory of an evaluation of `batch` windows, bytes."""
    return int(_VIDEO_WORK * height * width / _PIXELS * frames / 16 * batch)


def seconds_each(height: int, width: int, frames: int, tflops: float) -> float:
    """Seconds of one evaluation of a window on a GPU that reaches `tflops`. Within a factor of two."""
    return _SECONDS * height * width / _PIXELS * frames / 16 * _TFLOPS / max(tflops, 1e-6)


@dataclass(frozen=True, slots=True)
class Share:
    """How the models of a job use a GPU."""

    card: int  # bytes that are free before anything is loaded
    depth: int = 0  # weights of the depth network; 0: it isn't on the GPU
    video: int = 0  # weights of the video model
    features: int = 0  # of the left view
    work: int = 0  # of the video model
    turns: bool = False  # models wait in main memory while the other one works
    offload: bool = False  # only the network at work is on the GPU

    @property
    def for_depth(self) -> int:
        """What the depth network may use for its windows."""
        beside = 0 if self.turns else self.video + self.features + self.work
        own = DEPTH_LARGEST_PART if self.offload and self.depth else self.depth
        return max(0, self.card - own - beside)

    @property
    def peak(self) -> int:
        """What is in use while the video model works."""
        weights = VIDEO_LARGEST_PART if self.offload else self.video
        return weights + self.features + self.work + (0 if self.turns else self.depth)


def shared(card: int, *, depth: int, video: int, work: int, features: int, offload: bool = False) -> Share:
    """The first way that fits a GPU with `card` bytes free: all at once, in turns, fewer features, offloaded.

    Raises OutOfMemory where none does.
    """
    least = 2 * GB if depth else 0  # a short window of the depth network
    ways = [] if offload else [
        Share(card, depth, video, features, work),
        Share(card, depth, video, features, work, turns=True),
        Share(card, depth, video, 0, work, turns=True),
    ]  # fmt: skip
    ways += [
        Share(card, depth, video, kept, part, turns=True, offload=True)
        for kept, part in ((features, work), (0, work), (0, work // 4))
    ]
    for way in ways:
        if way.peak <= card and way.for_depth >= least:
            return way
    raise OutOfMemory(
        f"the GPU has {card / GB:.1f} GB free and {ways[-1].peak / GB:.1f} GB are needed; use a smaller --model, or --device cpu"
    )
