// Draws with WebGL: the two views of a film (one eye, anaglyph, both, or on surfaces in WebXR), pictures with alpha, and solid bodies.

import { chain, IDENTITY, pitched, yawed } from "./maths.js";
import { aspect, flatMesh, parts, sphereMesh } from "./shapes.js";

const VERTEX = `
attribute vec3 place; attribute vec2 spot;
uniform mat4 matrix; varying vec2 at; varying vec3 bare;
void main() { at = spot; bare = place; gl_Position = matrix * vec4(place, 1.0); }`;

const FILM = `
precision highp float;
varying vec2 at;
uniform sampler2D film, relief; uniform vec4 first, second; uniform float shift, flatten; uniform int mode;
vec3 view(vec4 part, float by) {
  // scales the picture's own disparity: each view takes half of the difference
  float own = (texture2D(relief, at).r - 0.5) * 0.5;
  vec2 spot = vec2(at.x + by * shift + by * flatten * own * 0.5, at.y);
  if (spot.x < 0.0 || spot.x > 1.0) return vec3(0.0);
  vec2 inside = clamp(spot * part.zw, vec2(0.0005), part.zw - vec2(0.0005));
  return texture2D(film, part.xy + inside).rgb;
}
void main() {
  if (mode == 0) { gl_FragColor = vec4(view(first, 1.0), 1.0); return; }
  if (mode == 1) { gl_FragColor = vec4(view(first, -1.0), 1.0); return; }
  vec3 left = view(first, 1.0), right = view(second, -1.0);
  // least squares for red-cyan glasses (Dubois 2001)
  gl_FragColor = vec4(
    dot(left, vec3(0.4561, 0.500484, 0.176381)) + dot(right, vec3(-0.0434706, -0.0879388, -0.00155529)),
    dot(left, vec3(-0.0400822, -0.0378246, -0.0157589)) + dot(right, vec3(0.378476, 0.73364, -0.0184503)),
    dot(left, vec3(-0.0152161, -0.0205971, -0.00546856)) + dot(right, vec3(-0.0721527, -0.112961, 1.2264)), 1.0);
}`;

const PICTURE = `
precision mediump float;
varying vec2 at; uniform sampler2D film; uniform float opacity;
void main() { gl_FragColor = texture2D(film, at) * opacity; }`;

const BODY = `
precision mediump float;
varying vec3 bare; uniform vec4 colour; uniform float lit;
void main() {
  float light = mix(1.0, 0.62 + 0.38 * clamp(bare.y * 0.7 + bare.z * 0.4 + 0.2, -1.0, 1.0), lit);
  gl_FragColor = vec4(colour.rgb * light * colour.a, colour.a);
}`;

const FADE = `
precision mediump float;
varying vec2 at; uniform vec4 colour, other;
void main() { gl_FragColor = mix(colour, other, smoothstep(0.0, 1.0, at.y)); }`;

/** The eye for which the film is drawn. */
export const LEFT = 0, RIGHT = 1, ANAGLYPH = 2;

export class Stereo {
  constructor(canvas) {
    this.canvas = canvas;
    const wishes = { xrCompatible: true, preserveDrawingBuffer: true, antialias: true, alpha: true };
    const gl = this.gl = canvas.getContext("webgl2", wishes) || canvas.getContext("webgl", wishes);
    this.programs = Object.fromEntries([["film", FILM], ["picture", PICTURE], ["body", BODY], ["fade", FADE]].map(([name, text]) => [name, this.program(text)]));
    this.texture = this.newTexture();
    this.relief = this.newTexture();
    this.setRelief(null);
    this.shapes = new Map();
    this.most = gl.getParameter(gl.MAX_TEXTURE_SIZE);
  }

