"""`stereocast serve`."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from stereocast.cli.options import settled, with_settings
from stereocast.cli.studio import add_studio
from stereocast.errors import ExtraMissing, UsageError
from stereocast.settings import (
    ConvertSettings,
    DepthSettings,
    NetworkSettings,
    OutputSettings,
    SourceSettings,
    StereoSettings,
    WeightSettings,
)
from stereocast.settings.explain import flag
from stereocast.settings.retired import without_retired


@with_settings(
    ("Output", OutputSettings),
    ("Output", SourceSettings),
    ("Stereo", StereoSettings),
    ("Depth", DepthSettings),
    ("Depth", WeightSettings),
    ("Run", NetworkSettings),
    leave_out=("out_format", "start", "end", "duration"),
    retired=("engine", "ray_address", "workers"),
)
def serve(
    folder: Annotated[Path | None, typer.Argument(metavar="DIR", help="Folder of films (default: this one).")] = None,
    convert: Annotated[
        list[Path] | None, typer.Option("--convert", metavar="FILE", help="Convert this film while you watch it.")
    ] = None,
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="Port to listen on.")] = 8180,
    lan: Annotated[bool, typer.Option("--lan", help="Reachable from the network, with a token or PIN.")] = False,
    https: Annotated[
        bool, typer.Option("--https", help="Use a self-signed certificate (WebXR over the network needs https).")
    ] = False,
    usb: Annotated[
        bool, typer.Option("--usb", help="adb reverse: the headset opens http://localhost over the cable.")
    ] = False,
    name: Annotated[
        list[str] | None, typer.Option("--name", metavar="HOST", help="Another host name of this machine.")
    ] = None,
    new_token: Annotated[
        bool, typer.Option("--new-token", help="Renew token and PIN; old addresses and bookmarks stop working.")
    ] = False,
    studio: Annotated[
        bool, typer.Option("--studio", help="Also serve the studio, a page for converting films, at /studio.")
    ] = False,
    *,
    flags: dict[str, Any],
) -> None:
    """Serve a library and player to the headset's browser. Films can be converted while you watch.

    [bold]stereocast serve films/ --usb[/]  on the headset: http://localhost:8180\n
    [bold]stereocast serve films/ --lan --https[/]  over the network, with a token\n
    [bold]stereocast serve --convert film.mp4 --lan --https[/]  starts at the first segments
    """
    try:
        from stereocast.serve import app, identity, library, live, server, store
        from stereocast.serve.thumbnails import Thumbnails
    except ModuleNotFoundError as error:
        raise ExtraMissing("serve", "serve") from error
    if folder is None and not convert:
        folder = Path()
    films = tuple(library.check_film(path) for path in convert or ())
    root = library.check_folder(folder) if folder is not None else None
    settings = settled(ConvertSettings, without_retired("serve", flags, flag))
    if films and settings.format.value in ("pair", "rgbd", "row-interlaced"):
        raise UsageError(f"--format {settings.format.value} can't be shown by the player; use sbs, ou or vr180")
    folder_of_state = identity.state_folder()
    known = identity.keep_secrets(folder_of_state, anew=new_token)
    names = tuple(name or ())
    files = None
    if https:
        files = identity.keep_certificate(folder_of_state, ("localhost", "127.0.0.1", server.lan_address(), *names))
    address = server.Address("0.0.0.0" if lan else "127.0.0.1", port, https, known.token if lan else "")
    if studio and root is None:
        raise UsageError("--studio needs a folder; give one before --convert")

    def tell() -> None:
        print(f"open {address.url} in the headset's browser; Ctrl-C stops", flush=True)
        if studio:
            print(f"the studio is at {address.plain_url}studio", flush=True)
        if lan:
            print(f"or open {address.plain_url} and enter the PIN {known.pin}", flush=True)
        if lan and not https:
            print("stereocast: over the network, browsers allow WebXR only with --https", file=sys.stderr)
        if lan:
            print(server.qr(address.url), flush=True)

    cache = identity.cache_folder()
    shelf = library.Library(
        root, films, index=store.Index(cache / "index.sqlite"), watch=True,
        remembered=store.Remembered(folder_of_state / "films.sqlite"), thumbnails=Thumbnails(cache / "pictures"),
    )  # fmt: skip
    sessions = live.Live(settings if films else None)
    made = app.build(shelf, sessions, known.token, known.pin, names)
    if studio and root is not None:
        add_studio(made, root, shelf, sessions)
    server.run(made, address, files=files, cable=usb, ready=tell)
