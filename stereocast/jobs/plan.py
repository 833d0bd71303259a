"""Plans a conversion before it starts: names, encoder, sizes, limits, memory, disk.

`--dry-run` prints the plan. Nothing here reads more than the head of the source.
"""

import os
import shlex
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from stereocast import catalog
from stereocast.catalog import EncoderProfile, Preset
from stereocast.errors import LimitExceeded, SinkError, UsageError
from stereocast.media import covers, marks, names, photos, pictures, probe, quicktime, spatial, writer
from stereocast.media import profile as profiles
from stereocast.pack import layouts
from stereocast.pictures import tone
from stereocast.pictures.arrangement import TABLE
from stereocast.pipeline.stages import Cost
from stereocast.settings import ConvertSettings, OutputSettings
from stereocast.shots import cuts
from stereocast.types import Layout, PixelFormat, Projection, StereoFormat, StreamInfo

_LARGE = 6_000_000  # pixels of a picture, as in 4K film and VR180
_CONTAINERS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mp4", ".mkv": "mkv", ".m3u8": "hls"}
_RATE = {"h264": 0.11, "hevc": 0.065, "av1": 0.05, "vp9": 0.06, "ffv1": 4.0}  # bits a pixel, for estimates


@dataclass(frozen=True, slots=True)
class Plan:
    """A source, its output, and everything in between."""

    source: str
    output: Path | str  # '-' is standard output
    settings: OutputSettings
    preset: Preset
    form: StereoFormat
    info: StreamInfo  # of one view
    packed: StreamInfo  # of the picture that is encoded
    container: str
    profile: EncoderProfile | None  # None: a still
    notes: tuple[str, ...] = ()
    memory: dict[str, int] = field(default_factory=dict)  # bytes per part
    metadata: dict[str, str] = field(default_factory=dict)  # of the source
    extras: photos.Extras | None = None  # of a still: EXIF and colour profile
    diffusion: dict[str, Any] | None = None  # models, windows, memory and hours, where diffusion makes the second view
    views: Any = None  # `repack.Views` of a source that is already 3D and will be repacked

    @property
    def still(self) -> bool:
        return self.profile is None

    @property
    def overwrite(self) -> bool:
        """Whether results may be replaced; always true for films of `4d`, whose folder is checked elsewhere."""
        return bool(getattr(self.settings, "overwrite", True))

    @property
    def outputs(self) -> tuple[Path, ...]:
        """The files that the job produces."""
        if isinstance(self.output, str):
            return ()
        if self.form.layout is Layout.PAIR:
            stem = self.output.stem.removesuffix("_L")
            return tuple(self.output.with_name(f"{stem}_{eye}{self.output.suffix}") for eye in "LR")
        return (self.output,)

    @property
    def estimated_bytes(self) -> int | None:
        """Rough size of the output; None where the length isn't known."""
        if self.profile is None or self.packed.frames is None:
            return None
        return int(self.packed.width * self.packed.height * self.packed.frames * _RATE[self.profile.family] / 8)

    def summary(self) -> dict[str, Any]:
        """Plain values for --dry-run and --json."""
        return {
            "source": self.source,
            "output": [str(path) for path in self.outputs] or [str(self.output)],
            "format": self.form.layout.value,
            "preset": self.preset.name,
            "encoder": self.profile.name if self.profile else None,
            "container": self.container,
            "view": f"{self.info.width}x{self.info.height}",
            "picture": f"{self.packed.width}x{self.packed.height}",
            "pixel_format": self.packed.pixel_format.value,
            "frames": self.info.frames,
            "duration_s": round(float(self.info.duration), 3) if self.info.duration is not None else None,
            "memory_mb": {name: round(size / 1e6, 1) for name, size in self.memory.items()},
            "memory_total_mb": round(sum(self.memory.values()) / 1e6, 1),
            "estimated_mb": round(self.estimated_bytes / 1e6, 1) if self.estimated_bytes else None,
            "notes": list(self.notes),
            **({} if self.diffusion is None else {"diffusion": self.diffusion}),
        }


@dataclass(frozen=True, slots=True)
class ConvertPlan(Plan):
    """The plan of a conversion, whose settings also cover the source and the making of views."""

    settings: ConvertSettings


def stereo_format(settings: OutputSettings) -> StereoFormat:
    """The stereo format of the settings."""
    wide = settings.format is Layout.VR180
    return StereoFormat(
        settings.format,
        Projection.EQUIRECT_180 if wide else Projection.FLAT,
        fov_deg=180.0 if wide else None,
        anaglyph=settings.anaglyph,
    )


def encoder_names(settings: OutputSettings, preset: Preset, width: int, hdr: bool) -> tuple[str, ...]:
    """Profiles to try, in order, for a view of that width."""
    if hdr:
        return preset.encoders_hdr
    if settings.format is Layout.SPATIAL:
        return ("hevc-nvenc", "hevc-videotoolbox", "x265")
    if settings.format is Layout.VR180:
        width = preset.vr180_size
    wide = width > preset.wide_from and bool(preset.encoders_wide)
    return preset.encoders_wide if wide else preset.encoders


