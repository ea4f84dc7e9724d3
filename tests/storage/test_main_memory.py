from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from napari_mtseg.storage.main_memory import WORKERS_VARIABLE, free_main_memory


@pytest.fixture(autouse=True)
def a_machine_with_1000_bytes_free(monkeypatch: pytest.MonkeyPatch) -> None:
    memory = SimpleNamespace(available=1000)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
    monkeypatch.delenv(WORKERS_VARIABLE, raising=False)


def group(root: Path, folder: str, limit: str, used: int, cached: int = 0) -> None:
    """Write a control group of version 2, or of version 1 below 'memory'."""
    is_old = folder.startswith("memory")
    names = ["memory.max", "memory.current", "inactive_file"]
    if is_old:
        names = ["limit_in_bytes", "usage_in_bytes", "total_inactive_file"]
        names[:2] = [f"memory.{name}" for name in names[:2]]
    place = root / "sys/fs/cgroup" / folder
    place.mkdir(parents=True, exist_ok=True)
    (place / names[0]).write_text(f"{limit}\n")
    (place / names[1]).write_text(f"{used}\n")
    (place / "memory.stat").write_text(f"anon 7\n{names[2]} {cached}\n")


def own_group(root: Path, text: str) -> None:
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(text)


def test_without_control_groups_it_is_what_is_free(tmp_path: Path):
    assert free_main_memory(root=tmp_path) == 1000


def test_a_limit_of_the_group_counts_without_what_can_be_dropped(tmp_path: Path):
    own_group(tmp_path, "0::/job\n")
    group(tmp_path, "job", "600", 250, cached=50)
    assert free_main_memory(root=tmp_path) == 400


def test_the_narrowest_of_all_groups_around_counts(tmp_path: Path):
    own_group(tmp_path, "0::/job/step\n")
    group(tmp_path, "job/step", "max", 10)
    group(tmp_path, "job", "300", 100)
    group(tmp_path, "", "5000", 100)
    assert free_main_memory(root=tmp_path) == 200


def test_groups_of_the_first_version_count(tmp_path: Path):
    own_group(tmp_path, "5:cpu:/\n4:memory:/docker/1\n0::/\n")
    group(tmp_path, "memory", "700", 100, cached=20)
    assert free_main_memory(root=tmp_path) == 620


def test_no_limit_of_the_first_version_is_a_large_number(tmp_path: Path):
    own_group(tmp_path, "4:memory:/\n")
    group(tmp_path, "memory", str(2**63 - 4096), 100)
    assert free_main_memory(root=tmp_path) == 1000


def test_more_than_the_limit_in_use_leaves_nothing(tmp_path: Path):
    own_group(tmp_path, "0::/\n")
    group(tmp_path, "", "100", 130)
    assert free_main_memory(root=tmp_path) == 0


def test_workers_of_one_machine_share_its_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv(WORKERS_VARIABLE, "4")
    assert free_main_memory(root=tmp_path) == 250
