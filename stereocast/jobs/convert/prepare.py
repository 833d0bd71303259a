"""What is decided before `convert` starts: the source is opened, the plan made and checked."""

from pathlib import Path
from typing import Any

from stereocast import catalog, registry
from stereocast.depth import choice
from stereocast.jobs import assembly, plan
from stereocast.jobs.plan import CLIP_FRAMES, Plan
from stereocast.media import reader
from stereocast.settings import ConvertSettings
from stereocast.stereo.plates import look_ahead
from stereocast.types import Layout


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
        profile = plan.choose_encoder(settings, preset, source.info)
        if source.info.pixel_format is not profile.pixel_format:
            if name == "-":
                source.retarget(profile.pixel_format)
            else:
                source.close()
                source = reader.open_source(name, assembly.read_options(settings, profile.pixel_format, name))
        container = plan.container_of(settings, output)
        target = "-" if output == "-" else plan.output_path(
            name, None if output is None else Path(output), form, plan.default_suffix(container, name, still=False)
        )  # fmt: skip
        info = source.info
        pack = assembly.packer(settings, info)
        packed = plan.packed_info(info, form, pack.shape(info.height, info.width), profile.pixel_format)
        depth, reason = ("file", "") if Path(settings.depth).exists() else choice.resolve(settings)
        waiting = 2 * CLIP_FRAMES + choice.held(depth, settings)
        stages = {"segmenter": CLIP_FRAMES + 2, "depth": waiting, "synthesis": 2 * CLIP_FRAMES + look_ahead(settings)}
        bill = plan.memory_bill(info, packed, stages)
        notes: tuple[str, ...] = ("HDR is tone-mapped to SDR",) if source.tone_mapped else ()
        if reason:
            notes += (f"depth: {depth} ({reason})",)
        if form.layout is Layout.SPATIAL and target != "-":
            notes += (plan.multiview_note(Path(target), preset),)
        made = Plan(name, target, settings, preset, form, info, packed, container, profile, notes, bill)
        plan.check_output(made.outputs, name, overwrite=settings.overwrite or container == "hls")
        plan.check_limits(made)
        plan.check_disk(made)
        return made, source
    except BaseException:
        source.close()
        raise


def _check_names(settings: ConvertSettings) -> None:
    """Refuses unknown or uninstalled back ends before anything is opened."""
    if not Path(settings.depth).exists():
        choice.resolve(settings)
    registry.find(registry.SYNTH, "synthesis", settings.synth)


def _prepare_still(name: str, output: Path | str | None, settings: ConvertSettings, source: reader.ImageSource) -> Plan:
    form, info = plan.stereo_format(settings), source.info
    suffix = plan.default_suffix("", name, still=True)
    target = plan.output_path(name, None if output in (None, "-") else Path(str(output)), form, suffix)
    packed = plan.packed_info(
        info, form, assembly.packer(settings, info).shape(info.height, info.width), info.pixel_format
    )
    made = Plan(name, target, settings, catalog.preset(settings.preset), form, info, packed, "image", None)
    plan.check_output(made.outputs, name, overwrite=settings.overwrite)
    return made
