"""The film as a media layer, with a recording stand-in for XRMediaBinding: the emulator has none that shows video."""

from typing import Any

import pytest

pytest.importorskip("starlette", reason="needs the serve extra")
pytest.importorskip("uvicorn", reason="needs the serve extra")

from tests.serve.browser import Headset

pytestmark = pytest.mark.browser

_STAND_IN = """() => {
  window.made = []; window.states = [];
  const { enabledFeatures } = Object.getOwnPropertyDescriptors(XRSession.prototype);
  Object.defineProperty(XRSession.prototype, 'enabledFeatures', { get() { return ['layers', 'local-floor', 'hand-tracking']; }, configurable: true });
  const old = XRSession.prototype.updateRenderState;
  XRSession.prototype.updateRenderState = function (state) {
    if (!state.layers) return old.call(this, state);
    states.push(state.layers.map((layer) => layer.kind ?? 'ours'));
    const { layers, ...rest } = state;
    return old.call(this, { ...rest, baseLayer: layers[layers.length - 1] });
  };
  const make = (kind, video, init) => {
    if (video.readyState < 1) throw new Error('no metadata yet');
    const ratio = video.videoWidth / video.videoHeight, destroy = () => { layer.live = false; };
    const layer = { kind, ...init, video: video.id, ratio, ready: video.readyState, live: true, destroy };
    made.push(layer);
    return layer;
  };
  window.XRMediaBinding = class {
    createQuadLayer(v, i) { return make('Quad', v, i); }
    createCylinderLayer(v, i) { return make('Cylinder', v, i); }
    createEquirectLayer(v, i) { return make('Equirect', v, i); }
  };
}"""


@pytest.fixture
def layered(headset: Headset) -> Headset:
    headset.js(_STAND_IN)
    headset.js("stereocast.player.set('curve', 0)")
    return headset


def made(headset: Headset) -> list[dict[str, Any]]:
    headset.frames(3)
    return headset.js(
        "made.map(({ space, transform, destroy, ...rest }) => ({ ...rest, z: transform.position.z, y: transform.position.y }))"
    )


def test_each_kind_of_screen_is_the_standards_layer(layered: Headset) -> None:
    layered.enter()
    (quad,) = made(layered)
    assert (quad["kind"], quad["video"], quad["layout"], quad["invertStereo"]) == (
        "Quad",
        "video",
        "stereo-left-right",
        False,
    )
    assert quad["width"] == pytest.approx(3 * 0.57735, abs=0.01)  # half of what is seen 60 degrees wide at 3 m
    assert quad["width"] / quad["height"] == pytest.approx(16 / 9, abs=0.01)
    layered.js("stereocast.player.set('curve', 1)")
    cylinder = made(layered)[-1]
    assert cylinder["kind"] == "Cylinder"
    assert cylinder["centralAngle"] == pytest.approx(1.0472, abs=0.005)  # as wide as set, not wider
    assert cylinder["radius"] == pytest.approx(3)
    layered.js("stereocast.player.choose({ projection: '180' })")
    sphere = made(layered)[-1]
    assert sphere["kind"] == "Equirect" and sphere["centralHorizontalAngle"] == pytest.approx(3.14159, abs=1e-3)
    layered.js("stereocast.player.choose({ projection: '360' })")
    assert made(layered)[-1]["centralHorizontalAngle"] == pytest.approx(6.28319, abs=1e-3)
    layered.js("stereocast.player.choose({ projection: null, swapped: true })")
    assert made(layered)[-1]["invertStereo"] is True
    layered.js("stereocast.player.choose({ swapped: null, layout: 'mono' })")
    assert made(layered)[-1]["layout"] == "mono"


def test_one_layer_at_a_time_and_none_for_volume_or_size(layered: Headset) -> None:
    layered.enter()
    assert len(made(layered)) == 1
    for name, value in [
        ("volume", 0.5),
        ("size", 80),
        ("distance", 4),
        ("height", 0.5),
        ("tilt", 10),
        ("textSize", 1.2),
    ]:
        layered.js(f"stereocast.player.set('{name}', {value})")
    (only,) = made(layered)
    assert only["live"]
    assert only["width"] == pytest.approx(4 * 0.8391, abs=0.01)  # it follows the settings
    assert only["y"] == pytest.approx(0.5, abs=0.05)
    for curve in (0.5, 0, 0.7, 0):
        layered.js(f"stereocast.player.set('curve', {curve})")
        assert [layer["live"] for layer in made(layered)].count(True) == 1
    assert len(made(layered)) == 5
    assert layered.js("states.every((layers) => layers.length <= 2 && layers.at(-1) === 'ours')")


def test_a_layer_is_made_after_the_metadata_and_anew_for_another_film(layered: Headset) -> None:
    layered.enter()
    first = made(layered)[-1]
    layered.js(
        """async () => {
            const list = (await (await fetch('/api/films')).json()).films;
            await stereocast.player.open(list.find((one) => one.title === 'upright.mp4'));
        }"""
    )
    layered.until("stereocast.player.film.title === 'upright.mp4' && stereocast.video.readyState >= 1")
    layered.until("made.length === 2")
    last = made(layered)[-1]
    assert not made(layered)[0]["live"] and last["ready"] >= 1
    assert last["ratio"] == pytest.approx(180 / 320)
    assert last["width"] / last["height"] == pytest.approx(180 / 320, abs=0.01)
    assert last["height"] <= 0.76 * first["width"]  # an upright film isn't 8 m high
    layered.js("stereocast.headset.leave()")
    layered.until("stereocast.headset.session === null")
    assert not any(layer["live"] for layer in layered.js("made"))


def test_what_layers_cannot_do_is_drawn(layered: Headset) -> None:
    layered.enter()
    assert layered.js("stereocast.headset.layered") == "Quad"
    for change, back in [
        ("{ shift: 0.01 }", "{ shift: null }"),
        ("{ scale: 0.5 }", "{ scale: null }"),
        ("{ layout: 'anaglyph' }", "{ layout: null }"),
        ("{ projection: 'fisheye' }", "{ projection: null }"),
    ]:
        layered.js(f"stereocast.player.choose({change})")
        layered.frames(3)
        assert layered.js("[stereocast.headset.layered, made.filter((layer) => layer.live).length]") == ["", 0]
        layered.js(f"stereocast.player.choose({back})")
        layered.frames(3)
        assert layered.js("stereocast.headset.layered") == "Quad"


def test_subtitles_and_panel_lie_over_a_layer(layered: Headset) -> None:
    layered.js("stereocast.player.set('room', 'black')")
    layered.enter()
    layered.js("stereocast.headset.panel.hide(), stereocast.player.choose({ text: 1 })")
    layered.until("stereocast.headset.signs.shown !== null")
    assert layered.js("stereocast.headset.layered") == "Quad"
    left, right = layered.eyes("layer-text")
    for eye in (left, right):
        white = (eye.min(-1) > 200).sum()
        assert white > 60, "words are drawn by us, the film isn't"
        assert not ((eye[..., 0] > 150) & (eye[..., 2] < 80)).any()
