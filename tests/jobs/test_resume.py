"""A resumed conversion gives the file of an uninterrupted one: frames, packets, sound."""

import json
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import pytest

from stereocast import registry
from stereocast.errors import SinkError, UsageError
from stereocast.jobs.convert import chunks, job
from stereocast.jobs.convert.resume import Run, kept_path
from stereocast.media import owned, splice
from stereocast.media.writer import part_path
from stereocast.pipeline.progress import Progress
from stereocast.registry import Backend
from stereocast.settings import ConvertSettings
from stereocast.types import Shot
from tests.films import make_film

CUTS = (31, 52, 75)
REAL = (registry.DEPTH, registry.SYNTH)


def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "DEPTH", {**registry.DEPTH, "embedded": Backend("tests.fakes:RampDepth")})
    monkeypatch.setattr(registry, "SYNTH", {"warp": Backend("tests.fakes:ShiftSynthesizer")})
    monkeypatch.setattr(chunks, "SHORTEST_S", Fraction(1, 2))
    monkeypatch.setattr(chunks, "LONGEST_S", Fraction(1))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cheap stages, and chunks of half a second to a second."""
    _quick(monkeypatch)


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("source") / "film.mp4"
    return make_film(path, frames=100, audio=["aac", "aac"], subtitles=["mov_text"], cuts=CUTS, chapters=True)


@pytest.fixture(scope="module")
def whole(film: Path) -> dict[str, Any]:
    """The content of an uninterrupted conversion."""
    with pytest.MonkeyPatch.context() as patch:
        _quick(patch)
        run(film, film.with_name("whole.mp4"))
    return content(film.with_name("whole.mp4"))


def run(
    source: Path, output: Path, stop: int | None = None, error: type[BaseException] = KeyboardInterrupt, **flags: Any
) -> Any:
    """Converts; breaks off after about `stop` frames."""
    made, opened = job.prepare(str(source), output, ConvertSettings(encoder="x264", overwrite=True, **flags))

    def progress(progress: Progress) -> None:
        if stop is not None and progress.done >= stop:
            raise error

    return job.convert(made, opened, progress)


def broken(source: Path, output: Path, stop: int, **flags: Any) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(source, output, stop, **flags)


def content(path: Path) -> dict[str, Any]:
    """Every packet of a file, and its chapters."""
    found: dict[str, Any] = {}
    with av.open(str(path)) as box:
        found["chapters"] = [(c["start"], c["end"]) for c in box.chapters()]
        for packet in box.demux():
            if packet.size:
                key = f"{packet.stream.type} {packet.stream.index}"
                found.setdefault(key, []).append((packet.pts, packet.dts, packet.is_keyframe, bytes(packet)))
    return found


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_goes_on_and_comes_out_the_same(film: Path, tmp_path: Path, suffix: str) -> None:
    run(film, tmp_path / f"whole{suffix}")
    wanted = content(tmp_path / f"whole{suffix}")
    assert len([key for key in wanted if key.startswith(("video", "audio", "subtitle"))]) == 4
    for stop in (20, 40, 70, 99):
        output = tmp_path / f"cut{stop}{suffix}"
        broken(film, output, stop)
        assert part_path(output).exists()
        result = run(film, output, resume=True)
        assert result.frames == 100
        assert content(output) == wanted
        assert [path.name for path in tmp_path.glob(f"cut{stop}.*")] == [output.name]


def test_the_comfort_report_covers_the_whole_film(film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "SYNTH", REAL[1])
    whole = run(film, tmp_path / "whole.mp4").comfort
    assert len(whole.shots) > 3
    output = tmp_path / "out.mp4"
    broken(film, output, 90)
    assert run(film, output, resume=True).comfort == whole


def test_reads_and_encodes_only_the_rest(film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output = tmp_path / "out.mp4"
    broken(film, output, 90)
    encoded: list[int] = []
    from stereocast.media import encoder

    original = encoder.PyavEncoder.encode
    monkeypatch.setattr(
        encoder.PyavEncoder,
        "encode",
        lambda self, image, pts, duration: encoded.append(pts) or original(self, image, pts, duration),
    )
    run(film, output, resume=True)
    assert len(encoded) < 40


def test_interrupted_again_and_again(film: Path, whole: dict[str, Any], tmp_path: Path) -> None:
    output = tmp_path / "out.mp4"
    broken(film, output, 40)
    for stop in (1, 60, 60, 85):
        broken(film, output, stop, resume=True)
    assert kept_path(output).exists()
    run(film, output, resume=True)
    assert content(output) == whole


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 0.9])
def test_a_part_file_that_lost_its_end(film: Path, whole: dict[str, Any], tmp_path: Path, share: float) -> None:
    """As after a power loss: the journal is ahead of what is on the disk."""
    output = tmp_path / "out.mp4"
    broken(film, output, 90)
    data = part_path(output).read_bytes()
    part_path(output).write_bytes(data[: int(len(data) * share)])
    run(film, output, resume=True)
    assert content(output) == whole


def test_variable_rate_and_start(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    pts = np.cumsum(rng.integers(20, 60, 90)).tolist()
    source = make_film(tmp_path / "vfr.mkv", frames=90, pts=pts, time_base=Fraction(1, 1000), audio=["aac"], cuts=CUTS)
    for number, flags in enumerate(({}, {"start": "0.7", "end": "3.1"}, {"fps": 30.0})):
        run(source, tmp_path / f"whole{number}.mp4", **flags)
        output = tmp_path / f"out{number}.mp4"
        broken(source, output, 50, **flags)
        run(source, output, resume=True, **flags)
        assert content(output) == content(tmp_path / f"whole{number}.mp4")


def test_pair(tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.mp4", frames=100, size=(48, 96), audio=["aac"], cuts=CUTS)
    run(film, tmp_path / "whole.mp4", format="pair")
    broken(film, tmp_path / "out.mp4", 60, format="pair")
    run(film, tmp_path / "out.mp4", resume=True, format="pair")
    for eye in "LR":
        assert content(tmp_path / f"out_{eye}.mp4") == content(tmp_path / f"whole_{eye}.mp4")


def test_depth_file_stays_complete(film: Path, tmp_path: Path) -> None:
    broken(film, tmp_path / "out.mp4", 60, depth_out=tmp_path / "depth.mkv")
    run(film, tmp_path / "out.mp4", resume=True, depth_out=tmp_path / "depth.mkv")
    with av.open(str(tmp_path / "depth.mkv")) as box:
        assert sum(1 for _ in box.decode(video=0)) == 100


def test_depth_of_ones_own_stays_in_step(film: Path, tmp_path: Path) -> None:
    run(film, tmp_path / "first.mp4", depth_out=tmp_path / "depth.mkv")
    run(film, tmp_path / "whole.mp4", depth=str(tmp_path / "depth.mkv"))
    broken(film, tmp_path / "out.mp4", 60, depth=str(tmp_path / "depth.mkv"))
    run(film, tmp_path / "out.mp4", resume=True, depth=str(tmp_path / "depth.mkv"))
    assert content(tmp_path / "out.mp4") == content(tmp_path / "whole.mp4")


def test_inexact_seeking_is_noticed(
    film: Path, whole: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "out.mp4"
    broken(film, output, 70)
    from stereocast.media import reader

    original = reader.VideoSource._seek

    def lands_late(self: Any, tick: int) -> bool:
        late = self.options.seek and self.options.first
        return original(self, self.stream.duration - 1 if late else tick)

    monkeypatch.setattr(reader.VideoSource, "_seek", lands_late)
    run(film, output, resume=True)
    assert content(output) == whole


def test_other_settings_or_source_are_refused(film: Path, tmp_path: Path) -> None:
    source = tmp_path / "film.mp4"
    source.write_bytes(film.read_bytes())
    output = tmp_path / "out.mp4"
    broken(source, output, 60)
    with pytest.raises(UsageError, match=r"--strength was None and is now 3\.0"):
        run(source, output, resume=True, strength=3.0)
    source.write_bytes(film.read_bytes() + b"\0")
    with pytest.raises(UsageError, match="source has changed"):
        run(source, output, resume=True)
    assert part_path(output).exists()
    assert run(source, output).frames == 100


def test_without_anything_to_go_on_from(film: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.mp4"
    assert run(film, output, resume=True).frames == 100
    chunks.journal_path(output).write_bytes(owned.JOURNAL + b", half")
    assert run(film, output, resume=True).frames == 100


def test_disk_full_and_on_again(
    film: Path, whole: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "out.mp4"
    from stereocast.media import writer

    original = writer.VideoSink._mux

    def full(self: Any, packets: Any) -> None:
        if self.frames > 60:
            raise OSError(28, "No space left on device")
        original(self, packets)

    with monkeypatch.context() as patch:
        patch.setattr(writer.VideoSink, "_mux", full)
        with pytest.raises(SinkError, match="disk full"):
            run(film, output)
    run(film, output, resume=True)
    assert content(output) == whole


def test_journal_lists_what_the_part_file_holds(film: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.mp4"
    broken(film, output, 90)
    table = json.loads(chunks.journal_path(output).read_text())
    listed = [chunks.Chunk(**{**item, "after": Shot(**item["after"])}) for item in table["chunks"]]
    assert [chunk.after.number for chunk in listed][-1] >= 2
    assert all(a.last < b.first for a, b in zip(listed, listed[1:]))
    base = Fraction(table["identity"]["time_base"])
    assert splice.complete(part_path(output), listed, base) >= len(listed) - 1
    group = list(splice.packets(part_path(output), listed[:1], base))
    assert len(group) == listed[0].frames
    assert group[0].is_keyframe


@pytest.mark.usefixtures("small_maps")
@pytest.mark.parametrize("fill", ["fast", "best"])
def test_the_real_stages_forget_at_a_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fill: str) -> None:
    """Depth, its smoothing, and carried fills are reset at each shot. The film goes on in the middle of the second."""
    monkeypatch.setattr(chunks, "LONGEST_S", Fraction(1, 2))
    film = make_film(tmp_path / "film.mp4", frames=34, cuts=(14, 29))
    monkeypatch.setattr(registry, "DEPTH", REAL[0])
    monkeypatch.setattr(registry, "SYNTH", REAL[1])
    run(film, tmp_path / "whole.mp4", fill=fill)
    broken(film, tmp_path / "out.mp4", 26, fill=fill)
    assert [chunk.frames for chunk in chunks.Journal.chunks_of(chunks.journal_path(tmp_path / "out.mp4"))] == [12, 12]
    run(film, tmp_path / "out.mp4", resume=True, fill=fill)
    assert content(tmp_path / "out.mp4") == content(tmp_path / "whole.mp4")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"version": 1, "job": {"program": "0.1.0"}, "segments": []}', "was written by another version of stereocast"),
        ('{"version": 2, "identity": {"program": "0.1.9"}, "chunks": []}', "was written by another version"),
        ("[]", "can't be read"),
        ("{", "can't be read"),
    ],
)
def test_a_foreign_journal_is_not_resumed(
    text: str, said: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "journal").write_text(text)
    assert chunks.Journal.load(tmp_path / "journal", chunks.Identity({}, {}, "1/90000")) is None
    assert said in caplog.text
    assert "starting from the beginning" in caplog.text


@pytest.mark.parametrize(("shot", "number"), [(None, 0), (Shot(7, 100, 5), 7)])
def test_shots_are_numbered_on(shot: Shot | None, number: int) -> None:
    assert Run(SimpleNamespace(outputs=[]), SimpleNamespace(name="in.mp4"), shot=shot).number == number  # type: ignore[arg-type]
