"""The mix of layouts: families follow what films and photographs show. A layout fills a Builder and says where the camera may be."""

from __future__ import annotations

from clutter import boards, clutter, crowd, drapery, framed, shelves, upwards
from indoors import corridor, desk, heap, room, stack, tabletop
from outdoors import field_scene, street
from people import close, group, loose, portrait

MIX = {
    room: 0.06,
    corridor: 0.02,
    tabletop: 0.10,
    stack: 0.07,
    desk: 0.09,
    heap: 0.05,
    boards: 0.11,
    shelves: 0.05,
    drapery: 0.05,
    clutter: 0.10,
    street: 0.12,
    field_scene: 0.05,
    portrait: 0.04,
    group: 0.03,
    crowd: 0.03,
    framed: 0.04,
    upwards: 0.02,
    close: 0.03,
    loose: 0.03,
}
