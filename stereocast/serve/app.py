"""The web application: pages, films with range requests, subtitles, the library's API, live segments. See docs/serve-api.md.

It serves films by identifier and the page's files by name; no request contains a path.
"""

import asyncio
import logging
import math
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Route

from stereocast.errors import SourceError
from stereocast.media import posters
from stereocast.serve import cards, players
from stereocast.serve.access import HEADERS, Border, Gate, body_of
from stereocast.serve.library import Item, Library
from stereocast.serve.live import Busy, Live
from stereocast.serve.messages import Answer, parsed
from stereocast.serve.session import Session, Wanted

log = logging.getLogger(__name__)

PLAYER = Path(__file__).resolve().parent / "player"
_TYPES = {
    ".mp4": "video/mp4", ".m4v": "video/mp4", ".mov": "video/mp4", ".m4s": "video/mp4", ".webm": "video/webm",
    ".mkv": "video/x-matroska", ".js": "text/javascript", ".css": "text/css", ".html": "text/html", ".svg": "image/svg+xml",
    ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png", ".webp": "image/webp", ".avif": "image/avif",
    ".jps": "image/jpeg", ".woff2": "font/woff2",
}  # fmt: skip
_DRAWN = {".jpg", ".jpeg", ".png", ".webp", ".avif", ".jps"}  # still formats that browsers show
_VIEWER = re.compile(r"[A-Za-z0-9_-]{0,64}")
_CHANGES_S = 25.0  # longest time until a request for changes is answered
_PAGE_S = 0.4  # time for reading unknown films while answering
_FRESH = {"Cache-Control": "no-store"}


