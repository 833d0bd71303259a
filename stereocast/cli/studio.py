"""`stereocast studio`."""

import threading
import webbrowser
from pathlib import Path
from typing import Annotated, Any

import typer

from stereocast.cli.options import guarded
from stereocast.errors import ExtraMissing


def add_studio(app: Any, folder: Path, shelf: Any, sessions: Any) -> None:
    """Adds the studio of a folder to an application of `serve`, whose library and live sessions it shares. Raises SinkError."""
    from stereocast.studio import routes
    from stereocast.studio.studio import Studio

    routes.mount(app, Studio(folder, shelf, sessions))


@guarded
def studio(
    folder: Annotated[
        Path | None, typer.Argument(metavar="FOLDER", help="Folder of films and results (default: this folder).")
    ] = None,
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="Port to listen on.")] = 8180,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in the browser.")] = True,
) -> None:
    """Open a page for converting films: drop one, see it in 3D, convert, watch, send it to the headset.

    [bold]stereocast studio films/[/]  opens the browser\n
    [bold]stereocast serve films/ --studio --lan --https[/]  for another machine, or the headset itself
    """
    try:
        from stereocast.serve import app, identity, library, live, server, store
        from stereocast.serve.thumbnails import Thumbnails
    except ModuleNotFoundError as error:
        raise ExtraMissing("studio", "serve") from error
    root = library.check_folder(folder or Path())
    state, cache = identity.state_folder(), identity.cache_folder()
    known = identity.keep_secrets(state)
    shelf = library.Library(
        root, index=store.Index(cache / "index.sqlite"), watch=True,
        remembered=store.Remembered(state / "films.sqlite"), thumbnails=Thumbnails(cache / "pictures"),
    )  # fmt: skip
    address = server.Address("127.0.0.1", port)
    sessions = live.Live(None)
    made = app.build(shelf, sessions, known.token, known.pin)
    add_studio(made, root, shelf, sessions)

    def tell() -> None:
        url = f"{address.plain_url}studio"
        print(f"the studio is at {url}; Ctrl-C stops, and the queue resumes at the next start", flush=True)
        if browser:
            threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()

    server.run(made, address, ready=tell)
