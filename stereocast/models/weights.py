"""One way to get weights: a local path, or the hub at a pinned revision once its licence was accepted.

The only reader of checkpoints. Nothing is asked for at a prompt: acceptance is a flag, an environment variable
(`STEREOCAST_ACCEPT_LICENCE=name,name`) or the file that an earlier acceptance left. Files live in the hub's own cache,
so `HF_HOME`, `HF_HUB_CACHE`, `HF_HUB_OFFLINE` and `HF_ENDPOINT` mean what they mean elsewhere.
"""

import hashlib
import json
import logging
import os
import shutil
import struct
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from stereocast.errors import ExtraMissing, LicenceNotAccepted, UnknownName, UsageError, WeightsError
from stereocast.models import shelf
from stereocast.models.shelf import Weights

_log = logging.getLogger(__name__)
_TRUE = {"1", "ON", "YES", "TRUE"}
Rename = Callable[[str], str | None]


def state_home() -> Path:
    """The folder of acceptances and pins: `STEREOCAST_HOME`, else stereocast's folder of the user's configuration."""
    own = os.environ.get("STEREOCAST_HOME")
    return Path(own) if own else Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "stereocast"


def cache_home() -> Path:
    """The hub's cache of repositories, by the hub's own rules."""
    if folder := os.environ.get("HF_HUB_CACHE"):
        return Path(folder).expanduser()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
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
    """Whether the licence of `entry`, as it stands on the shelf, was accepted before."""
    by_environment = {name.strip() for name in os.environ.get("STEREOCAST_ACCEPT_LICENCE", "").split(",")}
    return entry.name in by_environment or _read("licences.json").get(entry.name) == entry.licence


def accept(entry: Weights) -> None:
    """Remembers that the licence of `entry` was accepted."""
    _write("licences.json", _read("licences.json") | {entry.name: entry.licence})


def pinned(entry: Weights) -> str | None:
    """The commit that is used: the shelf's, or the one that the first download found."""
    commit = entry.revision or _read("revisions.json").get(entry.name)
    return commit if isinstance(commit, str) else None


# ---- the cache -----------------------------------------------------------------------------------------------------


def _snapshot(entry: Weights) -> Path | None:
    commit = pinned(entry)
    return cache_home() / f"models--{entry.repo.replace('/', '--')}" / "snapshots" / commit if commit else None


def downloaded(entry: Weights) -> Path | None:
    """The folder that holds all files of `entry`, or None."""
    folder = _snapshot(entry)
    return folder if folder and all((folder / file).is_file() for file in entry.files) else None


def download(entry: Weights, *, accept_licence: bool = False, progress: Callable[[str], None] | None = None) -> Path:
    """Fetches `entry` into the hub's cache (an interrupted download goes on where it stopped) and checks each file.

    Raises LicenceNotAccepted, ExtraMissing, WeightsError.
    """
    if folder := downloaded(entry):
        return folder
    _refuse(entry, accept_licence)
    accept(entry)
    _check_space(entry)
    folder = _fetch(entry, progress or _log.info)
    for file in entry.files:
        check(folder / file, _known_hash(entry, folder / file))
    return folder


def _refuse(entry: Weights, accept_licence: bool) -> None:
    """Says why `entry` can't be downloaded, where that is known without trying."""
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
            f"make room or set HF_HOME"
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
            if commit is None:  # the first file decides the commit of all
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
    except Exception as error:  # the hub lets the errors of its HTTP client through, and changed that client once
        if type(error).__module__.split(".")[0] not in {"httpx", "httpcore", "requests", "urllib3"}:
            raise
        raise _unreachable(entry, error) from error
    assert commit is not None
    return cache_home() / f"models--{entry.repo.replace('/', '--')}" / "snapshots" / commit


def _endpoint() -> str | None:
    return os.environ.get("HF_ENDPOINT")


def _unreachable(entry: Weights, error: BaseException) -> WeightsError:
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return WeightsError(
        f"weights '{entry.name}' can't be downloaded from {entry.repo} ({reason}); run it again to go on where it "
        f"stopped, or give --weights {entry.name}=PATH"
    )


def remove(entry: Weights) -> int:
    """Deletes the files of `entry` from the cache; returns the bytes set free. Other files of the repository stay."""
    folder, freed = _snapshot(entry), 0
    for file in entry.files if folder else ():
        assert folder is not None
        link = folder / file
        if not link.is_symlink() and not link.exists():
            continue
        blob = link.resolve()
        freed += blob.stat().st_size if blob.is_file() else 0
        link.unlink()
        if blob != link:
            blob.unlink(missing_ok=True)
        for parent in list(link.parents)[: len(Path(file).parts)]:
            if parent.is_dir() and not any(parent.iterdir()):
                parent.rmdir()
    return freed


# ---- checks --------------------------------------------------------------------------------------------------------


