"""Going on to train with what the review has added."""

import pytest
from qtpy.QtWidgets import QPushButton

from napari_mtseg.domain.review import ReviewRecord
from napari_mtseg.gui.sentence_label import SentenceLabel
from napari_mtseg.gui.state import WindowState
from napari_mtseg.gui.train_again import NewMasks, TrainAgain, new_masks
from napari_mtseg.storage.review_log import ReviewLog
from tests.gui.trained_projects import trained_run
from tests.tiny_projects import disc_project

LATER = "2999-01-01T00:00:00+00:00"
EARLIER = "2001-01-01T00:00:00+00:00"


@pytest.fixture
def project(tmp_path):
    return disc_project(tmp_path, n_images=3, validate=1)


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


def judge(project, run, place, verdict, *, when=LATER):
    record = ReviewRecord(
        image_id=project.images[place].id,
        run=run.path.name,
        verdict=verdict,
        who="me",
        when=when,
    )
    ReviewLog(project.path).append(record)


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
            "No image was accepted or corrected since this run: the next one would "
            "learn nothing new from this review. 2 are held out and do not train.",
        ),
    ],
)
def test_the_masks_that_join_are_counted_in_words(counts, sentence):
    names = ("n_accepted", "n_corrected", "n_held_out")
    found = NewMasks(**dict(zip(names, counts, strict=True)))
    assert found.sentence() == sentence


def test_only_accepted_and_corrected_training_images_join(project):
    run = trained_run(project)
    for place, verdict in enumerate(("accepted", "corrected", "rejected", "accepted")):
        judge(project, run, place, verdict)
    assert new_masks(project, run.path.name) == NewMasks(
        n_accepted=1, n_corrected=1, n_held_out=1
    )
    judge(project, run, 0, None)
    assert new_masks(project, run.path.name).n_accepted == 0


def test_what_a_run_has_learned_already_does_not_join_again(project):
    before = trained_run(project)
    judge(project, before, 0, "accepted", when=EARLIER)
    now = trained_run(project)
    judge(project, now, 1, "accepted")
    assert new_masks(project, now.path.name) == NewMasks(n_accepted=1)


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
    run = trained_run(project)
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
