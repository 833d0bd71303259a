"""Pieces of a film that was converted while being watched, joined into one file packet by packet."""

import os
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from stereocast.errors import OutputExists, SinkError
from stereocast.media import owned, spatial
from stereocast.media.sound import Rising
from stereocast.types import StereoFormat

_OPTIONS = {"allowed_extensions": "ALL"}


def join(
    parts: Sequence[tuple[Path, float]], path: Path, form: StereoFormat, made: Callable[[float], None] = lambda at: None
) -> None:
    """Writes the HLS playlists in `parts`, each with the second of the film where it begins, into one mp4 at `path`.

    `made` is called with the seconds written. Raises SinkError, OutputExists.
    """
    if os.path.lexists(path):
        raise OutputExists(f"{path} already exists; nothing was kept")
    part = owned.part_path(path)
    owned.make_room(part)
    try:
        file = owned.create(part)
        try:
            with av.open(owned.Feed(file), "w", format="mp4") as output:
                _copy(parts, output, made)
        finally:
            file.close()
        spatial.tag_file(part, form)
        owned.publish(part, path, overwrite=False)
    except (av.error.FFmpegError, OSError) as error:
        raise SinkError(f"{path} can't be written: {owned.reason(error)}") from error
    finally:
        if os.path.lexists(part):
            owned.discard(part)


def _copy(parts: Sequence[tuple[Path, float]], output: Any, made: Callable[[float], None]) -> None:
    targets: dict[str, Any] = {}
    rising = Rising()
    for number, (playlist, start_s) in enumerate(parts):
        end_s = parts[number + 1][1] if number + 1 < len(parts) else None
        with av.open(str(playlist), options=_OPTIONS) as container:
            streams = [*container.streams.video[:1], *container.streams.audio[:1]]
            video = container.streams.video[0]  # HLS begins late by what its encoder reorders
            late = Fraction(video.start_time or 0) * Fraction(video.time_base or 1)
            begin = Fraction(start_s).limit_denominator(1_000_000) - late
            if not targets:
                targets = {stream.type: output.add_stream_from_template(stream) for stream in streams}
            for packet in container.demux(*streams):
                if not packet.size or packet.pts is None or packet.stream.type not in targets:
                    continue
                base = Fraction(packet.time_base)
                at = float(packet.pts * base + begin)
                # sound laps over the end of a piece; the next one has it, too
                if end_s is not None and packet.stream.type == "audio" and at >= end_s:
                    continue
                by = round(begin / base)
                packet.pts += by
                packet.dts = packet.dts + by if packet.dts is not None else packet.pts
                packet.stream = targets[packet.stream.type]
                output.mux(rising(packet))
                made(at)
