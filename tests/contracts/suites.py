"""The contracts of the stages as suites: each takes a factory and asserts what every implementation has to keep."""

from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import numpy as np

from stereocast.pipeline.stages import DepthClip, DepthEstimator, Packer, StereoSynthesizer
from stereocast.types import Clip, Colour, DepthMap, PackedClip, PixelFormat, Shot, StereoClip, StreamInfo

HEIGHT, WIDTH = 64, 96


def info(pixel_format: PixelFormat = PixelFormat.YUV420P) -> StreamInfo:
    return StreamInfo(WIDTH, HEIGHT, Fraction(1, 25), Fraction(25), pixel_format)


def pictures(count: int, pixel_format: PixelFormat, seed: int = 0) -> Any:
    """Pictures that move, in any pixel format."""
    stream = np.random.default_rng(seed)
    top = 1023 if pixel_format is PixelFormat.YUV420P10 else 255
    shape = (HEIGHT * 3 // 2, WIDTH) if pixel_format.planar else (HEIGHT, WIDTH, 3)
    base = stream.integers(top // 8, top, shape).astype(pixel_format.dtype)
    return np.stack([np.roll(base, 2 * n, axis=1) for n in range(count)])


def film(*lengths: int, size: int = 3, pixel_format: PixelFormat = PixelFormat.YUV420P) -> list[Clip]:
    """Clips of at most `size` frames from shots of the given lengths; every shot has its own pictures."""
    made: list[Clip] = []
    at = 0
    for number, length in enumerate(lengths):
        shown = pictures(length, pixel_format, number)
        shot = Shot(number, at, number)
        for begin in range(0, length, size):
            part = shown[begin : begin + size]
            pts = np.arange(at + begin, at + begin + len(part), dtype=np.int64)
            last = begin + size >= length
            made.append(Clip(part, pts, pixel_format, Colour(1, 1, 1), shot, 0, begin == 0, last))
        at += length
    return made


def with_depth(clips: list[Clip]) -> Iterator[DepthClip]:
    """A ball in front of a slope, moving with the pictures."""
    y, x = np.mgrid[0:36, 0:54].astype(np.float32)
    for clip in clips:
        ball = [np.where((x - 20 - t % 9) ** 2 + (y - 18) ** 2 < 60, 0.9, y / 72) for t in clip.pts]
        yield clip, DepthMap(np.stack(ball).astype(np.float32))


def closes(stage: Callable[[Iterator[Any]], Iterator[Any]], items: list[Any]) -> None:
    """A stage that is left in the middle ends at once, and may be left before it has begun."""
    begun = stage(iter(items))
    next(begun, None)
    begun.close()  # type: ignore[attr-defined]
    stage(iter(items)).close()  # type: ignore[attr-defined]
    assert list(stage(iter([]))) == []


def estimator_contract(make: Callable[[StreamInfo], DepthEstimator], pixel_format: PixelFormat) -> None:
    """Shapes, range, order, determinism, cuts, `held`, cancelling."""
    stage = make(info(pixel_format))
    assert isinstance(stage, DepthEstimator)
    assert stage.held >= 0
    clips = film(5, 4, size=2, pixel_format=pixel_format)
    found = list(stage(iter(clips)))
    assert np.concatenate([clip.pts for clip, _ in found]).tolist() == list(range(9))
    assert [clip.shot.number for clip, _ in found if clip.first] == [0, 1]
    for clip, depth in found:
        assert len(depth) == len(clip)
        rows, columns = depth.values.shape[1:]  # of any size, but of about the shape of the picture
        assert 0.5 < columns / rows * HEIGHT / WIDTH < 2
        assert np.isfinite(depth.values).all()
        assert depth.values.min() >= 0
        assert depth.metric or depth.values.max() <= 1
    alone = list(make(info(pixel_format))(iter(film(5, 4, size=2, pixel_format=pixel_format)[3:])))
    assert len(alone) == 2
    np.testing.assert_allclose(
        np.concatenate([depth.values for _, depth in alone]),
        np.concatenate([depth.values for clip, depth in found if clip.shot.number == 1]),
        atol=1e-6,
        err_msg="a shot's depth depends on the one before it",
    )
    waiting = 0
    most = 0

    def counted() -> Iterator[Clip]:
        nonlocal waiting, most
        for clip in film(30, size=1, pixel_format=pixel_format):
            waiting += 1
            most = max(most, waiting)
            yield clip

    for clip, _ in make(info(pixel_format))(counted()):
        waiting -= len(clip)
    assert most <= stage.held + 1, f"{most - 1} frames waited, `held` says {stage.held}"
    closes(make(info(pixel_format)), film(4, pixel_format=pixel_format))


def synthesizer_contract(
    make: Callable[[StreamInfo], StereoSynthesizer], pixel_format: PixelFormat, lengths: tuple[int, int] = (5, 4)
) -> None:
    """Shapes, formats, times, fields copied from the clip, cuts, determinism, cancelling."""
    stage = make(info(pixel_format))
    assert isinstance(stage, StereoSynthesizer)
    assert stage.held >= 0
    clips = film(*lengths, pixel_format=pixel_format)
    made = list(stage(with_depth(clips)))
    assert all(isinstance(clip, StereoClip) for clip in made)
    assert np.concatenate([clip.pts for clip in made]).tolist() == list(range(sum(lengths)))
    assert [clip.shot.number for clip in made if clip.first] == [0, 1]
    assert made[-1].last
    for clip in made:
        assert (clip.height, clip.width, clip.pixel_format) == (HEIGHT, WIDTH, pixel_format)
        assert clip.colour == clips[0].colour
        assert clip.pixel_format.bits != 10 or int(max(clip.left.max(), clip.right.max())) <= 1023
        for holes in (clip.holes_left, clip.holes_right):
            assert holes is None or holes.shape == (len(clip), HEIGHT, WIDTH)
    sources = {int(t): frame for clip in clips for t, frame in zip(clip.pts, clip.frames, strict=True)}
    changed = [
        (clip.left[n] != sources[int(t)]).any() or (clip.right[n] != sources[int(t)]).any()
        for clip in made
        for n, t in enumerate(clip.pts)
    ]
    assert all(changed), "both views are the source"
    again = list(make(info(pixel_format))(with_depth(film(*lengths, pixel_format=pixel_format))))
    for a, b in zip(made, again, strict=True):
        assert np.array_equal(a.left, b.left)
        assert np.array_equal(a.right, b.right)
    second = [clip for clip in clips if clip.shot.number == 1]
    alone = list(make(info(pixel_format))(with_depth(second)))
    for a, b in zip([clip for clip in made if clip.shot.number == 1], alone, strict=True):
        assert np.array_equal(a.right, b.right), "a shot's views depend on the one before it"
    closes(make(info(pixel_format)), list(with_depth(film(lengths[1], pixel_format=pixel_format))))


def packer_contract(packer: Packer, pixel_format: PixelFormat) -> None:
    """Announced size, format, times, the shot, cancelling; what comes in stays as it is."""
    assert isinstance(packer, Packer)
    clips = [
        StereoClip(
            clip.frames.copy(), clip.frames[:, :, ::-1].copy(), clip.pts, pixel_format, clip.colour,
            depth=depth, shot=clip.shot, first=clip.first, last=clip.last,
        )
        for clip, depth in with_depth(film(3, 2, size=2, pixel_format=pixel_format))
    ]  # fmt: skip
    before = [(clip.left.copy(), clip.right.copy()) for clip in clips]
    made = list(packer(iter(clips)))
    assert all(isinstance(clip, PackedClip) for clip in made)
    height, width = packer.shape(HEIGHT, WIDTH)
    assert height % 2 == width % 2 == 0
    rows = height * 3 // 2 if pixel_format.planar else height
    for clip in made:
        assert clip.frames.shape[1:3] == (rows, width)
        assert clip.pixel_format is pixel_format
        assert clip.second is None or clip.second.shape == clip.frames.shape
    assert np.concatenate([clip.pts for clip in made]).tolist() == list(range(5))
    assert [clip.shot.number for clip in made] == [0, 0, 1]
    for clip, (left, right) in zip(clips, before, strict=True):
        assert np.array_equal(clip.left, left)
        assert np.array_equal(clip.right, right)
    closes(packer, clips)