class Site:
    """The request handlers, with the library, the live sessions and the token for native players."""

    def __init__(self, library: Library, live: Live, token: str) -> None:
        self.library, self.live, self.token = library, live, token

    async def found(self, request: Request) -> Item:
        """The film that a request names. Raises HTTPException 404."""
        item: Item | None = await run_in_threadpool(self.library.get, request.path_params["ident"])
        if item is None:
            raise HTTPException(404, "no such film")
        return item

    # ---- pages and files ------------------------------------------------------------------------------------------

    async def page(self, _: Request) -> Response:
        return FileResponse(PLAYER / "index.html", headers={**HEADERS, "Cache-Control": "no-cache"})

    async def static(self, request: Request) -> Response:
        name = request.path_params["name"]
        names = {path.name: path for path in PLAYER.iterdir()}
        if name not in names:
            raise HTTPException(404, "no such file")
        kind = _TYPES.get(names[name].suffix, "application/octet-stream")
        return FileResponse(names[name], media_type=kind, headers={**HEADERS, "Cache-Control": "no-cache"})

    async def film(self, request: Request) -> Response:
        item = await self.found(request)
        kind = _TYPES.get(item.path.suffix.lower(), "application/octet-stream")
        return FileResponse(item.path, media_type=kind, headers={"X-Content-Type-Options": "nosniff"})

    async def picture(self, request: Request) -> Response:
        item = await self.found(request)
        if item.kind != "picture":
            raise HTTPException(404, "this is not a picture")
        suffix = item.path.suffix.lower()
        if item.pair is None and suffix in _DRAWN:
            return FileResponse(item.path, media_type=_TYPES[suffix], headers={"X-Content-Type-Options": "nosniff"})
        pair = item.pair
        make = (lambda: posters.beside(item.path, pair)) if pair is not None else (lambda: posters.as_jpeg(item.path))
        return Response(await _made(make), media_type="image/jpeg", headers={"Cache-Control": "max-age=3600"})

    async def poster(self, request: Request) -> Response:
        item = await self.found(request)
        data = await _made(lambda: self.library.poster(item))
        return Response(data, media_type="image/jpeg", headers={"Cache-Control": "max-age=3600"})

    async def sprite(self, request: Request) -> Response:
        item = await self.found(request)
        data = await _made(lambda: self.library.sprite(item))
        return Response(data, media_type="image/jpeg", headers={"Cache-Control": "max-age=3600"})

    async def text(self, request: Request) -> Response:
        item = await self.found(request)
        body = await _made(lambda: self.library.webvtt(item, request.path_params["number"]))
        return PlainTextResponse(body, media_type="text/vtt")

    # ---- the library ----------------------------------------------------------------------------------------------

    async def listing(self, _: Request) -> Response:
        def made() -> list[dict[str, Any]]:
            return [cards.card(item, self.library, self.live) for item in self.library.films()]

        return Answer(await run_in_threadpool(made))

    async def films(self, request: Request) -> Response:
        try:
            query = cards.Query.of(request.query_params)
        except ValueError as error:
            raise HTTPException(400, str(error)) from error
        made = await run_in_threadpool(cards.page, self.library, self.live, query, _PAGE_S)
        made["studio"] = getattr(request.app.state, "studio", False)
        return Answer(made, headers=_FRESH)

    async def one(self, request: Request) -> Response:
        item = await self.found(request)
        return Answer(await run_in_threadpool(cards.card, item, self.library, self.live), headers=_FRESH)

    async def memory(self, request: Request) -> Response:
        item = await self.found(request)
        try:
            change = parsed(await body_of(request, 8192))
            made = await run_in_threadpool(self.library.remembered.merge, item.ident, change)
        except (ValueError, TimeoutError, ClientDisconnect) as error:
            raise HTTPException(400, str(error) or "send JSON") from error
        return Answer(made, headers=_FRESH)

    async def changes(self, request: Request) -> Response:
        since = request.query_params.get("since", "")
        number = int(since) if since.isascii() and since.isdigit() and len(since) < 12 else -1
        until = time.monotonic() + _CHANGES_S
        ends = getattr(request.app.state, "ends", lambda: False)  # set by server.run
        while self.library.version == number and time.monotonic() < until and not ends():
            if await request.is_disconnected():
                break
            await asyncio.sleep(0.25)
        return Answer({"version": self.library.version, "indexed": round(self.library.indexed(), 3)}, headers=_FRESH)

    # ---- live -----------------------------------------------------------------------------------------------------

    async def start(self, request: Request) -> Response:
        item, viewer = await self.found(request), _viewer(request)
        wanted = _wanted(item, request, self.live.converts)
        try:
            session = await run_in_threadpool(self.live.open, wanted, viewer)
        except Busy as error:
            raise HTTPException(503, str(error)) from error
        return await self._told(session, item.ident, _seconds(request, "t", None))

    async def state(self, request: Request) -> Response:
        ident, viewer, at = request.path_params["ident"], _viewer(request), _seconds(request, "at", None)
        number = _number(request, "run")
        session = self.live.get(ident, number, viewer)
        if session is None:
            raise HTTPException(404 if number is None else 410, "there is no session for this film; start one again")
        session.seen(viewer, at)
        return await self._told(session, ident, at, _number(request, "since") or 0)

    async def _told(self, session: Session, ident: str, at: float | None, since: int = 0) -> Response:
        made = await run_in_threadpool(session.state, at, since)
        return Answer({**made, "keep": self.live.kept(ident)}, headers=_FRESH)

    async def leave(self, request: Request) -> Response:
        await run_in_threadpool(self.live.leave, request.path_params["ident"], _viewer(request))
        return Response(status_code=204)

    async def keep(self, request: Request) -> Response:
        ident = request.path_params["ident"]
        try:
            said = parsed(await body_of(request, 1024))
            wanted = bool(said["keep"])
        except (ValueError, KeyError, TypeError, TimeoutError, ClientDisconnect) as error:
            raise HTTPException(400, 'send {"keep": true} or {"keep": false}') from error
        await run_in_threadpool(self.live.keep, ident, wanted)
        return Answer({"keep": self.live.kept(ident)}, headers=_FRESH)

    async def segment(self, request: Request) -> Response:
        session = self.live.get(request.path_params["ident"], request.path_params["run"])
        path = session.file(request.path_params["name"]) if session is not None else None
        if path is None:
            raise HTTPException(404, "no such segment")
        return FileResponse(path, media_type="video/mp4", headers={"Cache-Control": "private, max-age=600"})

    # ---- native players -------------------------------------------------------------------------------------------

    def _at(self, request: Request) -> players.Address:
        return players.address(str(request.base_url), self.token)

    async def deovr(self, request: Request) -> Response:
        return Answer(await run_in_threadpool(players.deovr, self.library, self._at(request)))

    async def deovr_film(self, request: Request) -> Response:
        item = await self.found(request)
        return Answer(await run_in_threadpool(players.deovr_film, item, self.library, self._at(request)))

    async def heresphere(self, request: Request) -> Response:
        made = await run_in_threadpool(players.heresphere, self.library, self._at(request))
        return Answer(made, headers={"HereSphere-JSON-Version": "1"})

    async def heresphere_film(self, request: Request) -> Response:
        item = await self.found(request)
        made = await run_in_threadpool(players.heresphere_film, item, self.library, self._at(request))
        return Answer(made, headers={"HereSphere-JSON-Version": "1"})

    def routes(self) -> list[Route]:
        """All routes."""
        both = ["GET", "POST"]
        return [
            Route("/", self.page),
            Route("/watch/{ident}", self.page),
            Route("/player/{name}", self.static),
            Route("/film/{ident}", self.film),
            Route("/picture/{ident}", self.picture),
            Route("/poster/{ident}", self.poster),
            Route("/sprite/{ident}", self.sprite),
            Route("/text/{ident}/{number:int}", self.text),
            Route("/api/library", self.listing),
            Route("/api/films", self.films),
            Route("/api/films/{ident}", self.one),
            Route("/api/films/{ident}/memory", self.memory, methods=["POST"]),
            Route("/api/changes", self.changes),
            Route("/live/{ident}", self.start, methods=["POST"]),
            Route("/live/{ident}", self.state),
            Route("/live/{ident}/leave", self.leave, methods=["POST"]),
            Route("/live/{ident}/keep", self.keep, methods=["POST"]),
            Route("/live/{ident}/{run:int}/{name}", self.segment),
            Route("/deovr", self.deovr),
            Route("/deovr/{ident}", self.deovr_film),
            Route("/heresphere", self.heresphere, methods=both),
            Route("/heresphere/{ident}", self.heresphere_film, methods=both),
        ]


