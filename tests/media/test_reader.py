"""Sources of every kind, and what the reader makes of them."""

import functools
import http.server
import shutil
import threading
from collections import namedtuple
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from stereocast.catalog import settle
from stereocast.errors import LimitExceeded, SinkError, SourceError, UsageError
from stereocast.jobs.convert import inputs, job
from stereocast.media import bars, colour
from stereocast.media.depthfile import depth_maps
from stereocast.media.probe import parse_time
from stereocast.media.reader import ReadOptions, open_source, read_image
from stereocast.pictures import planes, tone
from stereocast.settings import ConvertSettings
from stereocast.types import Colour, HdrStatic, PixelFormat
from tests.films import make_film, number_of, picture
from tests.media.small import flash_film, packets


def numbers(source: object) -> list[int]:
    found = [number_of(frame.image[: source.info.height]) for frame in source]  # type: ignore[attr-defined]
    source.close()  # type: ignore[attr-defined]
    return found


def test_http(tmp_path: Path) -> None:
    make_film(tmp_path / "film.mp4", frames=8)

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None: ...

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(tmp_path))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        assert numbers(open_source(f"http://127.0.0.1:{server.server_port}/film.mp4")) == list(range(8))
        with pytest.raises(SourceError, match="can't be opened|not a video"):
            open_source(f"http://127.0.0.1:{server.server_port}/none.mp4")
        server.shutdown()


def test_numbered_images(tmp_path: Path) -> None:
    for number in range(5):
        cv2.imwrite(str(tmp_path / f"f{number:03d}.png"), picture(number, 96, 192))
    assert numbers(open_source(str(tmp_path / "f%03d.png"))) == list(range(5))


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_photos_are_upright(tmp_path: Path, orientation: int) -> None:
    image = picture(1, 60, 100)
    ok, jpeg = cv2.imencode(".jpg", image[..., ::-1])
    assert ok
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01" + orientation.to_bytes(2, "big") + b"\0\0\0\0\0\0"
    marker = b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif
    (tmp_path / "p.jpg").write_bytes(jpeg.tobytes()[:2] + marker + jpeg.tobytes()[2:])
    turned = {1: image, 3: np.rot90(image, 2), 6: np.rot90(image, -1), 8: np.rot90(image)}[orientation]
    got = read_image(str(tmp_path / "p.jpg"))
    assert got.shape == turned.shape
    assert np.abs(got.astype(int) - turned).mean() < 12


def test_deep_images_stay_deep(tmp_path: Path) -> None:
    image = (picture(2, 32, 48).astype(np.uint16) << 8) + 77
    cv2.imwrite(str(tmp_path / "p.png"), image[..., ::-1])
    source = open_source(str(tmp_path / "p.png"))
    assert source.info.pixel_format is PixelFormat.RGB48
    assert (next(iter(source)).image == image).all()


def test_folders_and_globs(tmp_path: Path) -> None:
    for name in ("b.mp4", "a.mkv", "sub/c.mov", "a_LRF_Full_SBS.mkv", "x.part.mp4", "notes.txt"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    assert [Path(n).name for n in inputs.expand([str(tmp_path)])] == ["a.mkv", "b.mp4"]
    assert [Path(n).name for n in inputs.expand([str(tmp_path)], recursive=True)] == ["a.mkv", "b.mp4", "c.mov"]
    assert [Path(n).name for n in inputs.expand([str(tmp_path / "*.mp4")])][:1] == ["b.mp4"]
    with pytest.raises(SourceError, match="nothing matches"):
        inputs.expand([str(tmp_path / "*.avi")])


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        ("1:30", 90),
        ("0:01:30.5", Fraction(181, 2)),
        ("0.25", Fraction(1, 4)),
        ("5.", 5),
        (".5", Fraction(1, 2)),
        (str(1 / 3), Fraction(str(1 / 3))),
    ],
)
def test_times(text: str, seconds: Fraction) -> None:
    assert parse_time(text, "start") == seconds


@pytest.mark.parametrize("text", ["", "a", "1:2:3:4", "-3", "1:", "1/0", "1:-30", "1e999999999", "1_0", "²", "."])
def test_bad_times(text: str) -> None:
    with pytest.raises(UsageError, match="--start"):
        parse_time(text, "start")


