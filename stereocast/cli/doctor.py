"""`stereocast doctor`."""

import json
from typing import Annotated

import typer

from stereocast.cli.options import guarded
from stereocast.cli.plain import say


@guarded
def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Show devices, encoders that open on this machine, installed extras, free disk space, cache size.

    [bold]stereocast doctor[/]
    """
    from stereocast import api

    facts = api.examine()
    if as_json:
        print(json.dumps(facts, indent=2))
        return
    for title, entries in facts.items():
        say(title)
        for name, value in entries.items():
            say(f"  {name:<20} {value}")
