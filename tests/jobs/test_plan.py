"""Plans before anything is opened: names, encoders, sizes, limits, and the arithmetic of memory and disk."""

from collections import namedtuple
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from stereocast.catalog import DecoderLimit, EncoderProfile, Preset
from stereocast.errors import LimitExceeded, SinkError, UsageError
from stereocast.jobs import plan
from stereocast.pipeline.stages import Cost
from stereocast.settings import ConvertSettings
from stereocast.types import Colour, Layout, PixelFormat, Projection, StereoFormat, StreamInfo

X264 = EncoderProfile(name="x264", codec="libx264", family="h264", pictures=44, about="")
HEADSET = Preset(
    name="headset", title="Headset", encoders=("x264",), encoders_wide=("hevc-nvenc", "x265"), wide_from=1920,
    limits={
        "h264": DecoderLimit(max_width=4000, max_height=2000, max_rate=60),
        "hevc": DecoderLimit(max_width=8000, max_height=2000, max_rate=120),
    },
    screen_fov_deg=50.0, vr180_size=1600,
)  # fmt: skip
SMALL = StreamInfo(100, 60, Fraction(1, 25), Fraction(25))


def planned(**given: Any) -> plan.Plan:
    """The plan of a side-by-side film of 100x60 a view."""
    usual: dict[str, Any] = {
        "source": "in.mp4", "output": Path("folder/out.mp4"), "settings": ConvertSettings(), "preset": HEADSET,
        "form": StereoFormat(Layout.SBS), "info": SMALL, "packed": replace(SMALL, width=200), "container": "mp4",
        "profile": X264,
    }  # fmt: skip
    return plan.Plan(**{**usual, **given})


@pytest.mark.parametrize(
    ("form", "frame"),
    [(PixelFormat.YUV420P, 9_000), (PixelFormat.YUV420P10, 18_000), (PixelFormat.RGB24, 18_000)],
    ids=str,
)
@pytest.mark.parametrize(("scale", "reading"), [(1.0, 8.0), (2.0, 4.0), (0.5, 34.0)], ids=str)
def test_the_bill_of_memory(form: PixelFormat, frame: int, scale: float, reading: float) -> None:
    info = replace(SMALL, pixel_format=form)
    held = plan.Held(Cost(3, 1000), Cost(2.5, 500), 77, scale)
    assert plan.memory_bill(info, replace(info, width=200), X264, held) == {
        "program": 220_000_000,
        "reading": int(reading * frame),  # eight of the source's frames, and two where they are scaled
        "clips": (plan.cuts.LOOK_AHEAD + 4) * frame,
        "depth": 5 * frame + 1000,
        "synthesis": int(6.5 * frame) + 500,
        "queues": 18 * frame,
        "packing": 4 * frame + 77,
        "encoder": plan.profiles.held(X264, 200, 60) * 2 * frame,
    }


@pytest.mark.parametrize(
    ("family", "bits"), [("h264", 0.11), ("hevc", 0.065), ("av1", 0.05), ("vp9", 0.06), ("ffv1", 4.0)]
)
def test_the_size_that_is_expected(family: str, bits: float) -> None:
    profile = X264.model_copy(update={"family": family})
    packed = replace(SMALL, width=2000, height=1000, frames=400)
    assert planned(profile=profile, packed=packed).estimated_bytes == int(2000 * 1000 * 400 * bits / 8)
    assert planned(profile=profile).estimated_bytes is None, "of unknown length"
    assert planned(profile=None, packed=packed).estimated_bytes is None, "a still"


