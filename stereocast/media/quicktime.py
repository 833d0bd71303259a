"""QuickTime metadata in an mp4 or mov file: keys of any name in `moov/meta` (Apple, QuickTime File Format, 'mdta').

FFmpeg's muxer writes either these or iTunes' tags; files of phones have both.
"""

from pathlib import Path

from stereocast.media import boxes, spatial
from stereocast.media.boxes import Box, BoxError

_ITUNES = {  # what the mp4 muxer has a place for
    "title", "artist", "album_artist", "composer", "album", "date", "comment", "genre", "copyright", "grouping", "lyrics",
    "description", "synopsis", "show", "episode_id", "network", "keywords", "season_number", "episode_sort", "media_type",
    "hd_video", "gapless_playback", "compilation", "track", "disc", "sort_name", "sort_artist", "sort_album", "sort_album_artist",
    "sort_composer", "sort_show", "rating",
}  # fmt: skip
_ELSEWHERE = {
    "major_brand", "minor_version", "compatible_brands", "encoder", "creation_time", "stereo_mode", "alpha_mode", "vendor_id",
    "duration", "handler_name", "depth_scale", "location",
}  # fmt: skip
_APPLE = {
    "make": "com.apple.quicktime.make",
    "model": "com.apple.quicktime.model",
    "date_recorded": "com.apple.quicktime.creationdate",
}
_PICTURES = {"mjpeg": 13, "png": 14, "bmp": 27}
_TEXT = (1).to_bytes(4, "big") + bytes(4)  # type UTF-8, no locale


def keys(metadata: dict[str, str]) -> dict[str, str]:
    """The entries that the mp4 muxer would lose, by the names under which QuickTime knows them."""
    found = {}
    for name, value in metadata.items():
        lower = name.lower()
        if lower in _ITUNES or lower in _ELSEWHERE or lower.split("-")[0] in _ITUNES or not value:
            continue
        if lower.startswith("location-"):  # the same place again, in a language
            continue
        found[_APPLE.get(lower, name)] = value
    return found


def meta(entries: dict[str, str]) -> Box:
    """The `meta` box that holds them."""
    handler = Box(b"hdlr", bytes(8) + b"mdta" + bytes(13))
    names = [Box(b"mdta", name.encode()) for name in entries]
    table = Box(b"keys", bytes(4) + len(names).to_bytes(4, "big") + b"".join(map(bytes, names)))
    values = [
        Box((number + 1).to_bytes(4, "big"), bytes(Box(b"data", _TEXT + value.encode())))
        for number, value in enumerate(entries.values())
    ]
    return Box(b"meta", b"".join(map(bytes, (handler, table, Box(b"ilst", b"".join(map(bytes, values)))))))


def add(path: Path, entries: dict[str, str], cover: tuple[bytes, str] | None = None) -> None:
    """Writes entries (of `keys`) and a cover picture (data, and mjpeg or png) into a finished file. Raises BoxError
    (nothing was changed) for any other file."""
    if not entries and cover is None:
        return
    with path.open("rb") as file:
        places = boxes.top_level(file, str(path))
        place = next((p for p in places if p.kind == b"moov"), None)
        if place is None:
            raise BoxError(f"{path} has no 'moov' box: it is not an mp4, or it was never finished")
        moov = boxes.read(file, place, str(path))
    if entries:
        moov.children = [box for box in moov.children if box.kind != b"meta"] + [meta(entries)]
    if cover is not None:
        _put_cover(moov, *cover)
    spatial.replace_index(path, places, place, moov)


def _put_cover(moov: Box, data: bytes, codec: str) -> None:
    """Adds the picture to iTunes' list (moov/udta/meta/ilst), which the muxer has written."""
    value = Box(b"data", _PICTURES.get(codec, 13).to_bytes(4, "big") + bytes(4) + data)
    udta = moov.find(b"udta")
    if udta is None:
        udta = Box(b"udta")
        moov.children.append(udta)
    inside = boxes.parse(udta.head)
    found = next((box for box in inside if box.kind == b"meta"), None)
    if found is None:
        handler = Box(b"hdlr", bytes(8) + b"mdirappl" + bytes(9))
        found = Box(b"meta", bytes(4) + bytes(handler))
        inside.append(found)
    parts = boxes.parse(found.head[4:])
    listed = next((box for box in parts if box.kind == b"ilst"), None)
    if listed is None:
        listed = Box(b"ilst")
        parts.append(listed)
    listed.head += bytes(Box(b"covr", bytes(value)))
    found.head = found.head[:4] + b"".join(map(bytes, parts))
    udta.head = b"".join(map(bytes, inside))
