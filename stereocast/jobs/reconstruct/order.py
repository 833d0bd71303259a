"""The order given to `4d`, and the folder of its result."""

import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from stereocast import registry
from stereocast.errors import ExtraMissing, SinkError, UsageError
from stereocast.jobs import written
from stereocast.pack import layouts
from stereocast.settings import FourDSettings
from stereocast.types import StereoFormat


@dataclass(frozen=True, slots=True)
class Order:
    """What was asked for."""

    source: str | None
    prompt: str | None = None
    views: Path | None = None
    scene_file: Path | None = None
    settings: FourDSettings = field(default_factory=FourDSettings)


@dataclass(slots=True)
class Reconstructed:
    """The result of `4d`."""

    folder: Path
    files: list[Path] = field(default_factory=list)
    gaussians: int = 0
    method: str = ""
    note: str = ""
    helped: bool = False  # this process did a share of another one's work, and has no result
    _new: list[Path] = field(default_factory=list, repr=False)  # folders that this run made

    def make(self) -> None:
        """Makes the folder. Raises SinkError."""
        missing = [self.folder, *self.folder.parents]
        new = [path for path in missing if not path.exists()]
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SinkError(f"the folder {self.folder} can't be made: {error.strerror}") from error
        self._new = self._new or new

    def give_up(self) -> None:
        """After a failure: folders that this run made go, unless they hold work that --resume uses."""
        work = self.folder / "work"
        kept = ("fit.pt", "start.safetensors", "matrix/matrix.json", "stage1/*.npz")
        if not self._new or any(found for pattern in kept for found in work.glob(pattern)):
            return
        shutil.rmtree(self.folder, ignore_errors=True)
        for path in self._new[1:]:
            path.rmdir()


def place(order: Order, output: Path | None) -> Reconstructed:
    """The result's folder, checked and not yet made. Raises UsageError, SinkError, ExtraMissing."""
    if not registry.Backend("", requires=("torch", "safetensors")).installed:
        raise ExtraMissing("stereocast 4d", "4d")
    given = [what for what in (order.source, order.prompt, order.scene_file) if what]
    if len(given) > 1 or not (given or order.views):
        raise UsageError(
            "give one of: a picture, a film, a folder or a 3D object; --prompt TEXT; --views-dir FOLDER; --render FILE.4dgs"
        )
    if order.scene_file is not None and order.views is not None:
        raise UsageError("--views-dir: can't be combined with --render")
    name = str(order.source or order.scene_file or re.sub(r"\W+", "_", order.prompt or "")[:40] or order.views)
    folder = output or Path(name).resolve().parent / f"{Path(name).stem}_4d"
    replacing = order.settings.overwrite or order.settings.resume or order.scene_file is not None
    if (folder / "scene.4dgs").exists() and not replacing:
        raise SinkError(f"{folder} already contains a result; use --overwrite to replace it, or -o for another folder")
    read = written.inputs([str(name) for name in (order.source, order.scene_file, order.views) if name])
    suffix = layouts.suffix(StereoFormat(order.settings.format, anaglyph=order.settings.anaglyph))
    titles = ["orbit.mp4", f"orbit_stereo{suffix}.mp4", f"view_stereo{suffix}.mp4"]
    writes = written.of_reconstruction(folder, titles)
    if order.prompt is not None:
        writes += written.of_picture(folder / "picture.png")
    if order.scene_file is not None:  # the scene is read, not written
        writes = [write for write in writes if write.path.suffix == ".mp4"]
    written.check(writes, read, overwrite=replacing)
    return Reconstructed(folder)
