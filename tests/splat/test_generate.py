"""Stage 1 end to end on tiny networks with random weights: shapes, what is known stays, the seed decides."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the depth extra")
pytest.importorskip("diffusers", reason="needs the diffusion extra")
pytest.importorskip("transformers", reason="needs the diffusion extra")

from stereocast.diffusion.compose import ComposeOptions  # noqa: E402
from stereocast.errors import OutOfMemory  # noqa: E402
from stereocast.splat import fit, generate, keep, networks, prepare  # noqa: E402
from stereocast.splat.generate import Known  # noqa: E402
from tests.splat import tiny  # noqa: E402


@pytest.fixture(autouse=True)
def one_thread():
    with fit.one_thread():
        yield


@pytest.fixture(scope="module")
def models():
    return networks.Models(*tiny.networks())


def test_picture_to_matrix(models):
    image = np.full((64, 64, 3), 255, np.uint8)
    image[16:48, 24:40] = (180, 40, 40)
    options = generate.Stage1(3, 2, 2, choices=ComposeOptions(rollback_steps=1), seed=4)
    phases = {}
    first = generate.stage1(models, options, lambda at: phases.update({at.phase: (at.done, at.total)}), Known(image))
    assert first.images.shape == (3, 2, 64, 64, 3) and first.masks.shape == (3, 2, 64, 64)
    assert phases == {"ring": (2, 2), "video": (2, 2), "matrix": (3, 3), "decoding": (3, 3)}
    assert first.reference_view == 2 and first.reference_frame == 0
    assert first.azimuths_deg == pytest.approx((120, 240, 0))
    again = generate.stage1(models, options, lambda *_: None, Known(image))
    np.testing.assert_array_equal(first.images, again.images)


def test_given_video_is_the_reference_column(models):
    video = np.full((2, 64, 64, 3), 255, np.uint8)
    made = generate.stage1(
        models,
        generate.Stage1(2, 9, 2, choices=ComposeOptions(rollback_steps=0)),
        lambda *_: None,
        Known(video=video, alpha=np.full((2, 64, 64), 7, np.uint8), fps=3.0),
    )
    assert made.frames == 2 and made.reference_frame == 1 and made.info.fps == 3
    assert (made.masks[-1] == 7).all()


def test_a_damaged_part_of_stage_1_is_made_again(tmp_path):
    kept = keep.Keep(tmp_path)
    kept.save("part", values=np.arange(3))
    assert kept.load("part")["values"].tolist() == [0, 1, 2]
    for content in (b"", b"PK", (tmp_path / "part.npz").read_bytes()[:-30]):
        (tmp_path / "part.npz").write_bytes(content)
        assert kept.load("part") is None


def test_mask_of_white_is_empty():
    image = np.full((40, 40, 3), 255, np.uint8)
    image[12, 12] = 0
    mask = prepare.mask_on_white(image)
    assert mask[12, 12] == 255 and mask.sum() == 255


def test_memory_that_runs_out_is_met_with_smaller_pieces(models, monkeypatch):
    image = np.full((64, 64, 3), 200, np.uint8)
    options = generate.Stage1(2, 2, 2, choices=ComposeOptions(rollback_steps=0))
    want = generate.stage1(models, options, lambda *_: None, Known(image))
    run, seen = networks.Network._run, []

    def small(self, x, *more):
        seen.append(len(x))
        if len(x) > 1:
            raise torch.OutOfMemoryError("too small")
        return run(self, x, *more)

    monkeypatch.setattr(networks.Network, "_run", small)
    made = generate.stage1(models, options, lambda *_: None, Known(image))
    assert max(seen) == 2 and seen.count(2) <= 8  # each network tries twice the size once
    # batches differ by float noise, which a network of random weights makes larger
    assert np.abs(made.images.astype(int) - want.images).mean() < 3
    monkeypatch.setattr(networks.Network, "_run", lambda *_: (_ for _ in ()).throw(torch.OutOfMemoryError("none")))
    models.together = False
    with pytest.raises(OutOfMemory, match="--matrix-size"):
        generate.stage1(models, options, lambda *_: None, Known(image))
    models.together = True


def test_decoding_takes_fewer_frames_when_memory_runs_out():
    seen = []

    def work(part):
        seen.append(len(part))
        if len(part) > 2:
            raise torch.OutOfMemoryError("too small")
        return part * 2

    x = torch.arange(7.0)
    assert torch.equal(networks.in_pieces(work, x, (10, 5, 2, 1), "cuda"), x * 2)
    assert seen == [7, 5, 2, 2, 2, 1]
    with pytest.raises(OutOfMemory, match="--matrix-size"):
        networks.in_pieces(work, x, (10, 5), "cuda")


@pytest.mark.gpu
@pytest.mark.parametrize("together", [True, False])
def test_a_gpu_samples_the_matrix_that_the_cpu_samples(models, together):
    import copy
    from dataclasses import replace

    image = np.full((64, 64, 3), 255, np.uint8)
    image[16:48, 24:40] = (180, 40, 40)
    options = generate.Stage1(3, 2, 4, choices=ComposeOptions(rollback_steps=1), seed=4)
    want = generate.stage1(models, options, lambda *_: None, Known(image))
    there = replace(copy.deepcopy(models), device="cuda:0", dtype=torch.bfloat16, together=together)
    there.svd.to(torch.bfloat16), there.sv3d.to(torch.bfloat16), there.tower.to(torch.bfloat16)
    made = generate.stage1(there, options, lambda *_: None, Known(image))
    assert np.abs(made.images.astype(float) - want.images).mean() < 16
