import pytest
import torch

from napari_mtseg.domain.errors import RunError, SettingsError
from napari_mtseg.workflows import process_group
from napari_mtseg.workflows.process_group import (
    LaunchedProcesses,
    all_say,
    check_gpus,
    lead_says,
    lost_process,
    made_by_lead,
    n_devices_here,
    wait_until_seen,
)
from napari_mtseg.workflows.processes import Place

CPU, GPU = torch.device("cpu"), torch.device("cuda")


@pytest.fixture
def placed(monkeypatch):
    """Let this process believe in a place among others, on a machine with GPUs."""

    def put(place: Place, n_gpus: int = 0) -> None:
        monkeypatch.setattr(process_group, "place", lambda: place)
        monkeypatch.setattr(process_group, "n_processes", lambda: place.n)
        monkeypatch.setattr("torch.cuda.device_count", lambda: n_gpus)

    return put


def test_a_lone_process_makes_and_says_for_itself():
    assert made_by_lead(lambda: "run") == "run"
    assert lead_says(3) == 3
    assert all_say(3) == [3]


def test_fabric_is_told_the_place(placed):
    placed(Place(5, 8, 1, 4, "node1", 4242), n_gpus=4)
    told = LaunchedProcesses(GPU)
    assert (told.world_size(), told.global_rank()) == (8, 5)
    assert (told.local_rank(), told.node_rank()) == (1, 1)
    assert (told.main_address, told.main_port) == ("node1", 4242)


def test_a_gpu_that_slurm_shows_alone_is_device_0(placed):
    placed(Place(5, 8, 1, 4, in_slurm=True), n_gpus=1)
    assert n_devices_here(GPU) == 1
    assert LaunchedProcesses(GPU).local_rank() == 0
    assert LaunchedProcesses(GPU).node_rank() == 5


def test_processes_that_are_still_to_start_are_counted(placed):
    placed(Place(), n_gpus=2)
    check_gpus(GPU, 2)
    check_gpus(CPU, 3)
    with pytest.raises(SettingsError, match="3 processes are to train on a machine"):
        check_gpus(GPU, 3)


def test_more_processes_than_gpus_are_refused(placed):
    placed(Place(0, 4, 0, 4), n_gpus=1)
    assert n_devices_here(CPU) == 4
    with pytest.raises(SettingsError) as failure:
        n_devices_here(GPU)
    assert str(failure.value) == (
        "4 processes are to train on a machine with 1 GPU. Start one for each GPU, or "
        "use --device cpu."
    )


@pytest.mark.parametrize(
    "text",
    [
        "[pair.cc] Connection closed by peer [10.0.0.2]:4242",
        "Timed out waiting",
    ],
)
def test_the_loss_of_another_process_is_told(placed, text):
    placed(Place(0, 2, 0, 2))
    found = lost_process(RuntimeError(text))
    assert isinstance(found, RunError)
    assert str(found) == (
        "Another of the processes that train together has ended or does not answer, so "
        "this one stops too. Look at what it said, then go on with --resume: the last "
        "checkpoint is kept."
    )


def test_bugs_and_lone_processes_lose_nobody(placed):
    assert lost_process(RuntimeError("Connection closed by peer")) is None
    placed(Place(0, 2, 0, 2))
    assert lost_process(RuntimeError("shapes do not match")) is None


def test_a_project_that_is_not_shared_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(process_group, "SHARED_FOLDER_PATIENCE", 0.0)
    wait_until_seen(tmp_path)
    with pytest.raises(RunError, match=r"does not see '.*run.json', which the first"):
        wait_until_seen(tmp_path / "run.json")
