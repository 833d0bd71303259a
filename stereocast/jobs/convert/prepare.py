"""What is decided before `convert` starts: the source is opened, the plan made and checked."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from stereocast import catalog, registry
from stereocast.depth import choice
from stereocast.errors import UsageError
from stereocast.jobs import assembly, plan, written
from stereocast.jobs.convert import repack
from stereocast.jobs.plan import CLIP_FRAMES, Plan
from stereocast.media import reader
from stereocast.settings import ConvertSettings
from stereocast.stereo.plates import look_ahead
from stereocast.types import Layout, StreamInfo


def prepare(name: str, output: Path | str | None, settings: ConvertSettings) -> tuple[Plan, Any]:
    """Decides everything before work starts. Returns the plan and the open source (the caller closes it).

    Raises UsageError, SourceError, SinkError, LimitExceeded.
    """
    preset, form = catalog.preset(settings.preset), plan.stereo_format(settings)
    _check_names(settings)
    source = reader.open_source(name, assembly.read_options(settings, None, name))
    try:
        if isinstance(source, reader.ImageSource):
            return _prepare_still(name, output, settings, source), source
        views = repack.views_of(name, repack.detect(name, source), settings)
        if output is not None and plan.numbered(output):
            return _prepare_pictures(name, Path(output), settings, source, views), source
        profile = plan.choose_encoder(settings, preset, _seen(source.info, views))
        both = views is not None and views.packing == "multiview"
        if source.info.pixel_format is not profile.pixel_format or both:
            if name == "-":
                source.retarget(profile.pixel_format)
            else:
                source.close()
                options = replace(assembly.read_options(settings, profile.pixel_format, name), multiview=both)
                source = reader.open_source(name, options)
        container = plan.container_of(settings, output)
        target = "-" if output == "-" else plan.output_path(
            name, None if output is None else Path(output), form, plan.default_suffix(container, name, still=False)
        )  # fmt: skip
        info = _seen(source.info, views)
        pack = (
            assembly.packer(settings, info)
            if views is None
            else repack.packer(assembly.packer(settings, info), form, views)
        )
        packed = plan.packed_info(info, form, pack.shape(info.height, info.width), profile.pixel_format)
        depth, reason = ("file", "") if settings.depth_path or views else choice.resolve(settings)
        if views is not None:
            notes: tuple[str, ...] = (
                f"repacked: {views.packing.replace('-', ' ')}{', half size' * views.half}, no depth is made",
            )
        else:
            notes = ()
        waiting = 2 * CLIP_FRAMES + choice.held(depth, settings)
        stages = {"segmenter": CLIP_FRAMES + 2, "depth": waiting, "synthesis": 2 * CLIP_FRAMES + look_ahead(settings)}
        bill = plan.memory_bill(info, packed, stages)
        notes += ("HDR is tone-mapped to SDR",) if source.tone_mapped else ()
        if reason:
            notes += (f"depth: {depth} ({reason})",)
        if form.layout is Layout.SPATIAL and target != "-":
            notes += (plan.multiview_note(Path(target), preset),)
        metadata = dict(source.container.metadata) if isinstance(source, reader.VideoSource) else {}
        made = Plan(
            name, target, settings, preset, form, info, packed, container, profile, notes, bill, metadata, views=views
        )  # fmt: skip
        written.check_plan(made)
        plan.check_limits(made)
        plan.check_disk(made)
        return made, source
    except BaseException:
        source.close()
        raise


def _seen(info: StreamInfo, views: repack.Views | None) -> StreamInfo:
    return info if views is None else repack.eye_info(info, views)


def _check_names(settings: ConvertSettings) -> None:
    """Refuses unknown or uninstalled back ends before anything is opened."""
    if settings.depth_path is None:
        choice.resolve(settings)
    registry.find(registry.SYNTH, "synthesis", settings.synth)


def _prepare_pictures(
    name: str, output: Path, settings: ConvertSettings, source: reader.VideoSource, views: repack.Views | None
) -> Plan:
    """A film as a picture file for each frame; sound and times have no place there."""
    form, info = plan.stereo_format(settings), _seen(source.info, views)
    if form.layout is Layout.PAIR or (views is not None and views.packing == "multiview"):
        raise UsageError(f"-o {output}: this can't be written as a sequence of pictures; convert to a film first")
    shape = assembly.packer(settings, info).shape(info.height, info.width)
    packed = plan.packed_info(info, form, shape, info.pixel_format)
    notes = ("a picture for each frame; sound, subtitles and times are left out",)
    preset = catalog.preset(settings.preset)
    made = Plan(name, output, settings, preset, form, info, packed, "images", None, notes, views=views)
    written.check_plan(made)
    return made


def _prepare_still(name: str, output: Path | str | None, settings: ConvertSettings, source: reader.ImageSource) -> Plan:
    views = repack.views_of(name, repack.detect(name, source), settings)
    form, info = plan.stereo_format(settings), _seen(source.info, views)
    suffix = plan.default_suffix("", name, still=True)
    target = plan.output_path(name, None if output in (None, "-") else Path(str(output)), form, suffix)
    packed = plan.packed_info(
        info, form, assembly.packer(settings, info).shape(info.height, info.width), info.pixel_format
    )
    made = Plan(
        name,
        target,
        settings,
        catalog.preset(settings.preset),
        form,
        info,
        packed,
        "image",
        None,
        extras=source.extras,
        views=views,
    )
    written.check_plan(made)
    return made
