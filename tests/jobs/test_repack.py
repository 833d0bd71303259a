"""Films that are already 3D: refused with what to do, or repacked without depth, view by view."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from stereocast.errors import SourceError, UsageError
from stereocast.jobs.convert import job, repack
from stereocast.jobs.convert.repack import Views
from stereocast.jobs.preview import job as preview_job
from stereocast.media import reader, spatial, stereoinfo
from stereocast.media.views import Found
from stereocast.pictures import planes
from stereocast.pictures.pool import Pool
from stereocast.settings import ConvertSettings, PreviewSettings
from stereocast.types import Layout, PixelFormat, Projection, StereoFormat, StreamInfo
from tests.films import number_of, picture

H, W = 64, 128


def eyes(number: int) -> tuple[np.ndarray, np.ndarray]:
    """Two pictures that can't be taken for each other: the right one is darker and has another number."""
    return picture(number, H, W), (picture(number + 100, H, W) * 0.7).astype(np.uint8)


def packed(number: int, layout: str) -> np.ndarray:
    left, right = eyes(number)
    if layout in ("half-sbs", "half-ou"):
        size = (W // 2, H) if layout == "half-sbs" else (W, H // 2)
        left, right = (cv2.resize(eye, size, interpolation=cv2.INTER_AREA) for eye in (left, right))
    if layout == "row-interlaced":
        mixed = left.copy()
        mixed[1::2] = right[1::2]
        return mixed
    if layout == "cross-eyed":
        left, right = right, left
    return np.concatenate([left, right], 0 if layout.endswith("ou") else 1)


def film(path: Path, layout: str = "sbs", mode: str = "", sei: bool = False, frames: int = 3) -> Path:
    first = packed(0, layout)
    options = {"crf": "4", "preset": "ultrafast", **({"x264-params": "frame-packing=3"} if sei else {})}
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=24, options=options)
        stream.height, stream.width, stream.pix_fmt = first.shape[0], first.shape[1], "yuv420p"
        if mode:
            stream.metadata["stereo_mode"] = mode
        for number in range(frames):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(packed(number, layout), format="rgb24")))
        out.mux(stream.encode(None))
    return path


def convert(source: Path, output: Path, **flags: Any) -> job.Converted:
    made, opened = job.prepare(str(source), output, ConvertSettings(encoder="x264", crf=4, **flags))
    return job.convert(made, opened)


