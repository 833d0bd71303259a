"""`4d --model diffusion2`, on tiny networks in the published layouts."""

import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the depth extra")
pytest.importorskip("diffusers", reason="needs the diffusion extra")
pytest.importorskip("transformers", reason="needs the diffusion extra")

import cv2  # noqa: E402

from stereocast.errors import SourceError, StereocastError, UsageError, WeightsError  # noqa: E402
from stereocast.jobs.reconstruct import generated  # noqa: E402
from stereocast.jobs.reconstruct.job import Order, reconstruct  # noqa: E402
from stereocast.settings import FourDSettings  # noqa: E402
from stereocast.splat import fit, generate, matrix, networks, text  # noqa: E402
from tests.splat import tiny  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
SMALL = {
    "model": "diffusion2", "device": "cpu", "views": 3, "frames": 2, "steps": 2, "rollback_steps": 1, "matrix_size": 64,
    "iterations": 2, "size": 64, "orbit": False, "fixed_view": False, "keep_matrix": True,
}  # fmt: skip


@pytest.fixture(autouse=True)
def one_thread():
    with fit.one_thread():
        yield


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return tuple(tiny.write(tmp_path_factory.mktemp("weights")))


@pytest.fixture
def egg(tmp_path):
    return draw(tmp_path / "egg.png")


def draw(path, shift=0, colour=(40, 60, 220)):
    picture = np.zeros((80, 80, 4), np.uint8)
    cv2.ellipse(picture, (40 + shift, 40), (16, 26), 0, 0, 360, (*colour, 255), -1)
    cv2.imwrite(str(path), picture)
    return path


def order(source, weights, **more):
    return Order(
        None if source is None else str(source), settings=FourDSettings(**{**SMALL, "weights": weights, **more})
    )


@pytest.fixture(scope="module")
def whole(weights, tmp_path_factory):
    """The matrix that one process makes of the egg without interruption."""
    folder = tmp_path_factory.mktemp("whole")
    with fit.one_thread():
        reconstruct(order(draw(folder / "egg.png"), weights), folder / "out")
    return matrix.load(folder / "out/matrix")


