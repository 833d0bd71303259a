"""What `4d` reads and orders: pictures, folders, films and solids; where it writes; how its films are made."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the depth extra")
pytest.importorskip("safetensors", reason="needs the depth extra")

from stereocast.errors import SinkError, SourceError, UsageError  # noqa: E402
from stereocast.jobs.reconstruct import films, generated, job, order, relief, subject  # noqa: E402
from stereocast.jobs.reconstruct.order import Order, Reconstructed  # noqa: E402
from stereocast.settings import FourDSettings  # noqa: E402
from stereocast.splat import generate, prepare, render, stage  # noqa: E402
from stereocast.types import Layout, PixelFormat, StereoClip  # noqa: E402
from tests.films import make_film  # noqa: E402


def drawn(path: Path, size: tuple[int, int] = (40, 40), deep: bool = False, shade: int = 200) -> Path:
    picture = np.zeros((*size, 4), np.uint8)
    picture[10:30, 12:28] = (40, 60, shade, 255)
    cv2.imwrite(str(path), picture.astype(np.uint16) * 257 if deep else picture)
    return path


@pytest.mark.parametrize(
    ("count", "most", "chosen"),
    [
        (1, 5, [0]),
        (5, 5, [0, 1, 2, 3, 4]),
        (5, 9, [0, 1, 2, 3, 4]),
        (9, 5, [0, 2, 4, 6, 8]),
        (10, 4, [0, 3, 6, 9]),
        (7, 1, [0]),
        (4, 3, [0, 2, 3]),
    ],
)
def test_frames_are_taken_evenly(count: int, most: int, chosen: list[int]) -> None:
    assert subject._evenly(count, most) == chosen


@pytest.mark.parametrize(("files", "most", "fps"), [(1, 9, 12.0), (4, 9, 12.0), (9, 3, 3.0), (9, 5, 6.0), (9, 1, 1.5)])
def test_a_folder_keeps_its_pace(tmp_path: Path, files: int, most: int, fps: float) -> None:
    """Twelve pictures a second, fewer where some are left out."""
    for n in range(files):
        drawn(tmp_path / f"walk {n + 2}.PNG", shade=100 + n)
    (tmp_path / "readme 1.txt").write_text("x")
    found = subject.read(str(tmp_path), most)
    assert found.fps == fps
    assert found.frames is not None
    assert found.frames[:, 20, 20, 0].tolist() == [100 + n for n in subject._evenly(files, most)]


def test_the_last_number_of_a_name_orders_it() -> None:
    names = ["b.png", "a.png", "10_a_2.png", "2_a_10.png", "x1.png", "a1.png"]
    ordered = sorted((Path(name) for name in names), key=subject._by_number)
    assert [path.name for path in ordered] == ["a.png", "b.png", "a1.png", "x1.png", "10_a_2.png", "2_a_10.png"]


def test_pictures_of_any_depth_and_their_faults(tmp_path: Path) -> None:
    plain, deep = (
        subject.read(str(drawn(tmp_path / "a.png")), 9),
        subject.read(str(drawn(tmp_path / "b.png", deep=True)), 9),
    )
    assert plain.frames is not None and deep.frames is not None
    assert (plain.name, plain.fps, plain.frames.shape) == ("a", 3.0, (1, 40, 40, 4))
    assert np.array_equal(plain.frames, deep.frames)
    assert plain.frames[0, 20, 20].tolist() == [200, 60, 40, 255]
    grey = np.zeros((60, 60), np.uint8)
    grey[20:40, 20:40] = 220
    cv2.imwrite(str(tmp_path / "grey.png"), grey)
    cut = subject.read(str(tmp_path / "grey.png"), 9).frames
    assert cut is not None and cut[0, 30, 30].tolist()[3] > 200 > 50 > cut[0, 2, 2, 3]
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "none").mkdir()
    (tmp_path / "sizes").mkdir()
    drawn(tmp_path / "sizes/1.png")
    drawn(tmp_path / "sizes/2.png", (40, 44))
    for name, said in (("empty.png", "not a readable image"), ("none", "no pictures"), ("sizes", "differ in size")):
        with pytest.raises(SourceError, match=said):
            subject.read(str(tmp_path / name), 9)


@pytest.mark.parametrize(("opaque", "kept"), [(249, True), (250, False)])
def test_an_alpha_that_hides_something_is_kept(opaque: int, kept: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepare, "cut_out", lambda picture: np.zeros(1))
    image = np.full((8, 8, 4), 255, np.uint8)
    image[0, 0, 3] = opaque
    assert (subject._cut(image, "a") is image) == kept


@pytest.mark.parametrize(
    ("frames", "most", "step", "fps"),
    [(5, 5, 1, 24.0), (11, 5, 1, 9.6), (15, 4, 1, 5.14286), (16, 4, 2, 5.14286), (40, 3, 4, 1.33333)],
)
def test_of_a_film_few_pictures_are_kept(
    tmp_path: Path, frames: int, most: int, step: int, fps: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    film, cut = make_film(tmp_path / "a.mkv", frames=frames, size=(16, 16), codec="ffv1"), []
    monkeypatch.setattr(subject, "_cut", lambda image, name: cut.append(name) or image)
    found = subject.read(str(film), most)
    chosen = [step * n for n in subject._evenly(len(range(0, frames, step)), most)]
    assert [int(name.rsplit(" ", 1)[1]) for name in cut] == chosen
    assert found.frames is not None and found.frames.shape == (len(chosen), 16, 16, 3)
    assert found.fps == pytest.approx(fps, rel=1e-4)


def test_a_film_of_one_frame_has_a_pace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "_cut", lambda image, name: image)
    film = make_film(tmp_path / "a.mkv", frames=1, size=(16, 16), codec="ffv1")
    assert subject.read(str(film), 9).fps == 1.0


@pytest.fixture
def gaussians(monkeypatch: pytest.MonkeyPatch) -> None:
    from stereocast.splat import lift

    monkeypatch.setattr(lift, "object_gaussians", lambda points, colours, size: (points, colours, size))


def test_solids_are_sampled_on_their_surface(tmp_path: Path, gaussians: None) -> None:
    trimesh = pytest.importorskip("trimesh", reason="needs the 4d extra")
    box = trimesh.creation.box((1, 2, 3))
    box.visual.vertex_colors = (255, 51, 0, 255)
    for suffix in (".ply", ".glb"):
        box.export(tmp_path / f"box{suffix}")
        found = subject.read(str(tmp_path / f"box{suffix}"), 9)
        points, colours, size = found.solid
        assert found.frames is None and len(points) == 30_000
        assert np.abs(points).max(0) == pytest.approx([0.5, 1.0, 1.5], abs=1e-6)
        assert size == pytest.approx(0.7 * (22 / 30_000) ** 0.5)
        assert colours.shape == (30_000, 3)
        assert colours[0] == pytest.approx([1, 0.2, 0], abs=0.01)


@pytest.mark.parametrize(("count", "fine"), [(15, False), (16, True)])
def test_clouds_of_points(tmp_path: Path, count: int, fine: bool, gaussians: None) -> None:
    trimesh = pytest.importorskip("trimesh", reason="needs the 4d extra")
    places = np.random.default_rng(0).random((count, 3))
    trimesh.PointCloud(places, np.full((count, 4), (255, 0, 51, 255), np.uint8)).export(tmp_path / "cloud.ply")
    if not fine:
        with pytest.raises(SourceError, match="fewer than 16 points"):
            subject.read(str(tmp_path / "cloud.ply"), 9)
        return
    points, colours, size = subject.read(str(tmp_path / "cloud.ply"), 9).solid
    assert points == pytest.approx(places, abs=1e-6)
    assert (size, colours.shape) == (pytest.approx(0.7 / 4), (16, 3))
    assert colours[3] == pytest.approx([1, 0, 0.2])


def test_solids_without_colours_are_grey(tmp_path: Path, gaussians: None) -> None:
    pytest.importorskip("trimesh", reason="needs the 4d extra")
    corners = "\n".join(f"v {x} {y} 0" for x, y in ((0, 0), (1, 0), (0, 1)))
    (tmp_path / "a.obj").write_text(f"{corners}\nf 1 2 3\n")
    points, colours, size = subject.read(str(tmp_path / "a.obj"), 9).solid
    assert size == pytest.approx(0.7 * (0.5 / 30_000) ** 0.5)
    assert np.ptp(colours) == 0 and 0.3 < colours[0, 0] < 0.8
    (tmp_path / "b.glb").write_bytes(b"no mesh")
    with pytest.raises(SourceError, match="can't be read as a 3D object"):
        subject.read(str(tmp_path / "b.glb"), 9)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What stage 1's input is made from."""
    calls: list[Any] = []
    frames = {
        "film": np.zeros((3, 4, 4, 4)),
        "ring": np.zeros((5, 4, 4, 4)),
        "one": np.zeros((1, 4, 4, 4)),
        "solid": None,
    }

    def read(name: str, most: int) -> Any:
        calls.append((name, most))
        return SimpleNamespace(frames=frames[name], solid="solid", fps=7.0)

    monkeypatch.setattr(subject, "read", read)
    monkeypatch.setattr(generate, "square", lambda rgba, size: (calls.append(size), (rgba[..., :3], rgba[..., 3]))[1])
    monkeypatch.setattr(stage, "ring_of", lambda *given: (calls.append(given), ("ring", "alpha"))[1])
    return calls


