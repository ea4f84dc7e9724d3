from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_mtseg.domain.annotation import (
    Annotation,
    Box,
    CompleteRegion,
    ObjectMasks,
    Tags,
)
from napari_mtseg.domain.errors import AnnotationError, SettingsError
from napari_mtseg.storage.annotation_files import facts_of
from napari_mtseg.storage.project import Project
from napari_mtseg.workflows.import_labels import export_labels, import_labels

SHAPE = (6, 8)
BLOCK = np.zeros(SHAPE, np.uint32)
BLOCK[1:3, 1:4] = 7


def project_with(path: Path, *names: str) -> Project:
    project = Project.create(path / "p.mtseg", classes=("nucleus", "debris"))
    for i, name in enumerate(names):
        pixels = np.random.default_rng(i).integers(0, 255, SHAPE, np.uint8)
        (path / name).parent.mkdir(exist_ok=True)
        tifffile.imwrite(path / name, pixels)
        project.add_image(path / name)
    return project


def rich_annotation() -> Annotation:
    scribbles = np.zeros(SHAPE, np.uint8)
    scribbles[5] = 4
    return Annotation(
        partial=ObjectMasks(objects=BLOCK, class_of={7: 2}),
        scribbles=scribbles,
        full=ObjectMasks(objects=BLOCK[::-1].copy(), class_of={7: 1, 9: 2}),
        complete=CompleteRegion(boxes=(Box(start=(0, 0), stop=(3, 8)),)),
        tags=Tags(scene=1, present={1: True, 2: False}, exhaustive=True),
        origin="accepted run-1",
    )


def assert_same(one: Annotation, other: Annotation) -> None:
    assert facts_of(one) == facts_of(other)
    assert (one.partial.objects == other.partial.objects).all()
    assert (one.scribbles == other.scribbles).all()
    assert (one.full.objects == other.full.objects).all()


def test_exported_labels_come_back_as_they_were(tmp_path):
    first = project_with(tmp_path / "one", "a.tif", "b.tif")
    first.save_annotation(first.image("b"), rich_annotation())
    assert export_labels(first, tmp_path / "out") == ("b",)
    second = project_with(tmp_path / "two", "a.tif", "b.tif")
    report = import_labels(second, tmp_path / "out")
    assert report.imported == ("b",)
    assert_same(second.annotation(second.image("b")), rich_annotation())


def test_an_export_finds_an_image_whose_id_differs(tmp_path):
    first = project_with(tmp_path / "one", "a.tif")
    first.save_annotation(first.image("a"), rich_annotation())
    export_labels(first, tmp_path / "out")
    second = project_with(tmp_path / "two", "other/a.jpg.tif", "a.tif")
    assert second.image("a.tif").id == "a-2"
    import_labels(second, tmp_path / "out")
    assert_same(second.annotation(second.image("a-2")), rich_annotation())
    assert second.annotation(second.image("a")).is_empty


def test_an_export_of_other_classes_is_refused(tmp_path):
    first = project_with(tmp_path, "a.tif")
    export_labels(first, tmp_path / "out")
    other = Project.create(tmp_path / "q.mtseg", classes=("cell",))
    with pytest.raises(AnnotationError, match="of the classes nucleus, debris but the"):
        import_labels(other, tmp_path / "out")


@pytest.mark.parametrize(
    "name", ["a.tif", "a.npy", "a_mask.tif", "A-labels.tif", "a_Annotation.tif"]
)
def test_masks_are_matched_by_name(tmp_path, name):
    project = project_with(tmp_path, "a.ome.tif")
    (tmp_path / "masks").mkdir()
    if name.endswith("npy"):
        np.save(tmp_path / "masks" / name, BLOCK)
    else:
        tifffile.imwrite(tmp_path / "masks" / name, BLOCK)
    import_labels(project, tmp_path / "masks", kind="full")
    full = project.annotation(project.image("a"))
    assert full.complete.whole
    assert full.origin == "imported"
    assert (full.full.objects == BLOCK).all()


