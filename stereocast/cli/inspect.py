"""`stereocast inspect`."""

import json
from typing import Annotated, Any

import typer

from stereocast.cli.options import guarded
from stereocast.cli.plain import say


@guarded
def inspect(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A video.")],
    preset: Annotated[str, typer.Option("--preset", help="Headset to check against.")] = "quest3",
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """Show a file as a player sees it: streams, sizes, colour, tags, and whether a headset plays it.

    [bold]stereocast inspect film_LRF_Full_SBS.mp4[/]\n
    [bold]stereocast inspect film.mkv --preset vision-pro --json[/]
    """
    from stereocast import api

    facts = api.inspect(file, preset)
    if as_json:
        print(json.dumps(facts, indent=2))
        return
    for key, value in facts.items():
        if isinstance(value, list) and value:
            say(f"{key}:")
            for entry in value:
                say(f"    {_line(entry)}")
        elif key in ("stereo_tags", "players") and value:
            say(f"{key}:")
            for name, entry in value.items():
                say(f"    {name}: {', '.join(map(str, entry)) if isinstance(entry, list) else _line(entry)}")
        elif _said(value):
            say(f"{key}: {_line(value)}")


def _said(value: Any) -> bool:
    """Whether there is anything to say; 0 is."""
    return value is not None and value is not False and value not in ("", {}, [])


def _line(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3f}".rstrip("0").rstrip(".")
    if not isinstance(value, dict):
        return str(value)
    parts = []
    for name, entry in value.items():
        if _said(entry):
            parts.append(_line(entry) if name in ("kind", "codec") else f"{name} {_line(entry)}")
    return ", ".join(parts)
