"""Stage 1 end to end on tiny networks with drawn weights: shapes, what is known stays, the seed decides."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the depth extra")
pytest.importorskip("diffusers", reason="needs the diffusion extra")
pytest.importorskip("transformers", reason="needs the diffusion extra")

from stereocast.diffusion.compose import ComposeOptions  # noqa: E402
from stereocast.models import svd  # noqa: E402
from stereocast.splat import generate  # noqa: E402


@pytest.fixture(scope="module")
def models():
    from diffusers import AutoencoderKL, AutoencoderKLTemporalDecoder
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    torch.manual_seed(0)
    unet = {
        "block_out_channels": (32, 32, 32, 32), "num_attention_heads": (2, 2, 2, 2), "cross_attention_dim": 16,
        "layers_per_block": 1,
    }  # fmt: skip
    vae = {"block_out_channels": (32,) * 4, "layers_per_block": 1, "down_block_types": ("DownEncoderBlock2D",) * 4}
    tower = CLIPVisionConfig(
        hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2, image_size=28, patch_size=14,
        projection_dim=16,
    )  # fmt: skip
    return generate.Models(
        svd.build_unet(unet, 768), svd.build_unet(unet, 1280), CLIPVisionModelWithProjection(tower).eval(),
        AutoencoderKLTemporalDecoder(**vae).eval(),
        AutoencoderKL(**vae, up_block_types=("UpDecoderBlock2D",) * 4, use_post_quant_conv=False).eval(),
    )  # fmt: skip


def test_picture_to_matrix(models):
    image = np.full((64, 64, 3), 255, np.uint8)
    image[16:48, 24:40] = (180, 40, 40)
    options = generate.Stage1(3, 2, 2, choices=ComposeOptions(rollback_steps=1), seed=4)
    phases = {}
    first = generate.stage1(models, options, lambda at: phases.update({at.phase: (at.done, at.total)}), image=image)
    assert first.images.shape == (3, 2, 64, 64, 3) and first.masks.shape == (3, 2, 64, 64)
    assert phases == {"ring": (2, 2), "video": (2, 2), "matrix": (3, 3)}
    assert first.reference_view == 2 and first.reference_frame == 0
    assert first.azimuths_deg == pytest.approx((120, 240, 0))
    again = generate.stage1(models, options, lambda *_: None, image=image)
    np.testing.assert_array_equal(first.images, again.images)


def test_given_video_is_the_reference_column(models):
    video = np.full((2, 64, 64, 3), 255, np.uint8)
    made = generate.stage1(
        models, generate.Stage1(2, 9, 2, choices=ComposeOptions(rollback_steps=0)), lambda *_: None, video=video
    )
    assert made.frames == 2 and made.reference_frame == 1


def test_mask_of_white_is_empty():
    image = np.full((1, 8, 8, 3), 255, np.uint8)
    image[0, 2, 2] = 0
    masks = generate.masks_of(image)
    assert masks[0, 2, 2] == 255 and masks.sum() == 255


@pytest.mark.gpu
@pytest.mark.parametrize("together", [True, False])
def test_a_gpu_samples_the_matrix_that_the_cpu_samples(models, together):
    import copy
    from dataclasses import replace

    image = np.full((64, 64, 3), 255, np.uint8)
    image[16:48, 24:40] = (180, 40, 40)
    options = generate.Stage1(3, 2, 4, choices=ComposeOptions(rollback_steps=1), seed=4)
    want = generate.stage1(models, options, lambda *_: None, image=image)
    there = replace(copy.deepcopy(models), device="cuda:0", dtype=torch.bfloat16, together=together)
    there.svd.to(torch.bfloat16), there.sv3d.to(torch.bfloat16), there.tower.to(torch.bfloat16)
    made = generate.stage1(there, options, lambda *_: None, image=image)
    assert np.abs(made.images.astype(float) - want.images).mean() < 16
