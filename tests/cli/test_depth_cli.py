"""`models` and `convert --depth` from the command line, with tiny published-layout checkpoints on disk."""

import json
from pathlib import Path

import numpy as np
import pytest

from stereocast import api
from tests.films import make_film, read_film
from tests.support.commands import stereocast

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def homes(tmp_path):
    return {"STEREOCAST_HOME": str(tmp_path / "state"), "HF_HOME": str(tmp_path / "hf"), "HF_HUB_OFFLINE": ""}


def test_models_lists_terms(homes):
    run = stereocast("models", "--json", **homes)
    assert run.exit_code == 0, run.output
    rows = {row["name"]: row for row in json.loads(run.stdout)}
    assert rows["video-depth-anything-small"]["licence"] == "Apache-2.0"
    assert "no commercial" in rows["depthcrafter"]["terms"]
    assert not rows["depthcrafter"]["downloaded"]
    assert "3.0 GB" in stereocast("models", "list", "depthcrafter", **homes).stdout


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (("models", "downlod"), 2, "did you mean 'download'"),
        (("models", "verify"), 2, "name a model"),
        (("models", "download", "depth-crafter"), 2, "did you mean 'depthcrafter'"),
        (("models", "download", "depthcrafter"), 1, "--accept-licence"),
        (("models", "verify", "depthcrafter"), 1, "aren't downloaded"),
        (("models", "remove", "depthcrafter"), 0, ""),
    ],
)
def test_models_says_what_to_do(arguments, code, text, homes):
    run = stereocast(*arguments, **homes)
    assert run.exit_code == code, run.output
    assert text in run.stderr


def test_models_offline(homes):
    homes["HF_HUB_OFFLINE"] = "1"
    run = stereocast("models", "download", "depth-pro", "--accept-licence", **homes)
    assert run.exit_code == 1
    assert "HF_HUB_OFFLINE" in run.stderr


def test_a_model_that_is_not_there_is_refused_before_work_starts(homes, tmp_path):
    pytest.importorskip("diffusers", reason="needs the diffusion extra")
    film = make_film(tmp_path / "film.mp4", frames=4)
    run = stereocast("convert", film, "--depth", "depthcrafter", **homes)
    assert run.exit_code == 1
    assert "academic, research and education only" in run.stderr
    assert not list(tmp_path.glob("*SBS*"))


@pytest.mark.parametrize("dissolved", [False, True])
def test_depthcrafter_converts_a_film(homes, tmp_path, monkeypatch, dissolved):
    """The whole real path on a CPU: published-layout folders, windows, stitching, warp, encoder. Dissolved, by the
    command line."""
    pytest.importorskip("diffusers", reason="needs the diffusion extra")
    from tests import tiny_models

    configs = json.loads((ROOT / "tests/data/reference/depthcrafter/configs.json").read_text("utf-8"))
    weights = tiny_models.depthcrafter(tmp_path / "weights", configs)
    film = make_film(tmp_path / "film.mp4", frames=8)
    depth = tmp_path / "depth.mkv"
    options = {
        "depth": "depthcrafter", "device": "cpu", "depth_window": 5, "depth_steps": 2, "depth_size": 128, "depth_out": depth,
    }  # fmt: skip
    if dissolved:
        options |= {"dissolve": 30, "depth_downsample": 2}
        words = [str(word) for name, value in options.items() for word in ("--" + name.replace("_", "-"), value)]
        words += [word for pair in weights for word in ("--weights", pair)]
        run = stereocast("convert", film, *words, "--propagate", **homes)
        assert run.exit_code == 0, run.output
    else:
        for name, value in homes.items():
            monkeypatch.setenv(name, value)
        api.convert(film, weights=weights, **options)
    out = read_film(film.with_name("film_LRF_Full_SBS.mp4"))
    assert len(out["frames"]) == 8
    from stereocast.media import depthfile

    maps = np.stack(list(depthfile.depth_maps(str(depth))[0]))
    assert len(maps) == 8
    assert maps.max() - maps.min() > 0.2


def test_auto_takes_what_is_there_and_says_why(homes, tmp_path):
    pytest.importorskip("transformers", reason="needs the depth extra")
    from tests import tiny_models

    film = make_film(tmp_path / "film.mp4", frames=3)
    plain = json.loads(stereocast("convert", film, "--dry-run", "--json", **homes).stdout)
    assert any(note.startswith("depth: embedded (") for note in _notes(plain)), plain
    (pair,) = tiny_models.video_depth_anything(tmp_path / "vda", "video-depth-anything-small")
    given = json.loads(stereocast("convert", film, "--dry-run", "--json", "--weights", pair, **homes).stdout)
    assert any("depth: video-depth-anything-small (the best" in note for note in _notes(given)), given


def _notes(answer) -> list[str]:
    return (answer[0] if isinstance(answer, list) else answer)["notes"]
