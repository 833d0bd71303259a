// The film in the headset: a media layer where the browser has them, else stereo meshes drawn by us.

import { aspect, mesh, parts } from "./stereo.js";

function multiply(a, b) {
  const out = new Float32Array(16);
  for (let c = 0; c < 4; c++) for (let r = 0; r < 4; r++) {
    let sum = 0;
    for (let k = 0; k < 4; k++) sum += a[4 * k + r] * b[4 * c + k];
    out[4 * c + r] = sum;
  }
  return out;
}

const moved = (x, y, z) => new Float32Array([1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, x, y, z, 1]);

export class Headset {
  constructor(player) {
    Object.assign(this, { player, session: null, drawn: 0, viewports: [], layered: "", axes: false, pressed: {}, hudUntil: 0 });
    this.hud = document.createElement("canvas");
    this.hud.width = 1024; this.hud.height = 128;
  }

  static async available() {
    try { return Boolean(navigator.xr && (await navigator.xr.isSessionSupported("immersive-vr"))); } catch { return false; }
  }

  async enter() {
    const { stereo, video } = this.player, gl = stereo.gl;
    const session = this.session = await navigator.xr.requestSession("immersive-vr", { optionalFeatures: ["layers", "local-floor", "hand-tracking"] });
    await gl.makeXRCompatible();
    this.space = await session.requestReferenceSpace("local");
    this.base = new XRWebGLLayer(session, gl, { alpha: true });
    this.binding = null;
    if (typeof XRMediaBinding !== "undefined" && (session.enabledFeatures || []).includes("layers")) {
      try { this.binding = new XRMediaBinding(session); } catch { this.binding = null; }
    }
    this.hudTexture = stereo.newTexture();
    this.arrange();
    session.addEventListener("select", () => { this.player.toggle(); this.show(); });
    session.addEventListener("squeeze", () => { this.player.swap(); this.show(); });
    session.addEventListener("end", () => { this.session = null; this.player.left(); });
    session.requestAnimationFrame((time, frame) => this.frame(time, frame));
    this.show();
    video.play().catch(() => {});
  }

  /** Screen width and height in metres. */
  size() {
    const { settings, video, views } = this.player;
    const width = 2 * settings.distance * Math.tan((settings.size * Math.PI) / 360);
    return [width, width / aspect(views, video.videoWidth, video.videoHeight)];
  }

  /** Puts the film where the settings say. Media layers can't shift the views against each other: then we draw. */
  arrange() {
    if (!this.session) return;
    const { settings, video, views } = this.player;
    this.layered = "";
    if (this.binding && settings.shift === 0 && views.layout !== "anaglyph") {
      const layout = { "left-right": "stereo-left-right", "top-bottom": "stereo-top-bottom" }[views.layout] || "mono";
      const common = { space: this.space, layout, invertStereo: views.swapped !== settings.swapped };
      const [width, height] = this.size();
      try {
        let layer;
        if (settings.screen === "sphere") {
          layer = this.binding.createEquirectLayer(video, { ...common, radius: 0, centralHorizontalAngle: Math.PI, upperVerticalAngle: Math.PI / 2, lowerVerticalAngle: -Math.PI / 2 });
        } else if (settings.screen === "cylinder") {
          layer = this.binding.createCylinderLayer(video, { ...common, radius: settings.distance, centralAngle: width / settings.distance, aspectRatio: width / height });
        } else {
          // a quad layer's sizes are half of the screen's
          layer = this.binding.createQuadLayer(video, { ...common, width: width / 2, height: height / 2, transform: new XRRigidTransform({ x: 0, y: 0, z: -settings.distance }) });
        }
        this.session.updateRenderState({ layers: [layer, this.base] });
        this.layered = settings.screen;
        return;
      } catch (error) { console.warn("media layers are not usable here", error); this.binding = null; }
    }
    try { this.session.updateRenderState({ baseLayer: this.base }); } catch { this.session.updateRenderState({ layers: [this.base] }); }
  }

