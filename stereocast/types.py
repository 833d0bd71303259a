"""The values that travel between stages: frozen, checked on construction, without behaviour.

Video stays in planes: `frames` of a yuv420p clip is [T, H*3//2, W], the Y, U and V planes stacked as FFmpeg
orders them (see `planes`); stills and lossless work are [T, H, W, 3] RGB. Arrays are NumPy or torch.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction
from typing import Any

Array = Any  # numpy.ndarray or torch.Tensor; importing either here would make every import slow


class PixelFormat(StrEnum):
    """Layout of samples in memory; names are FFmpeg's."""

    YUV420P = "yuv420p"  # uint8 [H*3//2, W]
    YUV420P10 = "yuv420p10le"  # uint16, values 0..1023, [H*3//2, W]
    RGB24 = "rgb24"  # uint8 [H, W, 3], full range
    RGB48 = "rgb48le"  # uint16 [H, W, 3], full range

    @property
    def planar(self) -> bool:
        return self in (PixelFormat.YUV420P, PixelFormat.YUV420P10)

    @property
    def bits(self) -> int:
        return {"yuv420p": 8, "yuv420p10le": 10, "rgb24": 8, "rgb48le": 16}[self.value]

    @property
    def dtype(self) -> str:
        return "uint8" if self.bits == 8 else "uint16"


class Layout(StrEnum):
    """Where the two views are in the written picture."""

    SBS = "sbs"
    HALF_SBS = "half-sbs"
    OU = "ou"
    HALF_OU = "half-ou"
    CROSS_EYED = "cross-eyed"
    ANAGLYPH = "anaglyph"
    RGBD = "rgbd"
    VR180 = "vr180"
    ROW_INTERLACED = "row-interlaced"
    PAIR = "pair"
    LEFT = "left"
    RIGHT = "right"
    MONO = "mono"
    SPATIAL = "spatial"


class Projection(StrEnum):
    """The surface that the picture is mapped to."""

    FLAT = "flat"
    EQUIRECT_180 = "equirect-180"


class Anaglyph(StrEnum):
    """Colour mixing of an anaglyph for red-cyan glasses."""

    DUBOIS = "dubois"
    COLOR = "color"
    HALF_COLOR = "half-color"
    GRAY = "gray"
    WIMMER = "wimmer"


@dataclass(frozen=True, slots=True)
class StereoFormat:
    """What a player must know to show the picture."""

    layout: Layout
    projection: Projection = Projection.FLAT
    right_first: bool = False
    fov_deg: float | None = None  # horizontal field of view of one eye
    anaglyph: Anaglyph = Anaglyph.DUBOIS


@dataclass(frozen=True, slots=True)
class Colour:
    """Colour tags of a stream; the values are FFmpeg's enums (ISO 23001-8), 2 = unspecified."""

    primaries: int = 2
    transfer: int = 2
    matrix: int = 2
    full_range: bool = False


@dataclass(frozen=True, slots=True)
class HdrStatic:
    """HDR10 static metadata: chromaticities (x, y) of r, g, b, white; luminances and light levels in cd/m²."""

    primaries: tuple[tuple[Fraction, Fraction], ...] = ()
    luminance: tuple[Fraction, Fraction] | None = None  # min, max
    max_content: int = 0
    max_average: int = 0


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """The video stream as the stages see it: upright, progressive, even-sized."""

    width: int
    height: int
    time_base: Fraction
    rate: Fraction | None  # None: variable
    pixel_format: PixelFormat = PixelFormat.YUV420P
    colour: Colour = field(default_factory=Colour)
    hdr: HdrStatic | None = None
    rotation: int = 0  # degrees that were applied
    sample_aspect: Fraction = Fraction(1)
    frames: int | None = None  # None: not known before the end
    duration: Fraction | None = None  # seconds
    padding: tuple[int, int] = (0, 0)  # rows and columns added to a still to make its size even


def _check(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)


def _check_frames(frames: Array, pixel_format: PixelFormat, lead: int) -> None:
    shape = tuple(frames.shape)
    want = lead + (2 if pixel_format.planar else 3)
    _check(len(shape) == want, f"{pixel_format} needs {want} axes, got shape {shape}")
    _check(pixel_format.planar or shape[-1] == 3, f"RGB needs 3 channels, got shape {shape}")
    _check(not pixel_format.planar or (shape[-2] % 3 == 0 and shape[-1] % 2 == 0), f"planes of {shape} are not 4:2:0")
    dtype = str(frames.dtype).removeprefix("torch.")
    _check(dtype == pixel_format.dtype, f"{pixel_format} needs {pixel_format.dtype}, got {dtype}")


@dataclass(frozen=True, slots=True)
class Frame:
    """One upright picture and its time in ticks of the stream's time base."""

    image: Array  # [H*3//2, W] or [H, W, 3]
    pts: int
    pixel_format: PixelFormat = PixelFormat.RGB24
    colour: Colour = field(default_factory=Colour)

    def __post_init__(self) -> None:
        _check_frames(self.image, self.pixel_format, 0)


