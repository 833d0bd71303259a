"""The command line and Python come through one door: the same settings, the same plan, the same errors."""

import json
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
from pydantic import ValidationError
from typer.testing import CliRunner

from docs import make_keywords
from stereocast import api
from stereocast.catalog import settle
from stereocast.cli import build
from stereocast.errors import ExtraMissing, SourceError, StereocastError, UnknownName, UsageError
from stereocast.jobs.convert import job
from stereocast.registry import ENGINES
from stereocast.settings import ConvertSettings, FourDSettings, GenSettings, PreviewSettings, Settings
from stereocast.settings.explain import flag, members
from stereocast.settings.retired import GONE
from tests.films import make_film, picture

TEXTS = {  # options whose words or numbers can't be guessed from their type
    "preset": "3dtv", "encoder": "x264", "out_format": "mkv", "start": "0.1", "end": "0.3", "duration": "0.1",
    "audio": "0", "subs": "none", "depth": "embedded", "device": "cpu", "ray_address": "auto", "prompt": "zoom in",
    "weights": ["x.safetensors"], "disparity": "none.npz", "depth_out": "depth.mkv", "end_image": "none.png",
    "strength": 3.0, "convergence": 0.5, "synth": "stereocrafter-zero", "depth_downsample": 2,
    "text_model": "sdxl",
    "warp_at": "9,14", "repetitions": "3,2", "cross_view": "off", "upscale": "true", "interpolate": "true",
    "recipe": str(Path(__file__).resolve().parents[1] / "data/recipe.toml"),
}  # fmt: skip


def sample(name: str, model: type[Settings]) -> Any:
    """A valid value of the option that isn't its default."""
    if name in TEXTS:
        return TEXTS[name]
    field = model.model_fields[name]
    for kind in members(field.annotation):
        if kind is bool:
            return not field.default
        if get_origin(kind) is Literal:
            return next(value for value in get_args(kind) if value != field.default)
        if isinstance(kind, type) and issubclass(kind, StrEnum):
            return next(value.value for value in kind if value != field.default)
        if kind in (int, float):
            for number in (kind(1), kind(2), kind(4), kind(20), kind(0.5), kind(64), kind(5), kind(100)):
                try:
                    model.model_validate({name: number})
                except ValueError:
                    continue
                if number != field.default:
                    return number
    raise AssertionError(f"{name}: say a value in TEXTS")


def words(name: str, value: Any) -> list[str]:
    """The option as the command line takes it."""
    if isinstance(value, bool):
        return [flag(name) if value else f"--no-{flag(name)[2:]}"]
    values = value if isinstance(value, list) else [value]
    return [word for each in values for word in (flag(name), str(each))]


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_film(tmp_path_factory.mktemp("door") / "film.mp4", frames=12, size=(48, 64), audio=["aac"])


def run_cli(*arguments: object) -> tuple[int, str, str]:
    ended = CliRunner().invoke(build(str(arguments[0])), [str(word) for word in arguments])
    return ended.exit_code, ended.stdout, ended.stderr


