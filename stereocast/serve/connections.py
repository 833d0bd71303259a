"""Drops silent connections: otherwise unfinished requests would occupy all connections for good."""

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEADER_S = 10.0  # a request's head has to be whole by then
HALF_OPEN = 100  # connections that may be without a whole head at once; the oldest makes room


class Patient(H11Protocol):
    """uvicorn's HTTP/1.1 with a time limit for the header of a request."""

    @property
    def _waiting(self) -> dict["Patient", asyncio.TimerHandle]:
        """Those of this server whose request isn't whole yet, the oldest first."""
        found: dict[Patient, asyncio.TimerHandle] = self.server_state.__dict__.setdefault("half_open", {})
        return found

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.transport.is_closing():
            self._stop()
        elif self.conn.their_state is h11.IDLE:  # the head isn't whole yet
            self._wait()
        else:
            self._stop()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop()
        super().connection_lost(exc)

    def _wait(self) -> None:
        if self in self._waiting:
            return  # a byte does not restart the timer
        if len(self._waiting) >= HALF_OPEN:
            oldest = next(iter(self._waiting))
            oldest._give_up()
        self._waiting[self] = self.loop.call_later(HEADER_S, self._give_up)

    def _stop(self) -> None:
        timer = self._waiting.pop(self, None)
        if timer is not None:
            timer.cancel()

    def _give_up(self) -> None:
        self._stop()
        self.connections.discard(self)
        self.transport.abort()
