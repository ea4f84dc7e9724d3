from pathlib import Path

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from napari_mtseg.domain.annotation import (
    SCRIBBLE_BACKGROUND,
    SCRIBBLE_FIRST_CLASS,
    SCRIBBLE_SEPARATOR,
    Annotation,
)
from napari_mtseg.domain.errors import AnnotationError, ProjectError, SettingsError
from napari_mtseg.domain.project import Split
from napari_mtseg.storage.project import Project
from napari_mtseg.workflows.simulate import PaintingHabits, simulate

N_OBJECTS = 4


def objects_of(shape: tuple[int, ...] = (40, 40)) -> NDArray[np.uint16]:
    """Four boxes; 1 and 2 touch."""
    labels = np.zeros(shape, np.uint16)
    labels[..., 4:14, 4:12] = 1
    labels[..., 4:14, 12:20] = 2
    labels[..., 24:34, 4:14] = 3
    labels[..., 24:34, 24:34] = 4
    return labels


def project_of(
    tmp_path: Path,
    splits: dict[str, Split],
    *,
    shape: tuple[int, ...] = (40, 40),
    classes: tuple[str, ...] = ("nucleus",),
) -> Project:
    """Images of noise, with the same mask for each in ``masks/``."""
    project = Project.create(tmp_path / "p.mtseg", classes=classes)
    (tmp_path / "masks").mkdir()
    for i, (name, split) in enumerate(splits.items()):
        noise = np.random.default_rng(i).integers(0, 255, shape, np.uint8)
        tifffile.imwrite(tmp_path / f"{name}.tif", noise)
        tifffile.imwrite(tmp_path / "masks" / f"{name}.tif", objects_of(shape))
        axes = "ZYX" if len(shape) == 3 else None
        project.add_image(tmp_path / f"{name}.tif", split=split, axes=axes)
    return project


def annotation_of(project: Project, name: str) -> Annotation:
    return project.annotation(project.image(name))


def test_the_chosen_share_gets_full_masks_and_the_rest_rough_ones(tmp_path):
    project = project_of(tmp_path, dict.fromkeys("abcdefgh", "train"))
    report = simulate(
        project, tmp_path / "masks", habits=PaintingHabits(full_share=0.25)
    )
    assert len(report.ids("full")) == 2
    assert len(report.ids("weak")) == 6
    for key in report.ids("full"):
        full = annotation_of(project, key)
        assert full.complete.whole
        assert (full.full.objects == objects_of()).all()
        assert full.origin == "simulated"
    for key in report.ids("weak"):
        weak = annotation_of(project, key)
        inside = weak.partial.objects != 0
        assert not weak.has_full
        assert weak.tags.exhaustive
        assert (weak.partial.objects[inside] == objects_of()[inside]).all()
        assert set(weak.partial.class_of) == {1, 2, 3, 4}
        assert 0.15 < report.images[key].painted_share < 0.85


def test_a_small_share_still_gives_one_full_mask_and_none_gives_none(tmp_path):
    project = project_of(tmp_path, dict.fromkeys("abc", "train"))
    masks = tmp_path / "masks"
    some = simulate(project, masks, habits=PaintingHabits(full_share=0.01))
    none = simulate(project, masks, habits=PaintingHabits(full_share=0))
    two = simulate(project, masks, habits=PaintingHabits(full_count=2))
    counts = [len(report.ids("full")) for report in (some, none, two)]
    assert counts == [1, 0, 2]


def test_named_images_get_the_full_masks(tmp_path):
    project = project_of(tmp_path, dict.fromkeys("abc", "train"))
    named = PaintingHabits(full_images=("b.tif",))
    report = simulate(project, tmp_path / "masks", habits=named)
    assert report.ids("full") == ("b",)


def test_a_full_mask_for_an_unknown_image_is_refused(tmp_path):
    project = project_of(tmp_path, dict.fromkeys("abc", "train"))
    named = PaintingHabits(full_images=("z.tif",))
    with pytest.raises(ProjectError, match=r"^full_images names 'z\.tif', but the "):
        simulate(project, tmp_path / "masks", habits=named)


def test_validation_images_get_full_masks_and_test_images_nothing(tmp_path):
    project = project_of(tmp_path, {"a": "train", "v": "validate", "t": "test"})
    (tmp_path / "masks" / "t.tif").unlink()
    report = simulate(project, tmp_path / "masks")
    assert annotation_of(project, "v").complete.whole
    assert annotation_of(project, "t").is_empty
    assert report.held_out == ("t",)


def test_an_image_that_became_a_test_image_loses_its_simulated_paint(tmp_path):
    project = project_of(tmp_path, {"a": "train", "b": "train"})
    simulate(project, tmp_path / "masks")
    project.update_image(project.image("b").changed({"split": "test"}))
    simulate(project, tmp_path / "masks")
    assert annotation_of(project, "b").is_empty


def test_the_paint_of_an_image_does_not_depend_on_the_others(tmp_path):
    few = project_of(tmp_path / "few", {"a": "train"})
    many = project_of(tmp_path / "many", dict.fromkeys("abcd", "train"))
    for project in (few, many):
        habits = PaintingHabits(full_share=0, kinds=("partial", "scribble"))
        simulate(project, project.path.parent / "masks", habits=habits, seed=5)
    one, other = annotation_of(few, "a"), annotation_of(many, "a")
    assert (one.partial.objects == other.partial.objects).all()
    assert (one.scribbles == other.scribbles).all()


