"""Access control: the border, which checks every request, and the gate, which requires a token, a cookie or the PIN.

Three checks keep foreign pages out. `Host` must name this machine, so that an attacker's host name pointing here fails.
Requests that change something must come from our own page (`Origin`). Every request must carry a secret.
"""

import hmac
import html
import ipaddress
import logging
import socket
import time
from asyncio import timeout
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, RedirectResponse, Response

from stereocast.serve.messages import Answer, parsed

log = logging.getLogger(__name__)

App = Callable[[Any, Any, Any], Awaitable[None]]
COOKIE = "stereocast_token"
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; media-src 'self' blob:; img-src 'self' data: blob:; style-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # no-referrer would set a form's Origin to "null"
}
_PLAYER = Path(__file__).resolve().parent / "player"
_YEAR_S = 365 * 86400
_FREE_TRIES, _LONGEST_S = 3, 300
_ALL_TRIES, _ALL_WINDOW_S = 30, 3600  # limit for wrong PINs from all addresses: trying a million would take years
_BODY, _BODY_S = 4096, 10


class Border:
    """Rejects requests for other host names, and changes requested from other origins."""

    def __init__(self, app: App, names: tuple[str, ...] = ()) -> None:
        own = socket.gethostname().lower()
        self._app = app
        self._names = {"localhost", own, own.split(".")[0], f"{own.split('.')[0]}.local", *map(str.lower, names)}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and (refusal := self._refusal(scope)) is not None:
            await refusal(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _refusal(self, scope: Any) -> Response | None:
        headers = Headers(scope=scope)
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self.is_ours(host_of(hosts[0])):
            return Answer({"error": "this server doesn't have that host name; see --name"}, 421)
        if scope["method"] in ("GET", "HEAD", "OPTIONS"):
            return None
        origin, site = headers.get("origin"), headers.get("sec-fetch-site")
        own = f"{scope['scheme']}://{hosts[0]}".lower()
        if (origin is not None and origin.lower() != own) or site not in (None, "same-origin", "none"):
            return Answer({"error": "requests from other pages aren't allowed"}, 403)
        return None

    def is_ours(self, host: str) -> bool:
        """Whether a host is one of ours. IP addresses are always allowed: DNS rebinding needs a name."""
        return host in self._names or host.endswith(".localhost") or _address(host) is not None


def host_of(header: str) -> str:
    """The host in a Host header, without port, in lower case; '' where it is malformed."""
    text = header.strip().lower()
    if text.startswith("["):
        return text[1:].partition("]")[0]
    host, _, port = text.partition(":")
    return host.rstrip(".") if not port or port.isdigit() else ""


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


@dataclass(slots=True)
class _Tries:
    wrong: int = 0
    until: float = 0.0


class Slowdown:
    """Slows down guessing: after three wrong tries, each further one doubles the wait for its address. The total number of
    wrong tries per hour is limited too."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._tries: OrderedDict[str, _Tries] = OrderedDict()
        self._all: list[float] = []

    def wait_s(self, who: str) -> float:
        """Seconds that an address must wait before its next try."""
        now = self._clock()
        self._all = [at for at in self._all if at > now - _ALL_WINDOW_S]
        for_all = self._all[-_ALL_TRIES] + _ALL_WINDOW_S - now if len(self._all) >= _ALL_TRIES else 0.0
        tries = self._tries.get(_network(who))
        return max(for_all, tries.until - now if tries else 0.0, 0.0)

    def wrong(self, who: str) -> None:
        """Records a wrong try."""
        now, key = self._clock(), _network(who)
        tries = self._tries.setdefault(key, _Tries())
        self._tries.move_to_end(key)
        tries.wrong += 1
        if tries.wrong >= _FREE_TRIES:
            tries.until = now + min(_LONGEST_S, 2 ** (tries.wrong - _FREE_TRIES))
        self._all.append(now)
        while len(self._tries) > 1000:
            self._tries.popitem(last=False)

    def right(self, who: str) -> None:
        """Forgets the wrong tries of an address."""
        self._tries.pop(_network(who), None)


def _network(who: str) -> str:
    """An IPv4 address, or the /64 network of an IPv6 address, since a host can choose any address in it."""
    address = _address(who.partition("%")[0])
    if address is None or address.version == 4:
        return who
    return str(ipaddress.ip_network((int(address) >> 64 << 64, 64)))


class Gate:
    """Admits requests with the token, the PIN's cookie, or from this machine; all others get 401."""

    def __init__(self, app: App, token: str, pin: str = "", *, slowdown: Slowdown | None = None) -> None:
        self._app, self._token, self._pin = app, token, pin
        self._slowdown = slowdown or Slowdown()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        given = request.query_params.get("token", "")
        path = request.url.path
        page = request.method == "GET" and (path in ("/", "/studio") or path.startswith("/watch/"))
        if request.url.path == "/login" and request.method == "POST":
            await (await self._login(request))(scope, receive, send)
        elif request.url.path == "/player/login.css" and request.method == "GET":
            await FileResponse(_PLAYER / "login.css", media_type="text/css", headers=HEADERS)(scope, receive, send)
        elif given and same(given, self._token):
            # pages are redirected to move the token from the URL to a cookie; players without cookies are served directly
            let_in = self._with_cookie(RedirectResponse(request.url.path, 303), request) if page else self._app
            await let_in(scope, receive, send)
        elif same(request.cookies.get(COOKIE, ""), self._token):
            await self._app(scope, receive, send)
        elif page and _from_this_machine(request):
            await self._app(scope, receive, self._adding_cookie(send, request))
        else:
            await self._refused(request, 401)(scope, receive, send)

    def _cookie(self, request: Request) -> str:
        made = Response()
        made.set_cookie(
            COOKIE, self._token, max_age=_YEAR_S, httponly=True, samesite="lax", secure=request.url.scheme == "https"
        )
        return made.headers["set-cookie"]

    def _with_cookie(self, response: Response, request: Request) -> Response:
        response.headers["set-cookie"] = self._cookie(request)
        return response

    def _adding_cookie(self, send: Any, request: Request) -> Any:
        async def added(message: Any) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).append("set-cookie", self._cookie(request))
            await send(message)

        return added

    def _refused(self, request: Request, status: int, wait_s: float = 0, goal: str = "/") -> Response:
        headers = {**HEADERS, "Cache-Control": "no-store", **({"Retry-After": str(int(wait_s) + 1)} if wait_s else {})}
        if "text/html" in request.headers.get("accept", ""):
            page = (_PLAYER / "login.html").read_text("utf-8")
            said = "" if request.method == "GET" else "Wrong PIN. Try again."
            said = f"Too many wrong tries. Wait {int(wait_s) + 1} seconds." if wait_s else said
            goal = request.url.path if request.method == "GET" else goal
            page = page.replace("{said}", said).replace("{next}", html.escape(goal, quote=True))
            return Response(page, status, headers, "text/html")
        error = "too many wrong tries" if wait_s else "open the address with the token that stereocast serve printed"
        return Answer({"error": error}, status, headers)

    async def _login(self, request: Request) -> Response:
        who = request.client.host if request.client else ""
        if (wait_s := self._slowdown.wait_s(who)) > 0:
            return self._refused(request, 429, wait_s)
        try:
            said = await _fields(request)
        except (ValueError, TimeoutError, ClientDisconnect):
            return Answer({"error": "send pin or token, as a form or JSON"}, 400)
        pin = "".join(c for c in said.get("pin", "") if c.isdigit())
        if not ((self._pin and same(pin, self._pin)) or same(said.get("token", ""), self._token)):
            self._slowdown.wrong(who)
            wait_s = self._slowdown.wait_s(who)
            return self._refused(request, 429 if wait_s else 401, wait_s, said.get("next", "/"))
        self._slowdown.right(who)
        if "json" in request.headers.get("content-type", ""):
            return self._with_cookie(Response(status_code=204), request)
        goal = said.get("next", "/")
        safe = goal.startswith("/") and not goal.startswith(("//", "/\\")) and goal.isprintable()
        return self._with_cookie(RedirectResponse(goal if safe else "/", 303), request)


