"""Both ends of the pipeline and the engines: every source, sink and engine keeps its contract."""

from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from stereocast import catalog, registry
from stereocast.errors import SourceError, StereocastError
from stereocast.jobs.convert import job
from stereocast.jobs.convert.engines import Engine
from stereocast.jobs.convert.engines.section import Result, Task
from stereocast.media import pictures, reader, writer
from stereocast.pipeline.stages import Sink, Source
from stereocast.settings import ConvertSettings
from stereocast.types import Layout, PackedClip, PixelFormat, Shot, StereoFormat
from tests.contracts import suites
from tests.films import make_film, picture, read_film

# ---- sources ---------------------------------------------------------------------------------------------------------


def a_film(folder: Path) -> Source:
    return reader.open_source(str(make_film(folder / "film.mp4", frames=7, size=(48, 64), audio=["aac"])))


def a_resampled_film(folder: Path) -> Source:
    from fractions import Fraction

    path = make_film(folder / "film.mkv", frames=7, size=(48, 64))
    return reader.open_source(str(path), reader.ReadOptions(rate=Fraction(50), scale=0.5))


def a_still(folder: Path) -> Source:
    cv2.imwrite(str(folder / "still.png"), picture(0, 47, 61))
    return reader.open_source(str(folder / "still.png"))


@pytest.mark.parametrize("make", [a_film, a_resampled_film, a_still])
def test_sources(make: Callable[[Path], Source], tmp_path: Path) -> None:
    source = make(tmp_path)
    assert isinstance(source, Source)
    info = source.info
    frames = list(source)
    assert frames
    pts = [frame.pts for frame in frames]
    assert pts == sorted(set(pts))
    for frame in frames:
        rows = info.height * 3 // 2 if info.pixel_format.planar else info.height
        assert frame.image.shape[:2] == (rows, info.width)
        assert frame.pixel_format is info.pixel_format
        assert frame.colour == info.colour
    assert info.height % 2 == info.width % 2 == 0
    assert source.damaged == 0
    source.close()
    source.close()


# ---- sinks -----------------------------------------------------------------------------------------------------------


def options(container: str) -> writer.SinkOptions:
    return writer.SinkOptions(suites.info(), catalog.encoder("x264"), container)


def packed(pixel_format: PixelFormat = PixelFormat.YUV420P, *, pair: bool = False) -> Iterator[PackedClip]:
    for clip in suites.film(4, 3, size=2, pixel_format=pixel_format):
        second = clip.frames if pair else None
        yield PackedClip(clip.frames, clip.pts, StereoFormat(Layout.SBS), pixel_format, clip.colour, second, clip.shot)


SINKS: dict[str, Callable[[Path], Sink]] = {
    "mp4": lambda folder: writer.VideoSink(folder / "out.mp4", options("mp4")),
    "mkv": lambda folder: writer.VideoSink(folder / "out.mkv", options("mkv")),
    "fmp4": lambda folder: writer.VideoSink(folder / "out.mp4", options("fmp4")),
    "hls": lambda folder: writer.VideoSink(folder / "out", options("hls")),
    "pair": lambda folder: writer.PairSink(
        writer.VideoSink(folder / "l.mp4", options("mp4")), writer.VideoSink(folder / "r.mp4", options("mp4"))
    ),
    "image": lambda folder: pictures.ImageSink(folder / "out.png"),
}


@pytest.mark.parametrize("name", SINKS)
def test_sinks(name: str, tmp_path: Path) -> None:
    sink = SINKS[name](tmp_path)
    assert isinstance(sink, Sink)
    assert sink.frames == 0
    count = 0
    for clip in packed(pair=name == "pair"):
        sink.write(clip)
        count += len(clip)
        assert sink.frames == count
    sink.finish()
    sink.close()
    sink.close()
    assert not list(tmp_path.glob("*.part.*"))
    for path in tmp_path.glob("*.m*"):
        assert len(read_film(path)["frames"]) == 7


@pytest.mark.parametrize("name", ["mp4", "mkv", "pair"])
def test_sinks_that_are_left_keep_a_part(name: str, tmp_path: Path) -> None:
    sink = SINKS[name](tmp_path)
    for clip in packed(pair=name == "pair"):
        sink.write(clip)
    sink.close()
    sink.close()
    parts = list(tmp_path.glob("*.part.*"))
    assert len(parts) == (2 if name == "pair" else 1)
    assert list(tmp_path.iterdir()) == parts or sorted(tmp_path.iterdir()) == sorted(parts)
    for part in parts:
        assert len(read_film(part)["frames"]) == 7