def test_damaged_packets_are_skipped(tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.mkv", frames=48, options={"preset": "ultrafast", "g": "8"})
    data = bytearray(film.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 400] = bytes(400)
    (tmp_path / "bad.mkv").write_bytes(data)
    found = numbers(open_source(str(tmp_path / "bad.mkv")))
    assert len(found) > 24
    assert found[0] == 0


@pytest.mark.parametrize("share", [0.5, 0.8])
def test_truncated_files_give_what_they_hold(tmp_path: Path, share: float) -> None:
    film = make_film(tmp_path / "film.ts", frames=48, options={"preset": "ultrafast", "g": "8"})
    (tmp_path / "cut.ts").write_bytes(film.read_bytes()[: int(film.stat().st_size * share)])
    found = numbers(open_source(str(tmp_path / "cut.ts")))
    assert 48 * share * 0.6 < len(found) < 48


def test_bars_are_found_and_cropped(tmp_path: Path) -> None:
    path = tmp_path / "bars.mkv"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("ffv1", rate=24)
        stream.width, stream.height, stream.pix_fmt = 192, 136, "yuv420p"
        for number in range(12):
            image = np.zeros((136, 192, 3), np.uint8)
            image[20:116, 8:184] = np.maximum(picture(number, 96, 176), 60)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format="yuv420p")))
        out.mux(stream.encode(None))
    assert bars.detect(str(path)) == (20, 20, 8, 8)
    source = open_source(str(path), ReadOptions(crop=(20, 20, 8, 8)))
    assert (source.info.height, source.info.width) == (96, 176)
    assert next(iter(source)).image[:96].min() > 40
    source.close()


def test_hdr_metadata_reaches_the_output(tmp_path: Path) -> None:
    hdr = "master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1):max-cll=900,300:log-level=error"
    film = make_film(
        tmp_path / "in.mkv",
        frames=3,
        codec="libx265",
        pixel_format="yuv420p10le",
        colour=(9, 16, 9),
        options={"x265-params": hdr},
    )
    source = open_source(str(film))
    want = source.info.hdr
    source.close()
    assert want == HdrStatic(
        tuple(
            (Fraction(x, 50000), Fraction(y, 50000))
            for x, y in ((34000, 16000), (13250, 34500), (7500, 3000), (15635, 16450))
        ),
        (Fraction(1, 10000), Fraction(1000)),
        900,
        300,
    )
    made, reader = job.prepare(str(film), tmp_path / "out.mp4", settle(ConvertSettings, {}))
    output = job.convert(made, reader).plan.outputs[0]
    again = open_source(str(output))
    assert again.info.hdr == want
    assert again.info.colour == Colour(9, 16, 9)
    again.close()


def test_tone_curve_rises_and_keeps_grey() -> None:
    from stereocast.pictures import planes

    tags, last = Colour(9, tone.PQ, 9), -1
    for level in np.linspace(0, 0.8, 9):
        pq = planes.from_rgb(np.full((4, 4, 3), level, np.float32), PixelFormat.YUV420P10, tags)
        mapped = colour.tone_map(pq, PixelFormat.YUV420P10, tags, None)
        y, u, v = planes.planes(mapped)
        assert int(y[0, 0]) >= last
        assert abs(int(u[0, 0]) - 128) <= 1
        assert abs(int(v[0, 0]) - 128) <= 1
        last = int(y[0, 0])
    assert last > 200


def test_limits_and_disk_are_checked_before_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wide = make_film(tmp_path / "wide.mkv", size=(96, 3000), frames=2)
    with pytest.raises(LimitExceeded, match=r"6000x96 .* use --encoder .* or --format half-sbs or --scale 0.68"):
        job.prepare(str(wide), tmp_path / "a.mp4", settle(ConvertSettings, {"encoder": "x264"}))
    with pytest.raises(LimitExceeded, match=r"5760x2880 .*; use --encoder [\w-]+$"):  # --scale doesn't change VR180
        job.prepare(str(wide), tmp_path / "a.mp4", settle(ConvertSettings, {"encoder": "x264", "format": "vr180"}))
    film = make_film(tmp_path / "film.mp4", frames=48)
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(1, 1, 100))
    with pytest.raises(SinkError, match="100 bytes free but about"):
        job.prepare(str(film), tmp_path / "b.mp4", settle(ConvertSettings, {}))