def container_of(settings: OutputSettings, output: Path | str | None) -> str:
    """mp4, mkv, hls or fmp4: from --out-format, otherwise from the output's name. Raises UsageError."""
    if settings.out_format:
        return settings.out_format
    if output is None:
        return "mp4"
    if isinstance(output, str):
        return "fmp4"
    suffix = output.suffix.lower()
    if not suffix:
        return "mp4"  # a folder
    if suffix not in _CONTAINERS:
        known = ", ".join(sorted(_CONTAINERS))
        raise UsageError(f"-o {output}: stereocast can't write '{suffix}' files; use {known}, or --out-format")
    return _CONTAINERS[suffix]


def numbered(output: Path | str | None) -> bool:
    """Whether an output is a picture sequence: a picture file's name with exactly one printf number in it."""
    if output is None or Path(output).suffix.lower() not in probe.IMAGES:
        return False
    return len(pictures.NUMBER.findall(Path(output).name)) == 1


def output_path(source: str, wanted: Path | None, form: StereoFormat, suffix: str, *, also: str = "") -> Path:
    """The path of the result: `wanted` (a file, or a folder that gets the usual name), otherwise in the source's folder.
    `also` is appended to the source's name."""
    rest = f"{also}{layouts.suffix(form)}{suffix}"

    def usual(folder: Path) -> Path:
        return folder / names.fitted(marks.bare(names.stem_of(source)), rest, folder)

    if wanted is None:
        beside = names.local(source)
        return usual(Path() if beside is None else beside.parent)
    if os.path.isdir(wanted) and not (wanted / "index.m3u8").exists():
        return usual(wanted)
    if suffix and not wanted.suffix:
        return usual(wanted)
    return wanted.parent if wanted.suffix == ".m3u8" else wanted


def nearest_folder(path: Path) -> Path:
    """The folder of `path`, or its nearest existing parent."""
    return next((folder for folder in path.absolute().parents if folder.exists()), Path(path.anchor or "."))


def make_folders(paths: tuple[Path, ...]) -> None:
    """Creates the folders of the outputs, when work starts. Raises SinkError."""
    for path in paths:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SinkError(
                f"the folder {path.parent} can't be created: {error.strerror}; choose another one with -o"
            ) from error


def check_streamed(output: Path | str, container: str, form: StereoFormat) -> None:
    """Rejects what can't be written to standard output. Raises UsageError."""
    if output != "-":
        return
    if container == "hls":
        raise UsageError("-o -: hls is a folder of files; give a folder, or use --out-format fmp4")
    if form.layout is Layout.PAIR:
        raise UsageError("-o -: --format pair writes two files; give a name, or choose another format")


def check_limits(plan: Plan) -> None:
    """Rejects a picture that the preset's headset can't decode, and says what it can. Raises LimitExceeded."""
    if plan.profile is None:
        return
    limit = plan.preset.limits.get(plan.profile.family)
    width, height = plan.packed.width, plan.packed.height
    rate = float(plan.packed.rate or 0)
    title = plan.preset.title
    if limit is None:
        have = ", ".join(plan.preset.limits)
        raise LimitExceeded(f"{title} has no decoder for {plan.profile.family}; use an encoder for {have}")
    if width <= limit.max_width and height <= limit.max_height and rate <= limit.max_rate * 1.01:
        return
    what = f"{width}x{height} at {rate:g} fps in {plan.profile.family}"
    allowed = f"{limit.max_width}x{limit.max_height} at {limit.max_rate:g} fps"
    better = [
        family for family, other in plan.preset.limits.items()
        if family != plan.profile.family and width <= other.max_width and height <= other.max_height and rate <= other.max_rate * 1.01
    ]  # fmt: skip
    advice = []
    if better:
        names = [
            n
            for n in dict.fromkeys((*plan.preset.encoders_wide, *plan.preset.encoders))
            if catalog.encoder(n).family in better
        ]
        advice.append(f"--encoder {names[-1]}" if names else f"an encoder for {better[0]}")
    if rate > limit.max_rate * 1.01:
        advice.append(f"--fps {limit.max_rate:g}")
    if plan.form.layout is not Layout.VR180 and (width > limit.max_width or height > limit.max_height):
        if plan.form.layout in (Layout.SBS, Layout.OU, Layout.SPATIAL):
            advice.append("--format half-sbs")
        advice.append(f"--scale {int(min(limit.max_width / width, limit.max_height / height) * 100) / 100:g}")
    raise LimitExceeded(
        f"{title} can't decode {what} (limit {allowed}); use {' or '.join(advice or ['another --preset'])}"
    )


def check_disk(plan: Plan) -> None:
    """Rejects a plan whose estimated size doesn't fit on the disk. Raises SinkError."""
    need = plan.estimated_bytes
    if need is None or not plan.outputs:
        return
    free = shutil.disk_usage(nearest_folder(plan.outputs[0])).free
    if need > free:
        raise SinkError(
            f"{plan.outputs[0].parent} has {_size(free)} free but about {_size(need)} are needed; "
            "free some space, or choose another folder with -o"
        )


def _size(count: int) -> str:
    """Bytes in a readable unit, never 0.0 GB."""
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} bytes"