def test_what_stage_one_is_given(seen: list[Any]) -> None:
    known = generated.known_of(Order("film", settings=FourDSettings()))
    assert (known.video.shape, known.alpha.shape, known.fps, known.image) == ((3, 4, 4, 3), (3, 4, 4), 7.0, None)
    assert seen == [("film", 25), 576]
    seen.clear()
    known = generated.known_of(Order("one", settings=FourDSettings(frames=7, matrix_size=64)))
    assert (known.image.shape, known.alpha.shape, known.video) == ((4, 4, 3), (4, 4), None)
    assert seen == [("one", 7), 64]
    seen.clear()
    known = generated.known_of(Order("solid", settings=FourDSettings(elevation=9.0)))
    assert (known.ring, known.ring_alpha, seen[1]) == ("ring", "alpha", ("solid", 21, 576, 9.0))
    known = generated.known_of(Order("solid", settings=FourDSettings(views=4, matrix_size=64)))
    assert seen[3] == ("solid", 4, 64, 0.0)
    seen.clear()
    known = generated.known_of(Order(None, views=Path("ring"), settings=FourDSettings()))
    assert (known.ring.shape, known.ring_alpha.shape, seen) == ((5, 4, 4, 3), (5, 4, 4), [("ring", 200), 576])
    for name in ("one", "solid"):
        with pytest.raises(UsageError, match="does not contain a ring"):
            generated.known_of(Order(None, views=Path(name), settings=FourDSettings()))