def build(
    library: Library, live: Live | None = None, token: str = "", pin: str = "", names: tuple[str, ...] = ()
) -> Starlette:
    """The application. With `token`, every request must carry it, see `access`; `names` are further names of this machine.

    It closes the library and the live sessions at shutdown.
    """
    sessions = live or Live(None)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        await run_in_threadpool(sessions.close)
        await run_in_threadpool(library.close)

    app = Starlette(
        routes=list(Site(library, sessions, token).routes()),
        lifespan=lifespan,
        exception_handlers={HTTPException: _failed},
    )
    if token:
        app.add_middleware(Gate, token=token, pin=pin)
    app.add_middleware(Border, names=names)  # added last, so it runs first
    return app


async def _failed(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return Answer({"error": error.detail}, error.status_code, headers=error.headers)


async def _made(make: Any) -> Any:
    try:
        return await run_in_threadpool(make)
    except SourceError as error:
        raise HTTPException(404, str(error)) from error


def _wanted(item: Item, request: Request, converts: bool) -> Wanted:
    """What a live session of that film has to produce. Raises HTTPException 400, 404."""
    facts, sound = item.facts, _number(request, "sound")
    if item.kind != "film" or (sound is None and not (item.convert and converts)):
        raise HTTPException(404, "this film is not converted live")
    if sound is not None and (sound >= len(facts["sounds"]) or (item.convert and converts)):
        raise HTTPException(404, "there is no such sound track, or the converted film already contains it")
    seconds = _seconds(request, "t", 0.0)
    if seconds is None or seconds >= (facts["duration_s"] or 1e9):
        raise HTTPException(400, "t must be a time within the film, in seconds")
    return Wanted(item.ident, item.path, seconds, None, sound, bool(facts["audio"]), facts["duration_s"], facts["rate"])


def _seconds(request: Request, name: str, default: float | None) -> float | None:
    """A time in the query. Raises HTTPException 400."""
    text = request.query_params.get(name)
    if text is None:
        return default
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < 1e9:
        raise HTTPException(400, f"{name} must be a time within the film, in seconds")
    return seconds


def _number(request: Request, name: str) -> int | None:
    """A whole number in the query; None where there is none. Raises HTTPException 400."""
    text = request.query_params.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 9):
        raise HTTPException(400, f"{name} must be a whole number")
    return int(text)


def _viewer(request: Request) -> str:
    """The viewer's identifier from the query. Raises HTTPException 400."""
    text = request.query_params.get("viewer", "")
    if not _VIEWER.fullmatch(text):
        raise HTTPException(400, "viewer must be at most 64 letters, digits, - and _")
    return text
