// The headset's session: the place of the screen, drawing for each eye, and input from the viewer's hands.

import { FilmLayer, wanted } from "./layers.js";
import { Hands } from "./hands.js";
import { chain, facing, forward, inverse, moved, origin, pitched, turn } from "./maths.js";
import { Panel } from "./panel.js";
import { Pointers } from "./pointers.js";
import { aspect, ballMesh, FAR, parts, screenMesh, screenOf, sphereMesh } from "./shapes.js";
import { Signs } from "./signs.js";
import { LEFT, RIGHT } from "./stereo.js";

const SEEK = 10, LONG = 30, SOON = 8;  // seconds per push of a stick, and after how many repeats it seeks LONG
const STILL = 4000;  // ms without a frame after which the headset counts as taken off
const FEATURES = ["layers", "local-floor", "hand-tracking"];

export class Headset {
  constructor(player, stereo) {
    Object.assign(this, { player, stereo, session: null, mode: "", drawn: 0, viewports: [], layered: "", canPass: false, base: null, wish: false });
    this.panel = new Panel(stereo, player, this);
    this.signs = new Signs(stereo, player);
    this.hands = new Hands(stereo);
    player.addEventListener("open", () => stereo.blank());
  }

  /** Whether there is a headset; also detects its features. */
  async available() {
    const can = async (mode) => { try { return Boolean(navigator.xr && (await navigator.xr.isSessionSupported(mode))); } catch { return false; } };
    this.canPass = await can("immersive-ar");
    return can("immersive-vr");
  }

  get room() { return this.player.settings.room === "passthrough" && this.mode !== "immersive-ar" ? "dim" : this.player.settings.room; }

  async enter() {
    const { stereo, player } = this, { gl } = stereo;
    const mode = player.settings.room === "passthrough" && this.canPass ? "immersive-ar" : "immersive-vr";
    const session = await navigator.xr.requestSession(mode, { optionalFeatures: FEATURES });
    Object.assign(this, { session, mode, base: null, wish: true, layered: "", fetched: "" });
    await gl.makeXRCompatible();
    this.space = await session.requestReferenceSpace("local");
    this.space.addEventListener?.("reset", () => { this.wish = true; });
    const factor = Math.min(1.5, Math.max(1, XRWebGLLayer.getNativeFramebufferScaleFactor?.(session) || 1));
    this.ours = new XRWebGLLayer(session, gl, { alpha: true, framebufferScaleFactor: factor });
    const layers = (session.enabledFeatures ?? []).includes("layers");
    let binding = null;
    if (layers && typeof XRMediaBinding !== "undefined") try { binding = new XRMediaBinding(session); } catch { binding = null; }
    this.film = new FilmLayer(binding, this.space, (below) => { if (this.session === session) session.updateRenderState({ layers: [...below, this.ours] }); });
    if (binding) session.updateRenderState({ layers: [this.ours] }); else session.updateRenderState({ baseLayer: this.ours });
    this.pointers = new Pointers(session, this);
    session.addEventListener("visibilitychange", () => this.seen());
    session.addEventListener("end", () => this.ended());
    this.alive = performance.now();
    this.watch = setInterval(() => { if (performance.now() - this.alive > STILL) this.away(); }, 1000);
    session.requestAnimationFrame((time, frame) => this.frame(time, frame));
    this.greet = true;
    if (!player.film) this.panel.turn("library");
    else if (!player.isPicture) player.play();
    player.tell("change");
  }

  leave() { this.session?.end(); }

  ended() {
    clearInterval(this.watch);
    this.session = null;
    this.film.destroy();
    this.panel.hide();
    this.player.tell("change");
    if (!this.again) return;
    this.again = false;
    this.enter().catch(() => this.player.note("Press Enter VR again to continue", "state"));
  }

  /** Called when the headset is taken off or another window covers the page. */
  away() { if (!this.player.paused) { this.player.video.pause(); this.greet = true; } }
  seen() { if (this.session?.visibilityState === "hidden") this.away(); else if (this.player.paused) this.greet = true; }

  recenter() { this.wish = true; }
  lie(on) { this.player.set("lying", on); this.wish = true; }

  setRoom(room) {
    this.player.set("room", room);
    const mode = room === "passthrough" ? "immersive-ar" : "immersive-vr";
    // a passthrough session can also draw black and dim rooms; the reverse needs a new session
    if (room === "passthrough" && this.mode !== mode) { this.again = true; this.leave(); }
  }

  /** The screen's dimensions from the settings and the film. */
  screen() {
    const { settings, views } = this.player;
    return screenOf(aspect(views, ...this.player.dimensions()), settings.size, settings.distance, settings.curve);
  }

  showPanel() { if (this.base) this.panel.show(this.base, this.turned ?? 0); }

  // the target of Pointers
  aim(ray) { return this.panel.aim(ray); }
  press(spot) { this.panel.press(spot); }
  drag(spot) { this.panel.drag(spot); }
  release(spot) { this.panel.release(spot); }
  miss() {
    if (this.player.next !== null) this.player.cancelNext();
    else if (this.panel.shown) this.panel.hide();
    else this.showPanel();
  }

