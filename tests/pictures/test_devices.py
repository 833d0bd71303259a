"""Which device a name selects."""

import pytest

from stereocast.errors import UsageError
from stereocast.pictures.devices import choose_device

torch = pytest.importorskip("torch", reason="torch isn't installed")


@pytest.fixture
def two_cards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda number: f"card {number}")


@pytest.mark.parametrize(("wanted", "name"), [("cuda", "cuda:0"), ("cuda:1", "cuda:1"), ("auto", "cuda:0")])
def test_a_card_is_chosen_by_its_number(two_cards: None, wanted: str, name: str) -> None:
    assert choose_device(wanted).name == name


@pytest.mark.parametrize("wanted", ["cuda:one", "cuda:-1", "cuda:2", "tpu"])
def test_a_device_that_does_not_exist_is_a_usage_error(two_cards: None, wanted: str) -> None:
    with pytest.raises(UsageError, match=f"--device {wanted}"):
        choose_device(wanted)
