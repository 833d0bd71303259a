"""Gets weights from a local path, or from the hub at a pinned revision after acceptance of the licence.

`loading` reads the files. There are no interactive prompts: a licence is accepted by a flag, by an environment variable
(`STEREOCAST_ACCEPT_LICENCE=name,name`) or by an earlier acceptance. Files are stored in the hub's cache, so `HF_HOME`,
`HF_HUB_CACHE`, `HF_HUB_OFFLINE` and `HF_ENDPOINT` work as usual.
"""

import contextlib
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from stereocast.errors import ExtraMissing, LicenceNotAccepted, UnknownName, UsageError, WeightsError, first_line
from stereocast.models import loading, shelf
from stereocast.models.shelf import Weights
from stereocast.settings import WeightSettings

_log = logging.getLogger(__name__)
_TRUE = {"1", "ON", "YES", "TRUE"}


def _home() -> Path:
    """The home folder, or the temporary folder if there is none (as for a service)."""
    try:
        return Path.home()
    except RuntimeError:
        return Path(tempfile.gettempdir())


def state_home() -> Path:
    """The folder of acceptances and pins: `STEREOCAST_HOME`, or else `stereocast` in the user's configuration folder."""
    own = os.environ.get("STEREOCAST_HOME")
    return Path(own) if own else Path(os.environ.get("XDG_CONFIG_HOME") or _home() / ".config") / "stereocast"


def cache_home() -> Path:
    """The hub's cache of repositories, found by the hub's rules."""
    if folder := os.environ.get("HF_HUB_CACHE"):
        return Path(folder).expanduser()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or _home() / ".cache")
    return Path(os.environ.get("HF_HOME") or cache / "huggingface").expanduser() / "hub"


def is_offline() -> bool:
    """Whether `HF_HUB_OFFLINE` forbids the network."""
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in _TRUE


# ---- acceptances and pins ------------------------------------------------------------------------------------------


def _read(name: str) -> dict[str, Any]:
    path = state_home() / name
    try:
        table = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise WeightsError(f"{path} can't be read ({error}); repair or delete it") from error
    return table if isinstance(table, dict) else {}


def _write(name: str, table: Mapping[str, Any]) -> None:
    path = state_home() / name
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f".{os.getpid()}.part")
    part.write_text(json.dumps(table, indent=1, sort_keys=True), "utf-8")
    part.replace(path)


def accepted(entry: Weights) -> bool:
    """Whether the licence of `entry`, as it is on the shelf now, was accepted."""
    by_environment = {name.strip() for name in os.environ.get("STEREOCAST_ACCEPT_LICENCE", "").split(",")}
    return entry.name in by_environment or _read("licences.json").get(entry.name) == entry.licence


def accept(entry: Weights) -> None:
    """Records that the licence of `entry` was accepted."""
    _write("licences.json", _read("licences.json") | {entry.name: entry.licence})


def pinned(entry: Weights) -> str | None:
    """The commit to use: the shelf's, or the one that the first download pinned."""
    commit = entry.revision or _read("revisions.json").get(entry.name)
    return commit if isinstance(commit, str) else None


# ---- the cache -----------------------------------------------------------------------------------------------------


def _snapshot(entry: Weights) -> Path | None:
    commit = pinned(entry)
    return cache_home() / f"models--{entry.repo.replace('/', '--')}" / "snapshots" / commit if commit else None


def downloaded(entry: Weights) -> Path | None:
    """The folder with all files of `entry`, or None."""
    folder = _snapshot(entry)
    return folder if folder and all((folder / file).is_file() for file in entry.files) else None


def arrived(entry: Weights) -> int:
    """Bytes of `entry`'s repository in the cache, including unfinished downloads."""
    blobs = cache_home() / f"models--{entry.repo.replace('/', '--')}" / "blobs"
    found = 0
    for path in blobs.glob("*"):
        with contextlib.suppress(OSError):
            found += path.stat().st_size
    return min(found, entry.size)


