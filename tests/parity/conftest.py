"""Parity cases: `@pytest.mark.reference("unet_*.npz")` gives a test one run, `case: Path`, per matching file
anywhere below `--reference DIR`. Sizes and configurations come from the case and the json beside it."""

from pathlib import Path

import pytest


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    marker = metafunc.definition.get_closest_marker("reference")
    if marker is None:
        return
    root = Path(metafunc.config.getoption("--reference")).resolve()
    cases = sorted({path for pattern in marker.args for path in root.rglob(pattern)})
    metafunc.parametrize("case", cases, ids=[str(path.relative_to(root)) for path in cases])
