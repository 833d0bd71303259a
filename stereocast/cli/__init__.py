"""The command line: flags to settings, progress, exit codes. The only user of typer and rich."""

import os
import sys
from importlib import import_module

import typer

COMMANDS = {  # name: "module:function"
    "convert": "stereocast.cli.convert:convert",
    "preview": "stereocast.cli.preview:preview",
    "inspect": "stereocast.cli.inspect:inspect",
    "doctor": "stereocast.cli.doctor:doctor",
}


def _version(asked: bool) -> None:
    if asked:
        from stereocast import __version__

        print(f"stereocast {__version__}")
        raise typer.Exit


def build() -> typer.Typer:
    """The application with all its commands."""
    app = typer.Typer(
        name="stereocast",
        help="2D video to stereo video for VR headsets: streaming, offline, restartable.",
        epilog="Start with: stereocast convert film.mp4    (makes film_LRF_Full_SBS.mp4 beside it)",
        no_args_is_help=True,
        rich_markup_mode="rich",
        context_settings={"help_option_names": ["-h", "--help"]},
        pretty_exceptions_enable=False,
    )

    @app.callback()
    def root(
        version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Show the version."),
    ) -> None: ...

    for name, target in COMMANDS.items():
        module, function = target.split(":")
        app.command(name)(getattr(import_module(module), function))
    return app


def main() -> None:
    """Entry point of `stereocast`."""
    os.environ.setdefault("SVT_LOG", "1")  # SVT-AV1 prints to the terminal otherwise
    sys.exit(build()())
