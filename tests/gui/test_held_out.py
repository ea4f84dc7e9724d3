"""Which images scored a run: told from facts alone, as the training itself does."""

from dataclasses import replace

import numpy as np
import pytest

from napari_mtseg.domain.annotation import (
    CompleteRegion,
    ObjectMasks,
    Tags,
    empty_annotation,
)
from napari_mtseg.gui.held_out import validation_images
from napari_mtseg.storage.snapshot import load_snapshot
from napari_mtseg.workflows.runs import method_of
from napari_mtseg.workflows.validation import Validation
from tests.gui.trained_projects import trained_run
from tests.tiny_projects import SIZE, disc_project

SHAPE = (SIZE, SIZE)
SQUARE = np.zeros(SHAPE, np.uint32)
SQUARE[4:9, 4:9] = 1
BARE = empty_annotation(SHAPE)
MASKS = ObjectMasks(objects=SQUARE, class_of={1: 1})
ACCEPTED = replace(
    BARE, full=MASKS, complete=CompleteRegion(whole=True), origin="accepted RUN"
)
SCRIBBLE = SQUARE.astype(np.uint8)


@pytest.mark.parametrize(
    ("annotation", "scores"),
    [
        (replace(BARE, partial=MASKS), True),
        (replace(BARE, scribbles=SCRIBBLE), True),
        (replace(ACCEPTED, partial=MASKS), True),
        (replace(ACCEPTED, scribbles=SCRIBBLE), True),
        (ACCEPTED, False),
        (replace(BARE, full=MASKS), False),
        (replace(BARE, tags=Tags(present={1: True})), False),
    ],
)
def test_weak_labels_score_also_beside_accepted_masks_and_tags_never_do(
    tmp_path, annotation, scores
):
    project = disc_project(tmp_path, n_images=1, validate=1, painted=False)
    entry = project.images[-1]
    project.save_annotation(entry, annotation)
    run = trained_run(project)
    assert validation_images(run) == ({entry.id} if scores else set())
    snapshot = load_snapshot(project, run.snapshot_file)
    method = method_of(run.info, snapshot, project)
    scored = Validation(project, snapshot, method).images
    assert {entry.id for entry, _ in scored} == validation_images(run)
