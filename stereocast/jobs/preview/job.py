"""`preview`: what `convert` would make, on one sheet: moments of the film, and the disparity figures of each."""

from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

from stereocast import catalog
from stereocast.errors import SourceError
from stereocast.jobs import assembly, comfort, plan
from stereocast.jobs.preview import sheet
from stereocast.media import reader
from stereocast.settings import PreviewSettings
from stereocast.types import Layout, StereoClip, StereoFormat


@dataclass(frozen=True, slots=True)
class Previewed:
    """What came out: the sheet, and the figures of each moment."""

    path: Path
    moments: tuple[dict[str, Any], ...]


def preview(name: str, output: Path | None, settings: PreviewSettings) -> Previewed:
    """A sheet of moments of the film and the disparity figures of each. Raises what `prepare` raises."""
    path = output or plan.output_path(name, None, StereoFormat(Layout.MONO), ".png").with_name(
        f"{Path(name).stem}_preview.png"
    )
    plan.check_output((path,), name, overwrite=settings.overwrite)
    fov_deg = catalog.preset(settings.preset).screen_fov_deg
    rows, figures = [], []
    for start in _moments(name, settings.moments):
        source = reader.open_source(name, reader.ReadOptions(start=start))
        try:
            frames = list(islice(source, 3))
        finally:
            source.close()
        if not frames:
            continue
        clip = reader.concatenate(frames)
        made = assembly.estimator(settings, source.info)(iter([clip]))
        stereo = next(iter(assembly.synthesizer(settings, source.info, fov_deg)(made)))
        rows.append((f"{float(start):.1f} s", sheet.row(clip, stereo, settings.width)))
        figures.append({"time_s": round(float(start), 3), **_figures(stereo, fov_deg)})
    if not rows:
        raise SourceError(f"{name}: no frame could be decoded")
    plan.make_folders((path,))
    reader.write_image(path, sheet.sheet(rows))
    return Previewed(path, tuple(figures))


def _moments(name: str, count: int) -> list[Fraction]:
    source = reader.open_source(name)
    duration = source.info.duration if source.info.frames != 1 else None
    source.close()
    return [duration * (2 * n + 1) / (2 * count) for n in range(count)] if duration else [Fraction(0)]


def _figures(stereo: StereoClip, fov_deg: float) -> dict[str, Any]:
    meter = comfort.Meter(fov_deg, Fraction(1))
    list(meter(iter([stereo])))
    result = meter.result()
    return {} if result is None else result.table()
