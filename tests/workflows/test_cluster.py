"""Two workers are started once for all tests; starting them takes seconds."""

import logging
import os
import signal
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("distributed")

from napari_mtseg.domain.errors import (
    ClusterError,
    ImageError,
    LostTaskError,
    SettingsError,
)
from napari_mtseg.storage.main_memory import WORKERS_VARIABLE
from napari_mtseg.workflows import cluster, cluster_client, cluster_worker
from napari_mtseg.workflows.cluster import open_cluster
from napari_mtseg.workflows.task_runner import InThisProcess, ModelSource
from tests.cluster_work import (
    CountedSource,
    ImageTask,
    broken_third,
    classes_of,
    deadly_third,
    process_of,
    refused_third,
)
from tests.tiny_run import tiny_project, tiny_run, write_image


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> ModelSource:
    folder = tmp_path_factory.mktemp("model")
    run = tiny_run(tiny_project(folder))
    return ModelSource(path=run.path, is_run=True, device="cpu")


@pytest.fixture(scope="module")
def client():
    with cluster_client.connected_client(None, n_workers=2, device="cpu") as opened:
        yield opened


@pytest.fixture
def address(client) -> str:
    return client.scheduler.address


@pytest.fixture
def two_workers(address):
    with open_cluster(scheduler=address, n_workers=0) as runner:
        yield runner


def test_workers_are_told_the_path_that_was_given_and_not_where_a_link_leads(
    tmp_path, monkeypatch
):
    (tmp_path / "disk-7").mkdir()
    (tmp_path / "shared").symlink_to("disk-7")
    monkeypatch.chdir(tmp_path)
    source = cluster_worker.with_absolute_paths(ModelSource(path=Path("shared/m")))
    assert source.path == tmp_path / "shared" / "m"


def test_two_workers_give_what_one_process_gives(tmp_path, two_workers, source):
    images = [write_image(tmp_path / f"{i}.tif", seed=i) for i in range(6)]
    tasks = [ImageTask(image, tmp_path) for image in images]
    expected = dict(InThisProcess().run(classes_of, tasks, source))
    found = dict(two_workers.run(classes_of, tasks, source))
    assert found.keys() == expected.keys()
    for task, classes in expected.items():
        np.testing.assert_array_equal(found[task], classes)


def test_a_worker_killed_in_the_middle_changes_nothing(tmp_path, two_workers, source):
    images = [write_image(tmp_path / f"{i}.tif", seed=i) for i in range(10)]
    expected = {
        task.image: classes
        for task, classes in InThisProcess().run(
            classes_of, [ImageTask(image, tmp_path) for image in images], source
        )
    }
    notes = tmp_path / "notes"
    notes.mkdir()
    killed: list[int] = []

    def kill_the_first() -> None:
        while not (begun := sorted(notes.iterdir())):
            time.sleep(0.02)
        killed.append(int(begun[0].name.split("-")[1]))
        os.kill(killed[0], signal.SIGKILL)

    killer = threading.Thread(target=kill_the_first)
    killer.start()
    tasks = [ImageTask(image, notes, seconds=0.3) for image in images]
    found = [(t.image, c) for t, c in two_workers.run(classes_of, tasks, source)]
    killer.join()
    assert len(found) == len(images)
    for image, classes in found:
        np.testing.assert_array_equal(classes, expected[image])
    again = [p.name.split("-")[0] for p in notes.iterdir()]
    assert len(again) > len(set(again)), "no task was in hand when the worker died"


def test_each_worker_loads_the_model_once(tmp_path, two_workers, source):
    counted = CountedSource(path=source.path, is_run=True, device="cpu", notes=tmp_path)
    workers = {pid for _, pid in two_workers.run(process_of, range(20), counted)}
    workers |= {pid for _, pid in two_workers.run(process_of, range(20, 40), counted)}
    loads = [int(note.name.split("-")[0]) for note in tmp_path.iterdir()]
    assert len(workers) == 2
    assert sorted(loads) == sorted(workers)


def test_workers_that_are_started_together_share_the_memory(client):
    assert [*client.run(os.getenv, WORKERS_VARIABLE).values()] == ["2", "2"]


def test_what_a_user_can_mend_arrives_as_it_is(two_workers, source):
    with pytest.raises(ImageError, match=r"^Image 3 is empty. Choose another one.$"):
        list(two_workers.run(refused_third, range(6), source))


def test_a_bug_crashes_loudly(two_workers, source):
    with pytest.raises(KeyError, match="a bug"):
        list(two_workers.run(broken_third, range(6), source))


def test_a_few_tasks_at_a_time_are_taken_from_many(two_workers, source):
    taken = []

    def many():
        for number in range(100_000):
            taken.append(number)
            yield number

    results = two_workers.run(process_of, many(), source)
    next(results)
    results.close()
    assert len(taken) <= cluster.TASKS_PER_THREAD * 2


