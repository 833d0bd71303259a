"""Contracts of the stages. A stage turns an iterator into an iterator.

The end of the input means flush; `close()` on the generator means cancel. There are no sentinels and no reset flags:
`clip.first` marks the start of a shot. A stage that holds frames back gives their number in `held`, so peak memory is
a sum that can be printed.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from stereocast.settings import Settings
from stereocast.types import Array, Clip, DepthMap, Frame, PackedClip, StereoClip, StreamInfo

DepthClip = tuple[Clip, DepthMap]


@dataclass(frozen=True, slots=True)
class Cost:
    """What a stage keeps in memory: frames of the film, and bytes of networks and workspaces (`own`)."""

    frames: float = 0
    own: int = 0

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.frames + other.frames, self.own + other.own)


def cost_of(maker: Any, settings: Settings, info: StreamInfo) -> Cost:
    """The cost of the stage that `maker` would make: `maker.cost(settings, info)`, or else its class's `held`."""
    cost: Callable[[Settings, StreamInfo], Cost] | None = getattr(maker, "cost", None)
    if cost is not None:
        return cost(settings, info)
    held = getattr(maker, "held", 0)
    return Cost(held if isinstance(held, int) else 0)


@runtime_checkable
class Source(Protocol):
    """Frames in order of time, to be read once.

    `damaged` counts frames that couldn't be decoded. `missing_s`, set after reading, is how much shorter the source is than
    its container says, in seconds.
    """

    info: StreamInfo
    damaged: int
    missing_s: float

    def __iter__(self) -> Iterator[Frame]: ...

    def close(self) -> None: ...


@runtime_checkable
class DepthEstimator(Protocol):
    """Turns clips into clips with depth. Every frame comes out once and in order (overlap 0)."""

    held: int

    def __call__(self, clips: Iterator[Clip], /) -> Iterator[DepthClip]: ...


@runtime_checkable
class StereoSynthesizer(Protocol):
    """Turns clips with depth into two views."""

    held: int

    def __call__(self, clips: Iterator[DepthClip], /) -> Iterator[StereoClip]: ...


@runtime_checkable
class Packer(Protocol):
    """Packs two views into the picture that is encoded.

    For views of (height, width), `shape` is the (height, width) of the packed picture and `own_bytes` the memory that
    the packer keeps.
    """

    held: int

    def shape(self, height: int, width: int, /) -> tuple[int, int]: ...

    def own_bytes(self, height: int, width: int, /) -> int: ...

    def __call__(self, clips: Iterator[StereoClip], /) -> Iterator[PackedClip]: ...


@runtime_checkable
class Sink(Protocol):
    """Writes packed clips and counts their frames.

    `finish` makes the result final. `close` without `finish` leaves an unfinished part; it may be called twice.
    """

    @property
    def frames(self) -> int: ...

    def write(self, clip: PackedClip, /) -> None: ...

    def finish(self) -> None: ...

    def close(self) -> None: ...


class WindowKeeper(Protocol):
    """Saves finished windows, so that a resumed run needn't sample them again. A place is (shot, window)."""

    def load(self, place: tuple[int, int], pts: Array) -> dict[str, Array] | None:
        """What was saved for this window of these frames, or None."""
        ...

    def save(self, place: tuple[int, int], pts: Array, arrays: dict[str, Array]) -> None:
        """Saves a finished window."""
        ...
