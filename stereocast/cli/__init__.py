"""The command line: flags to settings, progress, exit codes. The only user of typer and rich."""

import os
import sys
from importlib import import_module

import typer

from stereocast.cli.plain import set_up_streams

COMMANDS = {  # name: ("module:function", one line for the list)
    "convert": ("stereocast.cli.convert:convert", "Turn 2D video (or images, folders, URLs) into stereo video."),
    "gen": ("stereocast.cli.gen:gen", "Turn one picture into a stereo clip."),
    "preview": (
        "stereocast.cli.preview:preview",
        "One sheet: source, depth, both views, filled areas, anaglyph, comfort.",
    ),
    "4d": ("stereocast.cli.four_d:four_d", "Turn a picture or video of an object into a moving 3D scene."),
    "inspect": (
        "stereocast.cli.inspect:inspect",
        "Show streams, stereo tags, and whether a headset plays the file.",
    ),
    "models": ("stereocast.cli.models:models", "List, download, verify and remove weights."),
    "studio": ("stereocast.cli.studio:studio", "Open a page for converting films: preview, convert, watch."),
    "serve": (
        "stereocast.cli.serve:serve",
        "Serve a library and player to the headset's browser, with live conversion.",
    ),
    "push": ("stereocast.cli.push:push", "Copy films to the headset over adb."),
    "doctor": ("stereocast.cli.doctor:doctor", "Show devices, encoders that open on this machine, extras, disk space."),
}


def _version(asked: bool) -> None:
    if asked:
        from stereocast import __version__

        print(f"stereocast {__version__}")
        raise typer.Exit


def _later() -> None:
    """Stands for a command that wasn't called: its module isn't imported just to list its name."""


def build(called: str | None = None) -> typer.Typer:
    """The application. With `called`, that command's module alone is imported; else all are."""
    app = typer.Typer(
        name="stereocast",
        help="Turn 2D video into stereo video for VR headsets.",
        epilog="Start with: stereocast convert film.mp4    (writes film_LRF_Full_SBS.mp4 beside it)",
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
