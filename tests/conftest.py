"""Options and fixtures that every test may use."""

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from stereocast import registry

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


@pytest.fixture
def small_stages(monkeypatch: pytest.MonkeyPatch) -> None:
    """The real pipeline with stages that cost nothing."""
    monkeypatch.setattr(registry, "SYNTH", {"warp": registry.Backend("tests.fakes:ShiftSynthesizer")})
    monkeypatch.setattr(registry, "DEPTH", {"embedded": registry.Backend("tests.fakes:RampDepth")})


@pytest.fixture
def nothing_is_left() -> Iterator[None]:
    """No thread outlives the test by more than five seconds."""
    before = threading.active_count()
    yield
    deadline = time.monotonic() + 5
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() <= before
