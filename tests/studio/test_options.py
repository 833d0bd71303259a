"""What a page may set, and what it is shown."""

import shlex
from pathlib import Path
from typing import Any

import pytest

from stereocast.cli.convert import convert as convert_command
from stereocast.errors import UnknownName, UsageError
from stereocast.settings import ConvertSettings
from stereocast.settings.explain import members
from stereocast.studio import options


@pytest.mark.parametrize("kind", options.MODELS)
def test_every_option_of_the_settings_is_offered_or_left_out_on_purpose(kind: str) -> None:
    rows = options.table(kind)
    model = options.MODELS[kind]
    assert {row["name"] for row in rows} == {name for name in model.model_fields if not options._left_out(model, name)}
    assert [row["name"] for row in rows if row["shown"]] == list(options.SHOWN[kind])
    assert 6 <= len(options.SHOWN[kind]) <= 8
    for row in rows:
        assert row["help"] or row["name"] in ("x",), row["name"]
        assert row["kind"] in ("number", "integer", "choice", "switch", "text")
        default = model.model_fields[row["name"]].default
        assert row["default"] == (None if row["name"] == "format" else getattr(default, "value", default))


def test_ranges_and_words_are_those_of_the_settings() -> None:
    rows = {row["name"]: row for row in options.table("convert")}
    assert (rows["strength"]["low"], rows["strength"]["high"], rows["strength"]["words"]) == (0, 20, ["auto"])
    assert rows["strength"]["usual"] == ConvertSettings().strength_percent
    assert (rows["edge_dilation"]["kind"], rows["edge_dilation"]["high"]) == ("integer", 8)
    assert rows["fill"]["words"] == ["fast", "best"]
    assert "quest3" in rows["preset"]["words"]
    assert {"auto", "embedded"} <= set(rows["depth"]["words"])
    assert "file" not in rows["depth"]["words"]
    assert rows["out_format"]["words"] == ["mp4", "mkv"]
    assert rows["tonemap"]["kind"] == "switch"


@pytest.mark.parametrize(
    "given",
    [
        {"depth_out": "/tmp/x.mkv"}, {"depth": "/etc/passwd"}, {"depth": "file"}, {"disparity": "a.npz"}, {"weights": "a=b"},
        {"encoder": "../x.toml"}, {"preset": "/tmp/x.toml"}, {"ray_address": "ray://x:1"}, {"engine": "ray"}, {"overwrite": True},
        {"accept_licence": True}, {"strength": 99}, {"strength": [1]}, {"no_such": 1}, {"out_format": "hls"}, {"format": "x"},
        {"synth": "os:system"},
    ],
)  # fmt: skip
def test_what_names_a_path_or_is_out_of_range_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        options.checked("convert", given)
    with pytest.raises(UsageError):
        options.checked("gen", {"end_image": "x.png"})


@pytest.mark.parametrize("kind", options.MODELS)
def test_no_option_that_is_a_path_is_offered(kind: str) -> None:
    """Nor any other free text that isn't known to be harmless: a new option may be a path, or a program to run."""
    fields = options.MODELS[kind].model_fields
    texts = {name for name, field in fields.items() if {Path, str} & set(members(field.annotation))}
    free = {row["name"] for row in options.table(kind) if row["kind"] == "text"}
    assert free <= options._FREE
    for name in texts - free - {row["name"] for row in options.table(kind)}:
        with pytest.raises(UsageError, match="can't be set from the studio"):
            options.checked(kind, {name: "x"})


@pytest.mark.parametrize("given", [{"upscale": "rm"}, {"interpolate": "rm"}, {"recipe": "x.toml"}, {"recipe": "../x"}])
def test_programs_and_files_are_refused(given: dict[str, str]) -> None:
    with pytest.raises(UsageError):
        options.checked("gen", given)


def test_a_format_that_is_given_wins_over_the_headset() -> None:
    """Where none is given the preset decides, so the page may not take the first one for granted."""
    assert options.checked("convert", {"preset": "vision-pro"}).format == "spatial"
    assert options.checked("convert", {"preset": "vision-pro", "format": "sbs"}).format == "sbs"
    (row,) = (row for row in options.table("convert") if row["name"] == "format")
    assert (row["default"], row["optional"]) == (None, True)


def test_errors_are_those_of_the_command_line() -> None:
    with pytest.raises(UsageError, match=r"--strength 99: input should be less than or equal to 20"):
        options.checked("convert", {"strength": 99})
    with pytest.raises(UnknownName, match="did you mean 'quest3'"):
        options.checked("convert", {"preset": "qest3"})


def test_the_command_does_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """The words that are shown, through the real command line, give the settings that the job has."""
    import typer
    from typer.testing import CliRunner

    seen: list[Any] = []
    monkeypatch.setattr(
        "stereocast.cli.convert._one", lambda name, output, settings, **_: seen.append((name, settings)) or {}
    )
    monkeypatch.setattr("stereocast.jobs.convert.inputs.expand", lambda names, **_: names)
    given = {"strength": 2.5, "fill": "best", "tonemap": True, "format": "half-ou", "convergence": 0.4, "audio": "0,2"}
    words = shlex.split(options.command("convert", Path("/films/it's a film.mp4"), given))
    assert words[:3] == ["stereocast", "convert", "/films/it's a film.mp4"]
    app = typer.Typer()
    app.command("convert")(convert_command)
    app.command("other")(lambda: None)
    made = CliRunner().invoke(app, words[1:])
    assert made.exit_code == 0, made.output
    assert seen == [("/films/it's a film.mp4", options.checked("convert", given))]


def test_weights_that_are_missing_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    assert options.weights_of("convert", {"depth": "depthcrafter"}) == ["depthcrafter", "svd"]
    assert options.weights_of("convert", {}) == []
    assert options.weights_of("gen", {"model": "512"}) == ["dynamicrafter-512"]


def test_only_models_that_draw_from_text_are_offered_for_that() -> None:
    rows = {row["name"]: row for row in options.table("4d")}
    assert rows["text_model"]["default"] in rows["text_model"]["words"]
    assert "depthcrafter" not in rows["text_model"]["words"]
