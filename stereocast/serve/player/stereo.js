// Draws the two views of a video texture: on a flat screen (one eye, anaglyph, both) and as stereo meshes in WebXR.

const VERTEX = `
attribute vec3 place; attribute vec2 spot;
uniform mat4 matrix; varying vec2 at;
void main() { at = spot; gl_Position = matrix * vec4(place, 1.0); }`;

const FRAGMENT = `
precision highp float;
varying vec2 at;
uniform sampler2D film; uniform vec4 first, second; uniform float shift; uniform int mode;
vec3 view(vec4 part, float by) {
  vec2 spot = vec2(at.x + by, at.y);
  if (spot.x < 0.0 || spot.x > 1.0) return vec3(0.0);
  vec2 inside = clamp(spot * part.zw, vec2(0.0005), part.zw - vec2(0.0005));
  return texture2D(film, part.xy + inside).rgb;
}
void main() {
  vec3 left = view(first, shift);
  if (mode == 0) { gl_FragColor = vec4(left, 1.0); return; }
  vec3 right = view(second, -shift);
  // least squares for red-cyan glasses (Dubois 2001)
  gl_FragColor = vec4(
    dot(left, vec3(0.4561, 0.500484, 0.176381)) + dot(right, vec3(-0.0434706, -0.0879388, -0.00155529)),
    dot(left, vec3(-0.0400822, -0.0378246, -0.0157589)) + dot(right, vec3(0.378476, 0.73364, -0.0184503)),
    dot(left, vec3(-0.0152161, -0.0205971, -0.00546856)) + dot(right, vec3(-0.0721527, -0.112961, 1.2264)), 1.0);
}`;

/** Rectangles [x, y, width, height] of the left and the right view in texture coordinates (y down). */
export function parts(views, swapped) {
  let pair = [[0, 0, 1, 1], [0, 0, 1, 1]];
  if (views.layout === "left-right") pair = [[0, 0, 0.5, 1], [0.5, 0, 0.5, 1]];
  if (views.layout === "top-bottom") pair = [[0, 0, 1, 0.5], [0, 0.5, 1, 0.5]];
  return views.swapped !== swapped ? [pair[1], pair[0]] : pair;
}

/** Width over height of one view as it should be seen. */
export function aspect(views, width, height) {
  if (!width || !height) return 16 / 9;
  if (!views.full) return width / height;
  if (views.layout === "left-right") return width / 2 / height;
  return views.layout === "top-bottom" ? (2 * width) / height : width / height;
}

function grid(columns, rows, place) {
  const data = [], order = [];
  for (let r = 0; r <= rows; r++) for (let c = 0; c <= columns; c++) {
    data.push(...place(c / columns, r / rows), c / columns, r / rows);
  }
  for (let r = 0; r < rows; r++) for (let c = 0; c < columns; c++) {
    const a = r * (columns + 1) + c, b = a + columns + 1;
    order.push(a, b, a + 1, a + 1, b, b + 1);
  }
  return { data: new Float32Array(data), order: new Uint16Array(order) };
}

/** A screen of `width` metres at `distance`, eye height 0: quad, cylinder, or the half sphere of VR180. */
export function mesh(kind, width, height, distance) {
  if (kind === "sphere") return grid(64, 48, (u, v) => {
    const lon = (u - 0.5) * Math.PI, lat = (0.5 - v) * Math.PI;
    return [20 * Math.cos(lat) * Math.sin(lon), 20 * Math.sin(lat), -20 * Math.cos(lat) * Math.cos(lon)];
  });
  if (kind === "cylinder") {
    const angle = width / distance;
    return grid(48, 1, (u, v) => [distance * Math.sin((u - 0.5) * angle), (0.5 - v) * height, -distance * Math.cos((u - 0.5) * angle)]);
  }
  return grid(1, 1, (u, v) => [(u - 0.5) * width, (0.5 - v) * height, -distance]);
}

export class Stereo {
  constructor(canvas) {
    this.canvas = canvas;
    const gl = this.gl = canvas.getContext("webgl2", { xrCompatible: true, preserveDrawingBuffer: true, antialias: true })
      || canvas.getContext("webgl", { xrCompatible: true, preserveDrawingBuffer: true });
    const program = this.program = gl.createProgram();
    for (const [kind, text] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, text);
      gl.compileShader(shader);
      if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS)) throw new Error(gl.getShaderInfoLog(shader));
      gl.attachShader(program, shader);
    }
    gl.linkProgram(program);
    this.at = (name) => gl.getUniformLocation(program, name);
    this.texture = this.newTexture();
    this.points = gl.createBuffer();
    this.order = gl.createBuffer();
    this.shape = "";
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

  upload(source, texture = this.texture) {
    const gl = this.gl;
    if (source.readyState !== undefined && source.readyState < 2) return;
    gl.bindTexture(gl.TEXTURE_2D, texture);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, source);
  }

  shapeAs(key, make) {
    if (this.shape === key) return;
    const gl = this.gl, made = make();
    gl.bindBuffer(gl.ARRAY_BUFFER, this.points);
    gl.bufferData(gl.ARRAY_BUFFER, made.data, gl.STATIC_DRAW);
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, this.order);
    gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, made.order, gl.STATIC_DRAW);
    this.count = made.order.length;
    this.shape = key;
  }

  draw(matrix, first, second, shift, mode, texture = this.texture) {
    const gl = this.gl;
    gl.useProgram(this.program);
    gl.disable(gl.CULL_FACE); gl.disable(gl.DEPTH_TEST);
    gl.activeTexture(gl.TEXTURE0);
    gl.bindTexture(gl.TEXTURE_2D, texture);
    gl.uniformMatrix4fv(this.at("matrix"), false, matrix);
    gl.uniform4fv(this.at("first"), first);
    gl.uniform4fv(this.at("second"), second);
    gl.uniform1f(this.at("shift"), shift);
    gl.uniform1i(this.at("mode"), mode);
    gl.bindBuffer(gl.ARRAY_BUFFER, this.points);
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, this.order);
    for (const [name, size, start] of [["place", 3, 0], ["spot", 2, 12]]) {
      const where = gl.getAttribLocation(this.program, name);
      gl.enableVertexAttribArray(where);
      gl.vertexAttribPointer(where, size, gl.FLOAT, false, 20, start);
    }
    gl.drawElements(gl.TRIANGLES, this.count, gl.UNSIGNED_SHORT, 0);
  }

  /** The picture on a flat screen; `view` is left, anaglyph or both. */
  flat(video, views, view, swapped, shift) {
    const gl = this.gl, both = view === "both" || views.layout === "anaglyph";
    const ratio = both && video.videoWidth ? video.videoWidth / video.videoHeight : aspect(views, video.videoWidth, video.videoHeight);
    const width = 1280, height = Math.max(2, Math.round(width / ratio));
    if (this.canvas.width !== width || this.canvas.height !== height) { this.canvas.width = width; this.canvas.height = height; }
    gl.bindFramebuffer(gl.FRAMEBUFFER, null);
    gl.viewport(0, 0, width, height);
    this.upload(video);
    this.shapeAs("flat", () => grid(1, 1, (u, v) => [2 * u - 1, 1 - 2 * v, 0]));
    const [left, right] = both ? [[0, 0, 1, 1], [0, 0, 1, 1]] : parts(views, swapped);
    const one = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1];
    this.draw(one, left, right, view === "anaglyph" ? shift : 0, view === "anaglyph" && !both ? 1 : 0);
  }
}
