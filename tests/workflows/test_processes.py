import pytest

from napari_mtseg.domain.errors import SettingsError
from napari_mtseg.workflows import processes
from napari_mtseg.workflows.processes import Place, check_launch, first_node, place_in

SRUN = {
    "SLURM_JOB_ID": "123456",
    "SLURM_STEP_ID": "0",
    "SLURM_NTASKS": "4",
    "SLURM_STEP_NUM_TASKS": "4",
    "SLURM_STEP_TASKS_PER_NODE": "2(x2)",
    "SLURM_STEP_NODELIST": "gpu[07-08]",
    "SLURM_PROCID": "3",
    "SLURM_LOCALID": "1",
    "SLURM_NODEID": "1",
}


@pytest.fixture
def started_as(monkeypatch):
    """Let this process believe that it was started with an environment."""

    def start(**environment: str) -> None:
        for name in ("RANK", "WORLD_SIZE", *SRUN):
            monkeypatch.delenv(name, raising=False)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)

    return start


def test_a_process_that_nobody_launched_is_alone():
    assert place_in({}) == Place()


def test_torchrun_tells_the_place():
    found = place_in(
        {
            "RANK": "5",
            "WORLD_SIZE": "8",
            "LOCAL_RANK": "1",
            "LOCAL_WORLD_SIZE": "4",
            "MASTER_ADDR": "node1",
            "MASTER_PORT": "4242",
        }
    )
    assert found == Place(5, 8, 1, 4, "node1", 4242)
    assert (found.node, found.n_nodes) == (1, 2)


def test_srun_tells_the_place():
    found = place_in(SRUN)
    assert found == Place(3, 4, 1, 2, "gpu07", 15000 + 3456, in_slurm=True)
    assert (found.node, found.n_nodes) == (1, 2)


def test_two_steps_of_a_job_wait_at_different_ports():
    other = {**SRUN, "SLURM_STEP_ID": "1"}
    assert place_in(SRUN).lead_port != place_in(other).lead_port


def test_a_host_and_a_port_that_were_set_win():
    found = place_in({**SRUN, "MASTER_ADDR": "10.0.0.1", "MASTER_PORT": "9"})
    assert (found.lead_address, found.lead_port) == ("10.0.0.1", 9)


def test_a_step_of_one_task_is_alone():
    one = {"SLURM_STEP_NUM_TASKS": "1", "SLURM_PROCID": "0", "SLURM_NTASKS": "4"}
    assert place_in(one) == Place()


def test_the_script_of_a_job_and_a_shell_of_salloc_are_alone():
    assert place_in({"SLURM_NTASKS": "4", "SLURM_PROCID": "0"}) == Place()
    assert place_in({"SLURM_NTASKS": "4", "SLURM_JOB_NAME": "interactive"}) == Place()


def test_torchrun_inside_a_job_wins():
    inside = {**SRUN, "RANK": "0", "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}
    assert (place_in(inside).rank, place_in(inside).n) == (0, 2)


def test_other_numbers_of_tasks_on_different_nodes_are_refused():
    with pytest.raises(SettingsError) as failure:
        place_in({**SRUN, "SLURM_STEP_TASKS_PER_NODE": "3,1"})
    assert str(failure.value) == (
        "srun started 4 processes, 3,1 on its nodes, but each node must have as many. "
        "Start them with --ntasks-per-node."
    )


@pytest.mark.parametrize(
    ("nodes", "first"),
    [
        ("alone", "alone"),
        ("a,b", "a"),
        ("gpu[3]", "gpu3"),
        ("n[003-005,9],m1", "n003"),
        ("rack[1-2]-ib,x", "rack1-ib"),
    ],
)
def test_the_first_node_of_a_list(nodes, first):
    assert first_node(nodes) == first


def test_several_nodes_without_a_launcher_are_explained(started_as):
    started_as()
    with pytest.raises(SettingsError) as failure:
        check_launch(4, 2)
    assert str(failure.value) == (
        "--nodes 2 needs processes on 2 machines, which SLURM or torchrun starts. In a "
        "SLURM job: 'srun --nodes=2 --ntasks-per-node=4 mtseg train PROJECT ...'. "
        "Elsewhere, on each machine: 'torchrun --nnodes=2 --nproc-per-node=4 "
        "--rdzv-backend=c10d --rdzv-endpoint=FIRST_MACHINE:29500 -m "
        "napari_mtseg.cli.main train PROJECT ...'."
    )


def test_numbers_that_the_launcher_did_not_start_are_refused(started_as):
    started_as(**SRUN)
    check_launch(2, 2)
    check_launch(None, None)
    with pytest.raises(SettingsError) as failure:
        check_launch(4, 2)
    assert str(failure.value) == (
        "--devices is 4 but the launcher started 4 processes, 2 on each of 2 nodes. "
        "Leave --devices out, or start as many as it says."
    )


def test_a_batch_is_shared_evenly_or_not_at_all(started_as):
    started_as(**SRUN)
    assert processes.part_of_batch(8) == slice(6, 8)
    with pytest.raises(SettingsError, match="batch_size is 6 but 4 devices train"):
        processes.part_of_batch(6)
