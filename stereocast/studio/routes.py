"""The studio's routes, mounted next to the library and player of `serve`, behind the same border and gate.

Errors are `{"error": "one line"}`, with the line that the command line would print.
"""

import json
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from stereocast.errors import LicenceNotAccepted, OutputExists, SinkError, StereocastError, UsageError
from stereocast.models import shelf, weights
from stereocast.serve.access import HEADERS
from stereocast.serve.messages import Answer, parsed
from stereocast.settings import ConvertSettings
from stereocast.studio import looks, options
from stereocast.studio.folder import Gone
from stereocast.studio.studio import Studio
from stereocast.studio.uploads import Elsewhere

PAGE = Path(__file__).resolve().parent / "static"
_TYPES = {".js": "text/javascript", ".css": "text/css", ".html": "text/html", ".svg": "image/svg+xml"}
_BODY = 65_536
_NO_STORE = {"Cache-Control": "no-store"}

Handler = Callable[[Request], Awaitable[Response]]


def mount(app: Starlette, studio: Studio) -> None:
    """Adds the studio to an application of `serve`, which closes it at shutdown."""
    outer = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(whole: Starlette) -> AsyncIterator[Any]:
        async with outer(whole) as state:
            try:
                yield state
            finally:
                await run_in_threadpool(studio.close)

    app.router.lifespan_context = lifespan
    app.router.routes[:0] = _routes(studio)
    app.state.studio = True  # the library links to it


def _answering(handler: Handler) -> Handler:
    """Turns a handler's errors into JSON with one line."""

    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except Elsewhere as error:
            return Answer({"error": str(error), "offset": error.offset}, 409)
        except LicenceNotAccepted as error:
            return Answer({"error": str(error), "licence": True}, 403)
        except StereocastError as error:
            return Answer({"error": str(error)}, _status(error))
        except ClientDisconnect:
            return Response(status_code=499)

    return answer


def _status(error: StereocastError) -> int:
    if isinstance(error, UsageError):
        return 400
    if isinstance(error, SinkError):
        return 409 if isinstance(error, OutputExists) else 507
    return 404 if isinstance(error, Gone) else 422


async def _sent(request: Request) -> dict[str, Any]:
    """The JSON object in a request's body. Raises UsageError."""
    data = b""
    async for piece in request.stream():
        data += piece
        if len(data) > _BODY:
            raise UsageError("the request is too long")
    try:
        table = parsed(data or b"{}")
    except ValueError as error:
        raise UsageError("the request isn't JSON") from error
    if not isinstance(table, dict):
        raise UsageError("the request isn't a JSON object")
    return table


def _seconds(value: Any) -> float:
    """A time in seconds. Raises UsageError."""
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        seconds = math.nan
    if not 0 <= seconds < 1e6:
        raise UsageError("the time must be a number of seconds within the film")
    return seconds


def _text(table: dict[str, Any], name: str) -> str:
    value = table.get(name)
    if not isinstance(value, str):
        raise UsageError(f"'{name}' is missing")
    return value


def _whole(table: dict[str, Any], name: str) -> int:
    value = table.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise UsageError(f"'{name}' must be a whole number")
    return value


def _options(table: dict[str, Any]) -> dict[str, Any]:
    given = table.get("options", {})
    if not isinstance(given, dict):
        raise UsageError("'options' must be an object")
    return given


def _routes(studio: Studio) -> list[Route]:
    async def page(_: Request) -> Response:
        return FileResponse(PAGE / "index.html", headers={**HEADERS, "Cache-Control": "no-cache"})

    async def static(request: Request) -> Response:
        names = {path.name: path for path in PAGE.iterdir()}
        path = names.get(request.path_params["name"])
        if path is None:
            raise Gone("this file no longer exists")
        kind = _TYPES.get(path.suffix, "application/octet-stream")
        return FileResponse(path, media_type=kind, headers={**HEADERS, "Cache-Control": "no-cache"})

    return [
        Route("/studio", page),
        Route("/studio/static/{name}", _answering(static)),
        *_material_routes(studio),
        *_upload_routes(studio),
        *_job_routes(studio),
        *_model_routes(),
        Route("/api/studio/models/download", _answering(_download(studio)), methods=["POST"]),
        Route("/api/studio/models/stop", _answering(_stop_download(studio)), methods=["POST"]),
    ]