def test_a_sink_asks_for_every_frame_with_its_shot(tmp_path: Path) -> None:
    asked: list[tuple[int, int]] = []

    class Asked:
        def begins(self, pts: int, shot: Shot) -> bool:
            asked.append((pts, shot.number))
            return shot.pts == pts and pts > 0

        def end(self) -> None:
            asked.append((-1, -1))

    from dataclasses import replace

    sink = writer.VideoSink(tmp_path / "out.mp4", replace(options("mp4"), splitter=Asked()))
    for clip in packed():
        sink.write(clip)
    sink.finish()
    assert asked == [*((n, 0) for n in range(4)), *((n, 1) for n in range(4, 7)), (-1, -1)]


# ---- engines ---------------------------------------------------------------------------------------------------------


def tasks(source: Path, folder: Path, taken: list[int]) -> Iterator[Task]:
    settings = ConvertSettings(encoder="x264", depth="embedded").model_dump(mode="json")
    made, opened = job.prepare(str(source), folder / "plan.mp4", ConvertSettings(encoder="x264", depth="embedded"))
    from stereocast.shots.cuts import mark_shots

    shots = [shot for _, shot in mark_shots(iter(opened)) if shot is not None]
    opened.close()
    assert len(shots) == 3
    (folder / "work").mkdir()
    for number, (shot, after) in enumerate(zip(shots, [*shots[1:], None], strict=True)):
        taken.append(number)
        stop = None if after is None else after.pts
        yield Task(str(source), settings, shot, stop, str(folder / f"work/{number:05d}.part.mp4"))


def engine_contract(make: Callable[[ConvertSettings], Engine], folder: Path) -> None:
    """Order, whole results, errors as the kind they are, and an end to everything."""
    source = make_film(folder / "film.mp4", frames=45, size=(48, 64), cuts=[15, 30])
    engine = make(ConvertSettings(workers=2))
    assert isinstance(engine, Engine)
    assert engine.workers >= 1
    try:
        taken: list[int] = []
        results = list(engine.map(tasks(source, folder, taken)))
        assert taken == [0, 1, 2]
        assert all(isinstance(result, Result) for result in results)
        assert [result.frames for result in results] == [15, 15, 15]
        assert [Path(chunk.file).name for result in results for chunk in result.chunks] == [
            f"{n:05d}.part.mp4" for n in range(3)
        ]
        gone = Task(
            str(folder / "gone.mp4"), ConvertSettings().model_dump(mode="json"), Shot(), None, str(folder / "x")
        )
        with pytest.raises(SourceError, match="no such file") as caught:
            list(engine.map(iter([gone])))
        assert isinstance(caught.value, StereocastError)
    finally:
        engine.close()
        engine.close()


@pytest.mark.parametrize("name", ["local", pytest.param("ray", marks=pytest.mark.slow)])
def test_engines(name: str, tmp_path: Path) -> None:
    backend = registry.ENGINES[name]
    if not backend.installed:
        pytest.skip(f"needs the {backend.extra} extra")
    engine_contract(registry.load(registry.ENGINES, "engine", name), tmp_path)


def test_every_protocol_is_used_and_has_a_suite() -> None:
    import ast

    root = Path(__file__).resolve().parents[2]
    protocols = {
        node.name
        for path in (root / "stereocast").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ClassDef) and any(getattr(base, "id", "") == "Protocol" for base in node.bases)
    }
    text = "\n".join(path.read_text("utf-8") for path in (root / "stereocast").rglob("*.py"))
    for name in protocols:
        assert text.count(name) > 1, f"{name}: no code uses this Protocol"
    suites_text = "\n".join(path.read_text("utf-8") for path in Path(__file__).parent.glob("*.py"))
    stages = {"Source", "DepthEstimator", "StereoSynthesizer", "Packer", "Sink", "Engine"}
    assert stages <= protocols
    for name in stages:
        assert f", {name})" in suites_text, f"{name} has no suite"


def test_pictures_keep_their_samples(tmp_path: Path) -> None:
    sink = pictures.ImageSink(tmp_path / "out.png")
    clip = next(packed(PixelFormat.RGB24))
    sink.write(clip)
    sink.finish()
    assert np.array_equal(reader.read_image(str(tmp_path / "out.png")), clip.frames[-1])
