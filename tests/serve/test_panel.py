"""Every control of the panel in the headset, pressed by a ray."""

import pytest

pytest.importorskip("starlette", reason="needs the serve extra")
pytest.importorskip("uvicorn", reason="needs the serve extra")

from tests.serve.browser import Headset

pytestmark = pytest.mark.browser


def test_transport(headset: Headset) -> None:
    headset.enter()
    headset.pause_at(4)
    headset.click("play")
    headset.until("!stereocast.video.paused")
    headset.click("play")
    headset.until("stereocast.video.paused")
    headset.pause_at(4)
    headset.click("rewind")
    headset.until("stereocast.video.currentTime < 0.5")
    headset.click("forward")
    headset.until("stereocast.video.currentTime > 7.5")
    headset.click("seek", along=0.25)
    headset.until("Math.abs(stereocast.video.currentTime - 2) < 0.2")
    headset.until("stereocast.player.thumbnails.image != null")
    headset.point("seek", along=0.75)
    headset.until("Math.abs(stereocast.headset.panel.peek - 0.75) < 0.02")
    assert headset.js("stereocast.player.thumbnails.piece(6) !== null")
    assert headset.now() == pytest.approx(2, abs=0.2)  # looking isn't seeking
    headset.click("close")
    headset.until("!stereocast.headset.panel.shown")


def test_volume_previous_next_and_leave(headset: Headset) -> None:
    headset.enter()
    headset.click("mute")
    headset.until("stereocast.video.muted")
    headset.click("mute")
    headset.until("!stereocast.video.muted")
    headset.click("volume", along=0.3)
    assert headset.js("stereocast.video.volume") == pytest.approx(0.3, abs=0.03)
    headset.until("stereocast.player.after !== null")
    headset.click("next")
    headset.until("!stereocast.player.film.title.startsWith('colours')")
    headset.until("stereocast.player.before !== null && stereocast.player.before !== undefined")
    headset.click("previous")
    headset.until("stereocast.player.film.title.startsWith('colours')")
    headset.click("leave")
    headset.until("stereocast.headset.session === null")


def test_a_slider_follows_the_ray_while_the_trigger_is_held(headset: Headset) -> None:
    headset.enter()
    headset.sheet("screen")
    headset.point("size", along=0.2)
    headset.trigger(1)
    assert headset.js("stereocast.settings.size") == pytest.approx(20 + 0.2 * 120, abs=3)
    headset.point("size", along=0.7)
    headset.frames()
    assert headset.js("stereocast.settings.size") == pytest.approx(20 + 0.7 * 120, abs=3)
    headset.trigger(0)
    headset.point("size", along=0.1)
    headset.frames()
    assert headset.js("stereocast.settings.size") == pytest.approx(20 + 0.7 * 120, abs=3)


def test_screen(headset: Headset) -> None:
    headset.enter()
    headset.sheet("screen")
    for name, low, high in [
        ("size", 20, 140),
        ("distance", 1, 10),
        ("height", -2, 2),
        ("tilt", -45, 45),
        ("curve", 0, 1),
        ("light", 0, 1),
    ]:
        headset.click(name, along=0.6)
        assert headset.js(f"stereocast.settings.{name}") == pytest.approx(
            low + 0.6 * (high - low), abs=0.03 * (high - low)
        ), name
    headset.click("usual")
    assert headset.js("[stereocast.settings.size, stereocast.settings.tilt]") == [60, 0]
    headset.click("room:black")
    headset.until("stereocast.settings.room === 'black'")
    headset.click("room:dim")
    headset.until("stereocast.settings.room === 'dim'")
    headset.click("lying")
    headset.until("stereocast.settings.lying")
    headset.js("stereocast.headset.base[12] = 9")
    headset.click("here")
    headset.until("Math.abs(stereocast.headset.base[12]) < 0.1")
    headset.click("room:passthrough")
    headset.until("stereocast.headset.mode === 'immersive-ar' && stereocast.headset.session !== null")


