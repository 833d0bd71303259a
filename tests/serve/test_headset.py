"""The film in an emulated Quest 3: both eyes, hands, sticks, words, comfort."""

import numpy as np
import pytest

pytest.importorskip("starlette", reason="needs the serve extra")
pytest.importorskip("uvicorn", reason="needs the serve extra")

from tests.serve.browser import Headset, Page

pytestmark = pytest.mark.browser


def share(seen: np.ndarray, colour: str) -> float:
    """The part of the pixels that are red, blue or white."""
    red, blue = seen[..., 0].astype(int), seen[..., 2].astype(int)
    masks = {"red": (red > 130) & (blue < 90), "blue": (blue > 130) & (red < 90), "white": seen.min(-1) > 190}
    return float(masks[colour].mean())


def test_each_eye_sees_its_view(headset: Headset) -> None:
    headset.enter()
    headset.js("stereocast.headset.panel.hide()")
    left, right = headset.eyes("eyes")
    assert share(left, "red") > 0.03 and share(left, "blue") == 0
    assert share(right, "blue") > 0.03 and share(right, "red") == 0
    headset.js("stereocast.player.swap()")
    left, right = headset.eyes("swapped")
    assert share(left, "blue") > 0.03 and share(right, "red") > 0.03


def test_size_bounds_height_and_a_curved_screen_is_as_wide_as_set(page: Page) -> None:
    measures = page.js(
        """async () => {
            const { screenOf } = await import('/player/shapes.js');
            const seen = (s) => { const half = s.width / 2; if (!s.angle) return 2 * Math.atan(half / s.distance);
                const a = s.angle / 2; return 2 * Math.atan2(s.radius * Math.sin(a), s.distance - s.radius * (1 - Math.cos(a))); };
            const out = [];
            for (const ratio of [16 / 9, 2.39, 4 / 3, 9 / 16]) for (const curve of [0, 0.3, 1]) for (const size of [30, 60, 110]) {
                const s = screenOf(ratio, size, 3, curve);
                out.push([ratio, curve, size, seen(s) * 180 / Math.PI, s.height, 2 * 3 * Math.tan(size * Math.PI / 360), s.width / s.height]);
            }
            return out;
        }"""
    )
    for ratio, curve, size, seen, height, widest, shown in measures:
        assert shown == pytest.approx(ratio, rel=1e-6)
        if ratio >= 4 / 3:
            assert seen == pytest.approx(size, abs=0.1), (ratio, curve, size)
        else:
            assert height <= 0.75 * widest * 1.35, (ratio, curve, size)
            assert seen < size


def test_an_upright_film_fits_into_the_view(headset: Headset) -> None:
    headset.enter("upright")
    screen = headset.js("stereocast.headset.screen()")
    assert screen["height"] < 2.7 and screen["width"] < screen["height"]


def test_triggers_buttons_and_no_grip(headset: Headset) -> None:
    headset.enter()
    headset.js("device.controllers.right.quaternion.set(0.5, 0, 0, 0.866), stereocast.headset.panel.hide()")
    headset.trigger(1)
    headset.trigger(0)
    assert headset.js("stereocast.headset.panel.shown")
    headset.trigger(1)
    headset.trigger(0)
    assert not headset.js("stereocast.headset.panel.shown")
    assert headset.js("stereocast.video.paused")
    headset.js("device.controllers.right.updateButtonValue('a-button', 1)")
    headset.until("!stereocast.video.paused")
    headset.js("device.controllers.right.updateButtonValue('a-button', 0)")
    for hand in ("left", "right"):
        headset.js(f"device.controllers.{hand}.updateButtonValue('squeeze', 1)")
        headset.frames()
        headset.js(f"device.controllers.{hand}.updateButtonValue('squeeze', 0)")
        headset.frames()
    assert not headset.js("stereocast.player.views.swapped")


def test_a_held_stick_repeats(headset: Headset) -> None:
    headset.enter()
    before = headset.js("stereocast.settings.size")
    headset.js("device.controllers.right.updateAxes('thumbstick', 0, -1)")
    headset.until(f"stereocast.settings.size >= {before} + 9")
    headset.js("device.controllers.right.updateAxes('thumbstick', 0, 0)")
    headset.frames(3)
    after = headset.js("stereocast.settings.size")
    headset.frames(4)
    assert headset.js("stereocast.settings.size") == after
    headset.js("stereocast.settings.distance = 5, device.controllers.left.updateAxes('thumbstick', 0, -1)")
    headset.until("stereocast.settings.distance > 5.3")
    headset.js("device.controllers.left.updateAxes('thumbstick', 0, 0)")
    headset.pause_at(0)
    headset.js("device.controllers.right.updateAxes('thumbstick', 1, 0)")
    headset.until("stereocast.video.currentTime > 7.5")
    headset.js("device.controllers.right.updateAxes('thumbstick', 0, 0)")


