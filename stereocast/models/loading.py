"""Loads checkpoint files into models and checks that they are complete and fit. Only this module reads tensors.

It doesn't know hubs and licences (see `weights`).
"""

import hashlib
import json
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from stereocast.errors import WeightsError, first_line

Rename = Callable[[str], str | None]


def check(path: Path, sha256: str | None = None) -> None:
    """Raises WeightsError if the file's hash, its safetensors header or its JSON is wrong."""
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


def header(path: Path) -> dict[str, Any]:
    """The header of a safetensors file: name -> dtype, shape, offsets. Raises WeightsError for a damaged or truncated file."""
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


def find_checkpoint(folder: Path, stem: str) -> Path:
    """The checkpoint `stem` of a folder: safetensors, shards, or a pickle of tensors, also in fp16. Raises WeightsError."""
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
    raise WeightsError(f"{folder} contains no {stem}.safetensors; give the folder of the published checkpoint")


def read_config(folder: Path) -> dict[str, Any]:
    """The config.json of a folder. Raises WeightsError."""
    path = folder / "config.json"
    try:
        table = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise WeightsError(f"{folder} contains no config.json; give the folder of the published checkpoint") from None
    except (OSError, ValueError) as error:
        raise WeightsError(f"{path} can't be read ({error})") from error
    if not isinstance(table, dict):
        raise WeightsError(f"{path} is not a table of settings")
    return table


def tensors(path: Path, dtype: Any = None) -> dict[str, Any]:
    """All tensors of a checkpoint, mapped from the file; floating-point ones are cast to `dtype` if given.

    Pickles are read with weights_only. A table under `state_dict` is unwrapped. Raises WeightsError.
    """
    found = _read_tensors(path)
    if dtype is None:
        return found
    return {key: value.to(dtype) if value.is_floating_point() else value for key, value in found.items()}


def _read_tensors(path: Path) -> dict[str, Any]:
    if path.name.endswith(".json"):
        try:
            shards = sorted(set(json.loads(path.read_text("utf-8"))["weight_map"].values()))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise WeightsError(f"{path} is damaged ({error}); download it again") from error
        return {key: value for shard in shards for key, value in _read_tensors(path.parent / shard).items()}
    if not path.is_file():
        raise WeightsError(f"no such checkpoint: {path}")
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        header(path)
        return dict(load_file(path))
    import torch

    try:
        table = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except Exception as error:  # pickle, zip and torch raise different types
        reason = first_line(error)
        raise WeightsError(f"{path} is not a tensor checkpoint ({reason}); download it again") from error
    for wrapper in ("state_dict", "module", "model"):
        if isinstance(table, dict) and isinstance(table.get(wrapper), dict):
            table = table[wrapper]
    if not isinstance(table, dict):
        raise WeightsError(f"{path} is not a table of tensors")
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
    """Loads a checkpoint into `model` (which may be on the meta device) and returns the model in evaluation mode.

    rename: the key map, from a published key to the model's, or None to skip an entry.
    optional: model keys that the checkpoint may lack.
    Raises WeightsError that names missing and unexpected entries and wrong shapes.
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


@contextmanager
def without_advice() -> Iterator[None]:
    """Silences transformers: while pipelines are imported, it recommends torchvision, which nothing here needs."""
    from transformers.utils import logging as library

    level = library.get_verbosity()
    library.set_verbosity_error()
    try:
        yield
    finally:
        library.set_verbosity(level)


def load_transformers(model_class: Any, path: Path, dtype: Any) -> Any:
    """A model of the transformers library, which keeps its key maps, from a folder with config.json and one safetensors file.

    Raises WeightsError as `load_into` does.
    """
    if not path.is_dir():
        raise WeightsError(f"{path} is not a folder; give the folder with config.json and model.safetensors")
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
        reason = first_line(error)
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
