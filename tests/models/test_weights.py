"""Getting weights: terms first, pinned, resumed, checked, removed; and reading checkpoints."""

import importlib.util
import json
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from stereocast.errors import LicenceNotAccepted, UnknownName, UsageError, WeightsError
from stereocast.models import loading, shelf, weights

_spec = importlib.util.spec_from_file_location("hub", Path(__file__).with_name("hub.py"))
_hub = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_hub)

ENTRY = shelf.Weights("tiny", "a/b", ("config.json", "x/model.pth"), "Licence X", "research only", 30_000_000)


@pytest.fixture(autouse=True)
def homes(tmp_path, monkeypatch):
    monkeypatch.setenv("STEREOCAST_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    for name in ("HF_HUB_CACHE", "HF_HUB_OFFLINE", "STEREOCAST_ACCEPT_LICENCE", "HF_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def hub(monkeypatch):
    pytest.importorskip("huggingface_hub", reason="needs the depth extra")
    served = _hub.Hub({"config.json": b"{}", "x/model.pth": os.urandom(25_000_000)})
    monkeypatch.setenv("HF_ENDPOINT", served.url)
    yield served
    served.close()


def test_terms_come_before_the_first_download():
    with pytest.raises(LicenceNotAccepted) as error:
        weights.download(ENTRY)
    for part in ("tiny", "30 MB", "Licence X", "research only", "https://huggingface.co/a/b", "--accept-licence"):
        assert part in str(error.value)
    assert "\n" not in str(error.value)


def test_download_resumes_pins_verifies_and_removes(hub, homes):
    hub.cut["x/model.pth"] = 15_000_000
    folder = weights.download(ENTRY, accept_licence=True)
    assert folder.is_relative_to(homes / "hf")
    assert folder.name == weights.pinned(ENTRY) == _hub.COMMIT
    assert (folder / "x/model.pth").read_bytes() == hub.files["x/model.pth"]
    ranges = [wanted for verb, name, wanted in hub.requests if verb == "GET" and name == "x/model.pth"]
    assert len(ranges) == 2
    assert int(ranges[1].removeprefix("bytes=").rstrip("-")) > 0, "the second request continues where the first stopped"
    assert weights.accepted(ENTRY)
    before = len(hub.requests)
    assert weights.download(ENTRY) == folder
    assert len(hub.requests) == before, "existing files aren't requested again"

    blob = (folder / "x/model.pth").resolve()
    damaged = bytearray(blob.read_bytes())
    damaged[12345] ^= 1
    blob.write_bytes(damaged)
    with pytest.raises(WeightsError, match=r"damaged.*SHA-256"):
        weights.verify(ENTRY)
    assert weights.remove(ENTRY) == 25_000_002
    assert weights.downloaded(ENTRY) is None
    assert not [path for path in (homes / "hf").rglob("*") if path.is_file() and path.stat().st_size > 1000]


def test_removing_a_revision_keeps_what_another_links_to(hub, homes):
    folder = weights.download(ENTRY, accept_licence=True)
    other = folder.parent / "another/model.pth"
    other.parent.mkdir()
    other.symlink_to((folder / "x/model.pth").resolve())
    assert 0 < weights.remove(ENTRY) < 25_000_002
    assert other.read_bytes() == hub.files["x/model.pth"]


def test_offline_is_said_clearly(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(WeightsError, match=r"'tiny'.*HF_HUB_OFFLINE.*models download tiny"):
        weights.download(ENTRY, accept_licence=True)


def test_gated_missing_and_unreachable(hub, monkeypatch):
    hub.status = 403
    with pytest.raises(WeightsError, match="gated: accept its terms"):
        weights.download(ENTRY, accept_licence=True)
    hub.status = 200
    del hub.files["x/model.pth"]
    with pytest.raises(WeightsError, match=r"has no x/model.pth"):
        weights.download(ENTRY)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    no_pause = SimpleNamespace(sleep=lambda _: None)  # between the hub's attempts
    monkeypatch.setattr("huggingface_hub.utils._http.time", no_pause)
    with pytest.raises(WeightsError, match=r"can't be downloaded"):
        weights.download(shelf.Weights("other", "c/d", ("config.json",), "L", "t", 10), accept_licence=True)


def test_acceptance_without_a_prompt(monkeypatch):
    assert not weights.accepted(ENTRY)
    monkeypatch.setenv("STEREOCAST_ACCEPT_LICENCE", "other, tiny")
    assert weights.accepted(ENTRY)
    monkeypatch.delenv("STEREOCAST_ACCEPT_LICENCE")
    weights.accept(ENTRY)
    assert weights.accepted(ENTRY)
    other = shelf.Weights("tiny", "a/b", ENTRY.files, "Licence Y", "t", 1)
    assert not weights.accepted(other), "a different licence must be accepted separately"


def test_paths_from_the_command_line(tmp_path):
    table = weights.parse_paths([f"svd={tmp_path}", str(tmp_path)], main="depthcrafter")
    assert table == {"svd": tmp_path, "depthcrafter": tmp_path}
    store = weights.WeightStore(table)
    assert store.path("depthcrafter") == store.path("svd-unet") == tmp_path
    assert store.has("depthcrafter")
    assert not weights.WeightStore({"depthcrafter": tmp_path}).has("depthcrafter"), "it needs svd too"
    with pytest.raises(UnknownName, match="did you mean 'depthcrafter'"):
        weights.parse_paths([f"depthcraft={tmp_path}"])
    with pytest.raises(UsageError, match="NAME="):
        weights.parse_paths([str(tmp_path)])
    with pytest.raises(WeightsError, match="no such file"):
        weights.parse_paths(["svd=/does/not/exist"])


def test_the_shelf_is_sound():
    for entry in shelf.SHELF.values():
        assert entry.licence
        assert entry.terms
        assert entry.size > 10_000_000
        assert entry.revision is None or len(entry.revision) == 40
        assert shelf.with_needs(entry.name)[0] is entry
        assert "\n" not in entry.summary
    assert [entry.name for entry in shelf.with_needs("depthcrafter")] == ["depthcrafter", "svd"]


def test_a_cut_safetensors_file_is_noticed(tmp_path):
    pytest.importorskip("torch", reason="needs the depth extra")
    import torch
    from safetensors.torch import save_file

    path = tmp_path / "model.safetensors"
    save_file({"a": torch.ones(4, 5)}, path)
    assert loading.header(path)["a"]["shape"] == [4, 5]
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(WeightsError, match="damaged"):
        loading.header(path)
    with pytest.raises(WeightsError, match="damaged"):
        loading.tensors(path)
    (tmp_path / "model.pth").write_bytes(b"nothing")
    with pytest.raises(WeightsError, match="not a tensor checkpoint"):
        loading.tensors(tmp_path / "model.pth")


def test_checkpoints_fit_or_say_what_does_not(tmp_path):
    pytest.importorskip("torch", reason="needs the depth extra")
    import torch
    from safetensors.torch import save_file

    source = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Linear(4, 2))
    state = {f"published.{key}": value for key, value in source.state_dict().items()}
    torch.save({"state_dict": state}, tmp_path / "model.ckpt")

    def empty():
        with torch.device("meta"):
            return torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Linear(4, 2))

    def rename(key):
        return key.removeprefix("published.")

    model = loading.load_into(empty(), tmp_path / "model.ckpt", rename=rename, dtype=torch.float16)
    assert model[0].weight.dtype == torch.float16
    assert torch.equal(model[1].bias, source[1].bias.half())

    del state["published.0.bias"]
    state["published.extra"] = torch.ones(1)
    state["published.1.weight"] = torch.ones(2, 5)
    with pytest.raises(WeightsError) as error:
        loading.load_into(empty(), state, rename=rename, what="model.ckpt")
    assert str(error.value) == (
        "model.ckpt doesn't fit Sequential: missing 0.bias; unexpected extra; wrong shape 1.weight [2, 5] not [2, 4]"
    )

    save_file({"0.weight": torch.ones(1)}, tmp_path / "m-1.safetensors")
    save_file({"0.bias": torch.zeros(1)}, tmp_path / "m-2.safetensors")
    index = {"weight_map": {"0.weight": "m-1.safetensors", "0.bias": "m-2.safetensors"}}
    (tmp_path / "m.safetensors.index.json").write_text(json.dumps(index))
    found = loading.find_checkpoint(tmp_path, "m")
    assert set(loading.tensors(found)) == {"0.weight", "0.bias"}
    with pytest.raises(WeightsError, match="contains no other.safetensors"):
        loading.find_checkpoint(tmp_path, "other")


@pytest.mark.parametrize("content", ["{", "[]", '{"weight_map": []}', "{}"])
def test_a_damaged_index_of_shards_is_a_weights_error(tmp_path: Path, content: str) -> None:
    (tmp_path / "m.safetensors.index.json").write_text(content)
    with pytest.raises(WeightsError, match="m.safetensors.index.json is damaged"):
        loading.tensors(loading.find_checkpoint(tmp_path, "m"))