@pytest.mark.slow
def test_a_task_that_ends_every_worker_is_named_when_all_others_are_done(source):
    done = []
    with (
        open_cluster(scheduler=None, n_workers=2, device="cpu") as runner,
        pytest.raises(LostTaskError) as failure,
    ):
        done.extend(task for task, _ in runner.run(deadly_third, range(6), source))
    assert failure.value.task == 3
    assert sorted(done) == [0, 1, 2, 4, 5]
    assert str(failure.value) == (
        "Every worker that began 3 was lost. It may need more memory than a worker "
        "has: use fewer workers or a smaller --memory."
    )


def test_a_scheduler_that_is_not_there_is_told_soon(monkeypatch):
    monkeypatch.setattr(cluster_client, "PATIENCE", 0.5)
    began = time.monotonic()
    with (
        pytest.raises(ClusterError, match="No dask scheduler answers at 'tcp://127"),
        open_cluster(scheduler="tcp://127.0.0.1:1", n_workers=0),
    ):
        pass
    assert time.monotonic() - began < 10


def test_what_is_no_address_is_told(tmp_path):
    with (
        pytest.raises(ClusterError) as failure,
        open_cluster(scheduler=str(tmp_path / "dask.json"), n_workers=0),
    ):
        pass
    assert str(failure.value) == (
        f"'{tmp_path}/dask.json' is neither the address of a dask scheduler, such as "
        "tcp://node1:8786, nor a scheduler file that exists. Start one with 'dask "
        f"scheduler --scheduler-file {tmp_path}/dask.json', or give its address."
    )


def test_a_scheduler_without_workers_is_told(monkeypatch):
    from distributed import Scheduler, SpecCluster

    monkeypatch.setattr(cluster_client, "PATIENCE", 1.0)
    options = {"host": "127.0.0.1", "port": 0, "dashboard_address": "127.0.0.1:0"}
    with (
        SpecCluster(scheduler={"cls": Scheduler, "options": options}) as empty,
        pytest.raises(ClusterError) as failure,
        open_cluster(scheduler=empty.scheduler_address, n_workers=0),
    ):
        pass
    assert str(failure.value) == (
        f"The scheduler '{empty.scheduler_address}' has no worker, and none came "
        f"within 1 seconds. Start some with 'dask worker {empty.scheduler_address}'."
    )


def test_a_worker_of_another_version_is_refused(monkeypatch, address):
    monkeypatch.setattr(cluster_client, "__version__", "99.0")
    with (
        pytest.raises(ClusterError, match=r"has napari-mtseg .* but 99.0 is needed"),
        open_cluster(scheduler=address, n_workers=0),
    ):
        pass


def test_a_worker_without_napari_mtseg_is_refused(monkeypatch, address):
    monkeypatch.setattr(cluster_client, "VERSION", "no_such_package:__version__")
    with (
        pytest.raises(ClusterError, match=r"The worker at '.*' has no napari-mtseg"),
        open_cluster(scheduler=address, n_workers=0),
    ):
        pass


def test_a_worker_that_does_not_see_a_file_says_so(tmp_path, source):
    order = cluster_worker.Order(
        session="1", source=source, paths=(str(tmp_path), str(tmp_path / "a.tif"))
    )
    with pytest.raises(ClusterError, match=r"does not see '.*a.tif'. Put model"):
        cluster_worker.do_task(order, process_of, 1)


def test_the_paths_of_a_task_are_found(tmp_path):
    tasks = (ImageTask(tmp_path / "a.tif", tmp_path), {"x": [Path("b"), 3, "text"]})
    found = list(cluster_worker.paths_in(tasks))
    assert found == [tmp_path / "a.tif", tmp_path, Path("b")]


def test_a_missing_extra_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with (
        pytest.raises(ClusterError) as failure,
        open_cluster(scheduler=None, n_workers=2),
    ):
        pass
    assert str(failure.value) == (
        "Several workers need dask.distributed, which is not installed. Install it "
        "with: pip install 'napari-mtseg[cluster]'."
    )


def test_no_workers_are_refused():
    with (
        pytest.raises(SettingsError, match="The number of workers is 0 but must be"),
        open_cluster(scheduler=None, n_workers=0),
    ):
        pass


@pytest.mark.parametrize(
    ("visible", "shown"),
    [(None, ["0", "1", "0"]), ("3,5", ["3", "5", "3"])],
)
def test_workers_take_the_gpus_in_turn(monkeypatch, visible, shown):
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    found = cluster_client.gpus_in_turn(3, "auto")
    assert [one["CUDA_VISIBLE_DEVICES"] for one in found] == shown
    assert cluster_client.gpus_in_turn(2, "cpu") == [{}, {}]


def test_dask_leaves_the_process_as_it_was(address):
    environment = dict(os.environ)
    level = logging.getLogger("distributed").level
    with open_cluster(scheduler=address, n_workers=0):
        pass
    assert dict(os.environ) == environment
    assert logging.getLogger("distributed").level == level
