"""The few EXIF fields that matter for a picture turned upright: its orientation, and the program that wrote it.

EXIF is a TIFF block (CIPA DC-008): a header, and a list of 12-byte entries called IFD0.
"""

import struct

SOFTWARE = b"stereocast\0"
_ORIENTATION, _PROCESSING = 0x0112, 0x000B  # ProcessingSoftware: who worked on it; Software (the camera's) stays
_SHORT, _ASCII = 3, 2


def _directory(block: bytes) -> tuple[str, list[bytes], int]:
    """Byte order, the 12-byte entries of IFD0, and the offset of the next directory. Raises ValueError."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(block[:4])
    if order is None:
        raise ValueError("no TIFF header")
    try:
        (start,) = struct.unpack_from(order + "I", block, 4)
        (count,) = struct.unpack_from(order + "H", block, start)
        (following,) = struct.unpack_from(order + "I", block, start + 2 + 12 * count)
    except struct.error:
        raise ValueError("a directory that is cut off") from None
    return order, [block[start + 2 + 12 * n : start + 14 + 12 * n] for n in range(count)], following


def orientation(block: bytes) -> int:
    """1 to 8; 1 where the block says nothing."""
    try:
        order, entries, _ = _directory(_bare(block))
    except ValueError:
        return 1
    for entry in entries:
        tag, _, _, value = struct.unpack(order + "HHIH", entry[:10])
        if tag == _ORIENTATION:
            return value if 1 <= value <= 8 else 1
    return 1


def made_by_us(block: bytes) -> bool:
    """Whether the block names us as the processing software."""
    block = _bare(block)
    try:
        order, entries, _ = _directory(block)
    except ValueError:
        return False
    for entry in entries:
        tag, _, count, at = struct.unpack(order + "HHII", entry)
        if tag == _PROCESSING:
            return block[at : at + count] == SOFTWARE
    return False


def upright(block: bytes) -> bytes:
    """The block of a picture whose pixels were turned: orientation 1, and our name; a new one for b"" or a broken one."""
    block = _bare(block)
    try:
        order, entries, following = _directory(block)
    except ValueError:
        block, order, entries, following = b"II*\0\0\0\0\0", "<", [], 0
    block += b"\0" * (len(block) % 2)
    name_at = len(block)
    block += SOFTWARE + b"\0" * (len(SOFTWARE) % 2)
    kept = [e for e in entries if struct.unpack(order + "H", e[:2])[0] not in (_ORIENTATION, _PROCESSING)]
    kept.append(struct.pack(order + "HHIHH", _ORIENTATION, _SHORT, 1, 1, 0))
    kept.append(struct.pack(order + "HHII", _PROCESSING, _ASCII, len(SOFTWARE), name_at))
    kept.sort(key=lambda entry: struct.unpack(order + "H", entry[:2])[0])
    directory = struct.pack(order + "H", len(kept)) + b"".join(kept) + struct.pack(order + "I", following)
    return block[:4] + struct.pack(order + "I", len(block)) + block[8:] + directory


def _bare(block: bytes) -> bytes:
    return block.removeprefix(b"Exif\0\0")