def packed_info(info: StreamInfo, form: StereoFormat, shape: tuple[int, int], pixel_format: PixelFormat) -> StreamInfo:
    """The stream of packed pictures; each eye keeps the source's shape on the screen."""
    height, width = shape
    # half layouts keep the source's aspect, because players stretch each half back themselves
    aspect = Fraction(1) if form.projection is Projection.EQUIRECT_180 else info.sample_aspect
    return replace(info, width=width, height=height, pixel_format=pixel_format, sample_aspect=aspect)


def choose_encoder(
    settings: OutputSettings, preset: Preset, info: StreamInfo, *, tonemap: bool = False
) -> EncoderProfile:
    """The encoder profile for a source. Raises SinkError, UnknownName."""
    deep = (info.pixel_format.bits > 8 or tone.is_hdr(info.colour)) and not tonemap
    return profiles.choose(settings.encoder, encoder_names(settings, preset, info.width, deep))


_PROGRAM = 220_000_000  # the interpreter, its libraries and compiled kernels, as measured
_DECODER = 8  # source frames that a decoder keeps: references, and one per thread


@dataclass(frozen=True, slots=True)
class Held:
    """The memory that the stages of a conversion declare."""

    depth: Cost
    synthesis: Cost
    packer: int  # bytes
    scale: float = 1.0  # of the source


def clip_frames(info: StreamInfo, packed: StreamInfo) -> int:
    """Frames of a clip: one per core of a small machine. Large pictures come one by one, which costs much less memory; their
    two eyes are drawn at the same time."""
    return 1 if max(info.width * info.height, packed.width * packed.height) > _LARGE else 2


def memory_bill(info: StreamInfo, packed: StreamInfo, profile: EncoderProfile, held: Held) -> dict[str, int]:
    """Bytes per part, in pipeline order. The sum is within 25 % of measured peaks (bench/README.md)."""
    samples, size = (1.5 if info.pixel_format.planar else 3.0), (1 if info.pixel_format.bits == 8 else 2)
    pixels = info.width * info.height
    frame = int(pixels * samples * size)
    picture = int(packed.width * packed.height * samples * size)
    length = clip_frames(info, packed)
    clip, views = length * frame, length * 2 * frame
    return {
        "program": _PROGRAM,
        "reading": int(_DECODER * frame / held.scale**2) + (2 * frame if held.scale != 1 else 0),
        "clips": (cuts.LOOK_AHEAD + length) * frame + clip,
        "depth": clip + int(held.depth.frames * frame) + held.depth.own,
        "synthesis": views + int(held.synthesis.frames * frame) + held.synthesis.own,
        "queues": 3 * clip + 3 * views,  # one queued, and one in use at each end
        "packing": length * picture + held.packer,
        "encoder": profiles.held(profile, packed.width, packed.height) * picture,
    }


def default_suffix(container: str, source: str, *, still: bool) -> str:
    """The suffix of an output without a name."""
    if still:
        suffix = Path(source).suffix.lower()
        return suffix if suffix in (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp") else ".png"
    return writer.SUFFIXES[container]


def tags(made: Plan) -> dict[str, str]:
    """Tags of the video stream: Matroska's StereoMode; mp4 gets boxes instead."""
    mode = TABLE[made.form.layout].stereo_mode
    return {"stereo_mode": mode} if mode and made.container == "mkv" else {}


def finisher(made: Plan) -> Callable[[Path], None] | None:
    """The function that adds stereo, sphere and metadata tags to the complete file before it is renamed; None where there
    are none."""
    keys = quicktime.keys(made.metadata) if made.container == "mp4" else {}
    if not spatial.tags(made.form) and made.container != "mp4":
        return None
    camera = spatial.Camera(fov_deg=made.form.fov_deg or made.preset.screen_fov_deg)

    def finish(path: Path) -> None:
        if spatial.tags(made.form):
            spatial.tag_file(path, made.form, camera)
        if made.container == "mp4":
            cover = next(iter(covers.pictures(made.source)), None) if made.metadata and made.source != "-" else None
            quicktime.add(path, keys, cover[:2] if cover else None)

    return finish


def multiview_note(path: Path, preset: Preset) -> str:
    """How to make true MV-HEVC from the side-by-side file: no encoder in the bundled FFmpeg takes two views."""
    made = path.with_name(f"{path.stem.removesuffix('_LRF_Full_SBS')}_MVHEVC.mov")
    baseline = f"{spatial.BASELINE_M * 1000:g}"
    return (
        f"side-by-side HEVC; for MV-HEVC on a Mac: spatial make --input {shlex.quote(str(path))} --format sbs "
        f"--cdist {baseline} --hfov {preset.screen_fov_deg:g} --output {shlex.quote(str(made))}"
    )


def sink_options(made: Plan) -> writer.SinkOptions:
    """How a plan's pictures are written."""
    assert made.profile is not None
    settings = made.settings
    return writer.SinkOptions(
        made.packed, made.profile, made.container, settings.constant_quality, tags(made), finisher(made), made.form, settings.sei,
        overwrite=made.overwrite,
    )  # fmt: skip
