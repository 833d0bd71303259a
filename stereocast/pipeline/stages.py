"""Contracts of the stages. A stage turns an iterator into an iterator.

The input's end means flush; `close()` on the generator means cancel. There are no sentinels and no reset flags:
`clip.first` says that a new shot begins. A stage that keeps frames back says how many in `held`, so that peak memory
is a sum that can be printed.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from stereocast.settings import Settings
from stereocast.types import Clip, DepthMap, Frame, PackedClip, StereoClip, StreamInfo

DepthClip = tuple[Clip, DepthMap]


@dataclass(frozen=True, slots=True)
class Cost:
    """What a stage keeps in memory: frames of the film that wait in it, and its own bytes (networks, workspaces)."""

    frames: float = 0
    own: int = 0

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.frames + other.frames, self.own + other.own)


def cost_of(maker: Any, settings: Settings, info: StreamInfo) -> Cost:
    """The bill of the stage that `maker` would make: its own `cost(settings, info)`, or the `held` of its class."""
    cost: Callable[[Settings, StreamInfo], Cost] | None = getattr(maker, "cost", None)
    if cost is not None:
        return cost(settings, info)
    held = getattr(maker, "held", 0)
    return Cost(held if isinstance(held, int) else 0)


@runtime_checkable
class Source(Protocol):
    """Frames in order of time, once. `damaged` counts what couldn't be decoded."""

    info: StreamInfo
    damaged: int

    def __iter__(self) -> Iterator[Frame]: ...

    def close(self) -> None: ...


@runtime_checkable
class DepthEstimator(Protocol):
    """Clips to clips with depth; every frame comes out once and in order (overlap 0)."""

    held: int

    def __call__(self, clips: Iterator[Clip], /) -> Iterator[DepthClip]: ...


@runtime_checkable
class StereoSynthesizer(Protocol):
    """Clips with depth to two views."""

    held: int

    def __call__(self, clips: Iterator[DepthClip], /) -> Iterator[StereoClip]: ...


@runtime_checkable
class Packer(Protocol):
    """Two views to the picture that is encoded. `shape` is (height, width) of what comes out for (height, width),
    `own_bytes` the memory it keeps for views of that size."""

    held: int

    def shape(self, height: int, width: int, /) -> tuple[int, int]: ...

    def own_bytes(self, height: int, width: int, /) -> int: ...

    def __call__(self, clips: Iterator[StereoClip], /) -> Iterator[PackedClip]: ...


@runtime_checkable
class Sink(Protocol):
    """Takes packed clips and counts their frames. `finish` makes the result final; `close` without it keeps what was
    written as a part, and may be called twice."""

    @property
    def frames(self) -> int: ...

    def write(self, clip: PackedClip, /) -> None: ...

    def finish(self) -> None: ...

    def close(self) -> None: ...