def test_the_summary_is_rounded_for_people() -> None:
    info = replace(SMALL, frames=10**10, duration=Fraction(80_000) + Fraction(1, 3))
    memory = {"program": 220_000_000_000, "depth": 1_260_000}
    found = planned(info=info, packed=replace(info, width=200), memory=memory).summary()
    assert (found["view"], found["picture"], found["frames"]) == ("100x60", "200x60", 10**10)
    assert (found["duration_s"], found["memory_mb"]) == (80000.333, {"program": 220_000.0, "depth": 1.3})
    assert (found["memory_total_mb"], found["estimated_mb"]) == (220_001.3, 1_650_000.0)
    assert found["output"] == [str(Path("folder/out.mp4"))]
    assert "diffusion" not in found
    unknown = planned(output="-", profile=None, diffusion={"windows": 2}).summary()
    assert [unknown[name] for name in ("output", "encoder", "duration_s", "estimated_mb", "diffusion")] == [
        ["-"], None, None, None, {"windows": 2},
    ]  # fmt: skip
    assert planned(info=replace(SMALL, duration=Fraction(0))).summary()["duration_s"] == 0.0


def test_outputs_of_a_plan() -> None:
    pair = StereoFormat(Layout.PAIR)
    for name in ("film.mp4", "film_L.mp4"):
        assert planned(output=Path(name), form=pair).outputs == (Path("film_L.mp4"), Path("film_R.mp4"))
    assert planned(output="-", form=pair).outputs == ()
    assert planned().overwrite is False
    assert planned(settings=object()).overwrite is True


@pytest.mark.parametrize(
    ("options", "width", "hdr", "names"),
    [
        ({}, 1920, False, ("x264",)),
        ({}, 1921, False, ("hevc-nvenc", "x265")),
        ({}, 8000, True, ("x265-10bit",)),
        ({"format": "spatial"}, 100, False, ("hevc-nvenc", "hevc-videotoolbox", "x265")),
        ({"format": "vr180"}, 8000, False, ("x264",)),  # its picture is as large as the preset says
    ],
    ids=str,
)
def test_encoders_to_try(options: dict[str, Any], width: int, hdr: bool, names: tuple[str, ...]) -> None:
    assert plan.encoder_names(ConvertSettings(**options), HEADSET, width, hdr) == names
    narrow = HEADSET.model_copy(update={"encoders_wide": ()})
    if names[0] == "hevc-nvenc" and not options:
        assert plan.encoder_names(ConvertSettings(), narrow, width, hdr) == ("x264",)


def test_deep_pictures_want_deep_encoders(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan.profiles, "choose", lambda wanted, names: names)
    deep = replace(SMALL, pixel_format=PixelFormat.YUV420P10)
    hdr = replace(SMALL, colour=Colour(9, 16, 9))
    for info, tonemap, names in (
        (SMALL, False, ("x264",)),
        (deep, False, ("x265-10bit",)),
        (hdr, False, ("x265-10bit",)),
        (deep, True, ("x264",)),
    ):
        assert plan.choose_encoder(ConvertSettings(), HEADSET, info, tonemap=tonemap) == names


def test_containers_and_suffixes() -> None:
    plain, named = ConvertSettings(), ConvertSettings(out_format="hls")
    for output, container in (
        (None, "mp4"), ("-", "fmp4"), (Path("a.MOV"), "mp4"), (Path("a.m4v"), "mp4"), (Path("a.mkv"), "mkv"),
        (Path("index.m3u8"), "hls"), (Path("folder"), "mp4"),
    ):  # fmt: skip
        assert plan.container_of(plain, output) == container
        assert plan.container_of(named, output) == "hls"
    with pytest.raises(UsageError, match=r"'\.avi' files; use \.m3u8, \.m4v"):
        plan.container_of(plain, Path("a.avi"))
    for source, suffix in (("a.JPG", ".jpg"), ("a.webp", ".webp"), ("a.tiff", ".tiff"), ("a.heic", ".png")):
        assert plan.default_suffix("", source, still=True) == suffix
    assert plan.default_suffix("mkv", "a.jpg", still=False) == ".mkv"
    outputs = {None: False, Path("a.png"): False, Path("a_%04d.png"): True, Path("a_%d_%d.png"): False}
    assert all(plan.numbered(output) is wanted for output, wanted in {**outputs, Path("%04d.mp4"): False}.items())


