"""LPIPS, CLIP and FVD of a 4d scene (or films of it) against films of the truth, as Diffusion² reports them:

    python -m bench views --scene scene.4dgs --truth DIR --lpips alex.pth --backbone alexnet.pth --clip DIR --i3d i3d.pt

DIR holds a folder of pictures for each view, named by its azimuth in degrees, as 0, -75, 15, 105, 195 (the paper's five on
Consistent4D). `--made DIR`, laid out the same, takes the place of the scene. Weights are given by path; what isn't given
isn't measured. LPIPS: the linear layers of its repository and torchvision's AlexNet or VGG-16. FVD: an I3D in TorchScript
that takes [N, 3, T, 224, 224] in -1..1 and gives [N, D].
"""

import argparse
import json
import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from bench.clip import Clip

Views = dict[float, np.ndarray]  # azimuth: uint8 RGB [T, H, W, 3]
WINDOW, STRIDE = 16, 4  # frames of a film that I3D sees, and from one window to the next
_SHIFT, _SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)  # of LPIPS' published input
# kernel, stride and padding of each convolution; P: pooling (kernel, stride); |: a layer that LPIPS compares
_ALEX = ((11, 4, 2), "|", "P32", (5, 1, 2), "|", "P32", (3, 1, 1), "|", (3, 1, 1), "|", (3, 1, 1), "|")
_C = (3, 1, 1)
_VGG = (_C, _C, "|", "P22", _C, _C, "|", "P22", _C, _C, _C, "|", "P22", _C, _C, _C, "|", "P22", _C, _C, _C, "|")


class Lpips:
    """Zhang et al. 2018: distances of a classifier's normalised features, weighted by the published linear layers."""

    def __init__(self, linear: Path | str, backbone: Path | str, device: str = "cpu") -> None:
        """Raises SystemExit where the files aren't what they should be."""
        found = torch.load(linear, map_location=device, weights_only=True)
        self.weights = [value.flatten() for key, value in sorted(found.items()) if re.match(r"lin\d\.", key)]
        table = torch.load(backbone, map_location=device, weights_only=True)
        numbers = sorted({int(key.split(".")[1]) for key in table if key.startswith("features.")})
        self.convolutions = [(table[f"features.{n}.weight"], table[f"features.{n}.bias"]) for n in numbers]
        self.layers = {5: _ALEX, 13: _VGG}.get(len(self.convolutions), ())
        if len(self.weights) != 5 or not self.layers:
            raise SystemExit("--lpips wants alex.pth or vgg.pth of LPIPS, --backbone torchvision's AlexNet or VGG-16")
        self.device = device

    def features(self, pictures: Tensor) -> list[Tensor]:
        """Of pictures [N, 3, H, W] in -1..1: five, each of unit length over the channels."""
        shift, scale = (torch.tensor(v, device=self.device)[:, None, None] for v in (_SHIFT, _SCALE))
        x, found, at = (pictures - shift) / scale, [], iter(self.convolutions)
        for layer in self.layers:
            if layer == "|":
                found.append(x / (x.square().sum(1, keepdim=True).sqrt() + 1e-10))
            elif isinstance(layer, str):
                x = functional.max_pool2d(x, int(layer[1]), int(layer[2]))
            else:
                weight, bias = next(at)
                x = functional.relu(functional.conv2d(x, weight, bias, layer[1], layer[2]))
        return found

    @torch.inference_mode()
    def __call__(self, a: np.ndarray, b: np.ndarray) -> float:
        """Mean distance of uint8 pictures [T, H, W, 3]."""
        total = []
        for one, two in zip(a, b, strict=True):
            pair = torch.from_numpy(np.stack([one, two])).to(self.device).permute(0, 3, 1, 2).float() / 127.5 - 1
            layers = zip(self.features(pair), self.weights, strict=True)
            total.append(sum(float(((f[0] - f[1]).square() * w[:, None, None]).sum(0).mean()) for f, w in layers))
        return float(np.mean(total))


def frechet(a: np.ndarray, b: np.ndarray) -> float:
    """Fréchet distance of two sets of features [N, D], as normal distributions (Heusel et al. 2017, eq. 6)."""
    apart = float(((a.mean(0) - b.mean(0)) ** 2).sum())
    one, two = (np.cov(x, rowvar=False, bias=False).reshape(x.shape[1], x.shape[1]) for x in (a, b))
    values, vectors = np.linalg.eigh(one)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    cross = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ two @ root), 0)).sum()
    return apart + float(np.trace(one) + np.trace(two) - 2 * cross)


def windows(frames: np.ndarray) -> Tensor:
    """float32 [N, 3, 16, 224, 224] in -1..1 of a film uint8 [T, H, W, 3]; a shorter film is one window, its last frame
    held."""
    small = np.stack([cv2.resize(frame, (224, 224), interpolation=cv2.INTER_LINEAR) for frame in frames])
    if len(small) < WINDOW:
        small = np.concatenate([small, np.repeat(small[-1:], WINDOW - len(small), 0)])
    parts = [small[at : at + WINDOW] for at in range(0, len(small) - WINDOW + 1, STRIDE)]
    return torch.from_numpy(np.stack(parts)).permute(0, 4, 1, 2, 3).float() / 127.5 - 1