def _material_routes(studio: Studio) -> list[Route]:
    async def state(_: Request) -> Response:
        return Answer(await run_in_threadpool(studio.state), headers=_NO_STORE)

    async def materials(_: Request) -> Response:
        return Answer(await run_in_threadpool(studio.materials), headers=_NO_STORE)

    async def material(request: Request) -> Response:
        return Answer(await run_in_threadpool(studio.material, request.path_params["ident"]), headers=_NO_STORE)

    async def poster(request: Request) -> Response:
        data = await run_in_threadpool(studio.poster, request.path_params["ident"])
        return Response(data, media_type="image/jpeg", headers={"Cache-Control": "max-age=3600"})

    async def strip(request: Request) -> Response:
        item = await run_in_threadpool(studio.folder.get, request.path_params["ident"])
        found = await run_in_threadpool(studio.strips.of, item.ident, item.path)
        return Answer(found.state(), headers=_NO_STORE)

    async def thumbnail(request: Request) -> Response:
        item = await run_in_threadpool(studio.folder.get, request.path_params["ident"])
        pictures = (await run_in_threadpool(studio.strips.of, item.ident, item.path)).pictures
        number = request.path_params["number"]
        if number >= len(pictures):
            raise Gone("this thumbnail no longer exists")
        return Response(pictures[number], media_type="image/jpeg", headers={"Cache-Control": "max-age=600"})

    async def look(request: Request) -> Response:
        table = await _sent(request)
        item = await run_in_threadpool(studio.folder.get, request.path_params["ident"])
        settings = options.checked("convert", _options(table))
        assert isinstance(settings, ConvertSettings)
        start = Fraction(_seconds(table.get("at", 0))).limit_denominator(1000)
        width = min(1920, max(64, _whole(table, "width")))
        data, facts = await run_in_threadpool(
            looks.look, studio.warm, str(item.path), start, settings, _text(table, "kind"), width,
            draft=bool(table.get("draft")),
        )  # fmt: skip
        headers = {**_NO_STORE, "X-Look": json.dumps(facts)}
        return Response(data, media_type="image/jpeg", headers=headers)

    async def offered(request: Request) -> Response:
        return Answer(await run_in_threadpool(options.table, request.path_params["kind"]))

    async def command(request: Request) -> Response:
        table = await _sent(request)
        item = await run_in_threadpool(studio.folder.get, _text(table, "film"))
        kind, given = _text(table, "kind"), _options(table)
        await run_in_threadpool(options.checked, kind, given)
        needed = await run_in_threadpool(options.weights_of, kind, given)
        return Answer({"command": options.command(kind, item.path, given), "weights": needed})

    return [
        Route("/api/studio/state", _answering(state)),
        Route("/api/studio/films", _answering(materials)),
        Route("/api/studio/films/{ident}", _answering(material)),
        Route("/api/studio/films/{ident}/poster", _answering(poster)),
        Route("/api/studio/films/{ident}/strip", _answering(strip)),
        Route("/api/studio/films/{ident}/strip/{number:int}", _answering(thumbnail)),
        Route("/api/studio/films/{ident}/look", _answering(look), methods=["POST"]),
        Route("/api/studio/options/{kind}", _answering(offered)),
        Route("/api/studio/command", _answering(command), methods=["POST"]),
    ]