def _known_hash(entry: Weights, path: Path) -> str | None:
    """The shelf's hash, else the hub's: large files are stored under their SHA-256."""
    if entry.sha256.get(path.name):
        return entry.sha256[path.name]
    blob = path.resolve().name
    return blob if len(blob) == 64 and blob != path.name else None


def check(path: Path, sha256: str | None = None) -> None:
    """Raises WeightsError unless `path` has that hash, and a complete safetensors header where it is such a file."""
    if path.suffix == ".safetensors":
        header(path)
    elif path.suffix == ".json":
        try:
            json.loads(path.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise WeightsError(f"{path} is damaged ({error}); remove it and download it again") from error
    if sha256 is not None:
        with path.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
        if found != sha256:
            raise WeightsError(
                f"{path} is damaged: its SHA-256 is {found[:12]}…, not {sha256[:12]}…; remove it and download it again"
            )


def verify(entry: Weights) -> Path:
    """Checks every downloaded file of `entry` against its hash or header. Raises WeightsError."""
    folder = downloaded(entry)
    if folder is None:
        raise WeightsError(f"weights '{entry.name}' aren't downloaded; run `stereocast models download {entry.name}`")
    for file in entry.files:
        check(folder / file, _known_hash(entry, folder / file))
    return folder


def header(path: Path) -> dict[str, Any]:
    """The header of a safetensors file: name -> dtype, shape, offsets. Raises WeightsError if it is damaged or cut."""
    size = path.stat().st_size
    try:
        with path.open("rb") as stream:
            (length,) = struct.unpack("<Q", stream.read(8))
            if length > size - 8:
                raise ValueError("its header is longer than the file")
            table = json.loads(stream.read(length))
        entries = {key: value for key, value in table.items() if key != "__metadata__"}
        end = max((int(value["data_offsets"][1]) for value in entries.values()), default=0)
        if size != 8 + length + end:
            raise ValueError(f"{size} bytes instead of {8 + length + end}")
    except (struct.error, ValueError, KeyError, TypeError, AttributeError) as error:
        raise WeightsError(f"{path} is damaged ({error}); download it again") from error
    return entries


# ---- what back ends ask for ----------------------------------------------------------------------------------------


def parse_paths(given: Iterable[str], main: str | None = None) -> dict[str, Path]:
    """`--weights` as a table: NAME=PATH, or a bare path for the weights `main`. Raises UsageError, UnknownName."""
    table: dict[str, Path] = {}
    for text in given:
        name, equals, path = text.partition("=")
        if not equals:
            if main is None:
                raise UsageError(f"--weights {text}: say whose weights these are, as NAME={text}")
            name, path = main, text
        elif name not in shelf.names_for_paths():
            raise UnknownName("weights", name, shelf.names_for_paths())
        table[name] = Path(path).expanduser()
        if not table[name].exists():
            raise WeightsError(f"--weights {name}={path}: no such file or folder")
    return table


@dataclass(frozen=True, slots=True)
class WeightStore:
    """Where the weights of one run come from."""

    paths: Mapping[str, Path] = field(default_factory=dict)
    accept_licence: bool = False

    def has(self, name: str) -> bool:
        """Whether `name` and all it needs are on this disk."""
        return all(self._local(entry) or downloaded(entry) for entry in shelf.with_needs(name))

    def require(self, name: str) -> None:
        """Raises what `path` would raise without trying a download: terms not accepted, offline, an extra missing."""
        for entry in shelf.with_needs(name):
            if not self._local(entry) and not downloaded(entry):
                _refuse(entry, self.accept_licence)

    def path(self, name: str) -> Path:
        """The file or folder of the weights `name`: the user's own, else the hub's, downloaded where that's allowed."""
        entry = shelf.find(name)
        return self._local(entry) or download(entry, accept_licence=self.accept_licence)

    def _local(self, entry: Weights) -> Path | None:
        return self.paths.get(entry.name) or self.paths.get(entry.family)


# ---- checkpoints ---------------------------------------------------------------------------------------------------


def find_checkpoint(folder: Path, stem: str) -> Path:
    """The checkpoint `stem` of a folder: fp16 variant or not, one safetensors file, shards, or a pickle of tensors."""
    if folder.is_file():
        return folder
    for suffix in (
        ".safetensors",
        ".fp16.safetensors",
        ".safetensors.index.json",
        ".safetensors.index.fp16.json",
        ".pth",
        ".bin",
        ".fp16.bin",
        ".ckpt",
    ):
        if (folder / f"{stem}{suffix}").is_file():
            return folder / f"{stem}{suffix}"
    raise WeightsError(f"{folder} holds no {stem}.safetensors; give the folder of the published checkpoint")


def read_config(folder: Path) -> dict[str, Any]:
    """The config.json of a folder. Raises WeightsError."""
    path = folder / "config.json"
    try:
        table = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise WeightsError(f"{folder} holds no config.json; give the folder of the published checkpoint") from None
    except (OSError, ValueError) as error:
        raise WeightsError(f"{path} can't be read ({error})") from error
    if not isinstance(table, dict):
        raise WeightsError(f"{path} is not a table of settings")
    return table


def tensors(path: Path, dtype: Any = None) -> dict[str, Any]:
    """All tensors of a checkpoint, mapped from the file and cast to `dtype` where they are of floating point.

    Pickles are read with weights_only; a table under `state_dict` is unwrapped. Raises WeightsError.
    """
    found = _read_tensors(path)
    if dtype is None:
        return found
    return {key: value.to(dtype) if value.is_floating_point() else value for key, value in found.items()}


def _read_tensors(path: Path) -> dict[str, Any]:
    if path.name.endswith(".json"):
        shards = json.loads(path.read_text("utf-8")).get("weight_map", {})
        return {
            key: value
            for shard in sorted(set(shards.values()))
            for key, value in _read_tensors(path.parent / shard).items()
        }
    if not path.is_file():
        raise WeightsError(f"no such checkpoint: {path}")
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        header(path)
        return dict(load_file(path))
    import torch

    try:
        table = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except Exception as error:  # pickle, zip and torch each raise their own
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise WeightsError(f"{path} is no checkpoint of tensors ({reason}); download it again") from error
    for wrapper in ("state_dict", "module", "model"):
        if isinstance(table, dict) and isinstance(table.get(wrapper), dict):
            table = table[wrapper]
    if not isinstance(table, dict):
        raise WeightsError(f"{path} is no table of tensors")
    return {key: value for key, value in table.items() if isinstance(value, torch.Tensor)}


def _some(keys: Iterable[str]) -> str:
    names = sorted(keys)
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")


def load_into(
    model: Any,
    source: Path | Mapping[str, Any],
    *,
    rename: Rename | None = None,
    dtype: Any = None,
    optional: Iterable[str] = (),
    what: str | None = None,
    extra_keys: Literal["refuse", "ignore"] = "refuse",
) -> Any:
    """Puts a checkpoint into `model` (which may be on the meta device) and returns the model in evaluation mode.

    rename: published key -> key of the model, or None to leave an entry out (the key map).
    optional: model keys that the checkpoint may lack.
    Raises WeightsError that names missing, unexpected and misshapen entries.
    """
    what = what or (str(source) if isinstance(source, Path) else type(model).__name__)
    found = tensors(source) if isinstance(source, Path) else dict(source)
    if rename is not None:
        found = {new: value for key, value in found.items() if (new := rename(key)) is not None}
    if dtype is not None:
        found = {key: value.to(dtype) if value.is_floating_point() else value for key, value in found.items()}
    want = {key: tuple(value.shape) for key, value in model.state_dict().items()}
    problems = []
    if missing := want.keys() - found.keys() - set(optional):
        problems.append(f"missing {_some(missing)}")
    if unexpected := found.keys() - want.keys():
        if extra_keys == "refuse":
            problems.append(f"unexpected {_some(unexpected)}")
        found = {key: value for key, value in found.items() if key in want}
    wrong = [key for key, value in found.items() if key in want and tuple(value.shape) != want[key]]
    if wrong:
        problems.append(
            f"wrong shape {_some(f'{key} {list(found[key].shape)} not {list(want[key])}' for key in wrong)}"
        )
    if problems:
        raise WeightsError(f"{what} doesn't fit {type(model).__name__}: {'; '.join(problems)}")
    model.load_state_dict(found, strict=False, assign=True)
    return model.requires_grad_(False).eval()


def load_transformers(model_class: Any, path: Path, dtype: Any) -> Any:
    """A model of the transformers library from a folder with config.json and one safetensors file, which keeps its own
    key maps between versions. Raises WeightsError as `load_into` does."""
    if not path.is_dir():
        raise WeightsError(f"{path} is no folder; give the folder with config.json and model.safetensors")
    read_config(path)
    check(find_checkpoint(path, "model"))
    from transformers.utils import logging as library

    bars = library.is_progress_bar_enabled()
    library.disable_progress_bar()
    try:
        model, found = model_class.from_pretrained(
            str(path), local_files_only=True, use_safetensors=True, output_loading_info=True
        )
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        reason = str(error).strip().splitlines()[0]
        raise WeightsError(f"{path} doesn't fit {model_class.__name__}: {reason}") from error
    finally:
        if bars:
            library.enable_progress_bar()
    problems = [
        f"{kind} {_some(str(key) for key in found[entry])}"
        for kind, entry in (("missing", "missing_keys"), ("unexpected", "unexpected_keys"), ("wrong shape", "mismatched_keys"))
        if found.get(entry)
    ]  # fmt: skip
    if problems:
        raise WeightsError(f"{path} doesn't fit {model_class.__name__}: {'; '.join(problems)}")
    return model.to(dtype).requires_grad_(False).eval()