@dataclass(frozen=True, slots=True)
class Shot:
    """The frames between two cuts. Every clip carries its shot, from the cut detector to the file.

    `pts` and `check` are its first frame's tick and checksum, by which it is found again in the source.
    """

    number: int = 0
    pts: int = 0
    check: int = 0


@dataclass(frozen=True, slots=True)
class Clip:
    """Consecutive frames of one shot. The first `overlap` frames were in the clip before."""

    frames: Array  # [T, H*3//2, W] or [T, H, W, 3]
    pts: Array  # int64 [T]
    pixel_format: PixelFormat = PixelFormat.RGB24
    colour: Colour = field(default_factory=Colour)
    shot: Shot = field(default_factory=Shot)
    overlap: int = 0
    first: bool = True  # a new shot begins here
    last: bool = True  # the shot ends here

    def __post_init__(self) -> None:
        _check_frames(self.frames, self.pixel_format, 1)
        _check(len(self.frames) == len(self.pts), f"{len(self.frames)} frames but {len(self.pts)} timestamps")
        _check(0 <= self.overlap <= len(self.frames), f"overlap {self.overlap} outside 0..{len(self.frames)}")

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def height(self) -> int:
        rows = int(self.frames.shape[1])
        return rows * 2 // 3 if self.pixel_format.planar else rows

    @property
    def width(self) -> int:
        return int(self.frames.shape[2])


def _check_maps(values: Array, name: str, dtype: str) -> None:
    _check(values.ndim == 3, f"{name} needs [T, H, W], got shape {tuple(values.shape)}")
    _check(str(values.dtype).removeprefix("torch.") == dtype, f"{name} needs {dtype}, got {values.dtype}")


@dataclass(frozen=True, slots=True)
class DepthMap:
    """Inverse depth: relative (0..1, 1 = nearest, one scale within a shot) or metric (1/m)."""

    values: Array  # float32 [T, h, w], at the clip's size or smaller
    metric: bool = False
    flows: tuple[Array | None, ...] = ()
    """Where each pixel came from in the frame before, float32 [h, w, 2] in pixels of the map, as far as that was found;
    () or one for each map. What comes later needn't look for it again."""

    def __post_init__(self) -> None:
        _check_maps(self.values, "depth", "float32")
        if self.flows and len(self.flows) != len(self.values):
            raise ValueError(f"{len(self.flows)} flows for {len(self.values)} depth maps")

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True, slots=True)
class Disparity:
    """x_left - x_right in pixels of that clip's width; positive is in front of the screen; nan = unknown."""

    values: Array  # float32 [T, H, W]

    def __post_init__(self) -> None:
        _check_maps(self.values, "disparity", "float32")


@dataclass(frozen=True, slots=True)
class StereoClip:
    """Both views of a clip, their filled areas, and the depth they came from."""

    left: Array  # like Clip.frames
    right: Array
    pts: Array  # int64 [T]
    pixel_format: PixelFormat = PixelFormat.RGB24
    colour: Colour = field(default_factory=Colour)
    holes_left: Array | None = None  # bool [T, H, W]; None: that view is the source, or they were not requested
    holes_right: Array | None = None
    depth: DepthMap | None = None
    disparity: Disparity | None = None  # of the left view, for reports
    shot: Shot = field(default_factory=Shot)
    first: bool = True
    last: bool = True

    def __post_init__(self) -> None:
        _check_frames(self.left, self.pixel_format, 1)
        _check_frames(self.right, self.pixel_format, 1)
        _check(self.left.shape == self.right.shape, f"views differ: {self.left.shape} and {self.right.shape}")
        _check(len(self.left) == len(self.pts), f"{len(self.left)} frames but {len(self.pts)} timestamps")
        for holes in (self.holes_left, self.holes_right):
            if holes is not None:
                _check_maps(holes, "holes", "bool")

    def __len__(self) -> int:
        return len(self.left)

    @property
    def height(self) -> int:
        rows = int(self.left.shape[1])
        return rows * 2 // 3 if self.pixel_format.planar else rows

    @property
    def width(self) -> int:
        return int(self.left.shape[2])


@dataclass(frozen=True, slots=True)
class PackedClip:
    """Pictures as they are encoded. `second` holds the right view if each eye has its own file."""

    frames: Array  # [T, H'*3//2, W'] or [T, H', W', 3]
    pts: Array  # int64 [T]
    format: StereoFormat
    pixel_format: PixelFormat = PixelFormat.RGB24
    colour: Colour = field(default_factory=Colour)
    second: Array | None = None
    shot: Shot = field(default_factory=Shot)

    def __post_init__(self) -> None:
        _check_frames(self.frames, self.pixel_format, 1)
        _check(len(self.frames) == len(self.pts), f"{len(self.frames)} frames but {len(self.pts)} timestamps")

    def __len__(self) -> int:
        return len(self.frames)
