"""Clocks of files: those that begin again, jump, or begin late; and where reading begins in them."""

from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import pytest

from stereocast.media import clock, reader
from tests.films import number_of
from tests.media.small import beeps, convert, flash_film, flashes, numbered_film, numbers, packets

pytestmark = pytest.mark.usefixtures("small_stages")

STEP = Fraction(1, 25)


def joined(folder: Path, suffix: str, starts: list[float], codec: str = "libx264", sound: str = "ac3") -> Path:
    parts = [
        flash_film(folder / f"part{k}{suffix}", start=start, codec=codec, sound=sound).read_bytes()
        for k, start in enumerate(starts)
    ]
    path = folder / f"joined{suffix}"
    path.write_bytes(b"".join(parts))
    return path


@pytest.mark.parametrize(
    ("suffix", "codec", "sound", "starts"),
    [
        (".ts", "libx264", "ac3", [0, 0]),
        (".ts", "libx264", "aac", [0, 0, 0]),
        (".ts", "libx264", "ac3", [100, 5000, 20]),
        (".ts", "libx264", "mp2", [0, 100000]),
        (".mpg", "mpeg2video", "mp2", [0, 0, 0]),
        (".vob", "mpeg2video", "ac3", [0, 0]),
    ],
)
@pytest.mark.parametrize("container", ["mp4", "mkv"])
def test_a_clock_that_jumps_keeps_picture_and_sound_in_step(
    tmp_path: Path, suffix: str, codec: str, sound: str, starts: list[float], container: str
) -> None:
    source = joined(tmp_path, suffix, starts, codec, sound)
    output = convert(source, tmp_path / f"out.{container}").plan.outputs[0]
    found, before = packets(output), packets(source)
    assert len(found["video"]) == 50 * len(starts)
    assert len(found["audio"]) == len(before["audio"])
    times = sorted(pts for _, pts in found["video"])
    gaps = [b - a for a, b in zip(times, times[1:], strict=False)]
    assert min(gaps) > STEP * Fraction(9, 10), "pictures collapsed"
    assert max(gaps) < STEP * 4
    assert 0 <= times[0] < Fraction(1, 4)
    lights, tones = flashes(output), beeps(output)
    assert len(lights) == len(tones) == len(starts)
    assert np.allclose(lights, tones, atol=0.05)


@pytest.mark.parametrize(("start", "suffix"), [(95000, ".ts"), (0, ".ts"), (3600, ".mkv"), (0, ".mpg")])
@pytest.mark.parametrize("container", ["mp4", "mkv"])
def test_output_begins_at_zero_in_step(tmp_path: Path, start: int, suffix: str, container: str) -> None:
    codec = "mpeg2video" if suffix == ".mpg" else "libx264"
    source = flash_film(tmp_path / f"in{suffix}", start=start, codec=codec)
    output = convert(source, tmp_path / f"out.{container}").plan.outputs[0]
    found = packets(output)
    first = min(min(pts for _, pts in found[kind]) for kind in ("video", "audio"))
    assert abs(first) < Fraction(2, 1000)
    assert np.allclose(flashes(output), beeps(output), atol=0.05)


@pytest.mark.parametrize(
    ("suffix", "codec", "gop"),
    [(".ts", "libx264", 1000), (".ts", "libx264", 7), (".mpg", "mpeg2video", 12), (".mp4", "libx264", 12),
     (".mkv", "libx264", 1000), (".avi", "mpeg4", 10)],
)  # fmt: skip
@pytest.mark.parametrize("start", [1, 1.48, 3.96])
def test_start_finds_its_frame_in_every_container(
    tmp_path: Path, suffix: str, codec: str, gop: int, start: float
) -> None:
    source = numbered_film(tmp_path / f"in{suffix}", 100, codec=codec, gop=gop)
    output = convert(source, tmp_path / "out.mkv", start=str(start), duration="0.4").plan.outputs[0]
    want = list(range(round(start * 25), min(100, round(start * 25) + 10)))
    assert numbers(output) == want


