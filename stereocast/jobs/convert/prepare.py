"""What is decided before `convert` starts: the source is opened, the plan made and checked."""

from dataclasses import dataclass, replace
from pathlib import Path

from stereocast import catalog, registry
from stereocast.depth import choice
from stereocast.errors import UsageError
from stereocast.jobs import assembly, plan
from stereocast.jobs.plan import Plan
from stereocast.media import bars, probe, reader, standard_input
from stereocast.settings import ConvertSettings
from stereocast.types import Layout


@dataclass(frozen=True, slots=True)
class ConvertPlan(Plan):
    """The plan of a conversion: its settings say what is read and how views are made, too."""

    settings: ConvertSettings


def prepare(
    name: str, output: Path | str | None, settings: ConvertSettings
) -> tuple[ConvertPlan, reader.VideoSource | reader.ImageSource]:
    """Decides everything before work starts; nothing is written. Returns the plan and the open source (the caller
    closes it). Raises UsageError, SourceError, SinkError, LimitExceeded, ExtraMissing.
    """
    _check_names(settings)
    opened, folder = standard_input.spooled() if name == "-" and settings.spool else (name, None)
    source = reader.open_source(opened, assembly.read_options(settings))
    try:
        if isinstance(source, reader.VideoSource):
            source.spool = folder  # goes with the source
            if output is not None and Path(output).suffix.lower() in probe.IMAGES:
                source = source.as_still()
        if isinstance(source, reader.ImageSource):
            return _still(name, output, settings, source), source
        return _film(name, output, settings, source), source
    except BaseException:
        source.close()
        raise


def _film(name: str, output: Path | str | None, settings: ConvertSettings, source: reader.VideoSource) -> ConvertPlan:
    preset, form = catalog.preset(settings.preset), plan.stereo_format(settings)
    notes: tuple[str, ...] = ()
    if settings.crop == "auto" and source.name != "-":
        source.retarget(crop=bars.detect(source.name))
        notes += (bars.described(source.options.crop),)
    elif settings.crop == "auto":
        notes += ("a pipe can't be searched for bars; nothing is cut away",)
    profile = plan.choose_encoder(settings, preset, source.info, tonemap=settings.tonemap)
    source.retarget(pixel_format=profile.pixel_format)
    container = plan.container_of(settings, output)
    target = "-" if output == "-" else plan.output_path(
        name, None if output is None else Path(output), form, plan.default_suffix(container, name, still=False)
    )  # fmt: skip
    info = source.info
    pack = assembly.packer(settings, info)
    packed = plan.packed_info(info, form, pack.shape(info.height, info.width), profile.pixel_format)
    depth, reason = ("file", "") if Path(settings.depth).exists() else choice.resolve(settings)
    held = plan.Held(*assembly.costs(settings, info, depth), pack.own_bytes(info.height, info.width))
    bill = plan.memory_bill(info, packed, profile, replace(held, scale=settings.scale))
    if source.tone_mapped:
        notes += ("HDR is tone-mapped to SDR",)
    if reason:
        notes += (f"depth: {depth} ({reason})",)
    if form.layout is Layout.SPATIAL and target != "-":
        notes += (plan.multiview_note(Path(target), preset),)
    made = ConvertPlan(name, target, settings, preset, form, info, packed, container, profile, notes, bill)
    plan.check_output(made.outputs, name, overwrite=settings.overwrite or container == "hls")
    plan.check_limits(made)
    plan.check_disk(made)
    return made


def _check_names(settings: ConvertSettings) -> None:
    """Refuses unknown or uninstalled back ends before anything is opened."""
    if not Path(settings.depth).exists():
        choice.resolve(settings)
    registry.find(registry.SYNTH, "synthesis", settings.synth)
    registry.find(registry.ENGINES, "engine", settings.engine)


def _still(name: str, output: Path | str | None, settings: ConvertSettings, source: reader.ImageSource) -> ConvertPlan:
    form, info = plan.stereo_format(settings), source.info
    suffix = plan.default_suffix("", name, still=True)
    given = "" if output in (None, "-") else Path(str(output)).suffix.lower()
    if given and given not in probe.IMAGES:
        kinds = ", ".join(sorted(probe.IMAGES))
        raise UsageError(
            f"-o {output}: {name} is a still, which becomes one of {kinds}; `stereocast gen` makes a film of it"
        )
    target = plan.output_path(name, None if output in (None, "-") else Path(str(output)), form, suffix)
    packed = plan.packed_info(
        info, form, assembly.packer(settings, info).shape(info.height, info.width), info.pixel_format
    )
    made = ConvertPlan(name, target, settings, catalog.preset(settings.preset), form, info, packed, "image", None)
    plan.check_output(made.outputs, name, overwrite=settings.overwrite)
    return made
