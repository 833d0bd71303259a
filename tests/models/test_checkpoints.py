"""Published layouts load through the public call; bad files are named and nothing in them runs."""

import json
import os
import pickle
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="needs the depth extra")
pytest.importorskip("safetensors", reason="needs the depth extra")
pytest.importorskip("ftfy", reason="needs the diffusion extra")

from stereocast.errors import WeightsError  # noqa: E402
from stereocast.models import checkpoints, loading  # noqa: E402
from tests.models import tiny  # noqa: E402


@pytest.mark.parametrize(
    ("model", "layout"), [("1024", "state_dict"), ("512", "module"), ("256", "state_dict"), ("1024", "bare")]
)
def test_published_layouts_load(tmp_path: Path, model: str, layout: str) -> None:
    folder = tiny.write(tmp_path / "weights", model, layout)
    loaded = checkpoints.load(folder)
    assert loaded.config.name == model
    want = tiny.state(model)
    got = loaded.networks.state_dict()
    assert got.keys() == want.keys()
    assert all(torch.equal(got[k], want[k]) for k in want)


@pytest.mark.parametrize("model", ["256", "1024"])
def test_conversion_is_half_as_large_and_loads(tmp_path: Path, model: str) -> None:
    folder = tiny.write(tmp_path, model)
    target = checkpoints.convert(folder)
    assert target.stat().st_size < 0.55 * (folder / "model.ckpt").stat().st_size
    (folder / "model.ckpt").unlink()
    loaded = checkpoints.load(folder, precision="fp16")
    assert loaded.config.name == model
    want = tiny.state(model)["model.diffusion_model.out.2.weight"]
    assert torch.equal(loaded.networks.unet.out[2].weight, want.half())


def test_the_model_is_recognised_without_config(tmp_path: Path) -> None:
    for model in ("256", "512", "1024"):
        assert checkpoints.recognised(tiny.state(model), tmp_path / "model.ckpt") == model
    assert checkpoints.recognised({}, tmp_path / "DynamiCrafter_512_Interp" / "model.ckpt") == "512"


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch executed",)


def test_a_pickle_with_code_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": {"x": Evil()}}, tmp_path / "model.ckpt")
    with pytest.raises(WeightsError, match=r"model\.ckpt"):
        checkpoints.load(tmp_path)
    (tmp_path / "model.ckpt").write_bytes(pickle.dumps({"state_dict": Evil()}))
    with pytest.raises(WeightsError, match=r"model\.ckpt"):
        checkpoints.load(tmp_path)
    assert not (tmp_path / "executed").exists()


def test_bad_files_are_named(tmp_path: Path) -> None:
    good = tiny.write(tmp_path / "good", "1024")
    data = (good / "model.ckpt").read_bytes()
    cut = tmp_path / "cut"
    cut.mkdir()
    (cut / "model.ckpt").write_bytes(data[: len(data) // 2])
    with pytest.raises(WeightsError, match=r"model\.ckpt"):
        checkpoints.load(cut)
    with pytest.raises(WeightsError, match="contains no model"):
        checkpoints.load(tmp_path)
    torch.save({"encoder.weight": torch.zeros(3)}, cut / "model.ckpt")
    with pytest.raises(WeightsError, match="not a DynamiCrafter checkpoint"):
        checkpoints.load(cut)
    state = dict(tiny.state("1024"))
    del state["model.diffusion_model.out.2.weight"]
    torch.save({"state_dict": state}, good / "model.ckpt")
    with pytest.raises(WeightsError, match=r"missing model\.diffusion_model\.out\.2\.weight"):
        checkpoints.load(good)
    (good / "config.json").write_text(json.dumps({"model": "1024", "vae_params": {}}))
    with pytest.raises(WeightsError, match=r"config\.json"):
        checkpoints.load(good)
    (good / "config.json").write_text("[]")
    with pytest.raises(WeightsError, match=r"config\.json"):
        checkpoints.load(good)


def test_advice_of_transformers_is_kept_back_only_while_pipelines_load() -> None:
    logging = pytest.importorskip("transformers.utils.logging", reason="needs the diffusion extra")
    before = logging.get_verbosity()
    with loading.without_advice():
        assert logging.get_verbosity() == logging.ERROR
    assert logging.get_verbosity() == before
