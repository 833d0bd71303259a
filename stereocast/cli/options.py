"""Turns settings models into command-line options: name, help, range and default come from the model."""

import inspect
import logging
import os
import sys
import threading
from collections.abc import Callable, Iterable
from enum import StrEnum
from functools import wraps
from typing import Annotated, Any, Literal, NoReturn, TypeVar, get_args, get_origin

import annotated_types
import typer
from pydantic.fields import FieldInfo

from stereocast.cli.plain import plain, say
from stereocast.errors import StereocastError
from stereocast.media import faults
from stereocast.settings import Settings
from stereocast.settings.explain import flag, members

Model = TypeVar("Model", bound=Settings)


def _metavar(annotation: Any) -> str:
    parts = []
    for part in members(annotation):
        if get_origin(part) is Literal:
            parts += [str(value) for value in get_args(part)]
        elif isinstance(part, type) and issubclass(part, StrEnum):
            parts += [value.value for value in part]
        elif part in (int, float):
            parts.append("NUMBER")
        elif part is not type(None):
            parts.append(getattr(part, "__name__", "text").upper().replace("STR", "TEXT"))
    return "|".join(parts)


def _bounds(field: FieldInfo) -> str:
    """The range of a number in interval notation: [0..4] includes both ends, (0..4] excludes 0."""
    low, high = "", ""
    opening, closing = "\\[", "]"  # rich would read a bare bracket as a style
    for rule in field.metadata:
        if isinstance(rule, annotated_types.Ge | annotated_types.Gt):
            low = str(rule.ge if isinstance(rule, annotated_types.Ge) else rule.gt)
            opening = "\\[" if isinstance(rule, annotated_types.Ge) else "("
        if isinstance(rule, annotated_types.Le | annotated_types.Lt):
            high = str(rule.le if isinstance(rule, annotated_types.Le) else rule.lt)
            closing = "]" if isinstance(rule, annotated_types.Le) else ")"
    return f" {opening}{low}..{high}{closing}" if low or high else ""


def _parameter(name: str, field: FieldInfo, panel: str) -> inspect.Parameter:
    option = flag(name)
    text = " ".join((field.description or "").split())
    kinds = members(field.annotation)
    annotation: Any
    if kinds == [bool]:
        annotation = Annotated[
            bool | None,
            typer.Option(f"{option}/--no-{option[2:]}", help=text, show_default=False, rich_help_panel=panel),
        ]
    elif any(get_origin(part) is tuple for part in kinds):
        annotation = Annotated[
            list[str] | None, typer.Option(option, help=text, metavar="NAME=PATH", rich_help_panel=panel)
        ]
    else:
        default = field.default
        shown = "" if default is None or default == "" else f" (default: {getattr(default, 'value', default)})"
        named = shown if "default" not in text else ""
        annotation = Annotated[
            str | None,
            typer.Option(
                option,
                help=f"{text}{_bounds(field)}{named}",
                metavar=_metavar(field.annotation),
                show_default=False,
                rich_help_panel=panel,
            ),
        ]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def _hidden(name: str) -> inspect.Parameter:
    """An option that is still accepted, for the settings to warn about."""
    annotation = Annotated[str | None, typer.Option(flag(name), hidden=True)]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def with_settings(
    *panels: tuple[str, type[Settings]], leave_out: Iterable[str] = (), retired: Iterable[str] = ()
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Adds an option for each field of the panels' models; the function receives the given ones as `flags: dict`.

    `leave_out` names fields that get no option; `retired` names options of earlier versions, which --help doesn't list.
    It also maps errors to exit codes: 0 done, 1 failed, 2 usage, 130 interrupted. Tracebacks are shown only with -v.
    """
    hidden = set(leave_out)

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        own = [p for p in inspect.signature(function).parameters.values() if p.name != "flags"]
        added = [
            _parameter(name, field, panel)
            for panel, model in panels
            for name, field in model.model_fields.items()
            if name not in hidden
        ]
        verbose = inspect.Parameter(
            "verbose",
            inspect.Parameter.KEYWORD_ONLY,
            default=0,
            annotation=Annotated[
                int,
                typer.Option("-v", "--verbose", count=True, help="Print more messages (-vv: all).", show_default=False),
            ],
        )
        added += [_hidden(name) for name in retired]
        names = {p.name for p in added}

        @wraps(function)
        def run(**arguments: Any) -> None:
            level = arguments.pop("verbose")
            flags = {k: arguments.pop(k) for k in names if k in arguments}
            set_up_logging(level)
            if panels:
                arguments["flags"] = {k: v for k, v in flags.items() if v not in (None, [])}
            try:
                function(**arguments)
            except StereocastError as error:
                fail(str(error), error.exit_code)
            except KeyboardInterrupt:
                fail("interrupted", 130)
            except BrokenPipeError:
                raise typer.Exit(1) from None
            except (typer.Exit, typer.Abort):
                raise
            except (OSError, MemoryError) as error:
                if level:
                    raise
                fail(faults.line(error), 1)
            except Exception as error:
                if level:
                    raise
                fail(
                    f"internal error: {type(error).__name__}: {error} (run again with -v for details, and please report it)",
                    1,
                )

        run.__signature__ = inspect.Signature([*own, *added, verbose])  # type: ignore[attr-defined]
        return run

    return decorate


def guarded(function: Callable[..., Any]) -> Callable[..., Any]:
    """`with_settings` for a command without settings: -v, and errors as exit codes."""
    return with_settings()(function)


def fail(message: str, code: int) -> NoReturn:
    """Prints one line on standard error and exits with `code`."""
    say(f"stereocast: {message}", file=sys.stderr)
    raise typer.Exit(code)


def leave(message: str) -> NoReturn:
    """Ends the program after an interruption, with exit code 130. Threads that wait for a server are abandoned, because
    freeing what they use would crash."""
    if any(thread.name in ("interruptible", "prefetch") for thread in threading.enumerate()):
        print(f"stereocast: {message}", file=sys.stderr, flush=True)
        sys.stdout.flush()
        os._exit(130)
    fail(message, 130)


class _Lines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = plain(f"{record.levelname.lower()}: {record.getMessage()}")
        return line + (f"\n{self.formatException(record.exc_info)}" if record.exc_info else "")


def set_up_logging(verbose: int) -> None:
    """Logs to standard error, one line per message: warnings by default, info with -v, debug with -vv."""
    logger = logging.getLogger("stereocast")
    logger.setLevel((logging.WARNING, logging.INFO, logging.DEBUG)[min(verbose, 2)])
    logger.handlers.clear()
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Lines())
    logger.addHandler(handler)
    logger.propagate = False


def settled(model: type[Model], flags: dict[str, Any]) -> Model:
    """Settings by precedence: default < preset < flags. Raises UsageError that names the option, its value and the nearest
    valid one."""
    from stereocast import catalog

    return catalog.settle(model, flags, spelled=flag)