def test_two_ranks_make_what_one_makes_bit_for_bit(egg, weights, whole, tmp_path, monkeypatch):
    """The second process is a real one; the first is this."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # threads that wait cost more than they do here
    made = reconstruct(order(egg, weights, ranks=2), tmp_path / "two")
    assert made.method == "SVD and SV3D"
    two = matrix.load(tmp_path / "two/matrix")
    np.testing.assert_array_equal(whole.images, two.images)
    np.testing.assert_array_equal(whole.masks, two.masks)


def test_a_rank_that_cannot_start_is_told_in_one_line(egg, weights, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", "false")
    with pytest.raises(StereocastError, match="one of the 2 processes of --ranks failed"):
        reconstruct(order(egg, weights, ranks=2), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_late_fault_loses_no_evaluation(egg, weights, whole, tmp_path, monkeypatch):
    counted = []
    run = networks.Network.__call__
    monkeypatch.setattr(networks.Network, "__call__", lambda self, *a: counted.append(1) or run(self, *a))
    decode, fails = generate.decode, [True]

    def failing(latents, vae, device, *, temporal):
        if temporal and fails and len(counted) > 16:  # the matrix is sampled; its first view is decoded
            raise StereocastError("late")
        return decode(latents, vae, device, temporal=temporal)

    monkeypatch.setattr(generate, "decode", failing)
    with pytest.raises(StereocastError, match="late"):
        reconstruct(order(egg, weights), tmp_path / "out")
    work = tmp_path / "out/work/stage1"
    assert {path.stem for path in work.glob("*.npz")} == {"ring", "video", "latents"}
    made = len(counted)
    assert made == 2 + 2 + 3 * 5  # ring, video, three evaluations of two columns and three rows
    fails.clear()
    reconstruct(order(egg, weights, resume=True), tmp_path / "out")
    assert len(counted) == made
    assert not (tmp_path / "out/work").exists()
    np.testing.assert_array_equal(matrix.load(tmp_path / "out/matrix").images, whole.images)


def test_evaluations_go_on_in_the_middle(weights):
    models = networks.load_models(generated.require(order("x.png", weights)), "cpu")
    assert next(models.image_vae.parameters()).dtype == torch.float32  # from a file of half precision
    rows = generate.row_denoiser(np.full((2, 64, 64, 3), 200, np.uint8), generate.Stage1(2, 2, 3), models, "rows")
    columns = generate.column_denoiser(
        np.full((2, 64, 64, 3), 90, np.uint8), generate.Stage1(2, 2, 3), models, "columns"
    )
    from stereocast.diffusion import compose, edm

    noise = compose.seeded_noise(0, "matrix", 0, (2, 2, 4, 8, 8))
    given = (rows, columns, noise, edm.karras_sigmas(3), compose.ComposeOptions(rollback_steps=1))
    whole = [evaluation.state for evaluation in compose.evaluations(*given)]
    rest = [evaluation.state for evaluation in compose.evaluations(*given, kept=(2, whole[1]))]
    assert len(whole) == 4 and len(rest) == 2
    assert torch.equal(rest[-1], whole[-1])


def test_inputs_are_looked_at_before_weights_load_and_a_failed_run_leaves_no_folder(weights, tmp_path, monkeypatch):
    monkeypatch.setattr(networks, "load_models", lambda *_: pytest.fail("weights were loaded"))
    with pytest.raises(SourceError, match=r"none\.png"):
        reconstruct(order(tmp_path / "none.png", weights), tmp_path / "new/out")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    with pytest.raises(SourceError, match=r"broken\.png"):
        reconstruct(order(tmp_path / "broken.png", weights), tmp_path / "new/out")
    assert not (tmp_path / "new").exists()


def test_a_run_that_fails_before_anything_is_kept_leaves_no_folder(egg, weights, tmp_path, monkeypatch):
    def fail(*_):
        raise WeightsError("damaged")

    monkeypatch.setattr(networks, "load_models", fail)
    with pytest.raises(WeightsError):
        reconstruct(order(egg, weights), tmp_path / "new/out")
    assert not (tmp_path / "new").exists()
    (tmp_path / "there").mkdir()
    with pytest.raises(WeightsError):
        reconstruct(order(egg, weights), tmp_path / "there")
    assert (tmp_path / "there").is_dir()


def test_missing_weights_are_found_before_work(egg, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    with pytest.raises(WeightsError, match="svd"):
        reconstruct(order(egg, ()), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_prompt_goes_over_the_shelf(weights, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    settings = order(None, weights).settings
    with pytest.raises(WeightsError, match="'sdxl-turbo' aren't downloaded"):
        reconstruct(Order(None, prompt="a frog", settings=settings), tmp_path / "out")
    with pytest.raises(UsageError, match="not a text-to-image model"):
        reconstruct(Order(None, "a frog", settings=settings.model_copy(update={"text_model": "svd"})), tmp_path / "out")
    (tmp_path / "empty").mkdir()
    given = settings.model_copy(update={"weights": (*weights, f"text-to-image={tmp_path / 'empty'}")})
    with pytest.raises(WeightsError, match="not a text-to-image pipeline"):
        reconstruct(Order(None, "a frog", settings=given), tmp_path / "out")
    assert not (tmp_path / "out").exists()
    painted = np.dstack([np.full((64, 64, 3), 90, np.uint8), np.zeros((64, 64), np.uint8)])
    painted[16:48, 24:40, 3] = 255
    monkeypatch.setattr(text, "picture", lambda *_: painted)
    result = reconstruct(Order(None, "a frog", settings=given), tmp_path / "out")
    assert (tmp_path / "out/picture.png").exists() and result.method == "SVD and SV3D"


def test_views_alone_animate_a_static_object(weights, tmp_path):
    (tmp_path / "ring").mkdir()
    for k in range(3):
        draw(tmp_path / f"ring/{k}.png", colour=(40, 60 + 50 * k, 220))
    wanted = Order(None, views=tmp_path / "ring", settings=order(None, weights).settings)
    made = reconstruct(wanted, tmp_path / "out")
    found = matrix.load(tmp_path / "out/matrix")
    assert (found.views, found.frames, found.reference_frame) == (3, 2, 0) and made.method == "SVD and SV3D"
    assert found.info.fps == 25
    np.testing.assert_array_equal(found.masks[:, 0], generated.known_of(wanted).ring_alpha)


def test_the_key_holds_what_was_read(weights, tmp_path):
    keys = []
    for shift in (0, 3):
        path = draw(tmp_path / "same.png", colour=(40, 60 + shift, 220))
        wanted = order(path, weights)
        keys.append(generated.key_of(wanted, generated.known_of(wanted), generated.options_of(wanted.settings)))
    assert keys[0] != keys[1]


def test_options_of_the_paper_are_options_here():
    made = generated.options_of(FourDSettings(
        share=0.7, share_end=0.2, share_curve="linear", rollback_steps=3, view_weights="cosine", renoise="variance",
        motion_bucket=90, fps_id=6,
    ))  # fmt: skip
    chosen = made.choices
    assert (chosen.s, chosen.s_min, chosen.curve, chosen.rollback_steps) == (0.7, 0.2, "linear", 3)
    assert (chosen.view_weights, chosen.renoise) == ("cosine", "variance")
    assert (made.motion_bucket, made.fps_id) == (90, 6)
    official = generated.options_of(FourDSettings(option_set="official", rollback_steps=0)).choices
    assert (official.s, official.rollback_steps, official.view_weights) == (0.6, 0, "cosine")