def test_picture_by_film(headset: Headset) -> None:
    headset.enter()
    headset.sheet("picture")
    for layout in ("mono", "left-right", "top-bottom", "anaglyph", "left-right full", "top-bottom full"):
        headset.click(f"layout:{layout}")
        headset.until(f"stereocast.player.views.layout === '{layout.split()[0]}'")
        assert headset.js("Boolean(stereocast.player.views.full)") == layout.endswith("full")
    headset.click("layout:auto")
    headset.until("stereocast.player.choice.layout === undefined && stereocast.player.views.layout === 'left-right'")
    for projection in ("180", "360", "fisheye", "flat"):
        headset.click(f"projection:{projection}")
        headset.until(f"stereocast.player.views.projection === '{projection}'")
    headset.click("swap")
    headset.until("stereocast.player.views.swapped")
    headset.click("shift", along=0.7)
    assert headset.js("stereocast.player.look.shift") == pytest.approx(0.02, abs=0.004)
    headset.click("scale", along=0.5)
    assert headset.js("stereocast.player.look.scale") == pytest.approx(0.75, abs=0.05)
    page = headset.page
    page.wait_for_timeout(900)  # what was chosen is on its way to the server
    kept = headset.js(
        "(async () => (await (await fetch(`/api/films/${stereocast.player.film.id}`)).json()).memory.settings)()"
    )
    assert kept["swapped"] is True and kept["projection"] == "flat" and kept["shift"] == pytest.approx(0.02, abs=0.004)
    headset.click("original")
    headset.until(
        "stereocast.player.look.shift === 0 && stereocast.player.look.scale === 1 && !stereocast.player.views.swapped"
    )


def test_subtitles_and_sound(headset: Headset) -> None:
    headset.enter()
    headset.sheet("text")
    headset.click("text:1")
    headset.until("stereocast.player.subtitles.text().startsWith('A line')")
    headset.click("text:0")
    headset.until("stereocast.player.subtitles.text() === 'Eine Zeile'")
    for name, low, high in [("textSize", 0.5, 2), ("textHeight", 0, 0.9), ("textDepth", 0, 0.6)]:
        headset.click(name, along=0.4)
        assert headset.js(f"stereocast.settings.{name}") == pytest.approx(
            low + 0.4 * (high - low), abs=0.04 * (high - low)
        )
    headset.click("text:null")
    headset.until("stereocast.player.subtitles.number === null && stereocast.headset.signs.shown === null")
    headset.sheet("sound")
    headset.click("after:false")
    headset.until("stereocast.settings.autoNext === false")
    headset.click("after:true")
    headset.until("stereocast.settings.autoNext === true")


def test_library(headset: Headset) -> None:
    headset.enter()
    headset.sheet("library")
    headset.until("stereocast.headset.panel.browse.items.length >= 4")
    card = headset.js("stereocast.headset.panel.browse.items.find((one) => one.title.startsWith('near')).id")
    for mode in ("watching", "added", "folders"):
        headset.click(f"list:{mode}")
        headset.until(f"stereocast.headset.panel.browse.mode === '{mode}'")
    headset.until("stereocast.headset.panel.browse.items.some((one) => one.path === 'deep')")
    headset.click("folder:deep")
    headset.until("stereocast.headset.panel.browse.items.some((one) => one.name === 'A title from the tags')")
    headset.click("list:all")
    headset.until("stereocast.headset.panel.browse.items.length >= 4")
    headset.click(f"film:{card}")
    headset.until("stereocast.player.film.title.startsWith('near')")
    assert card in headset.page.url


def test_the_library_can_be_entered_without_a_film(headset: Headset) -> None:
    headset.page.wait_for_selector("#enter-library:not([hidden])")
    headset.js("document.querySelector('#enter-library').click()")
    headset.until("stereocast.headset.drawn > 3 && stereocast.headset.panel.page === 'library'")
    headset.until("stereocast.headset.panel.browse.items.length >= 4")
    card = headset.js("stereocast.headset.panel.browse.items.find((one) => one.title.startsWith('near')).id")
    headset.click(f"film:{card}")
    headset.until("stereocast.player.film?.title.startsWith('near') && stereocast.video.readyState >= 2")


