"""Prepares `convert`: opens the source, makes the plan and checks it."""

from dataclasses import replace
from pathlib import Path

from stereocast import catalog, registry
from stereocast.depth import choice
from stereocast.errors import UsageError
from stereocast.jobs import assembly, plan, written
from stereocast.jobs.convert import diffusion, repack
from stereocast.jobs.plan import ConvertPlan
from stereocast.media import bars, passthrough, probe, reader, standard_input
from stereocast.settings import ConvertSettings
from stereocast.types import Layout, StreamInfo


def prepare(
    name: str, output: Path | str | None, settings: ConvertSettings
) -> tuple[ConvertPlan, reader.VideoSource | reader.ImageSource]:
    """Makes the plan before work starts; nothing is written. Returns the plan and the open source, which the caller closes.
    Raises UsageError, SourceError, SinkError, LimitExceeded, ExtraMissing.
    """
    _check_names(settings)
    opened, folder = standard_input.spooled() if name == "-" and settings.spool else (name, None)
    source = reader.open_source(opened, assembly.read_options(settings))
    try:
        if isinstance(source, reader.VideoSource):
            source.spool = folder  # the source deletes it on close
            if output is not None and Path(output).suffix.lower() in probe.IMAGES and not plan.numbered(output):
                source = source.as_still()
        views = repack.views_of(name, repack.detect(name, source), settings)
        if views is not None and views.packing == "multiview" and isinstance(source, reader.VideoSource):
            options = source.options
            source.close()
            source = reader.open_source(opened, replace(options, multiview=True))
        if isinstance(source, reader.ImageSource):
            return _still(name, output, settings, source, views), source
        if output is not None and plan.numbered(output):
            return _pictures(name, Path(output), settings, source, views), source
        return _film(name, output, settings, source, views), source
    except BaseException:
        source.close()
        raise


def _seen(info: StreamInfo, views: repack.Views | None) -> StreamInfo:
    return info if views is None else repack.eye_info(info, views)


def _film(
    name: str,
    output: Path | str | None,
    settings: ConvertSettings,
    source: reader.VideoSource,
    views: repack.Views | None,
) -> ConvertPlan:
    preset, form = catalog.preset(settings.preset), plan.stereo_format(settings)
    notes: tuple[str, ...] = ()
    if settings.crop == "auto" and source.name != "-":
        source.retarget(crop=bars.detect(source.name))
        notes += (bars.described(source.options.crop),)
    elif settings.crop == "auto":
        notes += ("a pipe can't be searched for black bars; nothing is cropped",)
    profile = plan.choose_encoder(settings, preset, _seen(source.info, views), tonemap=settings.tonemap)
    source.retarget(pixel_format=profile.pixel_format)
    for option, tracks in (("audio", source.container.streams.audio), ("subs", source.container.streams.subtitles)):
        passthrough.select(list(tracks), getattr(settings, option), option)
    container = plan.container_of(settings, output)
    plan.check_streamed(output or "", container, form)
    target = "-" if output == "-" else plan.output_path(
        name, None if output is None else Path(output), form, plan.default_suffix(container, name, still=False)
    )  # fmt: skip
    info = _seen(source.info, views)
    pack = assembly.packer(settings, info)
    if views is not None:
        pack = repack.packer(pack, form, views)
        half = ", half size" if views.half else ""
        notes += (f"repacked: {views.packing.replace('-', ' ')}{half}, without estimating depth",)
    packed = plan.packed_info(info, form, pack.shape(info.height, info.width), profile.pixel_format)
    depth, reason = ("file", "") if settings.depth_path or views else choice.resolve(settings)
    held = plan.Held(*assembly.costs(settings, info, depth), pack.own_bytes(info.height, info.width))
    bill = plan.memory_bill(info, packed, profile, replace(held, scale=settings.scale))
    if source.tone_mapped:
        notes += ("HDR is tone-mapped to SDR",)
    if reason:
        notes += (f"depth: {depth} ({reason})",)
    if form.layout is Layout.SPATIAL and target != "-":
        notes += (plan.multiview_note(Path(target), preset),)
    estimate = None
    if settings.synth == "stereocrafter-zero" and views is None:
        estimate = diffusion.estimate(settings, info)
        notes += (diffusion.line(estimate),)
    made = ConvertPlan(
        name,
        target,
        settings,
        preset,
        form,
        info,
        packed,
        container,
        profile,
        notes,
        bill,
        diffusion=estimate,
        metadata=dict(source.container.metadata),
        views=views,
    )
    written.check_plan(made)
    plan.check_limits(made)
    plan.check_disk(made)
    return made


def _check_names(settings: ConvertSettings) -> None:
    """Rejects unknown or uninstalled back ends before anything is opened."""
    if settings.depth_path is None:
        choice.resolve(settings)
    registry.find(registry.SYNTH, "synthesis", settings.synth)
    if settings.synth == "stereocrafter-zero":
        diffusion.check(settings)
    registry.find(registry.ENGINES, "engine", settings.engine)


def _pictures(
    name: str, output: Path, settings: ConvertSettings, source: reader.VideoSource, views: repack.Views | None
) -> ConvertPlan:
    """The plan for writing each frame to a picture file; sound and times are lost."""
    form, info = plan.stereo_format(settings), _seen(source.info, views)
    if form.layout is Layout.PAIR or (views is not None and views.packing == "multiview"):
        raise UsageError(
            f"-o {output}: this format can't be written as a sequence of pictures; convert to a film first"
        )
    shape = assembly.packer(settings, info).shape(info.height, info.width)
    packed = plan.packed_info(info, form, shape, info.pixel_format)
    notes = ("one picture per frame; sound, subtitles and times are left out",)
    preset = catalog.preset(settings.preset)
    made = ConvertPlan(name, output, settings, preset, form, info, packed, "images", None, notes, views=views)
    written.check_plan(made)
    return made


def _still(
    name: str,
    output: Path | str | None,
    settings: ConvertSettings,
    source: reader.ImageSource,
    views: repack.Views | None,
) -> ConvertPlan:
    if output == "-":
        raise UsageError("-o -: a still can't be written to standard output; give a file name")
    form, info = plan.stereo_format(settings), _seen(source.info, views)
    suffix = plan.default_suffix("", name, still=True)
    given = "" if output is None else Path(str(output)).suffix.lower()
    if given and given not in probe.IMAGES:
        kinds = ", ".join(sorted(probe.IMAGES))
        raise UsageError(f"-o {output}: a still is written as {kinds}; `stereocast gen` turns {name} into a film")
    target = plan.output_path(name, None if output is None else Path(str(output)), form, suffix)
    packed = plan.packed_info(
        info, form, assembly.packer(settings, info).shape(info.height, info.width), info.pixel_format
    )
    made = ConvertPlan(
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
