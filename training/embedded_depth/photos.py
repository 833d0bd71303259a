"""Gather the photographs that lend spectra and textures to the training views: `train.py --photos FOLDER`.

    pip install '.[training]'; apt-get download lomiri-wallpapers-16.04 && dpkg-deb -x lomiri-*.deb deb
    python training/embedded_depth/photos.py training/runs/photos --wallpapers deb/usr/share/backgrounds

From scikit-image and scikit-learn as they are installed, and from a Debian package of wallpapers where it is unpacked: public domain, CC0 and CC BY
only. They go into neither the repository nor the wheel.
"""

from __future__ import annotations

import argparse
from importlib.resources import files
from pathlib import Path

import cv2

PIXELS = 200_000  # at most, of a stored picture
SCIKIT_IMAGE = (
    "astronaut.png",
    "brick.png",
    "camera.png",
    "chelsea.png",
    "coffee.png",
    "grass.png",
    "gravel.png",
    "rocket.jpg",
)
SCIKIT_LEARN = ("china.jpg", "flower.jpg")
WALLPAPERS = (
    "Picture_0B_by_freespace.jpg",
    "Picture_1A_by_freespace.jpg",
    "aitzgorri_by_Aitzol_Berasategi.jpg",
    "friends_by_Aitzol_Berasategi.jpg",
    "life_by_Aitzol_Berasategi.jpg",
    "picosdeeuropa_by_Aitzol_Berasategi.jpg",
    "seeding_by_Clements_Engelhardt.jpg",
    "sunset_by_Aitzol_Berasategi.jpg",
)


def sources(wallpapers: Path | None) -> list[Path]:
    """The files, those of scikit-image and scikit-learn first."""
    found = [Path(str(files("skimage.data").joinpath(name))) for name in SCIKIT_IMAGE]
    found += [Path(str(files("sklearn.datasets.images").joinpath(name))) for name in SCIKIT_LEARN]
    return found + ([wallpapers / name for name in WALLPAPERS] if wallpapers else [])


def main(argv=None) -> None:
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("target", type=Path)
    a.add_argument("--wallpapers", type=Path, help="where the pictures of lomiri-wallpapers-16.04 lie")
    o = a.parse_args(argv)
    o.target.mkdir(parents=True, exist_ok=True)
    for number, path in enumerate(sources(o.wallpapers)):
        picture = cv2.imread(str(path))
        factor = min(1.0, (PIXELS / (picture.shape[0] * picture.shape[1])) ** 0.5)
        small = cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        cv2.imwrite(str(o.target / f"{number:02d}_{path.stem}.png"), small)


if __name__ == "__main__":
    main()
