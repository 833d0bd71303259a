"""Describes a file as plain values, and checks whether a headset can decode it."""

from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from stereocast import catalog
from stereocast.errors import SourceError
from stereocast.media import probe, sei, stereoinfo
from stereocast.media.reader import VideoSource
from stereocast.pictures import tone

_FAMILY = {"h264": "h264", "hevc": "hevc", "av1": "av1", "libdav1d": "av1", "vp9": "vp9", "ffv1": "ffv1"}


def describe(name: str, preset: str) -> dict[str, Any]:
    """Streams, picture, tags, chapters and the preset's verdict. Raises SourceError, UnknownName."""
    headset = catalog.preset(preset)
    source = VideoSource(name)
    try:
        info = source.info
        context = source.stream.codec_context
        facts: dict[str, Any] = {
            "file": name,
            "container": source.container.format.long_name,
            "duration_s": float(info.duration) if info.duration is not None else None,
            "streams": [_track(track) for track in probe.tracks(source.container)],
            "picture": {
                "size": f"{info.width}x{info.height}",
                "rotation": info.rotation or None,
                "pixel_aspect": str(info.sample_aspect) if info.sample_aspect != 1 else None,
                "rate": _rate(info.rate),
                "time_base": str(info.time_base),
                "hdr": "PQ" if info.colour.transfer == tone.PQ else "HLG" if info.colour.transfer == tone.HLG else None,
            },
            "chapters": [
                f"{float(c['start'] * Fraction(c['time_base'])):.3f} s {c['metadata'].get('title', '')}".strip()
                for c in source.container.chapters()
            ],
            "tags": dict(source.container.metadata),
            "stereo_mode": source.stream.metadata.get("stereo_mode"),
            **_stereo(name, source),
            "verdict": verdict(headset, context.name, context.width, context.height, info.rate),
        }
    finally:
        source.close()
    return facts


def _stereo(name: str, source: VideoSource) -> dict[str, Any]:
    """Stereo and sphere tags, how players interpret them, and contradictions between them."""
    path, context = Path(name), source.stream.codec_context
    if not path.is_file():
        return {}
    with closing(probe.open_input(name)) as again:
        packed = sei.of_film(again, probe.video_stream(again, name, quiet=True))
    try:
        tags = stereoinfo.read_tags(path)
    except SourceError as error:
        tags = {"damaged": str(error)}
    return {
        "stereo_tags": tags,
        "players": stereoinfo.players(path, tags, context.name, context.width, context.height, packed),
        "contradictions": stereoinfo.contradictions(path, tags, context.width, context.height),
    }


def verdict(headset: catalog.Preset, codec: str, width: int, height: int, rate: Fraction | None) -> str:
    """Whether the headset can decode the stream, and if not, why."""
    family = _FAMILY.get(codec)
    limit = headset.limits.get(family) if family else None  # type: ignore[call-overload]
    if limit is None:
        return f"{headset.title}: has no decoder for {codec}"
    if width > limit.max_width or height > limit.max_height or (rate or 0) > limit.max_rate * 1.01:
        return f"{headset.title}: too large for its {family} decoder ({limit.max_width}x{limit.max_height} at {limit.max_rate:g} fps)"
    return f"{headset.title}: plays it"


def _rate(rate: Fraction | None) -> str | None:
    return f"{float(rate):.3f} fps" if rate else None


def _track(track: probe.Track) -> dict[str, Any]:
    return {
        "index": track.index,
        "kind": track.kind,
        "codec": track.codec,
        "language": track.language if track.language != "und" else "",
        "title": track.title,
        "default": track.default,
        **{key: value for key, value in track.details.items() if value is not None},
    }


def ffmpeg_version() -> str:
    """Version of the bundled FFmpeg."""
    return str(av.ffmpeg_version_info)
