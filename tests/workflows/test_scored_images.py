import numpy as np
import pytest
import tifffile

from napari_mtseg.domain.errors import ProjectError, RunError
from napari_mtseg.domain.project import Split
from napari_mtseg.storage.project import Project
from napari_mtseg.storage.run_folder import RunFolder
from napari_mtseg.workflows.scored_images import (
    check_predicted,
    images_to_score,
    trained_images,
)


def project_of(folder, splits: dict[str, Split]) -> Project:
    project = Project.create(folder / "p.mtseg", classes=("nucleus",))
    for i, (name, split) in enumerate(splits.items()):
        noise = np.random.default_rng(i).integers(0, 255, (4, 4), np.uint8)
        tifffile.imwrite(folder / f"{name}.tif", noise)
        project.add_image(folder / f"{name}.tif", split=split)
    return project


@pytest.mark.parametrize(
    ("split", "ids"),
    [
        ("train", "a"),
        ("validate", "b"),
        ("test", "c"),
        ("held-out", "bc"),
        ("all", "abc"),
    ],
)
def test_a_split_has_its_images_and_held_out_those_of_two(tmp_path, split, ids):
    project = project_of(tmp_path, {"a": "train", "b": "validate", "c": "test"})
    assert [entry.id for entry in images_to_score(project, split)] == list(ids)


def test_splits_that_do_not_exist_or_are_empty_are_said(tmp_path):
    project = project_of(tmp_path, {"a": "train"})
    with pytest.raises(ProjectError, match="There is no split 'exam'"):
        images_to_score(project, "exam")
    with pytest.raises(ProjectError, match="no images of split 'held-out'"):
        images_to_score(project, "held-out")


def test_missing_predictions_name_the_command_that_makes_all_of_them(tmp_path):
    project = project_of(tmp_path, {"a": "validate", "b": "test"})
    with pytest.raises(RunError, match="--run r --split all'"):
        check_predicted(project, "r", project.images)
    with pytest.raises(RunError, match="--run r --split test'"):
        check_predicted(project, "r", project.images[1:])


def test_a_run_without_a_snapshot_has_learned_nothing_that_is_known(tmp_path):
    project = project_of(tmp_path, {"a": "train"})
    run = RunFolder(project.path / "runs" / "r")
    assert trained_images(project, run, {"a"}) == frozenset()
