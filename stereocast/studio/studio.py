"""The state of one studio: its folder, cached moments, uploads, and the queue."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stereocast.errors import UsageError
from stereocast.jobs.preview.moments import Warm
from stereocast.media import posters
from stereocast.serve.library import Library
from stereocast.serve.live import Live
from stereocast.settings import ConvertSettings
from stereocast.studio import options
from stereocast.studio.folder import Folder, Gone, Material, check_material
from stereocast.studio.queue import Queue
from stereocast.studio.sample import Download, Sampler, Sender
from stereocast.studio.strip import Strips
from stereocast.studio.uploads import Uploads

_FLAT = {"layout": "mono", "full": True, "swapped": False, "half_sphere": False, "projection": "flat"}


class Studio:
    """The studio of a folder. Raises SinkError where that can't be written, or another studio has it open."""

    def __init__(self, root: Path, library: Library | None = None, live: Live | None = None) -> None:
        """`library`, `live`: of the application it is mounted in, for films that are converted while they are watched."""
        self._library, self._live = library, live
        self.folder = Folder(root)
        self.warm = Warm()
        self.strips = Strips(self.warm)
        self.uploads = Uploads(self.folder)
        self.queue = Queue(self.folder)
        self.sampler = Sampler(self.folder)
        self.download = Download()
        self.sender = Sender()
        self._facts: dict[tuple[str, float], dict[str, Any]] = {}

    def state(self) -> dict[str, Any]:
        """All that changes by itself, in one answer."""
        return {
            "jobs": self.queue.listing(), "uploads": self.uploads.listing(), "sample": self.sampler.state(),
            "download": self.download.state(), "send": self.sender.state(),
            "live": self._live.listing() if self._live is not None else [],
        }  # fmt: skip

    def materials(self) -> dict[str, Any]:
        """The films and stills of the folder, for a list."""
        rows = [self._row(item) for item in self.folder.materials()]
        return {"folder": str(self.folder.root), "films": rows}

    @staticmethod
    def _row(item: Material) -> dict[str, Any]:
        return {"id": item.ident, "title": item.title, "kind": item.kind, "size": item.size, "changed": item.changed}

    def material(self, ident: str) -> dict[str, Any]:
        """One of them, with the facts of its file. Raises SourceError if it is not a film."""
        item = self.folder.get(ident)
        key = ident, item.changed
        if key not in self._facts:
            self._facts[key] = check_material(item.path)
        return {**self._row(item), **self._facts[key]}

    def poster(self, ident: str) -> bytes:
        """A small JPEG of a film or still. Raises SourceError."""
        item = self.folder.get(ident)
        return posters.of_film(item.path, _FLAT) if item.kind == "film" else posters.of_picture((item.path,), _FLAT)

    def watch(self, ident: str, given: Mapping[str, Any]) -> str:
        """Lets a film be converted while it is watched; returns its identifier in the library. Raises UsageError."""
        settings = options.checked("convert", given)
        item = self.folder.get(ident)
        if self._library is None or self._live is None or item.kind != "film":
            raise UsageError(f"{item.title} can't be converted while it is watched; convert it first")
        assert isinstance(settings, ConvertSettings)
        options.check_watchable(settings)
        self._live.use(settings)
        self._library.convert_live(item.path)
        return item.ident

    def stop_live(self, number: int) -> None:
        """Ends a conversion that is being watched."""
        if self._live is not None:
            self._live.stop(number)

    def result(self, job: str) -> Path:
        """The film that a finished job made. Raises SourceError."""
        for row in self.queue.listing():
            if row["id"] == job and row["state"] == "done" and row["outputs"]:
                films = [name for name in row["outputs"] if Path(name).suffix.lower() in (".mp4", ".mkv", ".mov")]
                return self.folder.inside((films or row["outputs"])[0])
        raise Gone("this film no longer exists")

    def close(self) -> None:
        """Ends everything; the queue resumes at the next start."""
        self.strips.close()
        self.sampler.close()
        self.download.stop()
        self.queue.close()
        self.folder.close()
