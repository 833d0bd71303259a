"""Draws the pictures of docs/gallery.md from the samples.

    pip install '.[all,dev]' && python docs/make_gallery.py [--only film,fill,4d]

Nothing is downloaded. The 4D figure is the textured one of `python -m bench splat` (the player's pictures are docs/make_player.py's).
"""

import argparse
import sys
import tempfile
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import stereocast  # noqa: E402
from stereocast import catalog  # noqa: E402
from stereocast.jobs import assembly  # noqa: E402
from stereocast.jobs.preview import sheet  # noqa: E402
from stereocast.media import reader  # noqa: E402
from stereocast.settings import ConvertSettings  # noqa: E402
from stereocast.shots import clips  # noqa: E402

TARGET = ROOT / "docs/images/gallery"
SAMPLES = ROOT / "samples"
MOMENTS = {"street": 30, "close": 12}  # sample: frame shown


def save(name: str, picture: np.ndarray) -> None:
    """RGB uint8 as a JPEG of the gallery."""
    TARGET.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(TARGET / f"{name}.jpg"), picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 86])


def beside(*pictures: np.ndarray, gap: int = 6) -> np.ndarray:
    """Pictures of one height in a row."""
    white = np.full((pictures[0].shape[0], gap, 3), 255, np.uint8)
    return np.concatenate([part for picture in pictures for part in (picture, white)][:-1], 1)


def converted(name: str, at: int, **options: object) -> tuple[object, object]:
    """The clip that ends with frame `at` of a sample, and its two views."""
    settings = ConvertSettings(**{"depth": "embedded", **options})
    source = reader.open_source(str(SAMPLES / f"{name}.mp4"))
    try:
        frames = list(islice(source, at - 8, at))
    finally:
        source.close()
    clip = clips.concatenate(frames)
    depth = assembly.estimator(settings, source.info)(iter([clip]))
    return clip, next(
        iter(assembly.synthesizer(settings, source.info, catalog.preset(settings.preset).screen_fov_deg)(depth))
    )


def film() -> None:
    """Source, depth, both views, what was filled, anaglyph."""
    for name, at in MOMENTS.items():
        clip, stereo = converted(name, at, strength=3.0, fill="best")
        source, depth, left, right, filled, anaglyph = sheet.row(clip, stereo, 640)
        save(f"{name}_source_depth", beside(source, depth))
        save(f"{name}_left_right", beside(left, right))
        save(f"{name}_filled_anaglyph", beside(filled, anaglyph))


def fill() -> None:
    """A hole as it opens with true depth, filled fast, and filled best."""
    parts = []
    for effort in ("fast", "best"):
        clip, stereo = converted(
            "street", 8, strength=4.0, fill=effort, eyes="right", depth=str(SAMPLES / "street_depth.mkv")
        )
        view = sheet.row(clip, stereo, clip.width)[3]
        holes = stereo.holes_right[-1]
        if not parts:
            height, width = holes.shape
            density = cv2.blur(holes.astype(np.float32), (96, 96))
            density[:, : width // 8] = density[:, -width // 8 :] = 0
            y, x = np.unravel_index(density.argmax(), density.shape)
            y, x = int(np.clip(y - 60, 0, height - 120)), int(np.clip(x - 80, 0, width - 160))
            raw = view.copy()
            raw[holes] = (255, 0, 200)
            parts.append(raw[y : y + 120, x : x + 160])
        parts.append(view[y : y + 120, x : x + 160])
    save("fill", beside(*(cv2.resize(part, None, fx=3, fy=3, interpolation=cv2.INTER_NEAREST) for part in parts)))


def four_d() -> None:
    """A picture of a figure, and its relief seen from around."""
    import torch

    from bench.splat import figure
    from stereocast.splat.render import render
    from stereocast.splat.scene import from_points, orbit_camera

    points, colours, _ = figure(12000)
    scene = from_points(points, colours, 0.006, 0.95, 0)
    with torch.no_grad():
        seen = render(scene, None, 0.0, [orbit_camera(0, 512, 5)])
    picture = torch.cat([seen.rgb[0], seen.alpha[0]], -1).clamp(0, 1).numpy()
    with tempfile.TemporaryDirectory() as folder:
        name = Path(folder) / "figure.png"
        cv2.imwrite(str(name), cv2.cvtColor(np.rint(picture * 255).astype(np.uint8), cv2.COLOR_RGBA2BGRA))
        result = stereocast.reconstruct(name, model="relief", device="cpu", size=320, encoder="x264", fixed_view=False)
        source = reader.open_source(str(result.folder / "orbit.mp4"), reader.ReadOptions())
        try:
            frames = [sheet.planes.rgb(f.image, f.pixel_format, f.colour) for f in source]
        finally:
            source.close()
    shown = [
        np.rint(frames[i] * 255).astype(np.uint8) for i in np.linspace(0, len(frames), 5, endpoint=False).astype(int)
    ]
    white = picture[..., :3]
    given = cv2.resize(np.rint(white * 255).astype(np.uint8), (320, 320), interpolation=cv2.INTER_AREA)
    save("orbit", np.concatenate([beside(given, *shown[:2]), np.full((6, 972, 3), 255, np.uint8), beside(*shown[2:])]))


PARTS = {"film": film, "fill": fill, "4d": four_d}


def main() -> None:
    """Draws what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(PARTS))
    for part in parser.parse_args().only.split(","):
        PARTS[part]()


if __name__ == "__main__":
    main()
