import errno
import os
import pickle

import pytest
import torch
from safetensors.torch import save_file

from napari_mtseg.domain.errors import RunError, StorageError
from napari_mtseg.storage.checkpoint import load_checkpoint, save_checkpoint

TENSORS = {
    "network.weight": torch.arange(6.0).reshape(2, 3),
    "adam.step": torch.tensor(3.0),
    "half": torch.ones(2, dtype=torch.bfloat16),
}
STATE = {"step": 3, "best": None, "metrics": {"score": 0.1 + 0.2}, "name": "ä"}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "checkpoints" / "last.safetensors"


class Evil:
    def __reduce__(self):
        return (os.system, ("touch /tmp/never",))


def test_tensors_and_state_come_back_bit_for_bit(path):
    save_checkpoint(path, TENSORS, STATE)
    tensors, state = load_checkpoint(path)
    assert state == STATE
    assert tensors.keys() == TENSORS.keys()
    for name, tensor in tensors.items():
        assert tensor.dtype == TENSORS[name].dtype
        assert torch.equal(tensor, TENSORS[name])


def test_any_memory_layout_and_shared_memory_can_be_saved(path):
    weight = torch.rand(2, 3, 4, 5).to(memory_format=torch.channels_last)
    shared = {"a": weight, "b": weight, "t": weight.transpose(0, 1)}
    save_checkpoint(path, shared, {})
    tensors, _ = load_checkpoint(path)
    assert all(torch.equal(tensors[name], shared[name]) for name in shared)


def test_a_full_disk_leaves_the_last_checkpoint(path, monkeypatch):
    save_checkpoint(path, TENSORS, STATE)

    def full(*args):
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(StorageError, match="is full"):
        save_checkpoint(path, {}, {"step": 4})
    assert load_checkpoint(path)[1] == STATE
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_a_missing_checkpoint_is_one_sentence(path):
    with pytest.raises(RunError) as caught:
        load_checkpoint(path)
    assert str(caught.value) == (
        f"'{path}' is missing: the run was stopped before its first checkpoint. Start "
        "a new run."
    )


@pytest.mark.parametrize("length", [0, 4, 60, -1])
def test_a_damaged_checkpoint_is_one_sentence(path, length):
    save_checkpoint(path, TENSORS, STATE)
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(RunError) as caught:
        load_checkpoint(path)
    assert str(caught.value).startswith(f"The checkpoint '{path}' is damaged (")
    assert str(caught.value).endswith("). Start a new run.")


@pytest.mark.parametrize("save", [torch.save, pickle.dump])
def test_a_checkpoint_with_a_pickle_inside_is_refused_and_not_run(
    path, monkeypatch, save
):
    path.parent.mkdir()
    with path.open("wb") as file:
        save({"weight": Evil()}, file)
    ran = []
    monkeypatch.setattr(os, "system", ran.append)
    with pytest.raises(RunError, match=r"is damaged"):
        load_checkpoint(path)
    assert ran == []


@pytest.mark.parametrize("metadata", [None, {}, {"state": "{"}])
def test_tensors_without_the_state_of_a_run_are_no_checkpoint(path, metadata):
    path.parent.mkdir()
    save_file(TENSORS, path, metadata=metadata)
    with pytest.raises(RunError, match="is damaged"):
        load_checkpoint(path)
