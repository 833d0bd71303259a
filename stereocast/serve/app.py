"""The web application: a library, films with range requests, subtitles, live segments, and the player page.

It serves the films of its library by identifier and the page's own files by name: no request carries a path.
"""

import logging
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from stereocast.errors import SourceError
from stereocast.serve.access import HEADERS, Border, Gate
from stereocast.serve.library import Item, Library
from stereocast.serve.live import Live

log = logging.getLogger(__name__)

PLAYER = Path(__file__).resolve().parent / "player"
_TYPES = {
    ".mp4": "video/mp4", ".m4v": "video/mp4", ".mov": "video/mp4", ".m4s": "video/mp4", ".webm": "video/webm",
    ".mkv": "video/x-matroska", ".js": "text/javascript", ".css": "text/css", ".html": "text/html",
}  # fmt: skip


def build(
    library: Library, live: Live | None = None, token: str = "", pin: str = "", names: tuple[str, ...] = ()
) -> Starlette:
    """The application. With `token`, every request has to bring it, see `access`; `names` are more names of this machine."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        if live is not None:
            await run_in_threadpool(live.close)

    async def found(request: Request) -> Item:
        item: Item | None = await run_in_threadpool(library.get, request.path_params["ident"])
        if item is None:
            raise HTTPException(404, "no such film")
        return item

    async def page(_: Request) -> Response:
        return FileResponse(PLAYER / "index.html", headers=HEADERS)

    async def static(request: Request) -> Response:
        name = request.path_params["name"]
        names = {path.name: path for path in PLAYER.iterdir()}
        if name not in names:
            raise HTTPException(404, "no such file")
        kind = _TYPES.get(names[name].suffix, "application/octet-stream")
        return FileResponse(names[name], media_type=kind, headers={**HEADERS, "Cache-Control": "no-cache"})

    async def listing(_: Request) -> Response:
        items = await run_in_threadpool(library.films)
        return JSONResponse([_card(item, library, live) for item in items])

    async def film(request: Request) -> Response:
        item = await found(request)
        kind = _TYPES.get(item.path.suffix.lower(), "application/octet-stream")
        return FileResponse(item.path, media_type=kind, headers={"X-Content-Type-Options": "nosniff"})

    async def poster(request: Request) -> Response:
        item = await found(request)
        try:
            data = await run_in_threadpool(library.poster, item)
        except SourceError as error:
            raise HTTPException(404, str(error)) from error
        return Response(data, media_type="image/jpeg", headers={"Cache-Control": "max-age=3600"})

    async def text(request: Request) -> Response:
        item = await found(request)
        try:
            body = await run_in_threadpool(library.webvtt, item, request.path_params["number"])
        except SourceError as error:
            raise HTTPException(404, str(error)) from error
        return PlainTextResponse(body, media_type="text/vtt")

    async def start(request: Request) -> Response:
        item = await found(request)
        if live is None or not item.convert:
            raise HTTPException(404, "this film isn't converted live")
        try:
            seconds = float(request.query_params.get("t", "0"))
        except ValueError:
            seconds = math.nan
        if not 0 <= seconds < (item.facts["duration_s"] or 1e9):
            raise HTTPException(400, "t has to be a time within the film, in seconds")
        run = await run_in_threadpool(live.open, item.ident, item.path, seconds, bool(item.facts["audio"]))
        return JSONResponse(run.state())

    async def state(request: Request) -> Response:
        run = live.get(request.path_params["ident"]) if live is not None else None
        if run is None:
            raise HTTPException(404, "nothing is converted")
        return JSONResponse(await run_in_threadpool(run.state), headers={"Cache-Control": "no-store"})

    async def segment(request: Request) -> Response:
        run = live.get(request.path_params["ident"], request.path_params["run"]) if live is not None else None
        path = run.file(request.path_params["name"]) if run is not None else None
        if path is None:
            raise HTTPException(404, "no such segment")
        return FileResponse(path, media_type="video/mp4")

    app = Starlette(
        routes=[
            Route("/", page),
            Route("/watch/{ident}", page),
            Route("/player/{name}", static),
            Route("/api/library", listing),
            Route("/film/{ident}", film),
            Route("/poster/{ident}", poster),
            Route("/text/{ident}/{number:int}", text),
            Route("/live/{ident}", start, methods=["POST"]),
            Route("/live/{ident}", state),
            Route("/live/{ident}/{run:int}/{name}", segment),
        ],
        lifespan=lifespan,
    )
    if token:
        app.add_middleware(Gate, token=token, pin=pin)
    app.add_middleware(Border, names=names)  # added last, asked first
    return app


def _card(item: Item, library: Library, live: Live | None) -> dict[str, Any]:
    facts = item.facts
    return {
        "id": item.ident, "title": item.title, "width": facts["width"], "height": facts["height"],
        "duration_s": facts["duration_s"], "size": facts["size"], "codec": facts["codec"],
        "views": live.views() if live is not None and item.convert else facts["views"],
        "texts": library.texts(item), "live": item.convert and live is not None,
    }  # fmt: skip
