"""Closes silent connections: otherwise half-sent requests would occupy all connections for good."""

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEADER_S = 10.0  # time limit for a complete request head
HALF_OPEN = 100  # most connections without a complete head; beyond that the oldest is closed


class Patient(H11Protocol):
    """uvicorn's HTTP/1.1 protocol with a time limit for request heads."""

    @property
    def _waiting(self) -> dict["Patient", asyncio.TimerHandle]:
        """This server's connections with an incomplete request, oldest first."""
        found: dict[Patient, asyncio.TimerHandle] = self.server_state.__dict__.setdefault("half_open", {})
        return found

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.transport.is_closing():
            self._stop()
        elif self.conn.their_state is h11.IDLE:  # the head is incomplete
            self._wait()
        else:
            self._stop()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop()
        super().connection_lost(exc)

    def _wait(self) -> None:
        if self in self._waiting:
            return  # further bytes don't restart the timer
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
