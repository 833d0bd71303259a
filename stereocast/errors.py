"""Every error that a user can see.

    StereocastError            exit code 1: the job failed
    ├── UsageError             exit code 2: the call can't be carried out as written
    │   ├── UnknownName        an unknown name; suggests the nearest one
    │   │   └── UnknownValue   an unknown value of an option; the same
    │   └── LimitExceeded      the preset's headset can't play the result
    ├── SourceError            the input is missing, damaged, or holds no video
    ├── SinkError              the output can't be written (exists, disk full, encoder failed)
    │   └── OutputExists       the output exists and may be replaced only with --overwrite
    ├── ExtraMissing           an optional part isn't installed; gives the pip command
    ├── WeightsError           weights are missing, damaged or of another model
    │   └── LicenceNotAccepted the weights' licence must be accepted first
    └── OutOfMemory            the device is too small even for the smallest window

A message is one line: what, which file or value, what to do.
"""

from collections.abc import Iterable
from difflib import get_close_matches


class StereocastError(Exception):
    """Base of all errors that are shown to a user as one line."""

    exit_code = 1


class UsageError(StereocastError):
    """The call can't be carried out as written."""

    exit_code = 2


class UnknownName(UsageError):
    """`name` is not among the `known` names of a `kind` of thing."""

    def __init__(self, kind: str, name: str, known: Iterable[str], *, cutoff: float = 0.5) -> None:
        """`cutoff`: how alike (0..1) a name must be to be offered."""
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
    """The input is missing, damaged, or holds no video."""


class SinkError(StereocastError):
    """The output can't be written."""


class OutputExists(SinkError):
    """The output exists and may not be replaced."""


class ExtraMissing(StereocastError):
    """`what` needs the optional packages of `extra`."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} needs packages that aren't installed; run: {how_to_install(extra)}")
        self.extra = extra


def how_to_install(extra: str) -> str:
    """The line that adds an extra to this very install: from its checkout or file where it came from one, not from an index
    that may not have it."""
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
    """The device is too small even for the smallest window."""
