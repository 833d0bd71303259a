"""Which estimator `auto` means, and what is asked on the way."""

import pytest

from stereocast.depth import choice
from stereocast.errors import UnknownName, UsageError
from stereocast.models import weights
from stereocast.settings import ConvertSettings


@pytest.fixture
def on_disk(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Names whose weights are on the disk; all packages count as installed."""
    names: set[str] = set()
    monkeypatch.setattr(weights.WeightStore, "has", lambda self, name: name in names)
    monkeypatch.setattr("stereocast.registry.Backend.missing", ())
    return names


def test_torch_is_not_asked_for_a_card_that_nothing_here_would_use(
    on_disk: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask(wanted: str = "auto") -> None:
        raise AssertionError("importing torch takes seconds")

    monkeypatch.setattr(choice.devices, "choose_device", ask)
    assert choice.resolve(ConvertSettings())[0] == "embedded"
    on_disk.add("video-depth-anything-small")
    assert choice.resolve(ConvertSettings())[0] == "video-depth-anything-small"


def test_large_networks_are_for_cards(on_disk: set[str], monkeypatch: pytest.MonkeyPatch) -> None:
    on_disk |= {"video-depth-anything-small", "video-depth-anything-base"}
    for name, wanted in (("cuda:0", "video-depth-anything-base"), ("cpu", "video-depth-anything-small")):
        monkeypatch.setattr(
            choice.devices, "choose_device", lambda wanted="auto", name=name: choice.devices.Device(name, "")
        )
        assert choice.resolve(ConvertSettings())[0] == wanted


def test_a_device_that_is_not_there_is_refused_all_the_same(on_disk: set[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(wanted: str = "auto") -> None:
        raise UsageError(f"--device {wanted}: no CUDA device found; use --device cpu")

    monkeypatch.setattr(choice.devices, "choose_device", refuse)
    with pytest.raises(UsageError, match="no CUDA device"):
        choice.resolve(ConvertSettings(device="cuda"))


@pytest.mark.parametrize("name", ["another", "zoe"])
def test_a_name_that_nobody_knows_is_refused(on_disk: set[str], name: str) -> None:
    with pytest.raises(UnknownName, match=name):
        choice.resolve(ConvertSettings(depth=name))
