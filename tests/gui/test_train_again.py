"""Going on to train with what the review has added."""

import numpy as np
import pytest
from qtpy.QtWidgets import QPushButton

from napari_mtseg.domain.annotation import empty_annotation
from napari_mtseg.gui.sentence_label import SentenceLabel
from napari_mtseg.gui.state import WindowState
from napari_mtseg.gui.train_again import NewMasks, TrainAgain, new_masks
from napari_mtseg.storage.verdicts import accept, fix, reject
from tests.gui.trained_projects import predicted, trained_run
from tests.tiny_projects import SIZE, disc_project

OBJECTS = np.zeros((SIZE, SIZE), np.uint32)
OBJECTS[4:16, 4:16] = 1


@pytest.fixture
def project(tmp_path):
    return disc_project(tmp_path, n_images=3, validate=1, painted=False)


@pytest.fixture
def state(project):
    state = WindowState()
    state.open_project(project.path)
    yield state
    state.close_project()


@pytest.fixture
def panel(qtbot, state):
    panel = TrainAgain(state)
    qtbot.addWidget(panel)
    panel.show()
    return panel


def judge(project, run, place, verdict):
    judges = {"accepted": accept, "corrected": fix, "rejected": reject}
    return judges[verdict](project, project.images[place], run.path.name, who="me")


def predicting_run(project):
    """Make a run that has predicted all images."""
    run = trained_run(project)
    for entry in project.images:
        predicted(project, run, entry, OBJECTS)
    return run


def said(panel):
    return panel.findChild(SentenceLabel, "new_masks").sentence


def button(panel):
    return panel.findChild(QPushButton, "train_again")


@pytest.mark.parametrize(
    ("counts", "sentence"),
    [
        ((7, 2, 0), "7 accepted, 2 corrected images join the training."),
        ((1, 0, 0), "1 accepted image joins the training."),
        (
            (0, 3, 1),
            "3 corrected images join the training. 1 more is held out and does not "
            "train.",
        ),
        (
            (0, 0, 2),
            "No image that trains was accepted or corrected since this run: the next "
            "one would learn nothing new from this review. 2 are held out and do not "
            "train.",
        ),
    ],
)
def test_the_masks_that_join_are_counted_in_words(counts, sentence):
    names = ("n_accepted", "n_corrected", "n_held_out")
    found = NewMasks(**dict(zip(names, counts, strict=True)))
    assert found.sentence() == sentence


def test_only_accepted_and_corrected_training_images_join(project):
    run = predicting_run(project)
    for place, verdict in enumerate(("accepted", "corrected", "rejected", "accepted")):
        judge(project, run, place, verdict)
    assert new_masks(project, run.path.name) == NewMasks(
        n_accepted=1, n_corrected=1, n_held_out=1
    )
    judge(project, run, 0, "rejected")
    assert new_masks(project, run.path.name).n_accepted == 0


def test_what_a_run_has_learned_already_does_not_join_again(project):
    before = predicting_run(project)
    judge(project, before, 0, "accepted")
    now = predicting_run(project)
    judge(project, now, 1, "accepted")
    assert new_masks(project, now.path.name) == NewMasks(n_accepted=1)


def test_masks_that_were_deleted_do_not_join(project):
    run, entry = predicting_run(project), project.images[0]
    judge(project, run, 0, "accepted")
    project.save_annotation(entry, empty_annotation(entry.spatial_shape))
    assert new_masks(project, run.path.name) == NewMasks()


def test_masks_that_a_later_run_took_away_do_not_join(project):
    before, now = predicting_run(project), predicting_run(project)
    judge(project, before, 0, "accepted")
    judge(project, now, 0, "rejected")
    assert new_masks(project, before.path.name) == NewMasks()


def test_masks_of_a_later_run_join_whichever_run_is_looked_at(project):
    before, now = predicting_run(project), predicting_run(project)
    judge(project, now, 0, "accepted")
    for run in (before, now):
        assert new_masks(project, run.path.name) == NewMasks(n_accepted=1)


def test_paint_that_is_deleted_is_counted_when_the_page_is_looked_at(
    qtbot, panel, state, project
):
    run, entry = predicting_run(project), project.images[0]
    judge(project, run, 0, "accepted")
    state.page = "annotate"
    panel.set_run(run.path.name)
    qtbot.waitUntil(lambda: said(panel) == "1 accepted image joins the training.")
    project.save_annotation(entry, empty_annotation(entry.spatial_shape))
    state.annotation_saved.emit(entry.id)
    state.page = "review"
    qtbot.waitUntil(lambda: said(panel).startswith("No image that trains"))


def test_without_weights_one_cannot_train_again(panel, project):
    assert not button(panel).isEnabled()
    run = trained_run(project, has_weights=False)
    panel.set_run(run.path.name)
    assert button(panel).toolTip() == (
        "This run has no weights to start from. Choose another run."
    )
    training = trained_run(project)
    with training.lock():
        panel.set_run(training.path.name)
        assert button(panel).toolTip() == (
            "This run is training. Train again when it has ended."
        )


def test_the_button_goes_to_the_train_page_with_this_run(qtbot, panel, state, project):
    run = predicting_run(project)
    judge(project, run, 0, "accepted")
    panel.set_run(run.path.name)
    qtbot.waitUntil(lambda: said(panel) == "1 accepted image joins the training.")
    judge(project, run, 1, "corrected")
    state.reviewed.emit(project.images[1].id)
    qtbot.waitUntil(lambda: "1 corrected" in said(panel))
    button(panel).click()
    assert (state.start_from, state.page) == (run.path.name, "train")
    state.close_project()
    assert state.start_from is None
    assert said(panel) == ""
