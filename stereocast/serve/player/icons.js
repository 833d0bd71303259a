// Button icons, 24 x 24, for the page (SVG) and the panel in the headset (canvas).

export const ICONS = {
  play: "M7 4.5v15a1 1 0 0 0 1.5.86l12-7.5a1 1 0 0 0 0-1.72l-12-7.5A1 1 0 0 0 7 4.5z",
  pause: "M6 4h4v16H6zM14 4h4v16h-4z",
  next: "M5 5v14l10-7zM17 5h2.5v14H17z",
  previous: "M19 5v14L9 12zM7 5H4.5v14H7z",
  back: "M20 11H7.8l5.6-5.6L12 4l-8 8 8 8 1.4-1.4L7.8 13H20z",
  rewind: "M11 5v14l-9-7zM21 5v14l-9-7z",
  forward: "M3 5v14l9-7zM13 5v14l9-7z",
  sound: "M3 9v6h4l5 5V4L7 9zM14.5 8a5 5 0 0 1 0 8v-2.3a3 3 0 0 0 0-3.4zM14.5 4.1a9 9 0 0 1 0 15.8v-2.2a7 7 0 0 0 0-11.4z",
  mute: "M3 9v6h4l5 5V4L7 9zM21.5 9.9 20.1 8.5 18 10.6l-2.1-2.1-1.4 1.4 2.1 2.1-2.1 2.1 1.4 1.4 2.1-2.1 2.1 2.1 1.4-1.4-2.1-2.1z",
  library: "M3 4h8v7H3zM13 4h8v7h-8zM3 13h8v7H3zM13 13h8v7h-8z",
  screen: "M2 5h20v12H2zM4 7v8h16V7zM8 19h8v2H8z",
  picture: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zm0 2v14a7 7 0 0 1 0-14z",
  text: "M2 5h20v14H2zM4 7v10h16V7zM6 11h5v2H6zM13 11h5v2h-5zM6 14h8v2H6z",
  track: "M9 4v10.3A3.5 3.5 0 1 0 11 17.500V8h8v5.300A3.500 3.500 0 1 0 21 16.500V4z",
  center: "M11 2h2v4h-2zM11 18h2v4h-2zM2 11h4v2H2zM18 11h4v2h-4zM12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8z",
  close: "M5 6.400 6.400 5 12 10.600 17.600 5 19 6.400 13.400 12 19 17.600 17.600 19 12 13.400 6.400 19 5 17.600 10.600 12z",
  headset: "M4 6h16a2 2 0 0 1 2 2v8a2 2 0 0 1-2 2h-4.500l-2.200-3a1.600 1.600 0 0 0-2.600 0l-2.200 3H4a2 2 0 0 1-2-2V8a2 2 0 0 1 2-2zM7.500 9.500a2 2 0 1 0 0 4 2 2 0 0 0 0-4zM16.500 9.500a2 2 0 1 0 0 4 2 2 0 0 0 0-4z",
  whole: "M4 4h6v2H6v4H4zM14 4h6v6h-2V6h-4zM4 14h2v4h4v2H4zM18 14h2v6h-6v-2h4z",
  settings: "M3 6h10v2H3zM17 6h4v2h-4zM14 4h2v6h-2zM3 11h4v2H3zM11 11h10v2H11zM8 9h2v6H8zM3 16h12v2H3zM19 16h2v2h-2zM16 14h2v6h-2z",
  search: "M10 3a7 7 0 1 0 4.200 12.600l5.100 5.100 1.400-1.400-5.100-5.100A7 7 0 0 0 10 3zm0 2a5 5 0 1 1 0 10 5 5 0 0 1 0-10z",
  folder: "M3 5h6l2 2h10v12H3z",
  lying: "M2 17h20v2H2zM3 12a2.500 2.500 0 1 0 5 0 2.500 2.500 0 0 0-5 0zM9 14.500v-4h9a4 4 0 0 1 4 4z",
};

/** An icon as an SVG element for the page. */
export function svg(name) {
  const space = "http://www.w3.org/2000/svg", picture = document.createElementNS(space, "svg"), path = document.createElementNS(space, "path");
  picture.setAttribute("viewBox", "0 0 24 24"); picture.setAttribute("aria-hidden", "true");
  path.setAttribute("d", ICONS[name]); path.setAttribute("fill-rule", "evenodd");
  picture.append(path);
  return picture;
}

const paths = new Map();

/** Draws an icon on a canvas, `size` pixels wide around (x, y), in the fill colour. */
export function draw(context, name, x, y, size) {
  if (!paths.has(name)) paths.set(name, new Path2D(ICONS[name]));
  context.save();
  context.translate(x - size / 2, y - size / 2);
  context.scale(size / 24, size / 24);
  context.fill(paths.get(name), "evenodd");
  context.restore();
}
