"""What a process counts as free on a card: simulated, no card is needed."""

import pytest

torch = pytest.importorskip("torch", reason="needs the depth extra")

from stereocast.errors import OutOfMemory  # noqa: E402
from stereocast.models import turns  # noqa: E402
from stereocast.pictures import devices  # noqa: E402
from stereocast.settings import ConvertSettings  # noqa: E402

GB = 10**9


@pytest.fixture
def card(monkeypatch):
    """A card of 80 GB, of which 70 are free; this process holds 3 GB of which 1 is in use."""

    def capped(gigabytes):
        monkeypatch.setattr(torch.cuda, "get_per_process_memory_fraction", lambda device: gigabytes / 80)

    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (70 * GB, 80 * GB))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 3 * GB)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 1 * GB)
    capped(80)
    return capped


def test_a_cap_counts_like_a_smaller_card(card):
    assert devices.free_bytes("cuda:0") == 70 * GB
    card(24)
    assert devices.free_bytes("cuda:0") == 21 * GB
    assert turns.room("cuda:0") == 23 * GB
    card(2)
    assert devices.free_bytes("cuda:0") == 0


def test_what_a_conversion_does_on_cards_of_24_and_12_gigabytes(card):
    def share(gigabytes, **more):
        card(gigabytes)
        settings = ConvertSettings(synth="stereocrafter-zero", model="1024", depth="depthcrafter", **more)
        return turns.share_for(settings, "cuda:0")

    for gigabytes in (80, 24, 12):
        found = share(gigabytes)
        assert found.peak <= found.card <= gigabytes * GB
        assert found.turns == (gigabytes < 80), gigabytes
    assert share(12).offload
    with pytest.raises(OutOfMemory):
        share(4)
