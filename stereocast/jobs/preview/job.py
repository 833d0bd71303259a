"""What `convert` would make, on one sheet: moments of the film, and the disparity figures of each."""

from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

from stereocast import catalog
from stereocast.errors import SourceError
from stereocast.jobs import assembly, comfort, plan
from stereocast.jobs.preview import sheet
from stereocast.media import reader
from stereocast.settings import ConvertSettings
from stereocast.types import Layout, StereoClip, StereoFormat


def preview(
    name: str, output: Path | None, settings: ConvertSettings, *, moments: int, width: int
) -> tuple[Path, list[dict[str, Any]]]:
    """A sheet of `moments` moments of the film and the disparity figures of each. Raises what `prepare` raises."""
    path = output or plan.output_path(name, None, StereoFormat(Layout.MONO), ".png").with_name(
        f"{Path(name).stem}_preview.png"
    )
    plan.check_output((path,), name, overwrite=settings.overwrite)
    rows, figures = [], []
    for start in _moments(name, moments):
        source = reader.open_source(name, reader.ReadOptions(start=start))
        try:
            frames = list(islice(source, 3))
        finally:
            source.close()
        if not frames:
            continue
        clip = reader.concatenate(frames)
        made = assembly.estimator(settings, source.info)(iter([clip]))
        stereo = next(iter(assembly.synthesizer(settings, source.info)(made)))
        rows.append((f"{float(start):.1f} s", sheet.row(clip, stereo, width)))
        figures.append(
            {"time_s": round(float(start), 3), **_figures(stereo, catalog.preset(settings.preset).screen_fov_deg)}
        )
    if not rows:
        raise SourceError(f"{name}: no frame could be decoded")
    reader.write_image(path, sheet.sheet(rows))
    return path, figures


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


def figure_line(figure: dict[str, Any]) -> str:
    """One moment's figures as text."""
    if "verdict" not in figure:
        return f"{figure['time_s']:>8} s"
    percent, degrees = figure["percent"], figure["degrees"]
    values = f"{percent['p1']:.2f} .. {percent['p99']:.2f} % of the width ({degrees['p1']:.2f} .. {degrees['p99']:.2f} degrees)"
    return f"{figure['time_s']:>8} s  {figure['verdict']}: disparity {values}"
