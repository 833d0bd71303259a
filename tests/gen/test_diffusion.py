"""`gen` with a model in the published layout: framing, options, and whole clips through the command line."""

from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the depth extra")
pytest.importorskip("ftfy", reason="needs the diffusion extra")


import av  # noqa: E402
from typer.testing import CliRunner  # noqa: E402

from stereocast.cli import build  # noqa: E402
from stereocast.gen.diffusion import open_source  # noqa: E402
from stereocast.gen.framing import framed  # noqa: E402
from stereocast.settings import GenSettings  # noqa: E402
from tests.models import tiny  # noqa: E402


def picture(path: Path, height: int = 60, width: int = 100) -> Path:
    cv2.imwrite(str(path), np.random.default_rng(0).integers(0, 255, (height, width, 3), np.uint8))
    return path


def test_framing_crops_the_middle_and_pads_what_is_narrow() -> None:
    wide = np.tile(np.linspace(0, 1, 300, dtype=np.float32)[None, :, None], (100, 1, 3))
    got = framed(wide, 64, 128)
    assert got.shape == (64, 128, 3)
    assert abs(float(got.mean()) - 0.5) < 0.01
    narrow = framed(np.ones((100, 50, 3), np.float32), 64, 128)
    assert narrow[:, :30].max() == 0
    assert narrow[:, 64].min() == 1
    assert framed(np.ones((100, 50, 3), np.float32), 64, 128, "grey")[0, 0, 0] == 0.5


def test_mono_clip_from_the_command_line(tmp_path: Path) -> None:
    folder = tiny.write(tmp_path / "weights", "1024")
    image = picture(tmp_path / "img.png")
    arguments = f"gen {image} --prompt boat --format mono --weights {folder} --steps 2 --frames 4 --encoder x264"
    run = CliRunner().invoke(build("gen"), arguments.split())
    assert run.exit_code == 0, run.output
    with av.open(str(tmp_path / "img_mono.mp4")) as film:
        frames = list(film.decode(video=0))
    assert (len(frames), frames[0].width, frames[0].height) == (4, 128, 64)


def test_same_seed_same_film_and_every_step_is_seen(tmp_path: Path) -> None:
    folder = tiny.write(tmp_path, "512")
    settings = GenSettings(steps=2, frames=4, cfg=3.0, seed=5)
    seen: list[tuple[int, int]] = []
    films = []
    for made in (settings, settings.model_copy(update={"batch_cfg": True, "offload": True})):
        source = open_source(folder, made, "cpu")
        conditions = source.conditions(np.full((50, 90, 3), 0.4, np.float32), None)
        films.append(source.trajectory(conditions, lambda at: seen.append((at.done, at.total))).levels[-1])
    assert seen == [(1, 2), (2, 2)] * 2
    assert torch.allclose(films[0], films[1], atol=1e-3 * float(films[0].std()))


def test_loops_and_end_pictures_condition_both_ends(tmp_path: Path) -> None:
    folder = tiny.write(tmp_path, "512")
    source = open_source(folder, GenSettings(steps=1, frames=4, loop=True), "cpu")
    still = np.random.default_rng(0).random((64, 128, 3)).astype(np.float32)
    concat = source.conditions(still, None).concat
    assert concat[:, :, 1:-1].abs().max() == 0
    assert concat[:, :, 0].abs().max() > 0
    assert concat[:, :, -1].abs().max() > 0
    assert source.fs == 5
    assert len(source.trimmed(np.zeros((4, 2, 2, 3)), stereo=True)) == 2
    assert len(source.trimmed(np.zeros((4, 2, 2, 3)), stereo=False)) == 3


def test_bad_step_counts_and_files_are_said_in_one_line(tmp_path: Path) -> None:
    folder = tiny.write(tmp_path / "weights", "1024")
    image = picture(tmp_path / "img.png")
    run = CliRunner().invoke(build("gen"), f"gen {image} --weights {folder} --steps 61 --format mono".split())
    assert run.exit_code == 2
    (folder / "model.ckpt").write_bytes(b"not a checkpoint")
    run = CliRunner().invoke(build("gen"), f"gen {image} --weights {folder} --format mono".split())
    assert run.exit_code == 1
    assert "Traceback" not in run.output
    run = CliRunner().invoke(build("gen"), f"gen {tmp_path / 'none.png'}".split())
    assert run.exit_code == 2


@pytest.mark.gpu
@pytest.mark.parametrize("model", ["256", "512", "1024"])
@pytest.mark.parametrize("options", [{}, {"offload": True, "vae_tile": 8}, {"batch_cfg": True, "precision": "bf16"}])
def test_a_gpu_samples_what_the_cpu_samples(tmp_path: Path, model: str, options: dict) -> None:
    folder = tiny.write(tmp_path, model)
    films = []
    for device, more in (("cpu", {}), ("cuda:0", options)):
        source = open_source(folder, GenSettings(steps=4, frames=4, cfg=3.0, seed=5, **more), device)
        conditions = source.conditions(np.full((50, 90, 3), 0.4, np.float32), None)
        films.append(source.decoded(source.trajectory(conditions).levels[-1]))
    assert films[1].shape == films[0].shape
    assert np.abs(films[1] - films[0]).mean() < 0.02


@pytest.mark.gpu
def test_a_clip_from_the_command_line_on_a_gpu(tmp_path: Path) -> None:
    folder = tiny.write(tmp_path / "weights", "512")
    image = picture(tmp_path / "img.png")
    arguments = (
        f"gen {image} --prompt boat --format mono --weights {folder} --steps 2 --frames 4 --device cuda --compile"
    )
    run = CliRunner().invoke(build("gen"), arguments.split())
    assert run.exit_code == 0, run.output
    with av.open(str(tmp_path / "img_mono.mp4")) as film:
        assert len(list(film.decode(video=0))) == 4