def outcome(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except StereocastError as error:
        return type(error).exit_code, str(error)


@pytest.mark.parametrize("name", ConvertSettings.model_fields)
def test_convert_plans_the_same(name: str, film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[ConvertSettings] = []
    original = job.prepare

    def recorded(source: str, output: Any, settings: ConvertSettings) -> Any:
        seen.append(settings)
        return original(source, output, settings)

    monkeypatch.setattr(job, "prepare", recorded)
    monkeypatch.chdir(tmp_path)
    value, output = sample(name, ConvertSettings), tmp_path / "out"
    output.mkdir()
    code, text, errors = run_cli("convert", film, "-o", output, "--dry-run", "--json", *words(name, value))
    called = outcome(lambda: api.plan(film, output, **{name: value}).summary())
    assert len(seen) == 2
    assert seen[0] == seen[1]
    assert getattr(seen[0], name) != ConvertSettings.model_fields[name].default
    if isinstance(called, dict):
        assert {**called, "dry_run": True} == json.loads(text)
        assert code == 0
    else:
        assert called == (code, json.loads(text)["error"])
        assert called[1] in errors


@pytest.mark.parametrize(
    ("command", "model", "place", "work"),
    [
        ("gen", GenSettings, "stereocast.jobs.generate.job.generate", api.generate),
        ("4d", FourDSettings, "stereocast.jobs.reconstruct.job.reconstruct", api.reconstruct),
        ("preview", PreviewSettings, "stereocast.jobs.preview.job.preview", api.preview),
    ],
)
def test_the_other_jobs_get_the_same_settings(
    command: str, model: type[Settings], place: str, work: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import cv2

    still = tmp_path / "still.png"
    cv2.imwrite(str(still), picture(0, 48, 64))
    seen: list[Settings] = []

    class Enough(StereocastError):
        pass

    def recorded(*arguments: Any) -> Any:
        found = [getattr(a, "settings", a) for a in arguments]
        seen.append(next(a for a in found if isinstance(a, Settings)))
        raise Enough("seen")

    monkeypatch.setattr(place, recorded)
    for name in model.model_fields:
        if command == "preview" and name in HIDDEN_IN_PREVIEW:
            continue
        value = sample(name, model)
        code, _, errors = run_cli(command, still, *words(name, value))
        assert (code, "seen" in errors) == (1, True), (name, errors)
        with pytest.raises(Enough):
            work(still, **{name: value})
        assert seen[-1].model_dump() == seen[-2].model_dump(), name
        assert getattr(seen[-1], name) != model.model_fields[name].default, name


HIDDEN_IN_PREVIEW = {  # networks' fine tuning: Python has it, the page of --help is long enough
    *("device", "precision", "seed", "steps", "cfg", "guidance_rescale", "eta", "offload", "batch_cfg", "vae_tile"),
    *("compile", "zero_preset", "restart_passes", "restart_steps", "last_warp", "exponent", "border_lambda"),
    *(
        "warp_at",
        "repetitions",
        "refine",
        "cross_view",
        "zero_batch",
        "zero_holes",
        "known_outside",
        "prompt",
        "model",
        "fs",
    ),
    *("fill_latents", "zero_levels", "zero_window", "zero_overlap", "feature_budget_gb"),
}


@pytest.mark.parametrize(("preset", "layout"), [("vision-pro", "spatial"), ("3dtv", "half-sbs"), ("quest3", "sbs")])
@pytest.mark.parametrize("model", [ConvertSettings, GenSettings, FourDSettings])
def test_a_presets_layout_holds_for_every_job(preset: str, layout: str, model: Any) -> None:
    made = settle(model, {"preset": preset})
    assert made.format == layout
    assert settle(model, {}, made) == made
    assert settle(model, {"preset": preset, "format": "ou"}).format == "ou"
    assert settle(model, {}, model(preset=preset)).format == layout
    assert settle(model, {}, model(preset=preset, format="ou")).format == "ou"


def test_options_that_a_job_does_not_have_are_refused(film: Path) -> None:
    for unknown in ("text_depth_", "swap_eyes", "zero_batch", "source_layout"):
        with pytest.raises(UnknownName, match=f"no option named '{unknown}'"):
            api.generate(film, **{unknown: "1"})  # type: ignore[arg-type]


def test_retired_options_warn(film: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """What 0.1 accepted is still accepted, in both languages, and --help doesn't offer it."""
    for name in GONE["gen"]:
        assert settle(GenSettings, {name: "1"}) == settle(GenSettings, {})
        assert [record.getMessage() for record in caplog.records] == [
            f"{name}: gen never used this option; it will be refused from version 0.3"
        ]
        caplog.clear()
    monkeypatch.setattr("stereocast.jobs.generate.job.generate", lambda *given: pytest.fail("no picture was given"))
    for name in ("depth_out", "ray_address", "zero_levels"):
        code, _, errors = run_cli("gen", "nowhere.png", flag(name), "1")
        assert (code, errors.splitlines()[0]) == (
            2, f"warning: {flag(name)}: gen never used this option; it will be refused from version 0.3"
        )  # fmt: skip
        assert flag(name) not in run_cli("gen", "--help")[1]


def test_serve_still_takes_the_options_of_workers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("starlette", reason="needs the serve extra")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("stereocast.serve.server.run", lambda *given, **named: None)
    code, _, errors = run_cli("serve", tmp_path, "--workers", "2", "--engine", "ray", "--ray-address", "auto")
    assert code == 0
    assert len(errors.splitlines()) == 3
    assert "--workers: serve never used this option" in errors


def test_a_number_as_quality_sets_crf(caplog: pytest.LogCaptureFixture) -> None:
    """`--quality 23` was the encoder's quality in 0.1."""
    made = settle(ConvertSettings, {"quality": "23"}, spelled=flag)
    assert made.constant_quality == settle(ConvertSettings, {"crf": 23}).constant_quality == 23
    assert [record.getMessage() for record in caplog.records] == ["--quality 23: numbers have moved to --crf"]


def test_a_misspelt_word_is_named_in_the_callers_language(film: Path) -> None:
    with pytest.raises(UnknownName, match=r"format sbss: unknown value; did you mean 'sbs'\?"):
        api.convert(film, format="sbss")  # type: ignore[arg-type]
    code, _, errors = run_cli("convert", film, "--format", "sbss")
    assert code == 2
    assert "--format sbss: unknown value; did you mean 'sbs'?" in errors
    with pytest.raises(UnknownName, match=r"no option named 'stregnth'; did you mean 'strength'\?"):
        api.convert(film, stregnth=2)  # type: ignore[call-arg]


def test_a_missing_engine_is_refused(film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the film couldn't be divided anyway."""
    from dataclasses import replace

    from stereocast import registry

    absent = replace(ENGINES["ray"], requires=("no_such_package",))
    monkeypatch.setattr(registry, "ENGINES", {**ENGINES, "ray": absent})
    for more in ({}, {"format": "pair"}):
        with pytest.raises(ExtraMissing, match=r"engine 'ray' needs .*\[cluster\]"):
            api.convert(film, tmp_path / "out.mp4", engine="ray", workers=4, **more)
    assert not list(tmp_path.iterdir())


def test_reconstruct_takes_all_that_the_command_takes(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="needs the 4d extra")
    with pytest.raises(UsageError, match="give one of"):
        api.reconstruct(prompt="a dog", scene=tmp_path / "dog.4dgs")
    with pytest.raises(UsageError, match="--model diffusion2"):
        api.reconstruct(prompt="a dog", output=tmp_path / "dog", model="relief")


def test_the_keywords_are_those_of_the_settings() -> None:
    """Run docs/make_keywords.py when this fails."""
    import ast

    there = make_keywords.TARGET.read_text("utf-8")
    assert ast.dump(ast.parse(there)) == ast.dump(ast.parse(make_keywords.text()))


def test_progress_is_told_and_may_stop(film: Path, tmp_path: Path) -> None:
    seen: list[api.Progress] = []
    api.convert(film, tmp_path / "out.mp4", depth="embedded", encoder="x264", progress=seen.append)
    assert [at.done for at in seen] == sorted(at.done for at in seen)
    assert (seen[-1].phase, seen[-1].done, seen[-1].total) == ("frames", 12, 12)
    assert {"depth", "synthesis", "packing"} <= set(seen[-1].seconds)


def test_many_films(film: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.mp4").write_bytes(b"no film")
    found = list(api.convert_all([film, tmp_path / "bad.mp4"], tmp_path / "to", depth="embedded", encoder="x264"))
    assert [(one.status, Path(one.source).name) for one in found] == [("converted", "film.mp4"), ("failed", "bad.mp4")]
    assert found[0].details == {"frames": 12}
    assert Path(found[0].output or "").parent == tmp_path / "to"


def test_many_films_are_checked_before_the_first(tmp_path: Path) -> None:
    """As on the command line: one depth file can't hold the depth of two films."""
    films = [make_film(tmp_path / name, frames=2) for name in ("a.mp4", "b.mp4")]
    with pytest.raises(UsageError, match="holds the depth of one film"):
        api.convert_all(films, tmp_path / "to", depth_out=tmp_path / "depth.mkv", overwrite=True)
    with pytest.raises(SourceError, match=r"no such file: .*missing\.mp4"):
        api.convert_all(str(tmp_path / "missing.mp4"))
    assert not (tmp_path / "to").exists()


def test_numbers_are_taken_where_the_command_line_takes_text() -> None:
    settings = ConvertSettings(start=10, duration=2.5, audio=0)  # type: ignore[arg-type]
    assert (settings.start, settings.duration, settings.audio) == ("10", "2.5", "0")
    with pytest.raises(ValidationError):
        ConvertSettings(audio=True)  # type: ignore[arg-type]
