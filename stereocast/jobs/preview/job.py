"""`preview`: what `convert` would produce, on one sheet: moments of the film with their disparity figures."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from stereocast import catalog
from stereocast.errors import SinkError, SourceError, UsageError
from stereocast.jobs import assembly, plan, written
from stereocast.jobs.convert import repack
from stereocast.jobs.preview import moments, sheet
from stereocast.media import owned, photos, reader
from stereocast.media.owned import part_path
from stereocast.settings import PreviewSettings
from stereocast.types import Layout, StereoFormat


@dataclass(frozen=True, slots=True)
class Previewed:
    """The result: the sheet, and the figures of each moment."""

    path: Path
    moments: tuple[dict[str, Any], ...]


def preview(name: str, output: Path | None, settings: PreviewSettings) -> Previewed:
    """A sheet of moments of the film and the disparity figures of each. Raises what `prepare` raises."""
    path = output or plan.output_path(name, None, StereoFormat(Layout.PAIR), ".png", also="_preview")
    written.check(written.of_picture(path), written.inputs([name], settings), overwrite=settings.overwrite)
    fov_deg = catalog.preset(settings.preset).screen_fov_deg
    rows, figures = [], []
    for start in _moments(name, settings.moments, settings):
        decoded = moments.decode(name, start)
        if decoded is None:
            continue
        clip, depth = moments.depth_of(decoded.clip, assembly.estimator(settings, decoded.info))
        stereo = moments.views_of(clip, depth, settings, decoded.info, fov_deg)
        measured = moments.figures(stereo, fov_deg)
        rows.append((f"{float(start):.1f} s", sheet.row(clip, stereo, settings.width)))
        figures.append({"time_s": round(float(start), 3), **(measured.table() if measured else {})})
    if not rows:
        raise SourceError(f"{name}: no frame could be decoded")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        data = photos.encoded(path, sheet.sheet(rows))
        owned.write(path, data, beside=part_path(path), overwrite=settings.overwrite)
    except OSError as error:
        raise SinkError(f"{path} can't be written: {owned.reason(error)}") from error
    return Previewed(path, tuple(figures))


def _moments(name: str, count: int, settings: PreviewSettings) -> list[Fraction]:
    if settings.source_layout not in (None, "mono", "auto"):
        raise UsageError("--source-layout: preview is for flat films; use convert to repack a 3D film")
    source = reader.open_source(name)
    try:
        repack.check_flat(name, repack.detect(name, source), settings)
        duration = source.info.duration if source.info.frames != 1 else None
    finally:
        source.close()
    return [duration * (2 * n + 1) / (2 * count) for n in range(count)] if duration else [Fraction(0)]
