"""Scenes on their way into training: worker processes make views, every view is used a few times with a fresh crop, and makes room."""

from __future__ import annotations

import multiprocessing as mp
import threading
import time

import cv2
import numpy as np
import torch
from photo import Maker, relative

ASPECTS = (1.2, 1.33, 1.5, 1.78, 1.78, 2.0, 2.4, 3.0)
USES = 2  # of every view
ROOM = 1600  # views that wait
LEAST = 320  # a batch is drawn from at least this many


def shape_of(area: float, aspect: float) -> tuple[int, int]:
    """Height and width, multiples of 32, of about this area and aspect."""
    h = max(64, round(np.sqrt(area / aspect) / 32) * 32)
    return int(h), int(max(64, round(h * aspect / 32) * 32))


def scene_shape(index: int, area: float) -> tuple[int, int]:
    """Even height and width of scene `index`; areas vary by a factor of two about `area`."""
    aspect = ASPECTS[index % len(ASPECTS)]
    h = int(round(np.sqrt(area * 2 ** ((index * 0.618) % 1 * 2 - 1) / aspect) / 2) * 2)
    return h, int(round(h * aspect / 2) * 2)


def scene_worker(maker_options, first, step, area, out) -> None:
    """Makes scenes first, first + step, ... for ever."""
    cv2.setNumThreads(1)
    maker = Maker(*maker_options)
    index = first
    while True:
        for rgb, d, wt in maker.scene(index, *scene_shape(index, area)):
            out.put((rgb, d.astype(np.float16), (wt * 255).astype(np.uint8)))
        index += step


class Pool:
    """Views in random order, each used USES times. Without workers they are made in line, and all follows from the seed."""

    def __init__(self, maker_options, workers: int, first: int, area: float) -> None:
        self.items: list = []
        self.area, self.made, self.index = area, 0, first
        self.maker = None if workers else Maker(*maker_options)
        self.processes: list = []
        if workers:
            context = mp.get_context("fork")
            self.queue = context.Queue(64)
            for k in range(workers):
                arguments = (maker_options, first + k, workers, area, self.queue)
                self.processes.append(context.Process(target=scene_worker, args=arguments, daemon=True))
                self.processes[-1].start()
            threading.Thread(target=self._drain, daemon=True).start()

    def _drain(self) -> None:
        """Runs in a thread: a pipe holds less than one view, so somebody has to wait at it."""
        while True:
            while len(self.items) >= ROOM:
                time.sleep(0.05)
            self._put(self.queue.get())

    def _put(self, item) -> None:
        self.items.append([USES, *item])
        self.made += 1

    def _take(self, rng):
        while self.maker is None and len(self.items) < LEAST:
            time.sleep(0.05)
        while self.maker is not None and len(self.items) < LEAST // 8:
            for rgb, d, wt in self.maker.scene(self.index, *scene_shape(self.index, self.area)):
                self._put((rgb, d.astype(np.float16), (wt * 255).astype(np.uint8)))
            self.index += 1
        k = int(rng.integers(len(self.items)))
        item = self.items[k]
        item[0] -= 1
        if item[0] == 0:
            self.items[k] = self.items[-1]
            self.items.pop()
        return item[1:]

    def batch(self, size: int, h: int, w: int, rng):
        """RGB + coordinates [B, 5, h, w], target and weight [B, 1, h/2, w/2]."""
        x = np.empty((size, 5, h, w), np.float32)
        t, m = np.empty((2, size, 1, h // 2, w // 2), np.float32)
        x[:, 3] = np.linspace(-1, 1, h, dtype=np.float32)[:, None]
        x[:, 4] = np.linspace(-1, 1, w, dtype=np.float32)[None]
        for k in range(size):
            rgb, d, wt = self._take(rng)
            c = crop(*d.shape, w / h, rng)
            shrinks = c[0].stop - c[0].start > h
            image = cv2.resize(rgb[c], (w, h), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
            target = cv2.resize(d[c].astype(np.float32), (w // 2, h // 2), interpolation=cv2.INTER_AREA)
            weight = cv2.resize(wt[c], (w // 2, h // 2), interpolation=cv2.INTER_NEAREST).astype(np.float32) / 255
            target = relative(target)
            if rng.random() < 0.5:
                image, target, weight = image[:, ::-1], target[:, ::-1], weight[:, ::-1]
            x[k, :3] = graded(image.astype(np.float32) / 255, rng).transpose(2, 0, 1) * 2 - 1
            t[k, 0], m[k, 0] = target, weight
        return torch.from_numpy(x), torch.from_numpy(t), torch.from_numpy(m)

    def close(self) -> None:
        for p in self.processes:
            p.terminate()


def crop(height: int, width: int, aspect: float, rng) -> tuple[slice, slice]:
    """A random part of about this aspect, slightly stretched."""
    keep = rng.uniform(0.6, 1.0) if rng.random() < 0.7 else 1.0
    aspect *= np.exp(rng.normal(0, 0.08))
    h, w = height * keep, width * keep
    h, w = (h, h * aspect) if w / h > aspect else (w / aspect, w)
    h, w = min(height, int(max(32, h))), min(width, int(max(32, w)))
    top, left = int(rng.integers(0, height - h + 1)), int(rng.integers(0, width - w + 1))
    return slice(top, top + h), slice(left, left + w)


def graded(image, rng):
    """Contrast, brightness, cast and colour of a picture in 0..1."""
    mean = image.mean()
    image = (image - mean) * np.float32(rng.uniform(0.8, 1.45)) + mean + np.float32(rng.normal(0, 0.06))
    image = image + rng.normal(0, 0.02, 3).astype(np.float32)
    if rng.random() < 0.5:
        grey = image.mean(2, keepdims=True)
        image = grey + (image - grey) * np.float32(rng.uniform(0.5, 1.6))
    return np.clip(image, 0, 1)