def _upload_routes(studio: Studio) -> list[Route]:
    async def begin(request: Request) -> Response:
        table = await _sent(request)
        given = _text(table, "name"), _whole(table, "size"), _whole(table, "changed")
        return Answer(await run_in_threadpool(studio.uploads.begin, *given))

    async def state(request: Request) -> Response:
        return Answer(studio.uploads.state(request.path_params["ident"]), headers=_NO_STORE)

    async def take(request: Request) -> Response:
        try:
            offset = int(request.query_params.get("offset", ""))
        except ValueError as error:
            raise UsageError("'offset' must be a whole number") from error
        return Answer(await studio.uploads.take(request.path_params["ident"], offset, request.stream()))

    async def drop(request: Request) -> Response:
        await run_in_threadpool(studio.uploads.drop, request.path_params["ident"])
        return Answer({})

    return [
        Route("/api/studio/uploads", _answering(begin), methods=["POST"]),
        Route("/api/studio/uploads/{ident}", _answering(state)),
        Route("/api/studio/uploads/{ident}", _answering(take), methods=["PUT"]),
        Route("/api/studio/uploads/{ident}", _answering(drop), methods=["DELETE"]),
    ]


def _job_routes(studio: Studio) -> list[Route]:
    async def add(request: Request) -> Response:
        table = await _sent(request)
        item = await run_in_threadpool(studio.folder.get, _text(table, "film"))
        kind, given = _text(table, "kind"), _options(table)
        ident = await run_in_threadpool(
            lambda: studio.queue.add(kind, item.path, given, overwrite=bool(table.get("overwrite")))
        )
        return Answer({"id": ident})

    async def change(request: Request) -> Response:
        ident, table = request.path_params["ident"], await _sent(request)
        action = _text(table, "do")
        if action == "move":
            await run_in_threadpool(studio.queue.move, ident, _whole(table, "place"))
        elif action == "resume":
            await run_in_threadpool(studio.queue.go_on, ident)
        elif action in ("stop", "remove", "replace"):
            await run_in_threadpool(getattr(studio.queue, action), ident)
        else:
            raise UsageError(f"unknown action '{action}' for a job")
        return Answer({})

    async def sample(request: Request) -> Response:
        table = await _sent(request)
        item = await run_in_threadpool(studio.folder.get, _text(table, "film"))
        at = _seconds(table.get("at", 0))
        return Answer(await run_in_threadpool(studio.sampler.begin, item.path, at, _options(table)))

    async def live(request: Request) -> Response:
        table = await _sent(request)
        ident = await run_in_threadpool(studio.watch, _text(table, "film"), _options(table))
        return Answer({"film": ident})

    async def stop_live(request: Request) -> Response:
        await run_in_threadpool(studio.stop_live, _whole(await _sent(request), "number"))
        return Answer({})

    async def send(request: Request) -> Response:
        table = await _sent(request)
        path = await run_in_threadpool(studio.result, _text(table, "job"))
        return Answer(await run_in_threadpool(studio.sender.begin, path))

    return [
        Route("/api/studio/jobs", _answering(add), methods=["POST"]),
        Route("/api/studio/jobs/{ident}", _answering(change), methods=["POST"]),
        Route("/api/studio/sample", _answering(sample), methods=["POST"]),
        Route("/api/studio/live", _answering(live), methods=["POST"]),
        Route("/api/studio/live/stop", _answering(stop_live), methods=["POST"]),
        Route("/api/studio/send", _answering(send), methods=["POST"]),
    ]


def _model_routes() -> list[Route]:
    async def listing(_: Request) -> Response:
        rows = await run_in_threadpool(
            lambda: [weights.describe(entry, needs=entry.needs) for entry in shelf.SHELF.values()]
        )
        for row in rows:
            row.pop("path")
        return Answer(rows, headers=_NO_STORE)

    return [Route("/api/studio/models", _answering(listing))]


def _download(studio: Studio) -> Handler:
    async def download(request: Request) -> Response:
        table = await _sent(request)
        entry = shelf.find(_text(table, "name"))
        if table.get("accept_licence") is not True:
            raise LicenceNotAccepted(f"{entry.summary}: read and accept its licence first")
        await run_in_threadpool(studio.download.begin, entry.name)
        return Answer(studio.download.state())

    return download


def _stop_download(studio: Studio) -> Handler:
    async def stop(_: Request) -> Response:
        studio.download.stop()
        return Answer(studio.download.state())

    return stop