def changed(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    return np.abs(before.astype(int) - after).max(-1) > 40


def test_subtitles_stand_before_the_picture_for_both_eyes(headset: Headset) -> None:
    headset.enter("near")
    headset.js("stereocast.headset.panel.hide(), stereocast.player.set('textSize', 2)")
    before = headset.eyes("near-bare")
    headset.js("stereocast.player.choose({ text: 0 })")
    headset.until("stereocast.headset.signs.shown !== null && stereocast.headset.signs.near !== null")
    headset.frames(3)
    near = headset.js("stereocast.headset.signs.near")
    assert near == pytest.approx(16 / 320, abs=0.006)  # measured in the film's own views
    screen, shown = headset.js("[stereocast.headset.screen(), stereocast.headset.signs.shown]")
    picture = screen["distance"] * 0.063 / (0.063 + near * screen["width"])
    assert shown["distance"] < picture < screen["distance"]
    assert shown["text"] == "Before it"
    places = []
    for old, new in zip(before, headset.eyes("near"), strict=True):
        words = np.nonzero(changed(old, new))[1]
        assert len(words) > 50
        places.append(words.mean())
    # seen nearer than the screen's nearest piece: 90 degrees are 320 pixels
    assert places[0] - places[1] > 160 * 0.063 / picture * 0.95
    headset.js("stereocast.player.choose({ shift: 0.05 })")  # the picture goes back behind the screen
    headset.until("stereocast.headset.signs.limit > 2.5")
    headset.js("stereocast.player.set('textDepth', 0.5)")
    headset.until("stereocast.headset.signs.shown.distance < 1.6")


def test_what_the_viewer_has_to_know_is_drawn_for_both_eyes(headset: Headset) -> None:
    headset.enter()
    headset.js("stereocast.headset.panel.hide(), stereocast.player.set('room', 'black')")
    before = headset.eyes("quiet")
    headset.js("stereocast.player.note(\"this browser can't play hevc\", 'error')")
    after = headset.eyes("message")
    for old, new in zip(before, after, strict=True):
        assert changed(old, new).mean() > 0.004
    assert headset.js("stereocast.headset.signs.told") == "this browser can't play hevc"
    headset.js("stereocast.player.note('', 'error'), stereocast.video.dispatchEvent(new Event('waiting'))")
    headset.until("stereocast.headset.signs.told === 'Loading…'")
    headset.js("stereocast.video.dispatchEvent(new Event('canplay'))")
    headset.until("stereocast.headset.signs.told === ''")
    headset.js(
        "Object.defineProperty(stereocast.player.film, 'codec', { value: 'hevc' }), stereocast.video.src = '/film/none'"
    )
    headset.until("stereocast.headset.signs.told?.includes('hevc')")


def test_pointers_and_hands_are_drawn(headset: Headset) -> None:
    headset.enter()
    headset.js("stereocast.player.set('room', 'black')")
    headset.point("play")
    assert headset.js("stereocast.headset.hands.lines.length") == 2
    assert headset.js("stereocast.headset.hands.bodies.length") == 2
    assert headset.js("stereocast.headset.hands.spots.length") >= 1
    headset.js("stereocast.headset.panel.hide()")
    empty = headset.eyes("no-hands")
    headset.js("device.primaryInputMode = 'hand'")
    headset.until("stereocast.headset.hands.bones.length > 30")
    headset.js("device.hands.right.position.set(0.1, 1.55, -0.5), device.hands.left.position.set(-0.1, 1.55, -0.5)")
    for old, new in zip(empty, headset.eyes("hands"), strict=True):
        assert changed(old, new).mean() > 0.002


def test_it_pauses_when_the_headset_is_taken_off(headset: Headset) -> None:
    headset.enter()
    headset.js("stereocast.player.play()")
    headset.until("!stereocast.video.paused")
    headset.js("device.updateVisibilityState('hidden')")
    headset.until("stereocast.video.paused")
    headset.js("stereocast.headset.panel.hide(), device.updateVisibilityState('visible')")
    headset.until("stereocast.headset.panel.shown")
    assert headset.js("stereocast.video.paused")
    headset.js("stereocast.player.play()")
    headset.until("!stereocast.video.paused")
    headset.js("stereocast.headset.away()")  # what the watch calls when no frame has come for seconds
    assert headset.js("stereocast.video.paused")


def test_lying_down_and_recentring(headset: Headset) -> None:
    headset.enter()
    headset.js("device.quaternion.set(0, 0.3827, 0, 0.9239)")  # 45 degrees to the left
    headset.frames()
    headset.click("recenter")
    assert headset.js("stereocast.headset.base[8]") == pytest.approx(0.707, abs=0.01)
    headset.js("device.quaternion.set(0.6428, 0, 0, 0.766)")  # 80 degrees up
    headset.frames()
    headset.js("stereocast.headset.recenter()")
    headset.frames()
    assert headset.js("stereocast.headset.base[9]") == pytest.approx(0, abs=0.01)  # sitting: the screen stays level
    headset.js("stereocast.headset.lie(true)")
    headset.frames()
    assert headset.js("stereocast.headset.base[9]") == pytest.approx(-0.985, abs=0.01)
    headset.js("stereocast.headset.panel.hide()")
    left, _ = headset.eyes("lying")
    assert share(left, "red") > 0.03  # straight before the eyes


def test_the_next_film_follows_in_the_headset(headset: Headset) -> None:
    headset.enter()
    headset.until("stereocast.player.after !== null")
    headset.js("stereocast.player.ended()")
    headset.until("stereocast.headset.signs.told?.startsWith('Next in')")
    headset.until("!stereocast.player.film.title.startsWith('colours')")
    assert headset.js("stereocast.headset.session !== null")


def test_pictures_180_360_and_fisheye_are_shown(headset: Headset) -> None:
    headset.enter("still")
    headset.js("stereocast.headset.panel.hide()")
    left, right = headset.eyes("picture")
    assert share(left, "red") > 0.03 and share(right, "blue") > 0.03
    for projection, least in [("180", 0.3), ("360", 0.9), ("fisheye", 0.3)]:
        headset.js(f"stereocast.player.choose({{ projection: '{projection}' }})")
        left, right = headset.eyes(projection)
        assert share(left, "red") > least and share(right, "blue") > least, projection


def test_depth_and_convergence_move_the_picture(headset: Headset) -> None:
    headset.enter("near")
    headset.js("stereocast.headset.panel.hide(), stereocast.player.set('size', 110), stereocast.player.set('curve', 0)")

    def disparity() -> float:
        """Of the lower half, in pixels, best match of the eyes' rows."""
        left, right = (eye[185:215, 60:260].astype(float).mean(-1) for eye in headset.eyes("depth"))
        cost = {d: np.abs(left[:, 30:170] - right[:, 30 - d : 170 - d]).mean() for d in range(-30, 31)}
        return min(cost, key=cost.__getitem__)

    usual = disparity()
    headset.js("stereocast.player.choose({ shift: 0.02 })")
    shifted = disparity()
    assert shifted < usual - 4
    headset.js("stereocast.player.choose({ shift: 0.001, scale: 0 })")
    headset.until("stereocast.player.reliefSet")
    assert disparity() < usual - 5


def test_the_room_can_be_black_dim_or_ones_own(headset: Headset) -> None:
    headset.enter()
    headset.js(
        "stereocast.headset.panel.hide(), stereocast.player.set('light', 1), stereocast.headset.setRoom('black')"
    )
    black = headset.eyes("black")[0][-8:].mean()
    headset.js("stereocast.headset.setRoom('dim')")
    dim = headset.eyes("dim")[0][-8:].mean()
    headset.js("stereocast.player.set('light', 0.2)")
    darker = headset.eyes("darker")[0][-8:].mean()
    assert black < 1 and dim > darker + 20 > 20
    headset.js("stereocast.headset.setRoom('passthrough')")
    headset.until("stereocast.headset.session && stereocast.headset.mode === 'immersive-ar'")
    headset.frames(3)
    alpha = headset.js(
        """() => new Promise((done) => stereocast.headset.session.requestAnimationFrame(() => {
            const { gl } = stereocast.stereo, pixel = new Uint8Array(4);
            gl.readPixels(4, 4, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, pixel); done(pixel[3]); }))"""
    )
    assert alpha == pytest.approx(0.8 * 255, abs=3)