  program(fragment) {
    const gl = this.gl, program = gl.createProgram();
    for (const [kind, text] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, fragment]]) {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, text);
      gl.compileShader(shader);
      if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS)) throw new Error(gl.getShaderInfoLog(shader));
      gl.attachShader(program, shader);
    }
    gl.bindAttribLocation(program, 0, "place");
    gl.bindAttribLocation(program, 1, "spot");
    gl.linkProgram(program);
    const names = new Map();
    return { program, at: (name) => { if (!names.has(name)) names.set(name, gl.getUniformLocation(program, name)); return names.get(name); } };
  }

  newTexture() {
    const gl = this.gl, texture = gl.createTexture();
    gl.bindTexture(gl.TEXTURE_2D, texture);
    for (const [name, value] of [["WRAP_S", "CLAMP_TO_EDGE"], ["WRAP_T", "CLAMP_TO_EDGE"], ["MIN_FILTER", "LINEAR"], ["MAG_FILTER", "LINEAR"]]) {
      gl.texParameteri(gl.TEXTURE_2D, gl["TEXTURE_" + name], gl[value]);
    }
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGB, 1, 1, 0, gl.RGB, gl.UNSIGNED_BYTE, new Uint8Array(3));
    return texture;
  }

  /** Uploads the film's frame or a still. */
  upload(source) {
    const gl = this.gl;
    if (!source || (source.readyState !== undefined && source.readyState < 2)) return;
    gl.bindTexture(gl.TEXTURE_2D, this.texture);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGB, gl.RGB, gl.UNSIGNED_BYTE, source);
  }

  /** Drops the film's last frame. */
  blank() {
    const gl = this.gl;
    gl.bindTexture(gl.TEXTURE_2D, this.texture);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGB, 1, 1, 0, gl.RGB, gl.UNSIGNED_BYTE, new Uint8Array(3));
  }

  /** Both views as luminance, `wide` x `high`, shrunk by the GPU so that little data is read back. */
  small(source, pair, wide, high) {
    const gl = this.gl;
    if (!gl.texStorage2D || (source.readyState !== undefined && source.readyState < 2)) return null;
    if (!this.probe) {
      this.probe = { film: this.newTexture(), target: this.newTexture(), buffer: gl.createFramebuffer() };
      gl.bindTexture(gl.TEXTURE_2D, this.probe.film);
      gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.LINEAR_MIPMAP_LINEAR);
      gl.bindTexture(gl.TEXTURE_2D, this.probe.target);
      gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, wide, 2 * high, 0, gl.RGBA, gl.UNSIGNED_BYTE, null);
    }
    const { film, target, buffer } = this.probe, before = gl.getParameter(gl.FRAMEBUFFER_BINDING), seen = this.texture, bytes = new Uint8Array(8 * wide * high);
    gl.bindTexture(gl.TEXTURE_2D, film);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGB, gl.RGB, gl.UNSIGNED_BYTE, source);
    gl.generateMipmap(gl.TEXTURE_2D);
    gl.bindFramebuffer(gl.FRAMEBUFFER, buffer);
    gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, target, 0);
    this.texture = film;
    // rows are read from the bottom up, so the picture is drawn upside down
    const upside = new Float32Array([1, 0, 0, 0, 0, -1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]), shape = this.shape("small", "small", () => flatMesh(2, 2));
    for (const eye of [LEFT, RIGHT]) { gl.viewport(0, eye * high, wide, high); this.film(shape, upside, pair, eye, { shift: 0, scale: 1 }); }
    this.texture = seen;
    gl.readPixels(0, 0, wide, 2 * high, gl.RGBA, gl.UNSIGNED_BYTE, bytes);
    gl.bindFramebuffer(gl.FRAMEBUFFER, before);
    return [0, 1].map((eye) => Float32Array.from({ length: wide * high }, (_, n) => {
      const at = 4 * (eye * wide * high + n);
      return 0.3 * bytes[at] + 0.6 * bytes[at + 1] + 0.1 * bytes[at + 2];
    }));
  }

  /** A texture from a canvas with alpha, with mipmaps for smaller sizes. */
  uploadCanvas(canvas, texture) {
    const gl = this.gl;
    gl.bindTexture(gl.TEXTURE_2D, texture);
    gl.pixelStorei(gl.UNPACK_PREMULTIPLY_ALPHA_WEBGL, true);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, canvas);
    gl.pixelStorei(gl.UNPACK_PREMULTIPLY_ALPHA_WEBGL, false);
    if (!gl.texStorage2D) return;  // WebGL 1 has no mipmaps of such sizes
    gl.generateMipmap(gl.TEXTURE_2D);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.LINEAR_MIPMAP_LINEAR);
    const sharp = gl.getExtension("EXT_texture_filter_anisotropic");
    if (sharp) gl.texParameteri(gl.TEXTURE_2D, sharp.TEXTURE_MAX_ANISOTROPY_EXT, 4);
  }

  /** Sets the film's disparity over the view as bytes: 128 is zero, 255 a quarter of the width; null removes it. */
  setRelief(map) {
    const gl = this.gl;
    gl.bindTexture(gl.TEXTURE_2D, this.relief);
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
    const { columns, rows, bytes } = map ?? { columns: 1, rows: 1, bytes: new Uint8Array([128]) };
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.LUMINANCE, columns, rows, 0, gl.LUMINANCE, gl.UNSIGNED_BYTE, bytes);
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 4);
  }

  /** The buffers of a surface, created once per `key`; a `slot` holds one key at a time. */
  shape(slot, key, make) {
    let held = this.shapes.get(slot);
    if (held?.key === key) return held;
    const gl = this.gl, made = make();
    held ??= { points: gl.createBuffer(), order: gl.createBuffer() };
    gl.bindBuffer(gl.ARRAY_BUFFER, held.points);
    gl.bufferData(gl.ARRAY_BUFFER, made.data, gl.STATIC_DRAW);
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, held.order);
    gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, made.order, gl.STATIC_DRAW);
    Object.assign(held, { key, count: made.order.length });
    this.shapes.set(slot, held);
    return held;
  }

  #mesh(shape) {
    const gl = this.gl;
    gl.disable(gl.CULL_FACE); gl.disable(gl.DEPTH_TEST);
    gl.bindBuffer(gl.ARRAY_BUFFER, shape.points);
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, shape.order);
    for (const [where, size, start] of [[0, 3, 0], [1, 2, 12]]) {
      gl.enableVertexAttribArray(where);
      gl.vertexAttribPointer(where, size, gl.FLOAT, false, 20, start);
    }
    gl.drawElements(gl.TRIANGLES, shape.count, gl.UNSIGNED_SHORT, 0);
  }

  #begin(name, matrix, blend) {
    const gl = this.gl, used = this.programs[name];
    gl.useProgram(used.program);
    gl.uniformMatrix4fv(used.at("matrix"), false, matrix);
    if (blend) { gl.enable(gl.BLEND); gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA); } else gl.disable(gl.BLEND);
    return used;
  }

  /** Draws the film's `part` for one eye, or both as an anaglyph; `look` is {shift, scale}. */
  film(shape, matrix, pair, eye, look) {
    const gl = this.gl, used = this.#begin("film", matrix, false);
    gl.activeTexture(gl.TEXTURE1); gl.bindTexture(gl.TEXTURE_2D, this.relief);
    gl.activeTexture(gl.TEXTURE0); gl.bindTexture(gl.TEXTURE_2D, this.texture);
    gl.uniform1i(used.at("film"), 0); gl.uniform1i(used.at("relief"), 1);
    gl.uniform4fv(used.at("first"), eye === RIGHT ? pair[1] : pair[0]);
    gl.uniform4fv(used.at("second"), pair[1]);
    gl.uniform1f(used.at("shift"), look.shift);
    gl.uniform1f(used.at("flatten"), 1 - (look.scale ?? 1));
    gl.uniform1i(used.at("mode"), eye);
    this.#mesh(shape);
  }

  picture(shape, matrix, texture, opacity = 1) {
    const gl = this.gl, used = this.#begin("picture", matrix, true);
    gl.activeTexture(gl.TEXTURE0); gl.bindTexture(gl.TEXTURE_2D, texture);
    gl.uniform1i(used.at("film"), 0);
    gl.uniform1f(used.at("opacity"), opacity);
    this.#mesh(shape);
  }

  body(shape, matrix, colour, lit = 1) {
    const used = this.#begin("body", matrix, true);
    this.gl.uniform4fv(used.at("colour"), colour);
    this.gl.uniform1f(used.at("lit"), lit);
    this.#mesh(shape);
  }

  /** A surface that fades from one colour (premultiplied) at its top or start to another. */
  fade(shape, matrix, from, to) {
    const used = this.#begin("fade", matrix, true);
    this.gl.uniform4fv(used.at("colour"), from);
    this.gl.uniform4fv(used.at("other"), to);
    this.#mesh(shape);
  }

  /** Clears the area of a surface, so that a layer below is visible. */
  hole(shape, matrix) {
    const used = this.#begin("body", matrix, false);
    this.gl.uniform4fv(used.at("colour"), [0, 0, 0, 0]);
    this.gl.uniform1f(used.at("lit"), 0);
    this.#mesh(shape);
  }

  /** Draws the picture on a flat screen; `view` is left, anaglyph or both. Spherical films are shown in direction `gaze`. */
  flat(source, views, view, look, gaze) {
    const gl = this.gl, both = view === "both" || views.layout === "anaglyph";
    const [wide, high] = [source.videoWidth || source.naturalWidth || source.width, source.videoHeight || source.naturalHeight || source.height];
    const around = views.projection !== "flat" && !both;
    const ratio = around ? 16 / 9 : both && wide ? wide / high : aspect(views, wide, high);
    const long = Math.min(1920, Math.max(1280, wide || 0));
    const width = Math.max(2, Math.round(ratio >= 1 ? long : long * ratio)), height = Math.max(2, Math.round(width / ratio));
    if (this.canvas.width !== width || this.canvas.height !== height) { this.canvas.width = width; this.canvas.height = height; }
    gl.bindFramebuffer(gl.FRAMEBUFFER, null);
    gl.viewport(0, 0, width, height);
    gl.clearColor(0, 0, 0, 1); gl.clear(gl.COLOR_BUFFER_BIT);
    this.upload(source);
    const pair = both ? [[0, 0, 1, 1], [0, 0, 1, 1]] : parts(views);
    const eye = view === "anaglyph" && !both ? ANAGLYPH : LEFT;
    const used = eye === ANAGLYPH ? look : { shift: 0, scale: 1 };
    if (around) {
      const shape = this.shape("flat", `${views.projection} ${views.fov}`, () => sphereMesh(views.projection, views.fov));
      this.film(shape, chain(perspective(80, ratio), pitched(-gaze.pitch), yawed(-gaze.yaw)), pair, eye, used);
      return;
    }
    this.film(this.shape("flat", "whole", () => flatMesh(2, 2)), IDENTITY, pair, eye, used);
  }
}

function perspective(degrees, ratio) {
  const f = 1 / Math.tan((degrees * Math.PI) / 360), near = 0.1, far = 100;
  return new Float32Array([f / ratio, 0, 0, 0, 0, f, 0, 0, 0, 0, (far + near) / (near - far), -1, 0, 0, (2 * far * near) / (near - far), 0]);
}
