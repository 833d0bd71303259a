"""DepthCrafter as an estimator: the windows of `crafter`, optionally dissolved by `dissolve`."""

from collections.abc import Iterator

from stereocast.depth import choice, dissolve, windowed
from stereocast.depth.crafter import (
    MAX_SIDE,
    WEIGHTS_BYTES,
    CrafterShot,
    Keep,
    Options,
    SeededNoise,
    network_size,
    open_networks,
    options_for,
)
from stereocast.pictures import devices
from stereocast.pipeline.stages import Cost, DepthClip, WindowKeeper
from stereocast.settings import EstimatorSettings
from stereocast.types import Clip, StreamInfo


class DepthCrafter:
    """The estimator. Raises WeightsError, LicenceNotAccepted, UsageError."""

    def __init__(self, settings: EstimatorSettings, info: StreamInfo) -> None:
        self.networks = open_networks(settings)
        self.shape = network_size(info.height, info.width, settings.depth_size or MAX_SIDE)
        self.options = options_for(settings, self.shape, self.networks.device, self.networks.dtype.itemsize)
        self._seed = settings.seed
        self.keeper: WindowKeeper | None = None
        self._recipe = dissolve.recipe(settings)
        self.held = self.options.window * (2 if self._recipe else 1) + self.options.chunk

    @classmethod
    def cost(cls, settings: EstimatorSettings, info: StreamInfo) -> Cost:
        """Waiting frames, and the weights if they are in main memory."""
        frames = (settings.depth_window or 110) * (2 if choice.dissolves(settings) else 1) + Options().chunk
        return Cost(frames, 0 if devices.choose_device(settings.device).on_gpu else WEIGHTS_BYTES)

    def begin(self, shot: int) -> CrafterShot:
        """The state of one shot."""
        noise = SeededNoise(self._seed, shot)
        after = dissolve.Dissolver(self.networks, self.options, self._recipe, noise) if self._recipe else None
        return CrafterShot(self.networks, self.options, noise, after, Keep(self.keeper, shot))

    def __call__(self, clips: Iterator[Clip]) -> Iterator[DepthClip]:
        return windowed.run(clips, self.begin, self.shape)