@torch.inference_mode()
def fvd(network: Any, made: Views, truth: Views, device: str = "cpu") -> float:
    """Fréchet video distance of the windows of all views."""
    sides = []
    for films in (made, truth):
        parts = [network(window[None].to(device)).float().cpu() for view in films.values() for window in windows(view)]
        sides.append(torch.cat(parts).numpy().astype(np.float64))
    return frechet(*sides)


def read(folder: Path, most: int) -> Views:
    """Pictures by view, on white. Raises SystemExit."""
    found: Views = {}
    for place in sorted(path for path in folder.iterdir() if path.is_dir()):
        try:
            azimuth = float(place.name)
        except ValueError:
            continue
        files = sorted(place.glob("*.png"), key=lambda path: int((re.findall(r"\d+", path.stem) or ["0"])[-1]))[:most]
        found[azimuth] = np.stack([_on_white(cv2.imread(str(file), cv2.IMREAD_UNCHANGED)) for file in files])
    if not found:
        raise SystemExit(f"{folder}: no folders named by an azimuth in degrees")
    return found


def _on_white(image: np.ndarray) -> np.ndarray:
    if image.shape[-1] == 4:
        alpha = image[..., 3:] / 255
        image = np.rint(image[..., :3] * alpha + 255 * (1 - alpha)).astype(np.uint8)
    return image[..., ::-1].copy()


def render(file: Path, truth: Views, device: str = "cpu") -> Views:
    """What a scene shows of the truth's views and frames, at its size; the scene's frames are the truth's in time."""
    from stereocast.splat import scene as scenes
    from stereocast.splat.render import render as draw
    from stereocast.splat.scene import Gaussians, orbit_camera

    scene = scenes.load(file)
    gaussians = Gaussians(*(tensor.detach().to(device) for tensor in scene.gaussians.tensors().values()))
    motion = None if scene.motion is None else scene.motion.to(device)
    found: Views = {}
    for azimuth, view in truth.items():
        camera = orbit_camera(azimuth, view.shape[1], scene.info.elevation_deg, scene.info.radius_m, scene.info.fov_deg)
        frames = []
        for number in range(len(view)):
            with torch.no_grad():
                seen = draw(gaussians, motion, number / max(len(view) - 1, 1), [camera], antialiased=True)
            frames.append((seen.rgb[0].clamp(0, 1).cpu().numpy() * 255).round().astype(np.uint8))
        found[azimuth] = np.stack(frames)
    return found


def measured(
    made: Views, truth: Views, lpips: Any = None, clip: Any = None, i3d: Any = None, device: str = "cpu"
) -> dict[str, float]:
    """The figures, the mean over views: LPIPS (x 100) and CLIP similarity; FVD over all of them."""
    pairs = [(made[azimuth][: len(view)], view[: len(made[azimuth])]) for azimuth, view in truth.items()]
    row: dict[str, float] = {}
    if lpips is not None:
        row["lpips"] = 100 * float(np.mean([lpips(one, two) for one, two in pairs]))
    if clip is not None:
        row["clip"] = float(
            np.mean([float((clip.pictures(list(a)) * clip.pictures(list(b))).sum(-1).mean()) for a, b in pairs])
        )
    if i3d is not None:
        row["fvd"] = fvd(i3d, made, truth, device)
    return row


def main(argv: list[str]) -> int:
    """One line of JSON."""
    shape = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="python -m bench views", description=__doc__, formatter_class=shape)
    given = parser.add_mutually_exclusive_group(required=True)
    given.add_argument("--scene", type=Path)
    given.add_argument("--made", type=Path)
    parser.add_argument("--truth", type=Path, required=True)
    parser.add_argument("--frames", type=int, default=25, help="of each view, the first")
    parser.add_argument("--lpips", type=Path)
    parser.add_argument("--backbone", type=Path, help="LPIPS' classifier")
    parser.add_argument("--clip", type=Path)
    parser.add_argument("--i3d", type=Path)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args(argv)
    if (options.lpips is None) != (options.backbone is None):
        parser.error("--lpips and --backbone go together")
    if not (options.lpips or options.clip or options.i3d):
        parser.error("give weights: --lpips and --backbone, --clip, --i3d")
    truth = read(options.truth, options.frames)
    made = read(options.made, options.frames) if options.made else render(options.scene, truth, options.device)
    missing = sorted(set(truth) - set(made))
    if missing:
        raise SystemExit(f"{options.made}: no view at {missing[0]:g}°")
    print(json.dumps(measured(
        made, truth,
        Lpips(options.lpips, options.backbone, options.device) if options.lpips else None,
        Clip(options.clip, options.device) if options.clip else None,
        torch.jit.load(str(options.i3d), map_location=options.device).eval() if options.i3d else None,
        options.device,
    )))  # fmt: skip
    return 0
