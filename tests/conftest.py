"""Options and fixtures that every test may use."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--reference", default=str(ROOT / "tests/data/reference"), help="folder of parity cases")
    parser.addoption("--update-golden", action="store_true", help="rewrite the golden JSON files")


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("gpu"):
        torch = pytest.importorskip("torch", reason="needs the depth extra")
        if not torch.cuda.is_available():
            pytest.skip("no CUDA device")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real media, or a skip where there is none."""
    folder = Path(os.environ.get("STEREOCAST_SHARED", ROOT.parent / "shared"))
    if not (folder / "data").is_dir():
        pytest.skip("no folder of real media (STEREOCAST_SHARED)")
    return folder
