"""CLIP figures: the formulas on known vectors, pictures prepared as published, and a whole film with a tiny model."""

import json
from pathlib import Path

import av
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the depth extra")
transformers = pytest.importorskip("transformers", reason="needs the depth extra")

from bench import clip as bench  # noqa: E402

SIDE = 32


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random CLIP in the published layout."""
    path = tmp_path_factory.mktemp("clip")
    words = ["a", "b", "o", "t", "a</w>", "b</w>", "o</w>", "t</w>", "<|startoftext|>", "<|endoftext|>"]
    (path / "vocab.json").write_text(json.dumps({word: number for number, word in enumerate(words)}))
    (path / "merges.txt").write_text("#version: 0.2\n")
    text = {
        "vocab_size": len(words), "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2,
        "num_attention_heads": 2, "max_position_embeddings": 12, "bos_token_id": 8, "eos_token_id": 9,
    }  # fmt: skip
    vision = {
        "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
        "image_size": SIDE, "patch_size": 8,
    }  # fmt: skip
    torch.manual_seed(3)
    config = transformers.CLIPConfig(text_config=text, vision_config=vision, projection_dim=8)
    transformers.CLIPModel(config).save_pretrained(path)
    return path


def write(path: Path, frames: np.ndarray) -> Path:
    with av.open(str(path), "w") as out:
        stream = out.add_stream("ffv1", rate=8)
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], "bgr0"
        for frame in frames:
            out.mux(stream.encode(av.VideoFrame.from_ndarray(frame, "rgb24")))
        out.mux(stream.encode(None))
    return path


def test_figures_of_known_vectors() -> None:
    pictures = torch.tensor([[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]])
    got = bench.scores(pictures, torch.tensor([1.0, 0.0]))
    assert got["clip_t"] == pytest.approx(100 * 1.6 / 3)
    assert got["clip_f"] == pytest.approx(100 * 1.4 / 2)
    assert bench.scores(pictures[:1], None) == {"clip_t": None, "clip_f": None}


def test_pictures_are_prepared_as_published(folder: Path) -> None:
    Image = pytest.importorskip("PIL.Image", reason="the reference resizes with Pillow")
    rng = np.random.default_rng(0)
    frame = rng.integers(0, 255, (45, 81, 3), np.uint8)
    wide = np.asarray(Image.fromarray(frame).resize((57, SIDE), Image.Resampling.BICUBIC))[:, 12:44]
    expected = (wide / 255 - np.array(bench.MEAN)) / np.array(bench.STD)
    got = bench.Clip(folder).prepared(frame).permute(1, 2, 0).numpy()
    assert got.shape == (SIDE, SIDE, 3)
    assert np.abs(got - expected).max() < 0.02  # a level or so of 255


def test_a_film_from_the_command_line(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(1)
    frames = rng.integers(0, 255, (5, 40, 96, 3), np.uint8)
    frames[:, :, :48] = frames[:1, :, :48]  # the left view stands still
    film = write(tmp_path / "film.mkv", frames)
    rows = {}
    for view in ("left", "right"):
        arguments = ["--video", str(film), "--prompt", "a boat", "--clip", str(folder), "--view", view, "--json"]
        assert bench.main(arguments) == 0
        rows[view] = json.loads(capsys.readouterr().out)
    assert rows["left"]["clip_f"] == pytest.approx(100, abs=1e-3)
    assert rows["right"]["clip_f"] < 99.999
    model = transformers.CLIPModel.from_pretrained(folder).eval()
    clip = bench.Clip(folder)
    tokens = clip.tokenizer(["a boat"], return_tensors="pt")
    batch = torch.stack([clip.prepared(frame[:, 48:]) for frame in frames])
    with torch.inference_mode():
        logits = model(pixel_values=batch, **tokens).logits_per_image / model.logit_scale.exp()
    assert rows["right"]["clip_t"] == pytest.approx(100 * float(logits.mean()), abs=1e-3)


def test_a_folder_without_a_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="no config.json there"):
        bench.Clip(tmp_path)
