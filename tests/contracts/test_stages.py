"""Every registered synthesizer and packer keeps its contract, and a bad one doesn't."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from stereocast import registry
from stereocast.depth.embedded import EmbeddedDepth
from stereocast.jobs import assembly
from stereocast.pipeline.stages import DepthClip
from stereocast.settings import EstimatorSettings, OutputSettings, ViewSettings
from stereocast.types import DepthMap, Layout, PixelFormat, StereoClip
from tests import fakes
from tests.contracts import suites

FORMATS = (PixelFormat.YUV420P, PixelFormat.YUV420P10, PixelFormat.RGB24)


@pytest.mark.parametrize("pixel_format", FORMATS)
@pytest.mark.parametrize(
    "options", [{}, {"fill": "best"}, {"strength": "auto"}, {"eyes": "right", "border": "paper", "window_guard": True}]
)
def test_the_warp(options: dict[str, Any], pixel_format: PixelFormat) -> None:
    settings = ViewSettings(**{"strength": 6.0, **options})
    suites.synthesizer_contract(lambda info: assembly.synthesizer(settings, info, 60.0), pixel_format)


def test_stereocrafter_zero(tmp_path: Any) -> None:
    pytest.importorskip("torch", reason="needs the diffusion extra")
    if not registry.SYNTH["stereocrafter-zero"].installed:
        pytest.skip("needs the diffusion extra")
    from tests.models import tiny

    settings = ViewSettings(
        synth="stereocrafter-zero", weights=(f"dynamicrafter={tiny.write(tmp_path, '256')}",), device="cpu", steps=2, zero_window=4,
        zero_overlap=1, restart_passes=1, restart_steps=1, cfg=1.0, full_view=True,
    )  # fmt: skip
    suites.synthesizer_contract(
        lambda info: assembly.synthesizer(settings, info, 60.0), PixelFormat.YUV420P, lengths=(3, 2)
    )


@pytest.mark.parametrize("pixel_format", FORMATS)
@pytest.mark.parametrize("layout", [layout for layout in Layout if layout is not Layout.VR180])
def test_packers(layout: Layout, pixel_format: PixelFormat) -> None:
    suites.packer_contract(assembly.packer(OutputSettings(format=layout), suites.info(pixel_format)), pixel_format)


def test_the_packer_of_half_spheres() -> None:
    suites.packer_contract(
        assembly.packer(OutputSettings(format="vr180", preset="cardboard"), suites.info()), PixelFormat.YUV420P
    )


@pytest.mark.usefixtures("small_maps")
@pytest.mark.parametrize("pixel_format", FORMATS)
def test_the_embedded_estimator(pixel_format: PixelFormat) -> None:
    suites.estimator_contract(lambda info: EmbeddedDepth(EstimatorSettings(smooth=0), info), pixel_format)


class Remembers(fakes.ShiftSynthesizer):
    """Breaks the contract: the first shot's picture shows in the second."""

    def __call__(self, clips: Iterator[DepthClip]) -> Iterator[StereoClip]:
        first = None
        for clip in super().__call__(clips):
            first = clip.right[0] if first is None else first
            yield replace(clip, right=np.broadcast_to(first, clip.right.shape).copy())


class Swallows(fakes.RampDepth):
    """Breaks the contract: waits for more frames than it says."""

    def __call__(self, clips: Any) -> Iterator[DepthClip]:
        yield from [(clip, DepthMap(np.zeros((len(clip), 4, 4), np.float32))) for clip in clips]


def test_the_suites_tell_good_from_bad() -> None:
    suites.synthesizer_contract(fakes.ShiftSynthesizer, PixelFormat.YUV420P)
    with pytest.raises(AssertionError, match="depend on the one before"):
        suites.synthesizer_contract(Remembers, PixelFormat.YUV420P)
    suites.estimator_contract(fakes.RampDepth, PixelFormat.YUV420P)
    with pytest.raises(AssertionError, match="frames waited"):
        suites.estimator_contract(Swallows, PixelFormat.YUV420P)