def test_two_masks_for_one_image_are_refused(tmp_path):
    project = project_with(tmp_path, "a.tif")
    (tmp_path / "masks").mkdir()
    for name in ("a_mask.tif", "a_seg.tif"):
        tifffile.imwrite(tmp_path / "masks" / name, BLOCK)
    with pytest.raises(AnnotationError, match=r"'a_mask.tif' and 'a_seg.tif' both fit"):
        import_labels(project, tmp_path / "masks", kind="full")


def test_images_of_the_same_name_take_masks_by_id(tmp_path):
    project = project_with(tmp_path, "one/a.tif", "two/a.tif")
    (tmp_path / "masks").mkdir()
    tifffile.imwrite(tmp_path / "masks" / "a-2.tif", BLOCK)
    report = import_labels(project, tmp_path / "masks", kind="partial")
    assert report.imported == ("a-2",)


def test_partial_masks_leave_the_rest_unknown(tmp_path):
    project = project_with(tmp_path, "a.tif")
    tifffile.imwrite(tmp_path / "a_mask.tif", (BLOCK > 0).astype(np.uint8) * 2)
    import_labels(project, tmp_path / "a_mask.tif", kind="partial", values="classes")
    partial = project.annotation(project.image("a"))
    assert not partial.has_full
    assert (partial.partial.class_map() == (BLOCK > 0) * 2).all()


def test_scribbles_beyond_the_classes_are_named(tmp_path):
    project = project_with(tmp_path, "a.tif")
    tifffile.imwrite(tmp_path / "a_seg.tif", np.full(SHAPE, 5, np.uint8))
    report = import_labels(project, tmp_path / "a_seg.tif", kind="scribble")
    assert report.failed["a_seg.tif"].startswith(
        "Scribbles 'a_seg.tif' have the value 5 but the project allows 0 to 4:"
    )


def test_a_bad_file_does_not_keep_the_others_out(tmp_path):
    project = project_with(tmp_path, "a.tif", "b.tif")
    (tmp_path / "masks").mkdir()
    tifffile.imwrite(tmp_path / "masks" / "a.tif", np.zeros((3, 3), np.uint8))
    tifffile.imwrite(tmp_path / "masks" / "b.tif", BLOCK)
    tifffile.imwrite(tmp_path / "masks" / "c.tif", BLOCK)
    report = import_labels(project, tmp_path / "masks", kind="full")
    assert report.imported == ("b",)
    assert "is 3 x 3 pixels but its image 'a.tif' is 6 x 8" in report.failed["a.tif"]
    assert report.unmatched == ("c.tif",)


def test_what_is_painted_stays_unless_overwriting_is_asked_for(tmp_path):
    project = project_with(tmp_path, "a.tif")
    project.save_annotation(project.image("a"), rich_annotation())
    tifffile.imwrite(tmp_path / "a_mask.tif", BLOCK)
    mask = tmp_path / "a_mask.tif"
    report = import_labels(project, mask, kind="full")
    assert "has full masks already (accepted run-1)" in report.failed["a_mask.tif"]
    assert import_labels(project, mask, kind="full", overwrite=True).imported == ("a",)


@pytest.mark.parametrize("kind", ["partial", "scribble"])
def test_weak_labels_make_no_person_of_an_accepted_prediction(tmp_path, kind):
    project = project_with(tmp_path, "a.tif")
    project.save_annotation(project.image("a"), rich_annotation())
    tifffile.imwrite(tmp_path / "a_mask.tif", np.minimum(BLOCK, 1))
    import_labels(project, tmp_path / "a_mask.tif", kind=kind, overwrite=True)
    assert project.annotation(project.image("a")).origin == "accepted run-1"


def test_no_match_and_no_kind_are_said(tmp_path):
    project = project_with(tmp_path, "a.tif")
    tifffile.imwrite(tmp_path / "z.tif", BLOCK)
    with pytest.raises(
        AnnotationError, match="has the name of an image of the project"
    ):
        import_labels(project, tmp_path / "z.tif", kind="full")
    with pytest.raises(SettingsError, match=r"has no labels\.json"):
        import_labels(project, tmp_path)
