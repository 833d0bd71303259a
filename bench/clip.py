"""CLIP-T and CLIP-F of films: `python -m bench clip --video FILM... --prompt TEXT --clip DIR`.

CLIP-T is the mean cosine (x 100) of each frame with the prompt, CLIP-F that of each frame with the next (the figures of StereoCrafter-Zero).
DIR holds a CLIP in the layout of transformers (config.json, model.safetensors, tokenizer files).
A side-by-side film is measured on one view: --view left|right; `whole` takes the picture as it is.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


class Clip:
    """A CLIP model, with pictures prepared as its published settings say."""

    def __init__(self, folder: Path | str, device: str = "cpu") -> None:
        """Raises SystemExit where the folder holds no CLIP."""
        from transformers import CLIPModel, CLIPTokenizer

        self.folder, self.device = Path(folder), device
        if not (self.folder / "config.json").is_file():
            raise SystemExit(
                f"--clip {folder}: no config.json there; give a folder with a CLIP in transformers' layout"
            )
        self.model = CLIPModel.from_pretrained(self.folder, local_files_only=True).eval().to(device)
        self.tokenizer: Any = CLIPTokenizer.from_pretrained(self.folder, local_files_only=True)
        self.side = int(self.model.config.vision_config.image_size)
        published = self.folder / "preprocessor_config.json"
        found = json.loads(published.read_text("utf-8")) if published.is_file() else {}
        self.mean = torch.tensor(found.get("image_mean", MEAN), device=device)[:, None, None]
        self.std = torch.tensor(found.get("image_std", STD), device=device)[:, None, None]

    def prepared(self, frame: np.ndarray) -> Tensor:
        """uint8 RGB [H, W, 3] as [3, side, side]: shorter side to `side` (bicubic, antialiased), middle, normalised."""
        height, width = frame.shape[:2]
        scale = self.side / min(height, width)
        size = (max(self.side, int(height * scale)), max(self.side, int(width * scale)))
        image = torch.from_numpy(np.ascontiguousarray(frame)).to(self.device).permute(2, 0, 1)[None].float()
        for stage in ((height, size[1]), size):  # as Pillow: columns, then rows, bytes in between
            image = functional.interpolate(image, stage, mode="bicubic", antialias=True, align_corners=False)
            image = image.round().clamp(0, 255)
        image = image[0]
        top, left = (size[0] - self.side) // 2, (size[1] - self.side) // 2
        image = image[:, top : top + self.side, left : left + self.side] / 255
        return (image - self.mean) / self.std

    @torch.inference_mode()
    def pictures(self, frames: list[np.ndarray]) -> Tensor:
        """Unit vectors [T, d]."""
        batch = torch.stack([self.prepared(frame) for frame in frames])
        pooled = self.model.vision_model(pixel_values=batch).pooler_output
        return functional.normalize(self.model.visual_projection(pooled), dim=-1)

    @torch.inference_mode()
    def text(self, prompt: str) -> Tensor:
        """A unit vector [d]; what is longer than the model's context is cut."""
        limit = int(self.model.config.text_config.max_position_embeddings)
        tokens = self.tokenizer([prompt], truncation=True, max_length=limit, return_tensors="pt").to(self.device)
        pooled = self.model.text_model(**tokens).pooler_output
        return functional.normalize(self.model.text_projection(pooled), dim=-1)[0]


def scores(pictures: Tensor, text: Tensor | None) -> dict[str, float | None]:
    """The figures of unit vectors [T, d] and [d]; None without a prompt or with a single frame."""
    return {
        "clip_t": None if text is None else 100 * float((pictures @ text).mean()),
        "clip_f": None if len(pictures) < 2 else 100 * float((pictures[1:] * pictures[:-1]).sum(-1).mean()),
    }


def frames_of(path: Path | str, view: str = "whole", batch: int = 16) -> Iterator[list[np.ndarray]]:
    """The frames of a film, RGB uint8, in batches."""
    waiting: list[np.ndarray] = []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            image = frame.to_ndarray(format="rgb24")
            half = image.shape[1] // 2
            waiting.append({"whole": image, "left": image[:, :half], "right": image[:, half:]}[view])
            if len(waiting) == batch:
                yield waiting
                waiting = []
    if waiting:
        yield waiting


def film(clip: Clip, path: Path | str, prompt: str, view: str = "whole") -> dict[str, float | None]:
    """CLIP-T and CLIP-F of a film."""
    pictures = torch.cat([clip.pictures(frames) for frames in frames_of(path, view)])
    return scores(pictures, clip.text(prompt) if prompt else None)


def main(argv: list[str]) -> int:
    """A line a film."""
    parser = argparse.ArgumentParser(prog="python -m bench clip", description=__doc__)
    parser.add_argument("--video", nargs="+", required=True)
    parser.add_argument("--prompt", default="", help="without one only CLIP-F is measured")
    parser.add_argument("--clip", required=True, metavar="DIR")
    parser.add_argument("--view", choices=("whole", "left", "right"), default="whole")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(argv)
    clip = Clip(options.clip, options.device)
    for path in options.video:
        row = film(clip, path, options.prompt, options.view)
        if options.json:
            print(json.dumps({"film": path, "view": options.view, **row}))
        else:
            text, next_ = ("-" if row[name] is None else f"{row[name]:.2f}" for name in ("clip_t", "clip_f"))
            print(f"{path}: CLIP-T {text}, CLIP-F {next_}")
    return 0
