"""What passes through a conversion: frames, times, sound, subtitles, chapters, tags. Real pipeline, small stages."""

import shutil
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from stereocast.catalog import settle
from stereocast.errors import SinkError, SourceError, UsageError
from stereocast.jobs.convert import job
from stereocast.media.stills import write_image
from stereocast.media.writer import part_path
from stereocast.pipeline.progress import Progress
from stereocast.settings import ConvertSettings
from tests.films import long_last, make_film, read_film
from tests.support.contents import left_numbers
from tests.support.conversion import convert

pytestmark = pytest.mark.usefixtures("small_stages")


@pytest.mark.parametrize("container", ["mp4", "mkv"])
def test_everything_of_the_source_arrives(tmp_path: Path, container: str) -> None:
    source = make_film(
        tmp_path / "in.mp4",
        audio=["aac", "aac"],
        subtitles=["mov_text"],
        cuts=[10],
        chapters=True,
        metadata={"title": "A title", "artist": "Somebody"},
    )
    before = read_film(source)
    output = convert(source, tmp_path / f"out.{container}").plan.outputs[0]
    after = read_film(output)
    assert left_numbers(after) == list(range(24))
    assert after["size"] == (96, 384)
    if container == "mp4":
        assert after["times"] == before["times"]
        assert after["chapters"] == before["chapters"]
    else:
        assert np.allclose([float(t) for t in after["times"]], [float(t) for t in before["times"]], atol=0.00051)
    assert [[body for body, _ in track] for track in after["audio"]] == [
        [body for body, _ in track] for track in before["audio"]
    ]
    assert [text for text, _ in after["subtitles"][0] if text] == ["line 0", "line 1", "line 2"]
    assert after["languages"] == ["eng", "jpn", "ger"]
    assert after["metadata"].get("title", after["metadata"].get("TITLE")) == "A title"


@pytest.mark.parametrize(("source", "codec"), [("srt", "mov_text"), ("ass", "mov_text")])
def test_text_subtitles_become_what_mp4_holds(tmp_path: Path, source: str, codec: str) -> None:
    film = make_film(tmp_path / "in.mkv", subtitles=["srt"])
    after = read_film(convert(film, tmp_path / "out.mp4").plan.outputs[0])
    shown = [(text, time) for text, time in after["subtitles"][0] if text]
    assert [text for text, _ in shown] == ["line 0", "line 1", "line 2"]
    assert [time for _, time in shown] == [Fraction(1, 10), Fraction(4, 10), Fraction(7, 10)]


