"""Every error that a user can see.

    StereocastError            exit code 1: the job failed
    ├── UsageError             exit code 2: the request is invalid
    │   ├── UnknownName        an unknown name; suggests the closest one
    │   └── LimitExceeded      the preset's headset can't play the requested picture
    ├── SourceError            the input is missing, damaged, or contains no video
    ├── SinkError              the output can't be written (exists, disk full, encoder failed)
    │   └── OutputExists       the output exists, and --overwrite wasn't given
    ├── ExtraMissing           an optional part isn't installed; gives the pip command
    ├── WeightsError           weights are missing, damaged or of another model
    │   └── LicenceNotAccepted the weights' licence must be accepted first
    └── OutOfMemory            memory is too small even for the smallest window

A message is one line: what is wrong, in which file or value, and what to do.
"""

from collections.abc import Iterable
from difflib import get_close_matches


class StereocastError(Exception):
    """Base of all errors that users see as one line."""

    exit_code = 1


class UsageError(StereocastError):
    """The request is invalid."""

    exit_code = 2


class UnknownName(UsageError):
    """`name` is not among the `known` names of a `kind` of thing."""

    def __init__(self, kind: str, name: str, known: Iterable[str], *, cutoff: float = 0.5) -> None:
        """`cutoff`: how similar (0..1) a name must be to be suggested."""
        names = sorted(known)
        near = get_close_matches(name, names, n=1, cutoff=cutoff)
        hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(names)}"
        super().__init__(f"{self._what(kind, name)}; {hint}")

    def _what(self, kind: str, name: str) -> str:
        return f"no {kind} named '{name}'"


class UnknownValue(UnknownName):
    """`name` is not among the `known` values of the option `kind`."""

    def _what(self, kind: str, name: str) -> str:
        return f"{kind} {name}: unknown value"


class LimitExceeded(UsageError):
    """The picture is larger or faster than the preset's headset can decode."""


class SourceError(StereocastError):
    """The input is missing, damaged, or contains no video."""


class SinkError(StereocastError):
    """The output can't be written."""


class OutputExists(SinkError):
    """The output is there already and may not be replaced."""


def first_line(error: BaseException) -> str:
    """The first line of an error's message, or its type if it has none. For errors of other libraries."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


class ExtraMissing(StereocastError):
    """`what` needs the optional packages of `extra`."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} needs packages that aren't installed; run: {how_to_install(extra)}")
        self.extra = extra


def how_to_install(extra: str) -> str:
    """The command that adds an extra to this installation.

    An installation from a checkout or file is extended from there, because an index may not have the package.
    """
    import json
    import os
    import sys
    from importlib import metadata
    from urllib.parse import unquote, urlsplit

    source, editable = "", False
    try:
        said = json.loads(metadata.distribution("stereocast").read_text("direct_url.json") or "{}")
        url, editable = str(said.get("url", "")), bool(said.get("dir_info", {}).get("editable"))
        if url.startswith("file://") and os.path.exists(unquote(urlsplit(url).path)):
            source = unquote(urlsplit(url).path)
        elif url:
            source = f"stereocast[{extra}] @ {f'git+{url}' if 'vcs_info' in said else url}"
    except (metadata.PackageNotFoundError, ValueError, OSError, AttributeError):
        pass
    if not source:
        target = f"stereocast[{extra}]"
    elif os.path.isabs(source):
        here = os.path.isdir(source) and os.path.samefile(source, os.getcwd())
        target = f"{'.' if here else source}[{extra}]"
    else:
        target = source
    if f"{os.sep}pipx{os.sep}" in sys.prefix:
        return f"pipx install --force {'--editable ' if editable else ''}'{target}'"
    return f"pip install {'-e ' if editable else ''}'{target}'"


class WeightsError(StereocastError):
    """Weights are missing, damaged or of another model."""


class LicenceNotAccepted(WeightsError):
    """The licence of the weights must be accepted before the first download."""


class OutOfMemory(StereocastError):
    """The device's memory is too small even for the smallest window."""
