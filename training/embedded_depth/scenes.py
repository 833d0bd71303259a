"""The mix of layouts: families follow what films and photographs show. A layout fills a Builder and says where the camera may be."""

from __future__ import annotations

from indoors import corridor, desk, heap, room, stack, tabletop
from outdoors import field_scene, street
from people import close, group, loose, portrait

MIX = {
    room: 0.13,
    corridor: 0.02,
    tabletop: 0.19,
    stack: 0.10,
    desk: 0.12,
    heap: 0.04,
    street: 0.17,
    field_scene: 0.07,
    portrait: 0.06,
    group: 0.05,
    close: 0.03,
    loose: 0.02,
}