def test_where_a_result_goes(tmp_path: Path) -> None:
    source, sbs = str(tmp_path / "in.mkv"), StereoFormat(Layout.SBS)
    (tmp_path / "in.mkv").write_bytes(b"x")
    (tmp_path / "live").mkdir()
    (tmp_path / "live/index.m3u8").write_bytes(b"x")
    usual = "in_LRF_Full_SBS.mp4"
    for wanted, found in (
        (None, tmp_path / usual),
        (tmp_path, tmp_path / usual),
        (tmp_path / "new", tmp_path / "new" / usual),
        (tmp_path / "a.mp4", tmp_path / "a.mp4"),
        (tmp_path / "stream/index.m3u8", tmp_path / "stream"),
        (tmp_path / "live", tmp_path / "live" / usual),
    ):
        assert plan.output_path(source, wanted, sbs, ".mp4") == found
    assert plan.output_path(source, tmp_path / "live", sbs, "") == tmp_path / "live"
    assert plan.output_path(source, None, sbs, ".png", also="_preview").name == "in_preview_LRF_Full_SBS.png"
    assert plan.nearest_folder(tmp_path / "a/b/c.mp4") == tmp_path
    plan.make_folders((tmp_path / "a/b/c.mp4", tmp_path / "a/b/d.mp4"))
    assert (tmp_path / "a/b").is_dir()
    with pytest.raises(SinkError, match="can't be created"):
        plan.make_folders((tmp_path / "in.mkv/c.mp4",))


def limited(width: int, height: int, rate: float, layout: Layout = Layout.SBS, **preset: Any) -> str:
    """What is said about a picture, or ''."""
    packed = replace(SMALL, width=width, height=height, rate=Fraction(rate).limit_denominator(1000))
    made = planned(packed=packed, form=StereoFormat(layout), preset=HEADSET.model_copy(update=preset))
    try:
        plan.check_limits(made)
    except LimitExceeded as error:
        return str(error).split("; use ")[-1]
    return ""


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ((4000, 2000, 60), ""),
        ((4000, 2000, 60.6), ""),
        ((4000, 2000, 60.7), "--encoder x265 or --fps 60"),
        ((4000, 2000, 121.2), "--encoder x265 or --fps 60"),
        ((4000, 2000, 121.3), "--fps 60"),
        ((8000, 2000, 60), "--encoder x265 or --format half-sbs or --scale 0.5"),
        ((8001, 2000, 60), "--format half-sbs or --scale 0.49"),
        ((2000, 3000, 60), "--format half-sbs or --scale 0.66"),
        ((5000, 4000, 60), "--format half-sbs or --scale 0.5"),
        ((5000, 2000, 60, Layout.HALF_SBS), "--encoder x265 or --scale 0.8"),
        ((5000, 2000, 60, Layout.OU), "--encoder x265 or --format half-sbs or --scale 0.8"),
        ((9000, 9000, 60, Layout.VR180), "another --preset"),
    ],
    ids=str,
)
def test_what_a_headset_can_decode(given: tuple[Any, ...], said: str) -> None:
    assert limited(*given) == said


def test_advice_where_no_profile_has_the_codec() -> None:
    assert limited(5000, 2000, 60, encoders_wide=()).startswith("an encoder for hevc or ")
    plan.check_limits(planned(profile=None, packed=replace(SMALL, width=99999)))
    with pytest.raises(LimitExceeded, match="no decoder for av1; use an encoder for h264, hevc"):
        plan.check_limits(planned(profile=X264.model_copy(update={"family": "av1"})))
    plan.check_limits(planned(packed=replace(SMALL, rate=None)))


