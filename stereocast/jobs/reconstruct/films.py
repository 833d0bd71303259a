"""Renders, packs and writes the films of a scene."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from stereocast import catalog
from stereocast.jobs import assembly, plan
from stereocast.pack import layouts
from stereocast.pictures import devices, planes
from stereocast.settings import FourDSettings, OutputSettings
from stereocast.types import Colour, Layout, PixelFormat, StereoClip, StreamInfo

_COLOUR = Colour(1, 1, 1)


def films(made: Any, settings: FourDSettings) -> Iterator[tuple[dict[str, Layout], Iterator[StereoClip], int]]:
    """The renderings to make: for each, its films (title and layout), RGB clips and number of frames."""
    from stereocast.splat import render

    device = devices.choose_device(settings.device).name
    device = "cpu" if device == "mps" else device
    pace = render.Pace.of(made.info, settings.seconds, settings.rate)
    rig, poses = render.Rig(settings.ipd_mm / 1000, made.info.radius_m), render.Poses(made, device)
    if settings.orbit:  # the plain turntable is the left eye of the stereo one
        moments = render.orbit(made, settings.size, pace)
        titles = {"orbit": Layout.LEFT, "orbit_stereo": settings.format}
        yield titles, render.stereo_clips(poses, moments, rig), pace.frames
    if settings.fixed_view:
        moments = render.fixed(made, settings.size, pace)
        yield {"view_stereo": settings.format}, render.stereo_clips(poses, moments, rig), pace.frames


def film_plan(folder: Path, title: str, layout: Layout, settings: FourDSettings, count: int) -> plan.Plan:
    """The plan of one film. Raises LimitExceeded."""
    options = OutputSettings(
        format=layout, anaglyph=settings.anaglyph, preset=settings.preset, encoder=settings.encoder,
        quality=settings.constant_quality, fov=33.8 if layout is Layout.VR180 else None,
    )  # fmt: skip
    preset, form, rate = catalog.preset(settings.preset), plan.stereo_format(options), Fraction(settings.rate)
    info = StreamInfo(settings.size, settings.size, 1 / rate, rate, colour=_COLOUR, frames=count)
    profile = plan.choose_encoder(options, preset, info)
    info = replace(info, pixel_format=profile.pixel_format)
    shape = assembly.packer(options, info).shape(info.height, info.width)
    packed = plan.packed_info(info, form, shape, profile.pixel_format)
    path = folder / f"{title}{'' if layout is Layout.LEFT else layouts.suffix(form)}.mp4"
    made = plan.Plan(str(path), path, options, preset, form, info, packed, "mp4", profile)
    plan.check_limits(made)
    return made


def as_planes(pixel_format: PixelFormat) -> Callable[[Iterator[StereoClip]], Iterator[StereoClip]]:
    """A stage that converts RGB clips to the encoder's pixel format."""

    def stage(clips: Iterator[StereoClip]) -> Iterator[StereoClip]:
        for clip in clips:
            left, right = (
                np.stack([planes.from_rgb(image / np.float32(255), pixel_format, _COLOUR) for image in eye])
                for eye in (clip.left, clip.right)
            )
            yield replace(clip, left=left, right=right, pixel_format=pixel_format, colour=_COLOUR)

    return stage
