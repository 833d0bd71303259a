"""docs/papers.md: its options, files, tests and recipes are there, and every recipe is one that its jobs take."""

import re
from pathlib import Path

import pytest

from stereocast import catalog
from stereocast.errors import UnknownName, UsageError
from stereocast.settings import ConvertSettings, FourDSettings, GenSettings
from stereocast.settings.explain import flag

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/papers.md").read_text("utf-8")
JOBS = {"convert": ConvertSettings, "gen": GenSettings, "4d": FourDSettings}
FLAGS = {flag(name) for model in JOBS.values() for name in model.model_fields} | {"--recipe", "--prompt"}
RECIPES = sorted(path.stem for path in (ROOT / "presets/recipes").glob("*.toml"))


def rows() -> list[list[str]]:
    lines = [line for line in PAGE.splitlines() if line.startswith("|") and "/" in line and ".py" in line]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def test_named_options_exist() -> None:
    named = set(re.findall(r"`(--[a-z0-9-]+)", PAGE))
    assert len(named) > 20
    assert not named - FLAGS, named - FLAGS


def test_named_files_and_tests_exist() -> None:
    assert len(rows()) > 20
    for row in rows():
        for path in re.findall(r"[\w/]+\.py", " ".join(row)):
            assert (ROOT / path).is_file(), path


def test_every_recipe_is_on_the_page_and_the_other_way_round() -> None:
    named = set(re.findall(r"`((?:zero|diffusion2)-[a-z0-9-]+)`", PAGE))
    assert {name for name in RECIPES if name.startswith(("zero-", "diffusion2-"))} == named


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_are_taken_by_their_jobs(name: str) -> None:
    made = catalog.recipe(name)
    for job in made.jobs:
        more = {"synth": "stereocrafter-zero"} if job == "convert" else {}
        settled = catalog.settle(JOBS[job], {"recipe": name, **more})
        for option, value in made.options.items():
            got = getattr(settled, option)
            assert getattr(got, "value", got) == value, (job, option)


def test_a_given_option_wins_over_the_recipe_and_the_recipe_over_the_level(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text('title = "x"\njobs = ["gen"]\n[options]\nquality = "draft"\nsteps = 7\ncfg = 2.0\n')
    made = catalog.settle(GenSettings, {"recipe": str(own), "cfg": 3.0})
    assert (made.steps, made.cfg, made.restart_passes) == (7, 3.0, 1)
    with pytest.raises(UsageError, match="for gen, not for 4d"):
        catalog.settle(FourDSettings, {"recipe": str(own)})
    with pytest.raises(UnknownName, match="zero-table1"):
        catalog.settle(GenSettings, {"recipe": "zero-tabel1"})
    own.write_text('title = "x"\njobs = ["gen"]\n[options]\nstpes = 7\n')
    with pytest.raises(UsageError, match="stpes"):
        catalog.settle(GenSettings, {"recipe": str(own)})


def test_levels_are_for_diffusion_alone() -> None:
    made = catalog.settle(ConvertSettings, {"synth": "stereocrafter-zero"})
    assert (made.steps, made.restart_passes, made.known_outside) == (20, 2, True)
    paper = catalog.settle(ConvertSettings, {"synth": "stereocrafter-zero", "quality": "paper"})
    assert (paper.steps, paper.restart_passes, paper.strength_percent) == (50, None, 4.0)
    assert catalog.settle(ConvertSettings, {}).steps == 50
    assert catalog.settle(ConvertSettings, {"quality": "20"}).constant_quality == 20
    assert (
        catalog.settle(ConvertSettings, {"quality": "draft", "synth": "stereocrafter-zero", "crf": 9}).constant_quality
        == 9
    )
    for model in (ConvertSettings, FourDSettings):
        with pytest.raises(UsageError, match="--quality draft"):
            catalog.settle(model, {"quality": "draft"})