def test_a_disk_with_just_enough_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "free")
    made = planned(output=tmp_path / "new/out.mp4", packed=replace(SMALL, width=200, frames=100_000))
    assert made.estimated_bytes == 16_500_000
    seen: list[Path] = []
    monkeypatch.setattr(plan.shutil, "disk_usage", lambda folder: seen.append(folder) or usage(16_500_000))
    plan.check_disk(made)
    monkeypatch.setattr(plan.shutil, "disk_usage", lambda folder: usage(16_499_999))
    with pytest.raises(SinkError, match=r"has 16\.5 MB free but about 16\.5 MB are needed"):
        plan.check_disk(made)
    plan.check_disk(replace(made, output="-"))
    plan.check_disk(replace(made, profile=None))
    assert seen == [tmp_path]


@pytest.mark.parametrize(
    ("count", "text"),
    [
        *((0, "0 bytes"), (999, "999 bytes"), (1000, "1.0 kB"), (999_999, "1000.0 kB"), (1_000_000, "1.0 MB")),
        *((999_999_999, "1000.0 MB"), (1_000_000_000, "1.0 GB"), (12_340_000_000, "12.3 GB")),
    ],
)
def test_bytes_for_people(count: int, text: str) -> None:
    assert plan._size(count) == text


def test_the_shape_of_pixels_on_the_screen() -> None:
    info = replace(SMALL, sample_aspect=Fraction(4, 3))
    flat = plan.packed_info(info, StereoFormat(Layout.HALF_SBS), (60, 100), PixelFormat.YUV420P10)
    assert (flat.height, flat.width, flat.sample_aspect) == (60, 100, Fraction(4, 3))
    assert flat.pixel_format is PixelFormat.YUV420P10
    sphere = plan.packed_info(info, plan.stereo_format(ConvertSettings(format="vr180")), (90, 180), info.pixel_format)
    assert sphere.sample_aspect == 1


def test_the_form_of_a_layout() -> None:
    wide = plan.stereo_format(ConvertSettings(format="vr180"))
    assert (wide.projection, wide.fov_deg) == (Projection.EQUIRECT_180, 180.0)
    flat = plan.stereo_format(ConvertSettings(format="half-sbs"))
    assert (flat.projection, flat.fov_deg) == (Projection.FLAT, None)


def test_tags_and_what_is_added_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    assert plan.tags(planned()) == {}
    assert plan.tags(planned(container="mkv")) == {"stereo_mode": "left_right"}
    assert plan.tags(planned(container="mkv", form=StereoFormat(Layout.MONO))) == {}
    mono = StereoFormat(Layout.MONO)
    assert plan.finisher(planned(container="mkv", form=mono)) is None
    done: list[Any] = []
    monkeypatch.setattr(plan.spatial, "tag_file", lambda path, form, camera: done.append(camera.fov_deg))
    monkeypatch.setattr(plan.quicktime, "add", lambda path, keys, cover: done.append(cover))
    monkeypatch.setattr(plan.covers, "pictures", lambda source: iter([("a", "b", "c"), ("d", "e", "f")]))
    sphere = plan.stereo_format(ConvertSettings(format="vr180"))
    for made, wanted in (
        (planned(), [50.0, None]),
        (planned(form=sphere), [180.0, None]),
        (planned(form=mono), [None]),
        (planned(metadata={"title": "x"}), [50.0, ("a", "b")]),
        (planned(metadata={"title": "x"}, source="-"), [50.0, None]),
        (planned(metadata={"title": "x"}, container="mkv"), [50.0]),
    ):
        finish = plan.finisher(made)
        if finish is not None:
            finish(Path("out.mp4"))
        assert done == wanted
        done.clear()


def test_the_command_for_true_multiview() -> None:
    said = plan.multiview_note(Path("my film_LRF_Full_SBS.mov"), HEADSET)
    assert "--input 'my film_LRF_Full_SBS.mov'" in said
    assert f"--cdist {plan.spatial.BASELINE_M * 1000:g} --hfov 50 --output 'my film_MVHEVC.mov'" in said
