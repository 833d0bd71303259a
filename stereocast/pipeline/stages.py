"""Contracts of the stages. A stage turns an iterator into an iterator.

The input's end means flush; `close()` on the generator means cancel. There are no sentinels and no reset flags:
`clip.first` says that a new shot begins. A stage that keeps frames back says how many in `held`, so that peak memory
is a sum one can print.
"""

from collections.abc import Iterator
from typing import Protocol, runtime_checkable

from stereocast.types import Clip, DepthMap, Frame, PackedClip, StereoClip, StreamInfo

DepthClip = tuple[Clip, DepthMap]


@runtime_checkable
class Source(Protocol):
    """Frames in order of time, once."""

    info: StreamInfo

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
    """Two views to the picture that is encoded. `shape` is (height, width) of what comes out for (height, width)."""

    held: int

    def shape(self, height: int, width: int, /) -> tuple[int, int]: ...

    def __call__(self, clips: Iterator[StereoClip], /) -> Iterator[PackedClip]: ...


@runtime_checkable
class Sink(Protocol):
    """Takes packed clips. `finish` makes the result final; `close` without it keeps what was written as a part."""

    def write(self, clip: PackedClip, /) -> None: ...

    def finish(self) -> None: ...

    def close(self) -> None: ...