def frames_of(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as box:
        return [frame.to_ndarray(format="rgb24").astype(int) for frame in box.decode(video=0)]


def test_every_sign_is_refused_in_one_line(tmp_path: Path) -> None:
    """StereoMode, the frame-packing message, boxes, our names and those that players know."""
    tagged = film(tmp_path / "boxes.mp4")
    spatial.tag_file(tagged, StereoFormat(Layout.SBS))
    sources = [
        film(tmp_path / "mode.mkv", mode="left_right"),
        film(tmp_path / "sei.mp4", sei=True),
        tagged,
        film(tmp_path / "holiday_LRF_Full_SBS.mp4"),
        film(tmp_path / "movie.3D.HSBS.mkv", "half-sbs"),
        film(tmp_path / "Film 3D Half-OU.mkv", "half-ou"),
        film(tmp_path / "film_RLF_cross.mp4"),
    ]
    for source in sources:
        with pytest.raises(
            UsageError, match=r"already 3D: .*--source-layout auto repacks it .*--source-layout mono"
        ) as e:
            convert(source, tmp_path / "out.mp4")
        assert "\n" not in str(e.value)
        with pytest.raises(UsageError, match="already 3D"):
            preview_job.preview(str(source), tmp_path / "look.png", PreviewSettings(moments=1, width=64))
    assert not (tmp_path / "out.mp4").exists()


@pytest.mark.parametrize(
    "name", ["DSC_0001_LR.mp4", "Heat_1995_RIP.mp4", "Vivre OU mourir.mp4", "My_TBone_Steak.mp4", "a_TB.mp4"]
)
def test_names_that_hold_a_mark_by_chance(tmp_path: Path, name: str) -> None:
    opened = reader.open_source(str(film(tmp_path / name)))
    try:
        assert repack.detect(str(tmp_path / name), opened) is None
    finally:
        opened.close()


def test_our_own_short_names_are_known_by_the_mark_inside(tmp_path: Path) -> None:
    source = film(tmp_path / "in.mp4", "half-sbs")
    convert(source, tmp_path / "out_RI.mp4", source_layout="half-sbs", format="row-interlaced")
    opened = reader.open_source(str(tmp_path / "out_RI.mp4"))
    found = repack.detect(str(tmp_path / "out_RI.mp4"), opened)
    opened.close()
    assert found is not None
    assert found.packing == "row-interlaced"


@pytest.mark.parametrize("layout", ["sbs", "half-sbs", "ou", "half-ou", "cross-eyed", "row-interlaced"])
@pytest.mark.parametrize("target", ["sbs", "half-ou", "left", "right", "cross-eyed"])
def test_repacked_view_by_view(tmp_path: Path, layout: str, target: str) -> None:
    """Each view arrives in its place at its full shape, from any source layout; frames keep their times."""
    source = film(tmp_path / "in.mkv", layout)
    output = tmp_path / "out.mkv"
    convert(source, output, source_layout=layout, format=target)
    found = frames_of(output)
    assert len(found) == 3
    for number, frame in enumerate(found):
        left, right = eyes(number)
        if target == "sbs":
            wanted = np.concatenate([left, right], 1)
        elif target == "cross-eyed":
            wanted = np.concatenate([right, left], 1)
        elif target == "half-ou":
            wanted = np.concatenate(
                [cv2.resize(eye, (W, H // 2), interpolation=cv2.INTER_AREA) for eye in (left, right)]
            )
        else:
            wanted = left if target == "left" else right
        assert frame.shape == wanted.shape
        exact = not layout.startswith(("half", "row"))
        if layout == "row-interlaced":  # 4:2:0 mixes the colours of both views before we see them
            frame, wanted = frame.mean(-1), wanted.mean(-1)
        assert np.abs(frame - wanted).mean() < (6 if exact else 14)
        if exact and target in ("left", "sbs"):
            assert number_of(frame[:, :W].mean(-1)) == number


@pytest.mark.parametrize(
    ("mode", "layout", "swapped"),
    [("left_right", "sbs", False), ("right_left", "cross-eyed", True), ("top_bottom", "ou", False)],
)
def test_auto_reads_layout_and_order_of_eyes(tmp_path: Path, mode: str, layout: str, swapped: bool) -> None:
    source = film(tmp_path / "in.mkv", layout, mode)
    convert(source, tmp_path / "out.mkv", source_layout="auto", format="left")
    frame = frames_of(tmp_path / "out.mkv")[1]
    assert np.abs(frame - eyes(1)[0]).mean() < 6
    convert(source, tmp_path / "swapped.mkv", source_layout="auto", swap_eyes=True, format="left")
    assert np.abs(frames_of(tmp_path / "swapped.mkv")[1] - eyes(1)[1]).mean() < 6


def test_the_same_layout_is_not_scaled(tmp_path: Path) -> None:
    """Half to half: the picture is encoded as it is."""
    source = film(tmp_path / "in.mkv", "half-sbs")
    convert(source, tmp_path / "out.mkv", source_layout="half-sbs", format="half-sbs")
    for before, after in zip(frames_of(source), frames_of(tmp_path / "out.mkv"), strict=True):
        assert np.abs(before - after).max() < 24
        assert np.abs(before - after).mean() < 1.5


def test_tags_and_name_say_the_new_layout_alone(tmp_path: Path) -> None:
    source = film(tmp_path / "movie.3D.HSBS.mkv", "half-sbs", "left_right")
    made, opened = job.prepare(str(source), None, ConvertSettings(encoder="x264", source_layout="auto", format="ou"))
    job.convert(made, opened)
    (output,) = made.outputs
    assert output.name == "movie.3D_TBF_fulltb.mp4"
    tags = stereoinfo.read_tags(output)
    assert tags["st3d"] == "top-bottom"
    assert stereoinfo.contradictions(output, tags, W, 2 * H) == []


def test_mono_takes_it_flat_and_auto_leaves_flat_films_alone(tmp_path: Path) -> None:
    source = film(tmp_path / "x_LRF_Full_SBS.mp4")
    made, opened = job.prepare(str(source), tmp_path / "a.mp4", ConvertSettings(encoder="x264", source_layout="mono"))
    opened.close()
    assert made.views is None
    flat = film(tmp_path / "flat.mp4")
    made, opened = job.prepare(str(flat), tmp_path / "b.mp4", ConvertSettings(encoder="x264", source_layout="auto"))
    opened.close()
    assert made.views is None


def test_half_spheres_stay_half_spheres(tmp_path: Path) -> None:
    source = film(tmp_path / "in.mp4")
    spatial.tag_file(source, StereoFormat(Layout.VR180, Projection.EQUIRECT_180, fov_deg=180))
    with pytest.raises(UsageError, match="already 3D: 180°"):
        convert(source, tmp_path / "out.mp4")
    with pytest.raises(UsageError, match="--format vr180"):
        convert(source, tmp_path / "out.mp4", source_layout="auto", format="half-sbs")
    convert(source, tmp_path / "out.mp4", source_layout="auto", format="vr180")
    assert np.abs(frames_of(tmp_path / "out.mp4")[2] - packed(2, "sbs")).mean() < 6
    assert "sv3d_equi" in stereoinfo.read_tags(tmp_path / "out.mp4")


@pytest.mark.parametrize("found", [Found(sphere="360", by="its tags"), Found(sphere="fisheye", by="its tags")])
def test_spherical_mono_is_refused(found: Found) -> None:
    with pytest.raises(UsageError, match=r"film \(by its tags\).*--source-layout mono"):
        repack.views_of("x.mp4", found, ConvertSettings())
    assert repack.views_of("x.mp4", found, ConvertSettings(source_layout="mono")) is None


@pytest.mark.parametrize("flags", [{"format": "rgbd"}, {"depth_out": "d.mkv"}, {"disparity": "d.npz"}])
def test_what_needs_depth_is_refused(flags: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="without depth"):
        repack.views_of("x.mp4", None, ConvertSettings(source_layout="sbs", **flags))
    with pytest.raises(UsageError, match="can't be split"):
        repack.views_of("x.mp4", Found("checkerboard", by="its tags"), ConvertSettings(source_layout="auto"))


def test_views_of_an_odd_width() -> None:
    """Where 642 columns are halved, each view has 321, and the chroma sample in the middle belongs to both."""
    image = np.arange(6 * 10, dtype=np.uint8).reshape(6, 10)  # 4 rows of luma, 10 wide
    left, right = repack.split(image, Views("side-by-side", False), PixelFormat.YUV420P, (4, 6), Pool())
    luma, u, _ = planes.planes(image)
    assert (planes.planes(left)[0][:, :5] == luma[:, :5]).all()
    assert (planes.planes(right)[0][:, :5] == luma[:, 5:]).all()
    assert (planes.planes(left)[1] == u[:, :3]).all()
    assert (planes.planes(right)[1] == u[:, 2:]).all()


def test_both_views_of_mv_hevc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The decoder gives each view as a frame with the same time; where it gives one, that is said."""
    source = film(tmp_path / "in.mkv", "left")
    inner = reader.VideoSource._decode

    def twice(self: Any) -> Any:
        for frame in inner(self):
            yield frame
            other = av.VideoFrame.from_ndarray(255 - frame.to_ndarray(format="rgb24"), format="rgb24").reformat(
                format="yuv420p"
            )
            other.pts, other.time_base = frame.pts, frame.time_base
            yield other

    with pytest.raises(SourceError, match="one view of this MV-HEVC"):
        convert(source, tmp_path / "out.mkv", source_layout="multiview")
    monkeypatch.setattr(reader.VideoSource, "_decode", twice)
    convert(source, tmp_path / "out.mkv", source_layout="multiview", overwrite=True)
    plain = frames_of(source)
    for before, after in zip(plain, frames_of(tmp_path / "out.mkv"), strict=True):
        width = before.shape[1]
        assert np.abs(after[:, :width] - before).mean() < 3
        assert np.abs(after[:, width:] - (255 - before)).mean() < 6


def test_a_still(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "in.png"), packed(1, "sbs")[..., ::-1])
    convert(tmp_path / "in.png", tmp_path / "out.png", source_layout="sbs", format="ou")
    left, right = eyes(1)
    assert (cv2.imread(str(tmp_path / "out.png"))[..., ::-1] == np.concatenate([left, right])).all()


@pytest.mark.parametrize(
    ("layout", "found", "options", "wanted"),
    [
        (None, None, {}, None),
        ("auto", None, {}, None),
        ("mono", Found("side-by-side", False), {}, None),
        ("sbs", None, {}, Views("side-by-side", False)),
        ("half-sbs", None, {}, Views("side-by-side", True)),
        ("ou", None, {}, Views("over-under", False)),
        ("half-ou", None, {}, Views("over-under", True)),
        ("cross-eyed", None, {}, Views("side-by-side", False, True)),
        ("cross-eyed", None, {"swap_eyes": True}, Views("side-by-side", False)),
        ("sbs", None, {"swap_eyes": True}, Views("side-by-side", False, True)),
        ("row-interlaced", None, {}, Views("row-interlaced", True)),
        ("multiview", None, {}, Views("multiview", False)),
        ("auto", Found("side-by-side", True, True), {}, Views("side-by-side", True, True)),
        ("auto", Found("over-under", None), {}, Views("over-under", False)),
        (
            "auto",
            Found("side-by-side", False, sphere="180"),
            {"format": "vr180"},
            Views("side-by-side", False, sphere="180"),
        ),
    ],
    ids=str,
)
def test_views_that_are_asked_for(
    layout: str | None, found: Found | None, options: dict[str, Any], wanted: Any
) -> None:
    assert repack.views_of("a.mp4", found, ConvertSettings(source_layout=layout, **options)) == wanted


@pytest.mark.parametrize(
    ("found", "options", "said"),
    [
        (Found("side-by-side", False, sphere="180", by="tags"), {}, "use --format vr180"),
        (Found("side-by-side", False, sphere="360", by="tags"), {"format": "vr180"}, "it can't be converted"),
    ],
)
def test_stereo_spheres(found: Found, options: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=rf"stereo film \(by tags\); {said}"):
        repack.views_of("a.mp4", found, ConvertSettings(source_layout="auto", **options))


@pytest.mark.parametrize(
    ("views", "size", "same"),
    [
        (Views("side-by-side", False), (50, 76), None),
        (Views("side-by-side", True), (100, 75), "half-sbs"),
        (Views("over-under", False), (100, 38), None),
        (Views("over-under", True), (100, 75), "half-ou"),
        (Views("row-interlaced", True), (100, 75), "row-interlaced"),
        (Views("multiview", False), (100, 75), None),
        (Views("side-by-side", True, True), (100, 75), None),
        (Views("side-by-side", True, sphere="180"), (100, 75), None),
    ],
    ids=str,
)
def test_the_size_of_one_view(views: Views, size: tuple[int, int], same: str | None) -> None:
    whole = StreamInfo(100, 75, Fraction(1, 25), Fraction(25), padding=(1, 1))
    if views.packing == "side-by-side" and not views.half:
        whole, size = replace(whole, height=76), (50, 76)
        assert repack.eye_info(replace(whole, width=102), views).width == 52, "an even number"
        assert repack.eye_info(replace(whole, width=103), views).width == 52
    if views.packing == "over-under" and not views.half:
        assert repack.eye_info(replace(whole, height=74), views).height == 38
        assert repack.eye_info(replace(whole, height=72), views).height == 36
    found = repack.eye_info(whole, views)
    assert ((found.width, found.height), found.padding) == (size, (0, 0))
    assert views.same_as == same


@pytest.mark.parametrize("form", [PixelFormat.RGB24, PixelFormat.YUV420P, PixelFormat.YUV420P10], ids=str)
@pytest.mark.parametrize("packing", ["side-by-side", "over-under", "row-interlaced"])
@pytest.mark.parametrize("half", [False, True])
def test_views_are_taken_apart(form: PixelFormat, packing: str, half: bool) -> None:
    """The first view has one value, the second another, in every plane."""
    size, top = (8, 12), (1 << form.bits) - 1
    if packing == "row-interlaced" and not half:
        return
    wide, tall = packing == "side-by-side" and not half, packing == "over-under" and not half
    height, width = size[0] * (1 + tall), size[1] * (1 + wide)
    image = np.zeros((height * 3 // 2, width) if form.planar else (height, width, 3), form.dtype)
    for number, plane in enumerate(planes.planes(image) if form.planar else (image,)):
        middle = [side // 2 for side in plane.shape]
        second = {
            "side-by-side": np.s_[:, middle[1] :],
            "over-under": np.s_[middle[0] :],
            "row-interlaced": np.s_[1::2],
        }
        plane[...] = top - number
        plane[second[packing]] = 10 + number
    left, right = repack.split(image, Views(packing, half), form, size, Pool())
    for eye, value in ((left, top), (right, 10)):
        parts = planes.planes(eye) if form.planar else (eye,)
        step = -1 if value == top else 1
        assert [set(np.unique(part)) for part in parts] == [{value + step * n} for n in range(len(parts))]
        assert parts[0].shape[:2] == size
