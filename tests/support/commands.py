"""The command line in this process: a process of its own imports everything again."""

from typer.testing import CliRunner, Result

from stereocast.cli import build


def stereocast(*words: object, **environment: str) -> Result:
    """How a command ends: exit_code, stdout, stderr."""
    called = [str(word) for word in words]
    return CliRunner().invoke(build(called[0]), called, env=environment)