def test_options_of_stage_one_and_the_key_of_its_work() -> None:
    plain = generated.options_of(FourDSettings())
    assert (plain.views, plain.frames, plain.steps) == (21, 25, 50)
    assert (plain.choices.s, plain.choices.rollback_steps) == (0.5, 5)
    own = generated.options_of(FourDSettings(views=4, frames=3, steps=9, share=0.0, rollback_steps=0))
    assert (own.views, own.frames, own.steps, own.choices.s, own.choices.rollback_steps) == (4, 3, 9, 0.0, 0)
    known, image = generate.Known(), np.zeros((2, 3, 3), np.uint8)
    keys = {
        generated.key_of(Order("a", prompt, settings=FourDSettings(**options)), given, plain)
        for prompt, options, given in (
            (None, {}, known), ("x", {}, known), ("x", {"text_model": "other"}, known), (None, {"matrix_size": 64}, known),
            (None, {"precision": "fp32"}, known), (None, {}, replace(known, image=image)),
            (None, {}, replace(known, video=image)), (None, {}, replace(known, image=image.reshape(3, 2, 3))),
        )
    }  # fmt: skip
    assert len(keys) == 8
    same = [Order(name, settings=FourDSettings(text_model=model, matrix_size=size))
            for name, model, size in (("a", "sdxl-turbo", 0), ("b", "other", 576))]  # fmt: skip
    assert generated.key_of(same[0], known, plain) == generated.key_of(same[1], known, plain)