def describe(entry: Weights, **more: Any) -> dict[str, Any]:
    """Plain values to display: licence, size, whether it is accepted and downloaded."""
    folder = downloaded(entry)
    return {
        "name": entry.name, "about": entry.about, "licence": entry.licence, "terms": entry.terms, "size": entry.size,
        "page": entry.url, "revision": pinned(entry), "extra": entry.extra, "accepted": accepted(entry),
        "downloaded": folder is not None, "path": str(folder) if folder else None, **more,
    }  # fmt: skip


def download(entry: Weights, *, accept_licence: bool = False, progress: Callable[[str], None] | None = None) -> Path:
    """Downloads `entry` into the hub's cache and checks each file. An interrupted download resumes.

    Raises LicenceNotAccepted, ExtraMissing, WeightsError.
    """
    if folder := downloaded(entry):
        return folder
    _refuse(entry, accept_licence)
    accept(entry)
    _check_space(entry)
    folder = _fetch(entry, progress or _log.info)
    for file in entry.files:
        loading.check(folder / file, _known_hash(entry, folder / file))
    return folder


def _refuse(entry: Weights, accept_licence: bool) -> None:
    """Raises if it is known without trying that `entry` can't be downloaded."""
    if is_offline():
        raise WeightsError(
            f"weights '{entry.name}' aren't downloaded and HF_HUB_OFFLINE is set; run `stereocast models download "
            f"{entry.name}` online, or give --weights {entry.name}=PATH"
        )
    if not accept_licence and not accepted(entry):
        raise LicenceNotAccepted(
            f"{entry.summary}: read and accept its licence with `stereocast models download {entry.name} "
            f"--accept-licence`, or give --weights {entry.name}=PATH"
        )
    if find_spec("huggingface_hub") is None:
        raise ExtraMissing(f"downloading '{entry.name}'", entry.extra)


def _check_space(entry: Weights) -> None:
    home = cache_home()
    home.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(home).free
    if free < entry.size:
        raise WeightsError(
            f"weights '{entry.name}' need {shelf.human(entry.size)} but {home} has {shelf.human(free)} free; "
            f"free some space or set HF_HOME"
        )


def _fetch(entry: Weights, say: Callable[[str], None]) -> Path:
    from huggingface_hub import errors as hub
    from huggingface_hub import hf_hub_download

    commit, file = pinned(entry), ""
    try:
        for file in entry.files:
            say(f"{entry.repo}/{file}")
            path = Path(
                hf_hub_download(
                    entry.repo, file, revision=commit or "main", cache_dir=cache_home(), endpoint=_endpoint()
                )
            )
            if commit is None:  # the first file determines the commit of all
                commit = path.parents[len(Path(file).parts) - 1].name
                _write("revisions.json", _read("revisions.json") | {entry.name: commit})
    except hub.GatedRepoError as error:
        raise WeightsError(
            f"{entry.repo} is gated: accept its terms at {entry.url}, then log in with `hf auth login`"
        ) from error
    except (hub.RepositoryNotFoundError, hub.RevisionNotFoundError, hub.EntryNotFoundError) as error:
        if isinstance(error, hub.LocalEntryNotFoundError):
            raise _unreachable(entry, error) from error
        raise WeightsError(
            f"{entry.repo} has no {file} at revision {commit or 'main'}; give --weights instead"
        ) from error
    except (OSError, hub.HfHubHTTPError, RuntimeError) as error:
        raise _unreachable(entry, error) from error
    except Exception as error:  # the hub passes on its HTTP client's errors, and has changed clients before
        if type(error).__module__.split(".")[0] not in {"httpx", "httpcore", "requests", "urllib3"}:
            raise
        raise _unreachable(entry, error) from error
    assert commit is not None
    return cache_home() / f"models--{entry.repo.replace('/', '--')}" / "snapshots" / commit


def _endpoint() -> str | None:
    return os.environ.get("HF_ENDPOINT")


def _unreachable(entry: Weights, error: BaseException) -> WeightsError:
    reason = first_line(error)
    return WeightsError(
        f"weights '{entry.name}' can't be downloaded from {entry.repo} ({reason}); run the command again to resume the "
        f"download, or give --weights {entry.name}=PATH"
    )


