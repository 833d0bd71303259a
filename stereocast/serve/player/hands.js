// Draws hands, controllers and their rays, for one eye at a time.

import { add, chain, cross, length, minus, moved, origin, scaled, times, unit } from "./maths.js";
import { ballMesh, rodMesh } from "./shapes.js";

const FINGERS = ["thumb", "index-finger", "middle-finger", "ring-finger", "pinky-finger"];
const PARTS = ["metacarpal", "phalanx-proximal", "phalanx-intermediate", "phalanx-distal", "tip"];
const SKIN = [0.72, 0.76, 0.84, 0.85], BODY = [0.2, 0.22, 0.26, 0.95], RING = [0.42, 0.71, 1, 1];
const RAY = [0.42 * 0.7, 0.71 * 0.7, 0.7, 0.7], GONE = [0, 0, 0, 0];

/** A frame at `from` whose -z axis reaches `to` at length 1. */
function between(from, to, thick) {
  const way = minus(to, from), z = times(unit(way), -1);
  const x = unit(Math.abs(z[1]) > 0.95 ? cross([1, 0, 0], z) : cross([0, 1, 0], z)), y = cross(z, x), l = length(way);
  return new Float32Array([x[0] * thick, x[1] * thick, x[2] * thick, 0, y[0] * thick, y[1] * thick, y[2] * thick, 0, z[0] * l, z[1] * l, z[2] * l, 0, ...from, 1]);
}

export class Hands {
  constructor(stereo) { Object.assign(this, { stereo, bones: [], bodies: [], lines: [], spots: [] }); }

  /** Updates joints, grips and rays, each frame. `reach(ray)` is the distance at which a ray hits something. */
  update(frame, space, session, rays, reach) {
    this.bones = []; this.bodies = [];
    for (const source of session.inputSources) {
      if (source.hand && frame.getJointPose) this.hand(frame, space, source.hand);
      else if (source.gripSpace && rays.length) {
        const pose = frame.getPose(source.gripSpace, space);
        if (pose) this.bodies.push(pose.transform.matrix);
      }
    }
    this.lines = []; this.spots = [];
    for (const ray of rays) {
      const far = reach(ray), end = add(ray.from, times(ray.along, far ?? 0.6));
      if (!ray.gaze) this.lines.push({ from: add(ray.from, times(ray.along, 0.05)), to: end, hits: far !== null });
      if (far !== null) this.spots.push({ at: end, far, dwell: ray.dwell ?? 0, pressed: ray.pressed });
    }
  }

  hand(frame, space, hand) {
    const at = (name) => {
      const joint = hand.get(name), pose = joint && frame.getJointPose(joint, space);
      return pose ? { at: origin(pose.transform.matrix), radius: pose.radius || 0.008 } : null;
    };
    const wrist = at("wrist");
    for (const finger of FINGERS) {
      let before = wrist;
      for (const part of PARTS) {
        const joint = at(`${finger}-${part}`);
        if (!joint) continue;  // a thumb has no intermediate phalanx
        if (before) this.bones.push({ from: before.at, to: joint.at, thick: Math.min(before.radius, joint.radius * 1.25), end: joint.radius });
        before = joint;
      }
    }
  }

  draw(matrix, eye) {
    const { stereo } = this;
    const rod = stereo.shape("rod", "rod", () => rodMesh()), ball = stereo.shape("ball", "ball", ballMesh);
    for (const bone of this.bones) {
      stereo.body(rod, chain(matrix, between(bone.from, bone.to, bone.thick)), SKIN);
      stereo.body(ball, chain(matrix, moved(...bone.to), scaled(bone.end)), SKIN);
    }
    for (const grip of this.bodies) {
      stereo.body(ball, chain(matrix, grip, moved(0, 0, -0.02), scaled(0.028, 0.024, 0.04)), BODY);
      stereo.body(rod, chain(matrix, grip, moved(0, 0, 0.09), scaled(0.017, 0.017, 0.11)), BODY);
      stereo.body(ball, chain(matrix, grip, moved(0, 0.02, -0.02), scaled(0.012, 0.006, 0.012)), RING);
    }
    const line = stereo.shape("line", "line", () => rodMesh(0.5));
    for (const ray of this.lines) stereo.fade(line, chain(matrix, between(ray.from, ray.to, 0.0022)), RAY, ray.hits ? RAY : GONE);
    for (const spot of this.spots) {
      const size = 0.006 * Math.max(0.6, spot.far) * (spot.pressed ? 0.7 : 1);
      stereo.body(ball, chain(matrix, moved(...spot.at), scaled(size * 1.5)), [0, 0, 0, 0.6], 0);
      stereo.body(ball, chain(matrix, moved(...spot.at), scaled(size)), [1, 1, 1, 1], 0);
      if (spot.dwell > 0) this.dial(matrix, spot, eye, size * 3);
    }
  }

  /** A ring of dots that closes while the gaze rests. */
  dial(matrix, spot, eye, size) {
    const ball = this.stereo.shape("ball", "ball", ballMesh), way = unit(minus(spot.at, eye));
    const right = unit(cross(way, [0, 1, 0])), up = cross(right, way), count = Math.ceil(spot.dwell * 20);
    for (let n = 0; n < count; n++) {
      const angle = (n / 20) * 2 * Math.PI;
      const at = add(spot.at, add(times(right, size * Math.sin(angle)), times(up, size * Math.cos(angle))));
      this.stereo.body(ball, chain(matrix, moved(...at), scaled(size * 0.16)), RING, 0);
    }
  }
}