@pytest.mark.parametrize("base", [Fraction(1, 1000), Fraction(1, 24000), Fraction(1, 90000), Fraction(1001, 30000)])
def test_variable_frame_rate_stays_to_the_tick(tmp_path: Path, base: Fraction) -> None:
    ticks = list(
        np.cumsum([0, 3, 1, 7, 2, 2, 9, 1, 1, 30, 4, 4, 11, 5, 1, 2, 6, 8]) * max(1, 30 * base.denominator // 1000)
    )
    source = make_film(tmp_path / "in.mp4", pts=[int(t) for t in ticks], time_base=base)
    before, after = read_film(source), read_film(convert(source, tmp_path / "out.mp4").plan.outputs[0])
    assert after["times"] == before["times"]
    assert left_numbers(after) == list(range(len(ticks)))


def test_a_late_first_frame_stays_late(tmp_path: Path) -> None:
    source = make_film(tmp_path / "in.mkv", pts=[500, 540, 580, 640], time_base=Fraction(1, 1000), audio=["aac"])
    after = read_film(convert(source, tmp_path / "out.mkv").plan.outputs[0])
    assert after["times"] == [Fraction(n, 1000) for n in (500, 540, 580, 640)]


@pytest.mark.parametrize("turn", [90, 180, -90])
def test_rotation_is_applied_to_pixels(tmp_path: Path, turn: int) -> None:
    source = make_film(tmp_path / "in.mp4", rotation=turn, frames=4)
    film = read_film(source)
    upright = np.rot90(film["frames"][0].to_ndarray(format="gray"), film["frames"][0].rotation // 90)
    after = read_film(convert(source, tmp_path / "out.mp4").plan.outputs[0])
    left = after["frames"][0].to_ndarray(format="gray")[:, : after["size"][1] // 2]
    assert left.shape == upright.shape
    assert after["frames"][0].rotation == 0
    assert np.abs(left.astype(int) - upright).mean() < 4


def test_pixel_aspect_is_kept_per_eye(tmp_path: Path) -> None:
    source = make_film(tmp_path / "in.mp4", aspect=Fraction(4, 3), frames=3)
    assert read_film(convert(source, tmp_path / "out.mp4").plan.outputs[0])["aspect"] == Fraction(4, 3)


def test_ten_bit_and_colour_tags_are_kept(tmp_path: Path) -> None:
    source = make_film(
        tmp_path / "in.mkv",
        frames=4,
        codec="libx265",
        pixel_format="yuv420p10le",
        colour=(9, 16, 9),
        options={"x265-params": "log-level=error"},
    )
    after = read_film(convert(source, tmp_path / "out.mp4").plan.outputs[0])
    assert after["pixel_format"] == "yuv420p10le"
    assert after["colour"] == (9, 16, 9)
    assert after["tag"] == "hvc1"
    assert left_numbers(after) == [0, 1, 2, 3]


def test_hdr_is_tone_mapped_into_eight_bits(tmp_path: Path) -> None:
    source = make_film(
        tmp_path / "in.mkv",
        frames=3,
        codec="libx265",
        pixel_format="yuv420p10le",
        colour=(9, 16, 9),
        options={"x265-params": "log-level=error"},
    )
    result = convert(source, tmp_path / "out.mp4", encoder="x264")
    after = read_film(result.plan.outputs[0])
    assert after["colour"] == (1, 1, 1)
    assert any("tone-mapped" in note for note in result.plan.notes)


@pytest.mark.parametrize("size", [(97, 193), (96, 193), (98, 192)])
def test_odd_sizes_are_padded_never_cropped(tmp_path: Path, size: tuple[int, int]) -> None:
    source = make_film(tmp_path / "in.mkv", size=size, frames=3, codec="ffv1", pixel_format="yuv444p")
    after = read_film(convert(source, tmp_path / "out.mp4").plan.outputs[0])
    assert after["size"] == (size[0] + size[0] % 2, 2 * (size[1] + size[1] % 2))


def test_interlaced_is_deinterlaced_frame_for_frame(tmp_path: Path) -> None:
    source = make_film(tmp_path / "in.mkv", interlaced=True, frames=12)
    before = read_film(source)
    assert any(frame.interlaced_frame for frame in before["frames"])
    after = read_film(convert(source, tmp_path / "out.mkv").plan.outputs[0])
    assert after["times"] == before["times"]
    assert not any(frame.interlaced_frame for frame in after["frames"])


def test_sound_that_mp4_cannot_hold_is_transcoded_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source = make_film(tmp_path / "in.mkv", audio=["pcm_s16le"])
    after = read_film(convert(source, tmp_path / "out.mp4").plan.outputs[0])
    assert len(after["audio"]) == 1
    assert len(after["audio"][0]) > 20
    assert "transcoded to AAC" in caplog.text
    assert read_film(convert(source, tmp_path / "out.mkv").plan.outputs[0])["audio"] == read_film(source)["audio"]


def test_start_and_end_cut_picture_and_sound_alike(tmp_path: Path) -> None:
    source = make_film(tmp_path / "in.mp4", frames=72, audio=["aac"], options={"preset": "ultrafast", "g": "12"})
    after = read_film(convert(source, tmp_path / "out.mp4", start="1", duration="0.5").plan.outputs[0])
    assert left_numbers(after) == list(range(24, 36))
    assert after["times"][0] == 0
    assert 0 <= float(after["audio"][0][0][1]) < 0.05
    assert float(after["audio"][0][-1][1]) < 0.5


def test_fps_resamples(tmp_path: Path) -> None:
    source = make_film(tmp_path / "in.mp4", frames=24)
    after = read_film(convert(source, tmp_path / "out.mp4", fps=12).plan.outputs[0])
    assert left_numbers(after) == list(range(0, 24, 2))


def test_pair_writes_one_file_per_eye_with_sound(tmp_path: Path) -> None:
    source = make_film(tmp_path / "in.mp4", frames=6, audio=["aac"])
    outputs = convert(source, None, format="pair").plan.outputs
    assert [path.name for path in outputs] == ["in_L.mp4", "in_R.mp4"]
    sounds = [read_film(path)["audio"] for path in outputs]
    assert sounds[0] == sounds[1] == read_film(source)["audio"]


def test_depth_out_can_be_given_again(tmp_path: Path) -> None:
    source = make_film(tmp_path / "in.mp4", frames=9)
    first = convert(source, tmp_path / "a.mp4", depth_out=tmp_path / "depth.mkv").plan.outputs[0]
    assert read_film(tmp_path / "depth.mkv")["pixel_format"] == "gray16le"
    second = convert(source, tmp_path / "b.mp4", depth=str(tmp_path / "depth.mkv")).plan.outputs[0]
    assert first.read_bytes()[-2000:-1000] == second.read_bytes()[-2000:-1000]
    with pytest.raises(SourceError, match="ends after 9 frames"):
        convert(make_film(tmp_path / "long.mp4", frames=12), tmp_path / "c.mp4", depth=str(tmp_path / "depth.mkv"))


def test_hls_and_fragments(tmp_path: Path) -> None:
    source = make_film(tmp_path / "in.mp4", frames=24 * 5, audio=["aac"])
    convert(source, tmp_path / "live", out_format="hls")
    playlist = (tmp_path / "live" / "index.m3u8").read_text()
    assert "#EXT-X-ENDLIST" in playlist
    assert playlist.count("#EXTINF") >= 2
    assert len(read_film(tmp_path / "live" / "index.m3u8")["frames"]) == 120
    output = convert(source, tmp_path / "f.mp4", out_format="fmp4").plan.outputs[0]
    assert output.read_bytes().count(b"moof") >= 2
    assert len(read_film(output)["frames"]) == 120


def test_part_file_is_readable_when_the_writer_dies(tmp_path: Path) -> None:
    source = make_film(tmp_path / "in.mp4", frames=24 * 12, size=(64, 128))
    made, reader = job.prepare(str(source), tmp_path / "out.mp4", settle(ConvertSettings, {}))
    copied = tmp_path / "copy.mp4"

    def after_ten_seconds(progress: Progress) -> None:
        if progress.done >= 240:
            shutil.copy(part_path(tmp_path / "out.mp4"), copied)  # as kill -9 would leave it
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        job.convert(made, reader, after_ten_seconds)
    assert len(read_film(copied)["frames"]) >= 240 - 3 * 24
    assert len(read_film(part_path(tmp_path / "out.mp4"))["frames"]) == 240
    assert not (tmp_path / "out.mp4").exists()


def test_refusals_are_one_line(tmp_path: Path) -> None:
    film = make_film(tmp_path / "in.mp4", frames=3)
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("no film at all")
    cases = [
        (tmp_path / "missing.mp4", {}, SourceError, "no such file"),
        (tmp_path / "empty.mp4", {}, SourceError, "empty"),
        (tmp_path / "text.mp4", {}, SourceError, "not a video"),
        (film, {"start": "99"}, UsageError, "ends before"),
        (film, {"start": "soon"}, UsageError, "--start"),
        (film, {"encoder": "x246"}, UsageError, "did you mean 'x26"),
        (film, {"preset": "quest4"}, UsageError, "did you mean"),
        (film, {"audio": "7"}, UsageError, "--audio 7"),
        (film, {"start": "0.1", "end": "0.05"}, UsageError, "--end 0.05: nothing is left"),
        (film, {"duration": "0"}, UsageError, "--duration 0: nothing is left"),
    ]
    for source, flags, kind, text in cases:
        with pytest.raises(kind, match=text) as caught:
            convert(source, tmp_path / "x.mp4", **flags)
        assert "\n" not in str(caught.value)
    with pytest.raises(UsageError, match="is the input"):
        convert(film, film)
    (tmp_path / "there.mp4").write_bytes(b"x")
    with pytest.raises(SinkError, match="--overwrite"):
        convert(film, tmp_path / "there.mp4")


def test_real_clips(shared: Path, tmp_path: Path) -> None:
    """Every clip of the shared folder converts, or is refused in one line where it holds no video."""
    clips = sorted(p for p in (shared / "data/video").iterdir() if p.suffix != ".md")
    assert clips
    for clip in clips:
        try:
            result = convert(clip, tmp_path / f"{clip.stem}.mp4", scale=0.25, encoder="x264")
        except SourceError as error:
            assert "no video" in str(error), clip
            continue
        before, after = read_film(clip), read_film(result.plan.outputs[0])
        assert after["times"] == before["times"], clip
        assert after["audio"] == before["audio"], clip
        texts = [[(text, time) for text, time in track if text] for track in before["subtitles"]]
        assert [[(text, time) for text, time in track if text] for track in after["subtitles"]] == texts, clip
        assert after["chapters"] == before["chapters"], clip
        turned = before["frames"][0].rotation % 180 == 90
        height, width = before["size"][::-1] if turned else before["size"]
        assert abs(after["size"][0] / (after["size"][1] / 2) - height / width) < 0.05, clip


def test_variable_rate_survives_fragment_ends(tmp_path: Path) -> None:
    """Fragments end wherever sound and picture happen to meet; no timestamp may move there."""
    pts = np.cumsum(np.random.default_rng(5).integers(20, 60, 90)).tolist()
    source = make_film(
        tmp_path / "in.mkv", frames=90, pts=pts, time_base=Fraction(1, 1000), audio=["aac"], cuts=[31, 52]
    )
    for _ in range(6):
        output = convert(source, tmp_path / "out.mp4", encoder="x264", overwrite=True).plan.outputs[0]
        assert [round(float(time) * 1000) for time in read_film(output)["times"]] == pts


def test_depth_maps_of_different_sizes_are_refused(tmp_path: Path) -> None:
    maps = tmp_path / "maps"
    maps.mkdir()
    for n in range(12):
        np.save(maps / f"{n}.npy", np.zeros((32, 64) if n < 5 else (32, 60), np.float32))
    source = make_film(tmp_path / "in.mp4", frames=12)
    with pytest.raises(SourceError, match="map 6 is 60x32, the first 64x32"):
        convert(source, tmp_path / "out.mp4", depth=str(maps))


@pytest.mark.parametrize(("suffix", "codec"), [(".mkv", "srt"), (".mp4", "mov_text")])
def test_the_last_cue_lengthens_nothing(tmp_path: Path, suffix: str, codec: str) -> None:
    source = make_film(tmp_path / f"in{suffix}", subtitles=[codec], frames=24)
    output = convert(source, tmp_path / "out.mp4").plan.outputs[0]
    with av.open(str(output)) as film:
        assert abs(film.duration / 1e6 - 1) < 0.01
        track = film.streams.subtitles[0]
        assert track.duration * track.time_base <= Fraction(101, 100)
        ends = [(p.pts + p.duration) * p.time_base for p in film.demux(track) if p.size > 2]
    assert [float(end) for end in ends] == pytest.approx([0.3, 0.6, 0.9], abs=0.002)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize("container", ["mp4", "mkv"])
def test_a_picture_that_lasts_to_the_end_is_kept(tmp_path: Path, suffix: str, container: str) -> None:
    """Screen recordings and slides end with a picture that stands for seconds."""
    ticks = [0, 40, 80, 120, 160, 200]
    film = make_film(tmp_path / f"in{suffix}", pts=ticks, time_base=Fraction(1, 1000), rate=Fraction(25))
    source = long_last(film, tmp_path / f"long{suffix}", 5000)
    output = convert(source, tmp_path / f"out.{container}").plan.outputs[0]
    assert left_numbers(read_film(output)) == list(range(6)), "all pictures are shown"
    with av.open(str(output)) as made:
        assert made.duration == pytest.approx(5_200_000, abs=2000)
    output = convert(source, tmp_path / f"part.{container}", start="0.1", end="2").plan.outputs[0]
    with av.open(str(output)) as made:
        assert made.duration == pytest.approx(1_900_000, abs=21_000)


def test_fps_repeats_the_last_picture_to_its_end(tmp_path: Path) -> None:
    slides = make_film(tmp_path / "in.mp4", frames=3, rate=Fraction(1, 2))
    output = convert(slides, tmp_path / "out.mp4", fps=5).plan.outputs[0]
    assert left_numbers(read_film(output)) == [0] * 10 + [1] * 10 + [2] * 10


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_cues_and_chapters_end_with_the_part(tmp_path: Path, suffix: str) -> None:
    """A cue shown over the part's first or last moment is shortened; nothing outlasts the picture."""
    source = make_film(tmp_path / "in.mp4", frames=48, subtitles=["mov_text"], chapters=True, options={"g": "1"})
    output = convert(source, tmp_path / f"out{suffix}", start="0.5", end="1.375").plan.outputs[0]
    with av.open(str(output)) as made:
        assert made.duration == pytest.approx(875_000, abs=3000)
        assert [float(c["end"] * c["time_base"]) for c in made.chapters()][-1] == pytest.approx(0.875, abs=0.01)
        cues = [p for p in made.demux(subtitles=0) if p.size and p.size > 2 and p.duration]
        times = [(float(p.pts * p.time_base), float((p.pts + p.duration) * p.time_base)) for p in cues]
    assert times[0] == pytest.approx((0, 0.1), abs=0.002)
    assert times[-1] == pytest.approx((0.8, 0.875), abs=0.002)


def test_what_standard_output_cannot_take(tmp_path: Path) -> None:
    film, still = make_film(tmp_path / "in.mp4", frames=2), tmp_path / "in.png"
    write_image(still, np.zeros((32, 48, 3), np.uint8))
    for source, flags, text in [
        (film, {"format": "pair"}, "writes two files"),
        (film, {"out_format": "hls"}, "a folder of files"),
        (still, {}, "a still can't be written to standard output"),
    ]:
        with pytest.raises(UsageError, match=text):
            job.prepare(str(source), "-", settle(ConvertSettings, flags))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.mp4", "in.png"]


def test_tracks_are_checked_before_work_starts(tmp_path: Path) -> None:
    """With --workers they would be missed only when all sections are done."""
    film = make_film(tmp_path / "in.mp4", frames=2, audio=["aac"])
    with pytest.raises(UsageError, match=r"--audio 1: .* \(0\.\.0\)"):
        job.prepare(str(film), tmp_path / "out.mp4", settle(ConvertSettings, {"audio": "1", "workers": 2}))
