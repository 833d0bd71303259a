"""The command line: turns flags into settings, shows progress, sets exit codes. The only user of typer and rich."""

import os
import sys
from importlib import import_module

import typer

from stereocast.cli.plain import set_up_streams

COMMANDS = {  # name: ("module:function", summary in the list of commands)
    "convert": ("stereocast.cli.convert:convert", "Turn 2D video (or images, folders, URLs) into stereo video."),
    "gen": ("stereocast.cli.gen:gen", "Make a stereo clip from a picture and a prompt."),
    "preview": (
        "stereocast.cli.preview:preview",
        "Show source, depth, both views, holes, anaglyph and comfort in one picture.",
    ),
    "4d": ("stereocast.cli.four_d:four_d", "Turn a picture or object video into a moving 3D scene, filmed in stereo."),
    "inspect": (
        "stereocast.cli.inspect:inspect",
        "Show what players see in a file: streams, tags, and whether a headset plays it.",
    ),
    "models": ("stereocast.cli.models:models", "List weights with licence and size; download, verify, remove them."),
    "studio": (
        "stereocast.cli.studio:studio",
        "Convert films from a page in the browser: preview in 3D, start, watch.",
    ),
    "serve": (
        "stereocast.cli.serve:serve",
        "Serve a library and player for the headset's browser, with live conversion.",
    ),
    "push": ("stereocast.cli.push:push", "Copy films to the headset over adb."),
    "doctor": ("stereocast.cli.doctor:doctor", "Check devices, encoders, extras and disk space."),
}


def _version(asked: bool) -> None:
    if asked:
        from stereocast import __version__

        print(f"stereocast {__version__}")
        raise typer.Exit


def _later() -> None:
    """Placeholder for commands that weren't called, so that their modules aren't imported just to list them."""


def build(called: str | None = None) -> typer.Typer:
    """The application. With `called`, only that command's module is imported, otherwise all are."""
    app = typer.Typer(
        name="stereocast",
        help="2D video to stereo video for VR headsets: streaming, offline, restartable.",
        epilog="Start with: stereocast convert film.mp4    (writes film_LRF_Full_SBS.mp4 to the same folder)",
        no_args_is_help=True,
        rich_markup_mode="rich",
        context_settings={"help_option_names": ["-h", "--help"]},
        pretty_exceptions_enable=False,
    )

    @app.callback()
    def root(
        version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Show the version."),
    ) -> None: ...

    for name, (target, about) in COMMANDS.items():
        module, function = target.split(":")
        wanted = called is None or called == name
        app.command(name, short_help=about)(getattr(import_module(module), function) if wanted else _later)
    return app


def main() -> None:
    """Entry point of `stereocast`."""
    from stereocast.pictures.pages import keep_pages

    keep_pages()
    set_up_streams()
    os.environ.setdefault("SVT_LOG", "1")  # SVT-AV1 prints to the terminal otherwise
    called = next((word for word in sys.argv[1:] if not word.startswith("-")), "")
    sys.exit(build(called)(prog_name="stereocast"))