def test_depth_video_values(tmp_path: Path) -> None:
    path = tmp_path / "d.mkv"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("ffv1", rate=24)
        stream.width, stream.height, stream.pix_fmt = 16, 8, "gray16le"
        codes = np.linspace(0, 65535, 128).astype(np.uint16).reshape(8, 16)
        out.mux(stream.encode(av.VideoFrame.from_ndarray(codes, format="gray16le")))
        out.mux(stream.encode(None))
    maps, metric = depth_maps(str(path))
    assert not metric
    assert np.abs(next(maps) - codes / 65535).max() < 1e-6
    maps.close()  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def second(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film of one second."""
    return make_film(tmp_path_factory.mktemp("second") / "film.mp4", frames=24)


@pytest.mark.parametrize(
    ("options", "size", "rate", "frames", "duration_s"),
    [
        ({}, (192, 96), 24, 24, 1),
        ({"scale": 0.5}, (96, 48), 24, 24, 1),
        ({"scale": 0.27}, (52, 26), 24, 24, 1),
        ({"scale": 0.01}, (2, 2), 24, 24, 1),
        ({"crop": (2, 4, 6, 8)}, (178, 90), 24, 24, 1),
        ({"crop": (2, 4, 6, 8), "scale": 2.0}, (356, 180), 24, 24, 1),
        ({"start": Fraction(1, 4)}, (192, 96), 24, 18, Fraction(3, 4)),
        ({"end": Fraction(1, 4)}, (192, 96), 24, 6, Fraction(1, 4)),
        ({"start": Fraction(1, 4), "end": Fraction(1, 2)}, (192, 96), 24, 6, Fraction(1, 4)),
        ({"start": Fraction(1, 4), "end": Fraction(9)}, (192, 96), 24, 18, Fraction(3, 4)),
        ({"rate": Fraction(60)}, (192, 96), 60, 60, 1),
        ({"rate": Fraction(10), "end": Fraction(1, 2)}, (192, 96), 10, 5, Fraction(1, 2)),
        ({"deinterlace": "field"}, (192, 96), 48, 48, 1),
        ({"deinterlace": "telecine"}, (192, 96), Fraction(96, 5), 19, 1),
        ({"deinterlace": "field", "rate": Fraction(25)}, (192, 96), 25, 25, 1),
    ],
)
def test_what_will_be_read_is_known_before(
    second: Path, options: dict[str, Any], size: tuple[int, int], rate: Fraction, frames: int, duration_s: Fraction
) -> None:
    source = open_source(str(second), ReadOptions(**options))
    source.close()
    info = source.info
    assert ((info.width, info.height), info.rate, info.frames, info.duration) == (size, rate, frames, duration_s)


@pytest.mark.parametrize("options", [{}, {"start": Fraction(1, 4)}, {"end": Fraction(1, 2)}])
def test_as_many_frames_come_as_were_announced(second: Path, options: dict[str, Any]) -> None:
    source = open_source(str(second), ReadOptions(**options))
    ticks = [frame.pts for frame in source]
    source.close()
    assert len(ticks) == source.info.frames
    assert ticks[0] == 0


@pytest.mark.parametrize("start", [Fraction(1), Fraction(5)])
def test_a_start_behind_the_end_is_refused(second: Path, start: Fraction) -> None:
    with pytest.raises(UsageError, match=rf"--start {float(start):g}: .* ends before that time"):
        open_source(str(second), ReadOptions(start=start))


@pytest.mark.parametrize("size", [(95, 192), (96, 191), (95, 191)])
@pytest.mark.parametrize("turned", [False, True])
def test_odd_sizes_are_padded_with_their_edge(tmp_path: Path, size: tuple[int, int], turned: bool) -> None:
    path = tmp_path / "odd.mkv"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("ffv1", rate=24)
        stream.height, stream.width = size
        stream.pix_fmt = "yuv420p"
        if turned:
            stream.set_display_rotation(90)
        rgb = np.random.default_rng(1).integers(0, 255, (*size, 3), np.uint8)
        frame = av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(format="yuv420p")
        luma = (
            np.frombuffer(frame.planes[0], np.uint8).reshape(-1, frame.planes[0].line_size)[: size[0], : size[1]].copy()
        )
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    source = open_source(str(path))
    image = next(iter(source)).image
    source.close()
    height, width = source.info.height, source.info.width
    want = np.rot90(luma) if turned else luma
    assert (height, width) == tuple(side + side % 2 for side in want.shape)
    assert (image[: want.shape[0], : want.shape[1]] == want).all()
    assert (image[height - 1, : want.shape[1]] == want[-1]).all()
    assert (image[: want.shape[0], width - 1] == want[:, -1]).all()


@pytest.mark.parametrize(("end", "most_s"), [(Fraction(1), 3), (None, 99)])
def test_sound_is_read_to_the_end_only_where_the_film_is(tmp_path: Path, end: Fraction | None, most_s: int) -> None:
    source = open_source(str(flash_film(tmp_path / "in.mkv", seconds=8)), ReadOptions(end=end))
    queue = source.share_packets()
    count = sum(1 for _ in source)
    last = max(packet.pts * packet.time_base for packet in queue)
    source.close()
    assert count == (25 if end else 200)
    assert (1 if end else 7.9) < last < most_s


def test_a_rest_that_is_read_is_the_same_for_every_queue(tmp_path: Path) -> None:
    """Packets read while the file was opened are among them."""
    path = flash_film(tmp_path / "in.mkv", seconds=1)
    source = open_source(str(path))
    queues = [source.share_packets() for _ in range(2)]
    assert len(list(source)) == 25
    source.close()
    source.close()
    first, second = ([(packet.pts, bytes(packet)) for packet in queue if packet.size] for queue in queues)
    assert first == second
    assert len(first) == len(packets(path)["audio"])
    assert source.missing_s == 0


@pytest.mark.parametrize("first", [0, 1, 7, 12, 23])
@pytest.mark.parametrize("seek", [True, False])
def test_reading_may_begin_at_any_tick_of_the_whole_film(tmp_path: Path, first: int, seek: bool) -> None:
    path = make_film(tmp_path / "in.mkv", options={"preset": "ultrafast", "g": "5"})
    whole = open_source(str(path))
    ticks = [frame.pts for frame in whole]
    whole.close()
    source = open_source(str(path), ReadOptions(first=ticks[first], seek=seek))
    found = [(frame.pts, number_of(frame.image[: source.info.height])) for frame in source]
    source.close()
    assert found == list(zip(ticks, range(24), strict=True))[first:]
    assert source.info.frames == whole.info.frames


def test_a_film_of_one_picture_may_be_a_still(tmp_path: Path) -> None:
    still = open_source(str(make_film(tmp_path / "one.mkv", frames=1))).as_still()  # type: ignore[union-attr]
    assert (still.info.width, still.info.height) == (192, 96)
    film = open_source(str(make_film(tmp_path / "two.mkv", frames=2)))
    with pytest.raises(UsageError, match="is a film; the output needs a video suffix"):
        film.as_still()  # type: ignore[union-attr]
    film.close()


def test_a_new_crop_and_form_without_reopening(second: Path) -> None:
    source = open_source(str(second), ReadOptions(crop=(2, 2, 0, 0)))
    source.retarget(crop=(0, 0, 0, 0))  # type: ignore[union-attr]
    assert (source.info.height, source.info.pixel_format) == (92, PixelFormat.YUV420P)
    source.retarget(crop=(0, 4, 8, 0), pixel_format=PixelFormat.YUV420P10)  # type: ignore[union-attr]
    frame = next(iter(source))
    source.close()
    assert (source.info.height, source.info.width) == (92, 184)
    assert (frame.image.shape, frame.image.dtype, frame.pixel_format) == ((138, 184), np.uint16, PixelFormat.YUV420P10)


def test_crops_are_cut_from_each_side_of_every_plane(tmp_path: Path) -> None:
    luma, u, v = (np.random.default_rng(n).integers(16, 235, shape, np.uint8) for n, shape in
                  enumerate(((48, 64), (24, 32), (24, 32))))  # fmt: skip
    with av.open(str(tmp_path / "in.mkv"), "w") as out:
        stream = out.add_stream("ffv1", rate=24)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        whole = np.concatenate([luma.ravel(), u.ravel(), v.ravel()]).reshape(72, 64)
        out.mux(stream.encode(av.VideoFrame.from_ndarray(whole, format="yuv420p")))
        out.mux(stream.encode(None))
    source = open_source(str(tmp_path / "in.mkv"), ReadOptions(crop=(2, 4, 6, 8)))
    found = planes.planes(next(iter(source)).image)
    source.close()
    for plane, part, k in zip(found, (luma, u, v), (1, 2, 2), strict=True):
        assert (plane == part[2 // k : (48 - 4) // k, 6 // k : (64 - 8) // k]).all()


def test_a_change_of_size_is_scaled_and_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    parts = [make_film(tmp_path / f"{n}.ts", frames=4, size=size) for n, size in enumerate(((96, 192), (48, 96)))]
    (tmp_path / "in.ts").write_bytes(b"".join(part.read_bytes() for part in parts))
    source = open_source(str(tmp_path / "in.ts"))
    shapes = {frame.image.shape for frame in source}
    source.close()
    assert shapes == {(144, 192)}
    assert caplog.text.count("the frame size changes; all frames are scaled to 192x96") == 1