@pytest.mark.parametrize(("suffix", "codec"), [(".avi", "mpeg4"), (".mp4", "libx264"), (".mkv", "libx264")])
@pytest.mark.parametrize("fps", [10, 24, 60])
def test_a_new_rate_is_even_whatever_the_clock(tmp_path: Path, suffix: str, codec: str, fps: int) -> None:
    """A clock may count frames of the old rate (AVI), which are no ticks for the new one."""
    source = numbered_film(tmp_path / f"in{suffix}", 50, codec=codec)
    output = convert(source, tmp_path / "out.mp4", fps=fps).plan.outputs[0]
    times = sorted(pts for _, pts in packets(output)["video"])
    assert len(times) == 50 * fps // 25  # the last picture is on screen for 1/25 s too
    assert all(abs(time - Fraction(k, fps)) <= Fraction(1, 90_000) for k, time in enumerate(times))
    assert numbers(output) == [k * 25 // fps for k in range(len(times))]


def test_start_counts_over_a_jump(tmp_path: Path) -> None:
    part = numbered_film(tmp_path / "part.ts", 50).read_bytes()
    (tmp_path / "in.ts").write_bytes(part * 2)
    output = convert(tmp_path / "in.ts", tmp_path / "out.mkv", start="3", duration="0.2").plan.outputs[0]
    assert numbers(output) == [25, 26, 27, 28, 29]


def test_a_seek_that_lands_late_is_made_good(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = numbered_film(tmp_path / "in.mkv", 100, gop=20)
    honest = reader.VideoSource._seek
    monkeypatch.setattr(reader.VideoSource, "_seek", lambda self, tick: honest(self, tick + 1500))
    opened = reader.VideoSource(str(source), reader.ReadOptions(start=Fraction(2)))
    heights = opened.info.height
    found = [number_of(np.asarray(frame.image)[:heights]) for frame in opened]
    opened.close()
    assert found == list(range(50, 100))


@pytest.mark.parametrize(("suffix", "seek"), [(".mkv", False), (".ts", True)])
def test_nothing_is_sought_where_that_is_off_or_the_clock_may_jump(
    tmp_path: Path, suffix: str, seek: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = numbered_film(tmp_path / f"in{suffix}", 50, gop=10)
    monkeypatch.setattr(reader.VideoSource, "_seek", None)
    opened = reader.VideoSource(str(source), reader.ReadOptions(start=Fraction(1), seek=seek))
    found = [number_of(np.asarray(frame.image)[: opened.info.height]) for frame in opened]
    opened.close()
    assert found == list(range(25, 50))


def test_a_stream_is_not_asked_once_its_container_is_closed(tmp_path: Path) -> None:
    """Its memory goes with the container: what is read then is chance, and another stream was taken for the film."""
    source = reader.VideoSource(str(flash_film(tmp_path / "in.mkv", seconds=1)))
    closed: list[bool] = []

    class Closing:
        def __init__(self, inner: Any) -> None:
            self.close = lambda: (closed.append(True), inner.close())

    class Asked:
        def __init__(self, number: int) -> None:
            self._number = number

        @property
        def index(self) -> int:
            assert not closed
            return self._number

    source.container, source.stream = Closing(source.container), Asked(source.stream.index)
    source._rewind()
    assert closed
    assert source.stream.type == "video"
    source.close()


def track(start: int | None, base: Fraction | None = Fraction(1, 1000), kind: str = "video") -> Any:
    return SimpleNamespace(start_time=start, time_base=base, type=kind)


@pytest.mark.parametrize(
    ("kind", "streams", "want"),
    [
        ("matroska,webm", [track(700), track(300), track(None)], Fraction(3, 10)),
        ("mpegts", [track(90000, Fraction(1, 90000)), track(1500)], Fraction(1)),
        ("matroska,webm", [track(-40), track(300)], Fraction(0)),
        ("matroska,webm", [track(700, None), track(900)], Fraction(9, 10)),
        ("matroska,webm", [], Fraction(0)),
        ("mov,mp4,m4a,3gp,3g2,mj2", [track(700)], Fraction(0)),
    ],
)
def test_where_a_files_clock_begins(kind: str, streams: list[Any], want: Fraction) -> None:
    container = SimpleNamespace(format=SimpleNamespace(name=kind))
    assert clock.origin(container, streams) == want


def coded(stream: Any, pts: int | None, dts: int | None, *, key: bool = False, size: int = 9) -> Any:
    return SimpleNamespace(stream=stream, pts=pts, dts=dts, is_keyframe=key, size=size)


@pytest.mark.parametrize(
    ("tick", "first"),
    [(0, 0), (3, 0), (4, 0), (7, 0), (8, 4), (9, 4), (11, 4), (12, 8), (13, 8), (19, 12), (20, 16), (99, 16)],
)
@pytest.mark.parametrize("flushed", [True, False])
def test_reading_begins_one_keyframe_early(tick: int, first: int, flushed: bool) -> None:
    """A keyframe at every fourth tick: pictures after the one before `tick` may refer to the one before that."""
    picture, sound = track(0), track(0, kind="audio")
    packets = []
    for n in range(24):
        packets += [coded(picture, n, n, key=n % 4 == 0), coded(sound, n, n)]
    if flushed:
        packets.append(coded(picture, None, None, size=0))
    found = list(clock.from_keyframe(iter(packets), picture, tick))
    assert [p.pts for p in found if p.stream is picture and p.size] == list(range(first, 24))
    assert [p.pts for p in found if p.stream is sound] == list(range(24)), "other streams pass"


def test_a_keyframe_is_told_by_its_decoding_time_where_it_has_no_other() -> None:
    picture = track(0)
    packets = [coded(picture, None, n, key=n % 4 == 0) for n in range(20)]
    assert [p.dts for p in clock.from_keyframe(iter(packets), picture, 13)] == list(range(8, 20))


def continued(times: list[Any]) -> list[Any]:
    """The packets of one stream at these milliseconds, on a continuous clock."""
    picture = track(0)
    packets = [
        SimpleNamespace(
            stream=picture, stream_index=0, pts=ms, dts=ms, duration=40, time_base=Fraction(1, 1000), size=9
        )
        for ms in times
    ]
    return list(clock.Continuous()(iter(packets)))


@pytest.mark.parametrize(
    ("following", "goes_on_at"), [(860, 860), (859, 1000), (11_000, 11_000), (11_001, 1000), (960, 960), (5000, 5000)]
)
def test_what_is_a_pause_and_what_another_clock(following: int, goes_on_at: int) -> None:
    """Back by more than 0.1 s from the last packet, or ahead by more than 10 s from its end."""
    times = [*range(0, 1000, 40), following, following + 40]
    made = continued(times)
    assert [packet.pts for packet in made] == [*range(0, 1000, 40), goes_on_at, goes_on_at + 40]
    assert [packet.dts for packet in made] == [packet.pts for packet in made]


@pytest.mark.parametrize(
    ("after", "want"),
    [
        ([50_000, None, 50_040, None, 50_080], [1000, None, 1040, None, 1080]),
        ([50_000, 50_040, 900_000, 900_040], [1000, 1040, 1080, 1120]),  # a third clock soon after the second
    ],
)
def test_jumps_close_together_and_packets_without_a_time(after: list[int | None], want: list[int | None]) -> None:
    times = [*range(0, 1000, 40), *after]
    made = continued(times)
    assert [packet.pts for packet in made] == [*range(0, 1000, 40), *want]


@pytest.mark.parametrize("container", ["mp4", "mkv", "fmp4"])
@pytest.mark.parametrize("rate", [12, 60])
def test_sound_stands_beside_its_pictures(tmp_path: Path, container: str, rate: int) -> None:
    source = flash_film(tmp_path / "in.mkv", seconds=4, rate=rate)
    target = tmp_path / ("out.mkv" if container == "mkv" else "out.mp4")
    output = convert(source, target, out_format=container).plan.outputs[0]
    latest = Fraction(-1)
    for _, dts in packets(output)["order"]:
        assert container != "mkv" or dts > latest - Fraction(1, 2)  # a fragment of mp4 holds one track after the other
        latest = max(latest, dts)
    with av.open(str(output)) as film:
        film.seek(0)
        after = sum(1 for packet in film.demux(audio=0) if packet.size)
    assert after == len(packets(source)["audio"])


def milliseconds(stream: int, kind: str, dts: int | None, pts: int | None = None, duration: int = 0) -> Any:
    return SimpleNamespace(
        stream=SimpleNamespace(type=kind), stream_index=stream, dts=dts, pts=dts if pts is None else pts,
        duration=duration, time_base=Fraction(1, 1000), size=9,
    )  # fmt: skip


def moved(packets: list[Any]) -> list[tuple[int, int]]:
    """(dts, pts) on a continuous clock."""
    return [(packet.dts, packet.pts) for packet in clock.Continuous()(iter(packets))]


@pytest.mark.parametrize(
    ("times", "resumes_at"),
    [
        ([0, 40, 80], 120),
        ([0, 40, 1039], 2038),
        ([0, 40, 1040], 1080),  # a second or more is a pause, not a step
        ([0, 40, 80, 80, 3000], 3040),  # a repeated time isn't a step
    ],
)
def test_a_packet_without_a_length_lasts_as_long_as_the_step_before(times: list[int], resumes_at: int) -> None:
    packets = [milliseconds(0, "video", ms) for ms in [*times, 60_000, 60_040]]
    assert [dts for dts, _ in moved(packets)] == [*times, resumes_at, resumes_at + 40]


def test_both_streams_move_by_the_offset_that_lets_neither_overlap() -> None:
    """The sound of the first part ends 24 ms after the picture, and that of the second begins 10 ms after it."""
    first = [milliseconds(0, "video", 40 * k, duration=40) for k in range(25)]
    first += [milliseconds(1, "audio", 32 * k, duration=32) for k in range(32)]
    second = [milliseconds(0, "video", 50_000 + 40 * k, duration=40) for k in range(25)]
    second += [milliseconds(1, "audio", 50_010 + 32 * k, duration=32) for k in range(32)]
    times = moved([*sorted(first, key=lambda p: p.dts), *sorted(second, key=lambda p: p.dts)])[len(first) :]
    assert times[:2] == [(1014, 1014), (1024, 1024)]
    assert len(times) == len(second) and max(times)[0] == 1024 + 31 * 32


def test_a_clock_resumes_behind_what_is_displayed_last() -> None:
    """In coding order the last pictures of a part are displayed later than they are decoded."""
    packets = [milliseconds(0, "video", 40 * k, 40 * k + 80, 40) for k in range(25)]
    packets += [milliseconds(0, "video", 50_000 + 40 * k, duration=40) for k in range(25)]
    assert moved(packets)[25:27] == [(1080, 1080), (1120, 1120)]


def test_sound_of_the_old_part_may_come_after_the_jump() -> None:
    packets = [milliseconds(k % 2, ("video", "audio")[k % 2], 40 * (k // 2), duration=40) for k in range(50)]
    packets += [milliseconds(0, "video", 50_000, duration=40)]
    packets += [milliseconds(1, "audio", ms, duration=40) for ms in (1000, 1040, 1080)]
    packets += [milliseconds(1, "audio", 50_000, duration=40), milliseconds(0, "video", 50_040, duration=40)]
    want = [(1120, 1120), (1000, 1000), (1040, 1040), (1080, 1080), (1120, 1120), (1160, 1160)]
    assert moved(packets)[50:] == want


def test_a_stream_that_begins_with_the_new_part_moves_with_it() -> None:
    packets = [milliseconds(0, "video", 40 * k, duration=40) for k in range(25)]
    for k in range(12):
        packets.append(milliseconds(0, "video", 50_000 + 40 * k, duration=40))
        packets.append(milliseconds(1, "audio", 49_900 + 40 * k, duration=40))
    assert moved(packets)[25:27] == [(1060, 1060), (960, 960)]


@pytest.mark.parametrize(("begins", "at"), [(9_860, 9_860), (9_859, 19_960), (29_960, 29_960), (29_961, 19_960)])
def test_a_late_stream_is_within_ten_seconds_of_the_present(begins: int, at: int) -> None:
    packets = [milliseconds(0, "video", 40 * k, duration=40) for k in range(500)]
    packets += [milliseconds(1, "audio", begins, duration=40)]
    assert moved(packets)[-1] == (at, at)


@pytest.mark.parametrize(("text", "at"), [(50_500, 1500), (990, 990), (None, None)])
def test_subtitles_stay_nearest_to_the_present(text: int | None, at: int | None) -> None:
    packets = [milliseconds(0, "video", 40 * k, duration=40) for k in range(25)]
    packets += [milliseconds(0, "video", 50_000 + 40 * k, duration=40) for k in range(12)]
    packets += [milliseconds(2, "subtitle", text)]
    packets += [milliseconds(0, "video", 50_480, duration=40)]
    times = moved(packets)
    assert times[-2:] == [(at, at), (1480, 1480)]
    assert times[25] == (1000, 1000)


def test_an_offset_is_rounded_to_the_ticks_of_each_stream() -> None:
    """The sound moves by 48.97 s, which are 1175.28 ticks of the picture."""

    def picture(tick: int) -> Any:
        made = milliseconds(0, "video", tick, duration=1)
        made.time_base = Fraction(1, 24)
        return made

    packets = [picture(k) for k in range(24)] + [milliseconds(1, "audio", 10 * k, duration=10) for k in range(103)]
    packets += [picture(1200), milliseconds(1, "audio", 50_000, duration=10), picture(1201)]
    assert moved(packets)[-3:] == [(25, 25), (1030, 1030), (26, 26)]


def test_pictures_of_the_old_part_may_be_displayed_after_the_jump() -> None:
    packets = [milliseconds(k % 2, ("video", "audio")[k % 2], 40 * (k // 2), duration=40) for k in range(50)]
    packets += [milliseconds(1, "audio", 50_000, duration=40)]
    packets += [milliseconds(0, "video", ms, ms + 80, 40) for ms in (1000, 1040)]
    packets += [milliseconds(0, "video", 50_000, duration=40)]
    assert moved(packets)[-4:] == [(1160, 1160), (1000, 1080), (1040, 1120), (1160, 1160)]


def test_a_stream_that_does_not_jump_is_not_waited_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "_GATHER_PACKETS", 10)
    read: list[int] = []

    def packets() -> Any:
        for k in range(100):
            read.append(k)
            old = milliseconds(k % 2, ("video", "audio")[k % 2], 40 * (k // 2), duration=40)
            yield old if k < 50 or k % 2 else milliseconds(0, "video", 50_000 + 40 * (k // 2 - 25), duration=40)

    flow = clock.Continuous()(packets())
    assert [next(flow).dts for _ in range(52)][-2:] == [1000, 1000]
    assert len(read) == 60
    assert [packet.dts for packet in flow][-2:] == [1960, 1960]


def test_the_new_part_begins_with_its_first_decoding_time() -> None:
    packets = [milliseconds(0, "video", 40 * k, duration=40) for k in range(25)]
    packets += [milliseconds(0, "video", 50_000 + 40 * k, 50_080 + 40 * k, 40) for k in range(25)]
    assert moved(packets)[25:27] == [(1000, 1080), (1040, 1120)]
