"""The mix of layouts: families follow what films and photographs show. A layout fills a Builder and says where the camera may be."""

from __future__ import annotations

from boards import boards, drapery, recess
from clutter import clutter, crowd, framed, shelves, upwards
from indoors import corridor, desk, heap, room, stack, tabletop
from outdoors import field_scene, street
from people import close, group, loose, portrait

MIX = {
    room: 0.07,
    corridor: 0.02,
    tabletop: 0.12,
    stack: 0.08,
    desk: 0.11,
    heap: 0.05,
    boards: 0.08,
    recess: 0.06,
    shelves: 0.03,
    drapery: 0.04,
    clutter: 0.09,
    street: 0.12,
    field_scene: 0.05,
    portrait: 0.04,
    group: 0.03,
    crowd: 0.02,
    framed: 0.02,
    upwards: 0.01,
    close: 0.03,
    loose: 0.02,
}