  button(hand, name) {
    if (name === "first") this.player.toggle();
    else this.miss();
  }

  stick(hand, axis, sign, count) {
    const { player } = this, { settings } = player;
    if (this.panel.stick(sign)) return;
    if (axis === "x") { if (!player.isPicture || count === 0) player.seekBy(sign * (count >= SOON ? LONG : SEEK)); this.showPanel(); }
    else if (hand === "left") player.set("distance", settings.distance - 0.2 * sign);
    else player.set("size", settings.size - 3 * sign);
  }

  frame(time, frame) {
    const { session } = frame, { stereo, player } = this, { gl } = stereo;
    session.requestAnimationFrame((t, f) => this.frame(t, f));
    this.alive = performance.now();
    const pose = frame.getViewerPose(this.space);
    gl.bindFramebuffer(gl.FRAMEBUFFER, this.ours.framebuffer);
    if (!pose) { gl.clearColor(0, 0, 0, 1); gl.clear(gl.COLOR_BUFFER_BIT); return; }
    this.stand(pose.transform.matrix);
    this.pointers.update(frame, this.space, pose);
    this.panel.update(this.pointers.rays);
    const rays = this.panel.shown ? this.pointers.rays : [];
    this.hands.update(frame, this.space, session, rays, (ray) => ray.spot?.distance ?? null);
    const screen = this.screen(), flat = player.views.projection === "flat", { settings } = player;
    const tilt = pitched((settings.tilt * Math.PI) / 180), lift = flat
      ? chain(this.base, moved(0, settings.height, -settings.distance), tilt, moved(0, 0, settings.distance))
      : chain(this.base, tilt);
    this.signs.update(this.base, lift, screen);
    const want = wanted(player, screen, lift, lift);
    this.layered = this.film.fit(player.video, want) ? want.kind : "";
    if (!this.layered) this.refresh();
    const through = this.mode === "immersive-ar" && this.room === "passthrough";
    const dark = through ? 1 - settings.light : this.layered && (!flat || this.mode === "immersive-vr") ? 0 : 1;
    gl.clearColor(0, 0, 0, dark); gl.clear(gl.COLOR_BUFFER_BIT);
    this.viewports = [];
    for (const view of pose.views) {
      const port = this.ours.getViewport(view);
      gl.viewport(port.x, port.y, port.width, port.height);
      this.viewports.push({ eye: view.eye, x: port.x, y: port.y, width: port.width, height: port.height });
      this.eye(view, lift, screen, flat);
      this.drawn++;
    }
  }

  /** Fetches the film's frame if it may have changed. */
  refresh() {
    const { player, stereo } = this, { source, video } = player, seen = `${player.film?.id} ${source === video} ${player.position} ${video.readyState} ${video.seeking}`;
    if (seen !== this.fetched || !player.paused) stereo.upload(source);
    this.fetched = seen;
    player.measure(stereo);
  }

  /** Sets the viewer's place: at the start, on request, and when the system recentres. */
  stand(matrix) {
    if (this.wish || !this.base) {
      this.wish = false;
      this.base = this.player.settings.lying ? Float32Array.from(matrix) : facing(origin(matrix), forward(matrix), false, Math.atan2(matrix[4], matrix[6]));
      if (this.panel.shown) this.showPanel();
    }
    const way = turn(inverse(this.base), forward(matrix));
    this.turned = Math.atan2(-way[0], -way[2]);
    if (this.greet) { this.greet = false; this.showPanel(); }
  }

  eye(view, lift, screen, flat) {
    const { stereo, player } = this, { views } = player, look = view.transform.inverse.matrix, matrix = chain(view.projectionMatrix, look);
    const still = look.slice();  // surfaces all around follow the head's rotation but not its position
    still.fill(0, 12, 15);
    const round = chain(view.projectionMatrix, still);
    if (this.room === "dim" && flat) this.dome(round);
    const side = view.eye === "right" ? RIGHT : LEFT;
    if (player.film && (flat || player.dimensions()[0])) {
      const key = flat ? JSON.stringify(screen) : `${views.projection} ${views.fov}`;
      const shape = stereo.shape(flat ? "screen" : "sphere", key, () => (flat ? screenMesh(screen) : sphereMesh(views.projection, views.fov)));
      const whole = lift.slice();
      if (!flat) whole.fill(0, 12, 15);
      const put = chain(flat ? matrix : round, whole);
      if (this.layered) { if (flat) stereo.hole(shape, put); } else stereo.film(shape, put, parts(views), side, player.look);
    }
    this.signs.draw(matrix);
    this.panel.draw(matrix);
    this.hands.draw(matrix, origin(view.transform.matrix));
  }

  /** A dim room: dark above, slightly lighter towards the floor. */
  dome(matrix) {
    const { stereo, player } = this, k = player.settings.light, shape = stereo.shape("dome", "dome", ballMesh);
    const put = chain(matrix, new Float32Array([FAR, 0, 0, 0, 0, FAR, 0, 0, 0, 0, FAR, 0, 0, 0, 0, 1]));
    stereo.fade(shape, put, [0.05 * k, 0.06 * k, 0.09 * k, 1], [0.3 * k, 0.31 * k, 0.36 * k, 1]);
  }
}