def placed(folder: Path, **given: Any) -> Reconstructed:
    settings = FourDSettings(**given.pop("options", {}))
    output = given.pop("output", None)
    return order.place(Order(**{"source": None, **given}, settings=settings), output)


def test_where_a_scene_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    egg, scene = drawn(tmp_path / "egg.v1.png"), tmp_path / "old/scene.4dgs"
    for given, folder in (
        ({"source": str(egg)}, "egg.v1_4d"),
        ({"prompt": "a frog, on a leaf!"}, "a_frog_on_a_leaf__4d"),
        ({"prompt": "x" * 60}, "x" * 40 + "_4d"),
        ({"views": tmp_path / "ring"}, "ring_4d"),
        ({"scene_file": scene}, "old/scene_4d"),
        ({"source": str(egg), "output": tmp_path / "here"}, "here"),
        ({"source": str(egg), "views": tmp_path / "ring"}, "egg.v1_4d"),
    ):
        assert placed(tmp_path, **given).folder == tmp_path / folder
    for given in (
        {}, {"source": "a", "prompt": "b"}, {"source": "a", "scene_file": scene}, {"prompt": "a", "scene_file": scene},
        {"scene_file": scene, "views": tmp_path},
    ):  # fmt: skip
        with pytest.raises(UsageError):
            placed(tmp_path, **given)


def test_results_that_are_there(tmp_path: Path) -> None:
    egg = str(drawn(tmp_path / "egg.png"))
    folder = tmp_path / "egg_4d"
    folder.mkdir()
    (folder / "orbit.mp4").write_bytes(b"x")
    with pytest.raises(SinkError, match=r"orbit\.mp4 already exists"):
        placed(tmp_path, source=egg)
    (folder / "scene.4dgs").write_bytes(b"x")
    with pytest.raises(SinkError, match="already holds a result"):
        placed(tmp_path, source=egg)
    for options in ({"overwrite": True}, {"resume": True}):
        assert placed(tmp_path, source=egg, options=options).folder == folder
    assert placed(tmp_path, scene_file=folder / "scene.4dgs", output=folder).folder == folder
    with pytest.raises(UsageError, match="is the input itself"):
        placed(tmp_path, source=str(drawn(folder / "matrix.png")), output=folder, options={"overwrite": True})


@pytest.mark.parametrize("work", [None, "fit.pt", "start.safetensors", "matrix/matrix.json", "stage1/a.npz", "other"])
def test_a_failure_takes_new_folders_with_it_unless_work_is_in_them(tmp_path: Path, work: str | None) -> None:
    made = Reconstructed(tmp_path / "new/deep/out")
    made.make()
    made.make()
    if work is not None:
        (made.folder / "work" / work).parent.mkdir(parents=True)
        (made.folder / "work" / work).write_bytes(b"x")
    made.give_up()
    assert (tmp_path / "new").exists() == (work not in (None, "other"))
    old = Reconstructed(tmp_path)
    old.make()
    old.give_up()
    assert tmp_path.exists()
    assert (old.gaussians, old.method, old.note, old.files) == (0, "", "", [])


