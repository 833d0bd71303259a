"""`4d` from a picture to films and files, tiny."""

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the depth extra")
pytest.importorskip("safetensors", reason="needs the depth extra")

import av  # noqa: E402
import cv2  # noqa: E402

from stereocast.errors import SinkError, SourceError, UsageError  # noqa: E402
from stereocast.jobs.reconstruct.job import Order, reconstruct  # noqa: E402
from stereocast.settings import FourDSettings  # noqa: E402

SMALL = FourDSettings(
    model="relief", device="cpu", views=4, frames=3, matrix_size=48, iterations=6, size=64, seconds=0.3, rate=10,
    encoder="x264", sequence="splat", keep_matrix=True,
)  # fmt: skip


def frame(shift=0):
    picture = np.zeros((80, 80, 4), np.uint8)
    cv2.ellipse(picture, (40 + shift, 40), (16, 26), 0, 0, 360, (40, 60, 220, 255), -1)
    cv2.circle(picture, (34 + shift, 32), 4, (250, 250, 250, 255), -1)
    return picture


def shape(path):
    with av.open(str(path)) as container:
        frames = [f.to_ndarray(format="rgb24") for f in container.decode(video=0)]
    return len(frames), frames[0].shape


def test_picture_to_films_and_again(tmp_path):
    cv2.imwrite(str(tmp_path / "egg.png"), frame())
    result = reconstruct(Order(str(tmp_path / "egg.png"), settings=SMALL), None)
    folder = tmp_path / "egg_4d"
    assert result.folder == folder and "guessed" in result.note
    assert all(path.exists() for path in result.files)
    assert shape(folder / "orbit.mp4") == (3, (64, 64, 3))
    assert shape(next(folder.glob("orbit_stereo*.mp4"))) == (3, (64, 128, 3))
    assert len(list((folder / "splat_sequence").iterdir())) == 3
    assert not (folder / "work").exists()
    with pytest.raises(SinkError, match="--overwrite"):
        reconstruct(Order(str(tmp_path / "egg.png"), settings=SMALL), None)
    again = reconstruct(Order(None, settings=SMALL, scene_file=folder / "scene.4dgs"), tmp_path / "again")
    assert again.gaussians == result.gaussians
    assert shape(tmp_path / "again/orbit.mp4") == (3, (64, 64, 3))


def test_folder_of_frames_moves(tmp_path):
    (tmp_path / "walk").mkdir()
    for i in range(3):
        cv2.imwrite(str(tmp_path / f"walk/{i:03d}.png"), frame(4 * i))
    seen = []
    result = reconstruct(
        Order(str(tmp_path / "walk"), settings=SMALL), tmp_path / "out", lambda p: seen.append(p.phase)
    )
    assert {"reading", "matrix", "motion", "reconstruction"} <= set(seen)
    assert result.method == "relief"


def test_faults_are_named(tmp_path):
    with pytest.raises(SourceError, match=r"none\.png"):
        reconstruct(Order(str(tmp_path / "none.png"), settings=SMALL), tmp_path / "o")
    with pytest.raises(UsageError, match="one of"):
        reconstruct(Order(None, settings=SMALL), tmp_path / "o")
    cv2.imwrite(str(tmp_path / "clear.png"), np.zeros((40, 40, 4), np.uint8))
    with pytest.raises(SourceError, match="no object"):
        reconstruct(Order(str(tmp_path / "clear.png"), settings=SMALL), tmp_path / "o")


@pytest.mark.gpu
def test_picture_to_films_on_a_gpu(tmp_path):
    pytest.importorskip("gsplat", reason="needs the 4d extra")
    cv2.imwrite(str(tmp_path / "egg.png"), frame())
    settings = SMALL.model_copy(update={"device": "cuda", "iterations": 400, "matrix_size": 96})
    result = reconstruct(Order(str(tmp_path / "egg.png"), settings=settings), None)
    assert all(path.exists() for path in result.files)
    assert shape(tmp_path / "egg_4d/orbit.mp4") == (3, (64, 64, 3))


def test_a_dry_run_counts_the_work_and_writes_nothing(tmp_path):
    from stereocast.jobs.reconstruct.job import cost

    cv2.imwrite(str(tmp_path / "egg.png"), frame())
    whole = {"model": "diffusion2", "views": 0, "frames": 0, "matrix_size": 0}
    wanted = Order(str(tmp_path / "egg.png"), settings=SMALL.model_copy(update=whole))
    row = cost(wanted, tmp_path / "out")
    assert row["evaluations"] == 55 and 195 < row["pflop"] < 205  # the paper's stage 1: 190 for the matrix, the rest
    assert set(row["weights"]) == {"svd", "svd-unet", "sv3d"} and row["hours"] > 1
    more = cost(
        Order(None, "a frog", settings=wanted.settings.model_copy(update={"rollback_steps": 0})), tmp_path / "o"
    )
    assert more["evaluations"] == 50 and "sdxl-turbo" in more["weights"]
    assert cost(Order(str(tmp_path / "egg.png"), settings=SMALL), None)["model"] == "relief"
    with pytest.raises(SourceError, match=r"none\.png"):
        cost(Order(str(tmp_path / "none.png"), settings=SMALL), None)
    assert [path.name for path in tmp_path.iterdir()] == ["egg.png"]


def test_a_failed_run_leaves_no_folder(tmp_path):
    (tmp_path / "broken.png").write_bytes(b"no picture")
    with pytest.raises(SourceError):
        reconstruct(Order(str(tmp_path / "broken.png"), settings=SMALL), tmp_path / "new/out")
    with pytest.raises(UsageError, match="diffusion2"):
        reconstruct(Order(None, "a frog", settings=SMALL), tmp_path / "new/out")
    many = SMALL.model_copy(update={"ranks": 2})
    with pytest.raises(UsageError, match="--ranks 2"):
        reconstruct(Order(str(tmp_path / "broken.png"), settings=many), tmp_path / "new/out")
    assert [path.name for path in tmp_path.iterdir()] == ["broken.png"]