def same(given: str, known: str) -> bool:
    """Whether two secrets are equal, compared in constant time; an empty secret never matches."""
    return bool(known) and hmac.compare_digest(given.encode("utf-8", "replace"), known.encode())


def _from_this_machine(request: Request) -> bool:
    """Whether a person on this machine (or over adb's cable) opens a page, rather than a proxy or another page."""
    client = _address((request.client.host if request.client else "").partition("%")[0])
    host = host_of(request.headers.get("host", ""))
    named = _address(host)
    local = host == "localhost" or (named is not None and named.is_loopback)
    opened = request.headers.get("sec-fetch-mode", "navigate") == "navigate"
    forwarded = "x-forwarded-for" in request.headers or "forwarded" in request.headers
    return client is not None and client.is_loopback and local and opened and not forwarded


async def body_of(request: Request, limit: int) -> bytes:
    """A request's body. Raises ValueError where it is longer than `limit`, TimeoutError where it doesn't arrive."""
    data = b""
    async with timeout(_BODY_S):
        async for piece in request.stream():
            data += piece
            if len(data) > limit:
                raise ValueError("the request body is too long")
    return data


async def _fields(request: Request) -> dict[str, str]:
    data = await body_of(request, _BODY)
    if "json" in request.headers.get("content-type", ""):
        said = parsed(data)
        if not isinstance(said, dict):
            raise ValueError("not a JSON object")
        return {str(key): str(value) for key, value in said.items()}
    return {key: values[-1] for key, values in parse_qs(data.decode("utf-8", "replace")).items()}
