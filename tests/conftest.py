"""Options and fixtures that every test may use."""

import logging
import os
import shutil
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# tests start hundreds of processes: each would compile the program again
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
if "PYTEST_XDIST_WORKER" in os.environ:  # the processes share the cores: threads of one would wait for another's
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OPENCV_FOR_THREADS_NUM"):
        os.environ.setdefault(name, "1")

import pytest
from hypothesis import HealthCheck, settings

from stereocast import registry
from stereocast.media import priority

settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow])  # no test is timed
settings.load_profile("suite")
ROOT = Path(__file__).resolve().parent.parent


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--reference", default=str(ROOT / "tests/data/reference"), help="folder of parity cases")
    parser.addoption("--update-golden", action="store_true", help="rewrite the golden JSON files")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes(config: pytest.Config) -> None:
    """Before several processes share the tests: kernels are compiled once, not by each of them at the same time."""
    if config.getoption("--update-golden"):
        raise pytest.UsageError(
            "--update-golden is for one process: each of several would write over the others' files"
        )
    from stereocast.jobs.convert import compiling
    from stereocast.types import PixelFormat

    for form in (PixelFormat.YUV420P, PixelFormat.YUV420P10):
        compiling.ahead(form)


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("gpu"):
        torch = pytest.importorskip("torch", reason="needs the depth extra")
        if not torch.cuda.is_available():
            pytest.skip("no CUDA device")


@pytest.fixture(autouse=True)
def ordinary_priority() -> Iterator[None]:
    """An encoder that a test opens by itself (SVT-AV1 as root) doesn't raise the priority of the tests after it."""
    with priority.kept():
        yield


@pytest.fixture(autouse=True)
def ordinary_logging() -> None:
    """A test hears what the package logs, even after one that ran the command line in this process."""
    logger = logging.getLogger("stereocast")
    logger.handlers.clear()
    logger.propagate = True
    logger.setLevel(logging.NOTSET)


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
def small_maps(monkeypatch: pytest.MonkeyPatch) -> None:
    """The embedded depth estimator, which takes as long for small pictures as for large ones, on a sixth of the pixels."""
    from stereocast.depth import embedded

    monkeypatch.setattr(embedded, "AREA", 64 * 96)
    monkeypatch.setattr(embedded, "MAP_AREA", 64 * 128)


@pytest.fixture
def nothing_is_left() -> Iterator[None]:
    """No thread outlives the test by more than a minute."""
    before = threading.active_count()
    yield
    deadline = time.monotonic() + 60
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() <= before


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """One browser for all: a process can have but one of Playwright's loops."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright (dev)")
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("no Chromium on the PATH")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=program,
            args=[
                "--no-sandbox",
                "--autoplay-policy=no-user-gesture-required",
                "--use-gl=angle",
                "--use-angle=swiftshader",
                "--enable-unsafe-swiftshader",
            ],
        )
        yield browser
        browser.close()