def test_a_library_of_many_pages(headset: Headset) -> None:
    headset.enter()
    headset.sheet("library")
    headset.until("stereocast.headset.panel.browse.items.length >= 4")
    headset.js(
        """() => { const { browse } = stereocast.headset.panel; window.asked = [];
        browse.load = async function () { asked.push(this.page); this.panel.soil(); }; browse.count = 35; stereocast.headset.panel.soil(); }"""
    )
    headset.click("page:+")
    headset.click("page:+")
    headset.click("page:-")
    assert headset.js("asked") == [1, 2, 1]
    headset.js("device.controllers.right.updateAxes('thumbstick', 0, 1)")  # over the panel a stick turns pages
    headset.until("stereocast.headset.panel.browse.page >= 2")
    headset.js("device.controllers.right.updateAxes('thumbstick', 0, 0)")
    assert headset.js("stereocast.settings.size") == 60


# turns the head so that it looks at a widget
_LOOK = """(id) => {
  const { panel } = stereocast.headset, w = panel.widgets.find((one) => one.id === id), m = panel.frame;
  const angle = (((w.x + w.w / 2) / 1600 - 0.5) * 1.3) / 1.25, h = ((0.5 - (w.y + w.h / 2) / 1100) * 1.3 * 1100) / 1600;
  const p = [1.25 * Math.sin(angle), h, -1.25 * Math.cos(angle)];
  const d = [0, 1, 2].map((r) => m[r] * p[0] + m[4 + r] * p[1] + m[8 + r] * p[2]);
  const yaw = Math.atan2(-d[0], -d[2]) / 2, pitch = Math.atan2(d[1], Math.hypot(d[0], d[2])) / 2;
  const [cy, sy, cp, sp] = [Math.cos(yaw), Math.sin(yaw), Math.cos(pitch), Math.sin(pitch)];
  device.quaternion.set(cy * sp, sy * cp, -sy * sp, cy * cp);
}"""


def test_the_gaze_is_enough(headset: Headset) -> None:
    """Without controllers and hands: looking down wakes the panel, looking at a thing presses it."""
    headset.enter()
    headset.js(
        "stereocast.headset.panel.hide(), device.controllers.left.connected = false, device.controllers.right.connected = false"
    )
    headset.js("device.quaternion.set(-0.2756, 0, 0, 0.9613)")  # 32 degrees down
    headset.until("stereocast.headset.pointers.rays[0]?.gaze && stereocast.headset.panel.shown")
    # rest on what lies there: the play button's row is reached by turning the head
    headset.js(_LOOK, "play")
    headset.until("!stereocast.video.paused")
    assert headset.js("stereocast.headset.hands.spots.length") == 1


def test_a_hand_presses_by_pinching(headset: Headset) -> None:
    headset.enter()
    headset.js("device.primaryInputMode = 'hand'")
    headset.until("stereocast.headset.hands.bones.length > 30")
    headset.point("play")
    headset.js("device.hands.right.updatePinchValue(1)")
    headset.frames()
    headset.js("device.hands.right.updatePinchValue(0)")
    headset.until("!stereocast.video.paused")


def test_the_panel_goes_when_it_is_not_used_and_stays_while_pointed_at(headset: Headset) -> None:
    headset.enter()
    headset.point("play")
    headset.js("stereocast.headset.panel.used -= 60000")
    headset.frames()
    assert headset.js("stereocast.headset.panel.shown")
    headset.js("for (const hand of ['left', 'right']) device.controllers[hand].quaternion.set(0.5, 0, 0, 0.866)")
    headset.frames()
    headset.js("stereocast.headset.panel.used -= 60000")
    headset.frames()
    assert not headset.js("stereocast.headset.panel.shown")