def remove(entry: Weights) -> int:
    """Deletes the files of `entry` from the cache. Returns the bytes freed.

    Other files of the repository stay, and so does the content that another revision links to.
    """
    folder, freed = _snapshot(entry), 0
    for file in entry.files if folder else ():
        assert folder is not None
        link = folder / file
        if not link.is_symlink() and not link.exists():
            continue
        blob = link.resolve()
        size = blob.stat().st_size if blob.is_file() else 0
        link.unlink()
        if not any(other.is_symlink() and other.resolve() == blob for other in folder.parent.rglob("*")):
            blob.unlink(missing_ok=True)
            freed += size
        for parent in list(link.parents)[: len(Path(file).parts)]:
            if parent.is_dir() and not any(parent.iterdir()):
                parent.rmdir()
    return freed


# ---- checks --------------------------------------------------------------------------------------------------------


def _known_hash(entry: Weights, path: Path) -> str | None:
    """The shelf's hash, or else the hub's, which stores large files under their SHA-256."""
    if entry.sha256.get(path.name):
        return entry.sha256[path.name]
    blob = path.resolve().name
    return blob if len(blob) == 64 and blob != path.name else None


def verify(entry: Weights) -> Path:
    """Checks every downloaded file of `entry` against its hash or header. Raises WeightsError."""
    folder = downloaded(entry)
    if folder is None:
        raise WeightsError(f"weights '{entry.name}' aren't downloaded; run `stereocast models download {entry.name}`")
    for file in entry.files:
        loading.check(folder / file, _known_hash(entry, folder / file))
    return folder


# ---- for back ends -------------------------------------------------------------------------------------------------


def parse_paths(given: Iterable[str], main: str | None = None) -> dict[str, Path]:
    """`--weights` as a table: NAME=PATH, or a bare path for the weights `main`. Raises UsageError, UnknownName, WeightsError."""
    table: dict[str, Path] = {}
    for text in given:
        name, equals, path = text.partition("=")
        if not equals:
            if main is None:
                raise UsageError(f"--weights {text}: name the model these weights belong to, as NAME={text}")
            name, path = main, text
        elif name not in shelf.names_for_paths():
            raise UnknownName("weights", name, shelf.names_for_paths())
        table[name] = Path(path).expanduser()
        if not table[name].exists():
            raise WeightsError(f"--weights {name}={path}: no such file or folder")
    return table


@dataclass(frozen=True, slots=True)
class WeightStore:
    """The sources of one run's weights."""

    paths: Mapping[str, Path] = field(default_factory=dict)
    accept_licence: bool = False

    @classmethod
    def of(cls, settings: WeightSettings, main: str | None = None) -> "WeightStore":
        """The weights that the settings give or allow. Raises UsageError, UnknownName, WeightsError.

        A bare path belongs to `main`, or to the video model if the job has one.
        """
        given = settings.weights
        if main != "dynamicrafter" and getattr(settings, "synth", "") == "stereocrafter-zero":
            given = tuple(text for text in given if "=" in text)
        return cls(parse_paths(given, main), settings.accept_licence)

    def given(self, name: str) -> Path | None:
        """The file or folder that the user gave for the weights `name`, or None."""
        return self._local(shelf.find(name))

    def has(self, name: str) -> bool:
        """Whether `name` and everything it needs are on disk."""
        return all(self._local(entry) or downloaded(entry) for entry in shelf.with_needs(name))

    def require(self, name: str) -> None:
        """Raises what `path` would raise before a download: licence not accepted, offline, an extra missing."""
        for entry in shelf.with_needs(name):
            if not self._local(entry) and not downloaded(entry):
                _refuse(entry, self.accept_licence)

    def path(self, name: str) -> Path:
        """The file or folder of the weights `name`: the user's, or else the hub's, downloaded if allowed."""
        entry = shelf.find(name)
        return self._local(entry) or download(entry, accept_licence=self.accept_licence)

    def _local(self, entry: Weights) -> Path | None:
        return self.paths.get(entry.name) or self.paths.get(entry.family)