def test_another_seed_paints_otherwise(tmp_path):
    project = project_of(tmp_path, {"a": "train"})
    painted = []
    for seed in (0, 0, 1):
        simulate(
            project, tmp_path / "masks", habits=PaintingHabits(full_share=0), seed=seed
        )
        painted.append(annotation_of(project, "a").partial.objects)
    assert (painted[0] == painted[1]).all()
    assert (painted[0] != painted[2]).any()


def test_missed_objects_bear_no_mark_of_any_kind(tmp_path):
    project = project_of(tmp_path, {"a": "train"})
    habits = PaintingHabits(
        full_share=0, missed_share=0.5, kinds=("partial", "scribble")
    )
    report = simulate(project, tmp_path / "masks", habits=habits)
    weak = annotation_of(project, "a")
    assert report.images["a"].n_marked == 2
    assert not weak.tags.exhaustive
    marked = np.unique(objects_of()[(weak.partial.objects > 0) | (weak.scribbles > 0)])
    assert len(marked[marked > 0]) == 2


def test_scribbles_hold_classes_background_and_separators(tmp_path):
    project = project_of(tmp_path, {"a": "train"})
    habits = PaintingHabits(full_share=0, kinds=("scribble",))
    simulate(project, tmp_path / "masks", habits=habits)
    weak = annotation_of(project, "a")
    assert not weak.has_partial
    assert set(np.unique(weak.scribbles)) == {
        0,
        SCRIBBLE_BACKGROUND,
        SCRIBBLE_SEPARATOR,
        SCRIBBLE_FIRST_CLASS,
    }
    assert not objects_of()[weak.scribbles == SCRIBBLE_BACKGROUND].any()


def test_class_masks_give_an_object_per_piece_of_a_class(tmp_path):
    project = project_of(tmp_path, {"a": "train"}, classes=("a", "b", "c", "d"))
    simulate(
        project,
        tmp_path / "masks",
        habits=PaintingHabits(full_share=1),
        values="classes",
    )
    full = annotation_of(project, "a").full
    assert sorted(full.class_of.values()) == [1, 2, 3, 4]
    assert (full.class_map() == objects_of()).all()


def test_a_mask_with_an_unknown_class_is_refused_by_name(tmp_path):
    project = project_of(tmp_path, {"a": "train"}, classes=("x", "y", "z"))
    with pytest.raises(AnnotationError) as error:
        simulate(project, tmp_path / "masks", values="classes")
    assert str(error.value).startswith(
        "Mask 'a.tif' has the value 4 but the project has 3 classes: 1 x, 2 y, 3 z."
    )


def test_a_binary_mask_of_255_is_the_only_class(tmp_path):
    project = project_of(tmp_path, {"a": "train"})
    binary = (objects_of() > 0).astype(np.uint8) * 255
    tifffile.imwrite(tmp_path / "masks" / "a.tif", binary)
    simulate(
        project,
        tmp_path / "masks",
        habits=PaintingHabits(full_share=1),
        values="classes",
    )
    assert set(annotation_of(project, "a").full.class_of.values()) == {1}
    report = simulate(project, tmp_path / "masks", values="objects")
    assert "('a.tif'). If the values are classes" in report.notices[0]


def test_an_image_without_a_mask_is_named_or_skipped(tmp_path):
    project = project_of(tmp_path, {"a": "train", "b": "train"})
    (tmp_path / "masks" / "b.tif").unlink()
    with pytest.raises(AnnotationError, match=r"There is no mask for 'b\.tif' in"):
        simulate(project, tmp_path / "masks")
    assert annotation_of(project, "a").is_empty
    report = simulate(project, tmp_path / "masks", skip_missing=True)
    assert report.without_mask == ("b",)


def test_masks_can_be_given_by_image(tmp_path):
    project = project_of(tmp_path, {"a": "train"})
    report = simulate(project, {"a": tmp_path / "masks" / "a.tif"})
    assert report.ids("full") == ("a",)


def test_what_a_person_painted_is_not_painted_over(tmp_path):
    project = project_of(tmp_path, {"a": "train"})
    simulate(project, tmp_path / "masks")
    mine = annotation_of(project, "a")
    painted = Annotation(
        partial=mine.partial, scribbles=mine.scribbles + 1, full=mine.full
    )
    project.save_annotation(project.image("a"), painted)
    with pytest.raises(AnnotationError, match="is annotated already"):
        simulate(project, tmp_path / "masks")
    simulate(project, tmp_path / "masks", replace=True)
    assert annotation_of(project, "a").origin == "simulated"


def test_another_writer_keeps_the_annotations_for_itself(tmp_path):
    project = project_of(tmp_path, {"a": "train"})
    with (
        project.annotation_lock(),
        pytest.raises(ProjectError, match="already being written"),
    ):
        simulate(project, tmp_path / "masks")


def test_volumes_are_painted_like_images(tmp_path):
    project = project_of(tmp_path, {"a": "train", "b": "train"}, shape=(6, 40, 40))
    habits = PaintingHabits(kinds=("partial", "scribble"))
    report = simulate(project, tmp_path / "masks", habits=habits)
    weak = annotation_of(project, report.ids("weak")[0])
    assert weak.shape == (6, 40, 40)
    assert len(weak.partial.class_of) == N_OBJECTS
    assert weak.has_scribbles


def test_shares_out_of_order_are_refused():
    with pytest.raises(SettingsError, match=r"area_low is 0.9 but must be at most"):
        PaintingHabits.checked({"area_low": 0.9})
