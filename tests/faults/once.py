"""One conversion with small stand-ins for depth and warp, as a program: SOURCE OUTPUT [--resume]."""

import sys
from pathlib import Path

from stereocast import registry
from stereocast.errors import StereocastError
from stereocast.jobs.convert import job
from stereocast.settings import ConvertSettings


def main() -> int:
    source, output, *rest = sys.argv[1:]
    registry.DEPTH = {**registry.DEPTH, "embedded": registry.Backend("tests.fakes:RampDepth")}
    registry.SYNTH = {"warp": registry.Backend("tests.fakes:ShiftSynthesizer")}
    settings = ConvertSettings(encoder="x264", overwrite=True, resume="--resume" in rest)
    try:
        made, opened = job.prepare(source, output if output == "-" else Path(output), settings)
        job.convert(made, opened)
    except StereocastError as error:
        print(f"stereocast: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
