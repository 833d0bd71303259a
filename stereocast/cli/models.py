"""`stereocast models ...`: list, download, verify, remove."""

import json
from typing import Annotated, Any

import typer

from stereocast.cli.options import guarded
from stereocast.cli.plain import say

_ACTIONS = ("list", "download", "verify", "remove")


@guarded
def models(
    action: Annotated[str, typer.Argument(help="list, download, verify or remove.", metavar="ACTION")] = "list",
    names: Annotated[list[str] | None, typer.Argument(help="Names from the list.", metavar="NAME")] = None,
    accept_licence: Annotated[
        bool, typer.Option("--accept-licence", help="Accept the licences that are shown.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """List weights with licence and size; download, verify or remove them.

    [bold]stereocast models[/]

    [bold]stereocast models download video-depth-anything-small --accept-licence[/]

    Weights are stored in the Hugging Face cache (HF_HOME); HF_HUB_OFFLINE=1 forbids the network.
    """
    from stereocast.errors import UnknownName, UsageError
    from stereocast.models import shelf

    if action not in _ACTIONS:
        raise UnknownName("action", action, _ACTIONS)
    if action != "list" and not names:
        raise UsageError(f"models {action}: say which, such as `stereocast models {action} depthcrafter`")
    chosen = [shelf.find(name) for name in names or shelf.SHELF]
    rows = [_ACT[action](entry, accept_licence) for entry in _all(action, chosen)]
    if as_json:
        print(json.dumps(rows, indent=2))
        return
    for row in rows:
        say(_line(row))


def _all(action: str, chosen: list[Any]) -> list[Any]:
    """A download brings what the weights need along."""
    from stereocast.models import shelf

    if action != "download":
        return chosen
    return list({entry.name: entry for one in chosen for entry in shelf.with_needs(one.name)}.values())


def _row(entry: Any, **more: Any) -> dict[str, Any]:
    from stereocast.models import weights

    return weights.describe(entry, **more)


def _line(row: dict[str, Any]) -> str:
    from stereocast.models import shelf

    if "freed" in row:
        return (
            f"{row['name']}: removed, {shelf.human(row['freed'])} freed"
            if row["freed"]
            else f"{row['name']}: not there"
        )
    state = "verified" if row.get("verified") else "on disk" if row["downloaded"] else "-"
    return (
        f"{row['name']:<28} {shelf.human(row['size']):>7}  {state:<9} {row['licence']} ({row['terms']}); {row['about']}"
    )


def _list(entry: Any, _: bool) -> dict[str, Any]:
    return _row(entry)


def _download(entry: Any, accept_licence: bool) -> dict[str, Any]:
    from stereocast.models import weights

    if weights.downloaded(entry) is None and (accept_licence or weights.accepted(entry)):
        typer.echo(entry.summary, err=True)  # a refusal says it too
    weights.download(entry, accept_licence=accept_licence, progress=lambda text: typer.echo(text, err=True))
    return _row(entry)


def _verify(entry: Any, _: bool) -> dict[str, Any]:
    from stereocast.models import weights

    weights.verify(entry)
    return _row(entry, verified=True)


def _remove(entry: Any, _: bool) -> dict[str, Any]:
    from stereocast.models import weights

    freed = weights.remove(entry)
    return _row(entry, freed=freed)


_ACT = {"list": _list, "download": _download, "verify": _verify, "remove": _remove}