  show() { this.hudUntil = performance.now() + 3000; }

  frame(time, frame) {
    const session = frame.session, { stereo, settings, video, views } = this.player, gl = stereo.gl;
    session.requestAnimationFrame((t, f) => this.frame(t, f));
    this.controls(session);
    const pose = frame.getViewerPose(this.space);
    gl.bindFramebuffer(gl.FRAMEBUFFER, this.base.framebuffer);
    gl.clearColor(0, 0, 0, this.layered ? 0 : 1);
    gl.clear(gl.COLOR_BUFFER_BIT);
    if (!pose) return;
    const hud = performance.now() < this.hudUntil;
    if (hud) this.paint();
    if (!this.layered) stereo.upload(video);
    const [width, height] = this.size(), [left, right] = parts(views, settings.swapped);
    this.viewports = [];
    for (const view of pose.views) {
      const port = this.base.getViewport(view);
      gl.viewport(port.x, port.y, port.width, port.height);
      this.viewports.push({ eye: view.eye, x: port.x, y: port.y, width: port.width, height: port.height });
      const matrix = multiply(view.projectionMatrix, view.transform.inverse.matrix);
      if (!this.layered) {
        const kind = settings.screen, other = view.eye === "right";
        stereo.shapeAs(`${kind} ${width} ${height} ${settings.distance}`, () => mesh(kind, width, height, settings.distance));
        stereo.draw(matrix, other ? right : left, right, other ? -settings.shift : settings.shift, 0);
      }
      if (hud) {
        stereo.shapeAs("hud", () => mesh("quad", 1.2, 0.15, 1.5));
        stereo.draw(multiply(matrix, moved(0, -0.5, 0)), [0, 0, 1, 1], [0, 0, 1, 1], 0, 0, this.hudTexture);
      }
      this.drawn++;
    }
  }

  /** Thumbsticks: sideways seeks, up and down sizes. First buttons (A, X) play, second ones (B, Y) leave. */
  controls(session) {
    for (const source of session.inputSources) {
      const pad = source.gamepad;
      if (!pad) continue;
      const [x, y] = [pad.axes[2] ?? pad.axes[0] ?? 0, pad.axes[3] ?? pad.axes[1] ?? 0];
      const hand = source.handedness;
      if (Math.abs(x) < 0.4 && Math.abs(y) < 0.4) this.pressed[hand + "stick"] = false;
      else if (!this.pressed[hand + "stick"]) {
        this.pressed[hand + "stick"] = true;
        if (Math.abs(x) > Math.abs(y)) this.player.seekBy(10 * Math.sign(x));
        else if (hand === "left") this.player.set("distance", settings(this).distance - 0.3 * Math.sign(y));
        else this.player.set("size", settings(this).size - 5 * Math.sign(y));
        this.show();
      }
      for (const [number, act] of [[4, () => this.player.toggle()], [5, () => session.end()]]) {
        const down = Boolean(pad.buttons[number]?.pressed), key = `${hand}${number}`;
        if (down && !this.pressed[key]) { act(); this.show(); }
        this.pressed[key] = down;
      }
    }
  }

  paint() {
    const context = this.hud.getContext("2d"), { video } = this.player;
    context.fillStyle = "#101216"; context.fillRect(0, 0, 1024, 128);
    context.fillStyle = "#2a2f38"; context.fillRect(32, 88, 960, 12);
    context.fillStyle = "#6cb6ff"; context.fillRect(32, 88, 960 * (video.currentTime / (this.player.duration() || 1)), 12);
    context.fillStyle = "#e8eaee"; context.font = "36px sans-serif";
    context.fillText(`${video.paused ? "Paused" : "Playing"}   ${this.player.clock()}`, 32, 56);
    this.player.stereo.upload(this.hud, this.hudTexture);
  }
}

const settings = (headset) => headset.player.settings;