def test_a_film_of_a_scene_is_planned(tmp_path: Path) -> None:
    settings = FourDSettings(size=128, rate=30, encoder="x264", crf=17)
    for layout, name, width in (
        (Layout.LEFT, "orbit.mp4", 128), (Layout.SBS, "orbit_LRF_Full_SBS.mp4", 256), (Layout.MONO, "orbit_mono.mp4", 128)
    ):  # fmt: skip
        made = films.film_plan(tmp_path, "orbit", layout, settings, 60)
        assert (Path(str(made.output)).name, made.packed.width, made.packed.height) == (name, width, 128)
        assert (made.info.rate, made.info.time_base, made.info.frames) == (30, Fraction(1, 30), 60)
        assert made.settings.constant_quality == 17
    sphere = films.film_plan(tmp_path, "view", Layout.VR180, settings.model_copy(update={"encoder": "x265"}), 60)
    assert sphere.settings.fov == 33.8


def test_renderings_of_a_scene(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("orbit", "fixed"):
        monkeypatch.setattr(render, name, lambda made, size, pace, name=name: (name, size, pace.frames))
    monkeypatch.setattr(render, "Poses", lambda made, device: device)
    monkeypatch.setattr(render, "stereo_clips", lambda poses, moments, rig: (moments, rig, poses))
    monkeypatch.setattr(films.devices, "choose_device", lambda wanted: SimpleNamespace(name=wanted))
    scene = SimpleNamespace(info=SimpleNamespace(radius_m=0.4, frames=1, fps=3.0, loop=False))

    def made(**options: Any) -> list[Any]:
        return list(films.films(scene, FourDSettings(seconds=2, rate=10, size=64, **options)))

    both = made(device="mps", format="half-sbs")
    assert [titles for titles, _, _ in both] == [
        {"orbit": Layout.LEFT, "orbit_stereo": Layout.HALF_SBS}, {"view_stereo": Layout.HALF_SBS},
    ]  # fmt: skip
    assert [(count, clips[0], clips[2]) for _, clips, count in both] == [
        (20, ("orbit", 64, 20), "cpu"), (20, ("fixed", 64, 20), "cpu"),
    ]  # fmt: skip
    assert both[0][1][1] == render.Rig(0.063, 0.4)
    assert [clips[0][0] for _, clips, _ in made(orbit=False, device="cpu")] == ["fixed"]
    assert [clips[2] for _, clips, _ in made(fixed_view=False, device="cuda:1")] == ["cuda:1"]


def test_pictures_of_a_scene_become_the_encoders() -> None:
    white = np.full((1, 4, 4, 3), 255, np.uint8)
    clip = StereoClip(white, white // 2, np.arange(1), PixelFormat.RGB24)
    (made,) = films.as_planes(PixelFormat.YUV420P)(iter([clip]))
    assert made.left.shape == (1, 6, 4)
    assert (made.left[0, :4].max(), made.left[0, 4:].max()) == (235, 128)
    assert abs(int(made.right[0, 0, 0]) - (16 + 219 * 127 / 255)) < 1


def test_the_model_that_fits_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    def model(device: str, there: bool, scene: bool = False, **options: Any) -> str:
        monkeypatch.setattr(job, "_weights_there", lambda settings: there)
        wanted = Order(None, scene_file=Path("a") if scene else None, settings=FourDSettings(**options))
        return job._model(wanted, device)

    assert model("cuda:0", True) == "diffusion2"
    assert model("cuda:0", False) == model("cpu", True) == model("cuda:0", True, model="relief") == "relief"
    assert model("cpu", False, model="diffusion2") == "diffusion2"
    assert model("cuda:0", True, scene=True, model="diffusion2") == "scene"


def test_one_file_for_each_frame_of_a_scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from stereocast.splat import scene as scenes

    monkeypatch.setattr(scenes, "ply_bytes", lambda moment: f"ply {moment}".encode())
    monkeypatch.setattr(scenes, "splat_bytes", lambda moment: f"splat {moment}".encode())
    monkeypatch.setattr(scenes, "save", lambda made, path: None)

    def write(frames: int, kind: str, method: str = "relief", source: str = "a.png") -> Reconstructed:
        result = Reconstructed(tmp_path)
        info = SimpleNamespace(frames=frames, method=method)
        made: Any = SimpleNamespace(info=info, gaussians="abc", at=lambda time: round(time, 3))
        job._write_scene(made, Order(source, settings=FourDSettings(sequence=kind)), result)
        return result

    assert write(3, "ply").files[-1] == tmp_path / "ply_sequence"
    there = {path.name: path.read_text() for path in (tmp_path / "ply_sequence").iterdir()}
    assert there == {f"frame_{n:03d}.ply": f"ply {n / 2}" for n in range(3)}
    (tmp_path / "ply_sequence/mine.ply").write_text("mine")
    for frames in (1, 0):
        write(frames, "ply")
        assert sorted(path.name for path in (tmp_path / "ply_sequence").iterdir()) == ["frame_000.ply", "mine.ply"]
        assert (tmp_path / "ply_sequence/frame_000.ply").read_text() == "ply 0.0"
    result = write(2, "splat")
    assert (tmp_path / "splat_sequence/frame_001.splat").read_text() == "splat 1.0"
    assert (result.gaussians, result.note) == (3, relief.NOTE)
    assert [write(1, "none", method, source).note for method, source in (("SVD", "a.png"), ("relief", "a.GLB"))] == [
        "",
        "",
    ]


@pytest.mark.parametrize(("maps", "there"), [(3, True), (2, False), (4, False), (0, False)])
def test_depth_of_framed_pictures(maps: int, there: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []

    def estimator(settings: Any, info: Any) -> Any:
        told.append((info.width, info.height, info.frames, info.rate))
        values = np.arange(maps, dtype=np.float32)[:, None, None] * np.ones((1, 4, 4), np.float32)
        return lambda clips: ((clip, SimpleNamespace(values=values)) for clip in (clips if maps else []))

    monkeypatch.setattr(relief.assembly, "estimator", estimator)
    found = relief._depths(np.full((3, 8, 8, 4), 200, np.uint8))
    assert (found is not None) == there
    assert told == [(8, 8, 3, 25)]
    if found is not None:
        assert found.shape == (3, 8, 8)
        assert found[:, 3, 5].tolist() == [0, 1, 2]


def test_a_loop_needs_fewer_steps() -> None:
    info = SimpleNamespace(loop=True)
    assert relief._iterations(SimpleNamespace(info=info)) == 100
    info.loop = False
    assert relief._iterations(SimpleNamespace(info=info)) == 500


@pytest.mark.parametrize(
    ("options", "most", "wanted"),
    [
        ({}, 13, (13, 9, 192, 512, None)),
        ({"size": 256}, 13, (13, 9, 192, 256, None)),
        ({"size": 64}, 13, (13, 9, 192, 192, None)),
        ({"views": 4, "frames": 3, "matrix_size": 600}, 3, (4, 3, 600, 600, None)),
        ({"reference_frame": 0}, 13, (13, 9, 192, 512, 0)),
    ],
    ids=str,
)
def test_how_finely_a_relief_is_made(
    tmp_path: Path, options: dict[str, Any], most: int, wanted: tuple[Any, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Any] = []
    read = subject.read

    def reading(name: str, count: int) -> Any:
        told.append(count)
        return read(name, count)

    def lifted(framed: Any, depths: Any, made: Any, work: Any) -> None:
        told.append((made.views, made.frames, made.size, made.fine, made.reference_frame))
        told.append((framed.shape[1:3], made.fps, depths))
        raise ZeroDivisionError

    monkeypatch.setattr(subject, "read", reading)
    monkeypatch.setattr(relief, "_depths", lambda framed: "depths")
    monkeypatch.setattr(stage, "lifted", lifted)
    asked = Order(str(drawn(tmp_path / "egg.png")), settings=FourDSettings(**options))
    with pytest.raises(ZeroDivisionError):
        relief.lifted(asked, "cpu", Reconstructed(tmp_path / "out"), lambda at: None)
    assert told == [most, wanted, ((wanted[3], wanted[3]), 3.0, "depths")]


@pytest.mark.parametrize(
    ("options", "device", "wanted"),
    [
        ({}, "cpu", (5000, 3000, True, "cpu", 0, 0.3)),
        ({"iterations": 10, "warm_up": 0.25, "seed": 4}, "cuda:1", (10, 2, True, "cuda:1", 4, 0.3)),
        ({"iterations": 7, "decoupled": False}, "mps", (7, 4, False, "cpu", 0, 1.0)),
    ],
    ids=str,
)
@pytest.mark.parametrize("kept", [False, True])
def test_a_matrix_is_made_once_and_fitted(
    tmp_path: Path,
    options: dict[str, Any],
    device: str,
    wanted: tuple[Any, ...],
    kept: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from stereocast.jobs.reconstruct.crew import Crew
    from stereocast.splat import fit, matrix

    told: list[Any] = []

    class Fit:
        def __init__(self, made: Any, settings: fit.FitSettings) -> None:
            told.append((
                settings.iterations, settings.warm_up, settings.decoupled, settings.device, settings.seed, settings.canonical_rate,
            ))  # fmt: skip

        def run(self, checkpoint: Path, progress: Any) -> str:
            return "fitted"

    def save(made: Any, folder: Path) -> None:
        told.append(f"saved {folder.name}")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "matrix.json").write_text("{}")

    monkeypatch.setattr(fit, "Fit", Fit)
    monkeypatch.setattr(matrix, "save", save)
    monkeypatch.setattr(matrix, "load", lambda folder: told.append("loaded") or "matrix")
    monkeypatch.setattr(matrix, "contact_sheet", lambda made: np.zeros((4, 4, 3), np.uint8))
    monkeypatch.setattr(generated, "require", lambda order: "store")
    monkeypatch.setattr(generated, "known_of", lambda order: generate.Known())
    monkeypatch.setattr(generated, "_matrix", lambda *given: told.append("made") or "matrix")
    wish = Order("a.png", settings=FourDSettings(keep_matrix=not kept, resume=kept, **options))
    result = Reconstructed(tmp_path / "out")
    if kept:
        work = stage.Work(
            tmp_path / "out/work", generated.key_of(wish, generate.Known(), generated.options_of(wish.settings)), False
        )
        work.claim()
        save("matrix", work.folder / "matrix")
        told.clear()
    assert generated.generated(wish, Crew(1, device), result, lambda at: None) == "fitted"
    assert told == (["loaded", wanted] if kept else ["made", "saved matrix", wanted, "saved matrix"])
    assert [path.name for path in result.files] == ["matrix.png", *([] if kept else ["matrix"])]
    assert not (tmp_path / "out/work").exists()


@pytest.mark.parametrize(
    ("error", "code"), [(None, 0), (SourceError("lost"), 1), (RuntimeError("gone\nmore"), 1), (OSError("x"), 1)]
)
def test_a_helper_ends_with_one_line(
    tmp_path: Path,
    error: BaseException | None,
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from stereocast.jobs.reconstruct import helper

    told: list[Any] = []

    def help_out(*given: Any) -> None:
        told.append(given)
        if error is not None:
            raise error

    monkeypatch.setattr(helper.signal, "signal", lambda *given: None)
    monkeypatch.setattr(helper.crew, "help_out", help_out)
    assert helper.main(str(tmp_path / "meeting"), "2", "3", "cpu") == code
    assert told == [(2, 3, "cpu", (tmp_path / "meeting").as_uri())]
    assert (tmp_path / "here_2").exists()
    assert len(capsys.readouterr().err.splitlines()) == code
