from types import SimpleNamespace

import psutil
import pytest

from napari_mtseg.domain.errors import MemoryShortageError
from napari_mtseg.storage import whole_annotation as module
from napari_mtseg.storage.project import Project
from napari_mtseg.storage.whole_annotation import whole_annotation
from napari_mtseg.workflows.export_objects import export_objects
from napari_mtseg.workflows.import_labels import export_labels, import_labels
from napari_mtseg.workflows.truth import PaintedTruth
from tests.tiny_run import tiny_project

SENTENCE = (
    r"All labels of 'train.tif' \(24 x 20 pixels\) at once need about 0.0 GiB of "
    r"memory but 0.0 GiB are free. Free some memory, or cut the image into tiles."
)


@pytest.fixture
def short_of_memory(tmp_path, monkeypatch) -> Project:
    """Return a project whose images count as large, where the memory is full."""
    project = tiny_project(tmp_path)
    monkeypatch.setattr(module, "LARGE", 100)
    full = SimpleNamespace(available=1000)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: full)
    return project


@pytest.mark.parametrize(
    "use",
    [
        lambda project, out: export_objects(project, out, form="coco"),
        export_labels,
        lambda project, _: PaintedTruth(project, project.images, "train"),
    ],
)
def test_labels_of_a_large_image_that_do_not_fit_are_refused(
    short_of_memory, tmp_path, use
):
    with pytest.raises(MemoryShortageError, match=f"^{SENTENCE}$"):
        use(short_of_memory, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_mask_of_a_large_image_is_refused_by_name(short_of_memory, tmp_path):
    (tmp_path / "masks").mkdir()
    mask = tmp_path / "masks" / "train.tif"
    mask.write_bytes((tmp_path / "train.tif").read_bytes())
    report = import_labels(short_of_memory, mask, kind="full")
    assert report.imported == ()
    assert report.failed["train.tif"].startswith("All labels of 'train.tif'")


def test_an_unpainted_large_image_keeps_no_other_out(short_of_memory):
    (unpainted,) = (e for e in short_of_memory.images if e.split == "test")
    assert whole_annotation(short_of_memory, unpainted).is_empty


def test_smaller_images_are_never_refused(short_of_memory, monkeypatch):
    monkeypatch.setattr(module, "LARGE", 24 * 20)
    (entry,) = (e for e in short_of_memory.images if e.split == "train")
    found = whole_annotation(short_of_memory, entry)
    assert found.has_full
