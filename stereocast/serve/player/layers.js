// The film as a media layer of the headset's compositor: sharper than WebGL and independent of its frame rate. One at a time.

import { chain, moved, origin, quaternion } from "./maths.js";

/** The layer for the film as it is shown now; null where it must be drawn (shifted or scaled depth, anaglyph, fisheye, stills). */
export function wanted(player, screen, base, place) {
  const { views, look, picture, video } = player;
  if (picture || look.shift !== 0 || look.scale !== 1 || views.layout === "anaglyph" || views.projection === "fisheye") return null;
  if (video.readyState < 1 || !video.videoWidth) return null;  // no metadata yet, so the size is unknown
  const layout = { "left-right": "stereo-left-right", "top-bottom": "stereo-top-bottom" }[views.layout] ?? "mono";
  const fixed = { layout, invertStereo: layout !== "mono" && views.swapped, of: `${video.currentSrc} ${video.videoWidth}x${video.videoHeight}` };
  if (views.projection !== "flat") {
    const whole = views.projection === "360" ? 2 : 1;
    return { kind: "Equirect", ...fixed, frame: base, measures: { radius: 0, centralHorizontalAngle: Math.PI * whole, upperVerticalAngle: Math.PI / 2, lowerVerticalAngle: -Math.PI / 2 } };
  }
  if (screen.angle) {
    return { kind: "Cylinder", ...fixed, frame: chain(place, moved(0, 0, screen.radius - screen.distance)), measures: { radius: screen.radius, centralAngle: screen.angle, aspectRatio: screen.width / screen.height } };
  }
  // a quad layer's sizes are half of the screen's
  return { kind: "Quad", ...fixed, frame: chain(place, moved(0, 0, -screen.distance)), measures: { width: screen.width / 2, height: screen.height / 2 } };
}

const transform = (frame) => {
  const [x, y, z] = origin(frame);
  return new XRRigidTransform({ x, y, z }, quaternion(frame));
};

export class FilmLayer {
  /** `set(layers)` passes the session the layers below our drawing. */
  constructor(binding, space, set) { Object.assign(this, { binding, space, set, layer: null, key: "", measured: "" }); }

  /** Updates the layer, replacing it only if it can't be changed. Returns whether there is one. */
  fit(video, want) {
    if (!want || !this.binding) { this.destroy(); return false; }
    const { kind, layout, invertStereo, of, frame, measures } = want, key = [kind, layout, invertStereo, of].join("|");
    const measured = JSON.stringify([measures, [...frame].map((n) => Math.round(1e5 * n))]);
    if (key !== this.key) {
      this.destroy();
      try {
        this.layer = this.binding[`create${kind}Layer`](video, { space: this.space, layout, invertStereo, transform: transform(frame), ...measures });
      } catch (error) {
        console.warn("media layers don't work on this device:", error.message);
        this.binding = null;
        return false;
      }
      Object.assign(this, { key, measured });
      this.set([this.layer]);
    } else if (measured !== this.measured) {
      Object.assign(this.layer, measures, { transform: transform(frame) });
      this.measured = measured;
    }
    return true;
  }

  destroy() {
    if (!this.layer) return;
    this.set([]);
    this.layer.destroy?.();
    Object.assign(this, { layer: null, key: "", measured: "" });
  }
}
