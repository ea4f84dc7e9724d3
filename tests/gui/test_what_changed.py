"""Comparing a run with an earlier one."""

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtWidgets import QComboBox

from napari_mtseg.gui.overlays import Overlays
from napari_mtseg.gui.sentence_label import SentenceLabel
from napari_mtseg.gui.state import WindowState
from napari_mtseg.gui.what_changed import (
    NO_EARLIER_RUN,
    NOT_PREDICTED_BEFORE,
    NOT_PREDICTED_NOW,
    NOTHING_HELD_OUT,
    WhatChanged,
)
from tests.gui.trained_projects import predicted, trained_run
from tests.tiny_projects import SIZE, disc_project


@pytest.fixture
def project(tmp_path):
    return disc_project(tmp_path, n_images=2, validate=1)


@pytest.fixture
def state(project):
    state = WindowState()
    state.open_project(project.path)
    yield state
    state.close_project()


@pytest.fixture
def overlays(qtbot, state):
    overlays = Overlays(ViewerModel(), state)
    yield overlays
    overlays.release()


@pytest.fixture
def panel(qtbot, state, overlays):
    panel = WhatChanged(state, overlays)
    qtbot.addWidget(panel)
    panel.resize(340, 120)
    panel.show()
    return panel


def square(side):
    objects = np.zeros((SIZE, SIZE), np.uint32)
    objects[4 : 4 + side, 4:14] = 5
    return objects


def two_runs(project, *, is_child=True, **scores):
    """Make two runs, of which both predict the first image; the second found less."""
    before = trained_run(project, score=scores.get("before"))
    parent = before.path.name if is_child else None
    now = trained_run(project, score=scores.get("now"), parent=parent)
    predicted(project, before, project.images[0], square(10))
    predicted(project, now, project.images[0], square(5))
    return before, now


def said(panel, name):
    return panel.findChild(SentenceLabel, name).sentence


def combo(panel):
    return panel.findChild(QComboBox, "compare_with")


def choose(panel, place):
    combo(panel).setCurrentIndex(place)
    combo(panel).activated.emit(place)


def test_without_an_earlier_run_there_is_nothing_to_choose(panel, project, overlays):
    assert said(panel, "image_change") == ""
    panel.set_run(trained_run(project).path.name)
    assert said(panel, "image_change") == NO_EARLIER_RUN
    assert combo(panel).isHidden()
    assert overlays.names == ()


def test_a_run_is_compared_with_the_one_it_started_from(
    qtbot, panel, project, overlays
):
    before, now = two_runs(project, before=0.812, now=0.861)
    panel.set_run(now.path.name)
    assert panel.compared_with == before.path.name
    qtbot.waitUntil(lambda: overlays.names == ("Before",))
    assert said(panel, "image_change") == ("Dice between both 0.67 · as many objects")
    qtbot.waitUntil(lambda: said(panel, "quality_change") != "")
    assert said(panel, "quality_change") == "Validation Dice 0.81 → 0.86 (1 image)"


def test_an_earlier_run_is_compared_with_only_if_one_chooses_it(
    qtbot, panel, project, overlays
):
    before, now = two_runs(project, is_child=False)
    panel.set_run(now.path.name)
    assert panel.compared_with is None
    assert said(panel, "image_change") == said(panel, "quality_change") == ""
    choose(panel, 1)
    assert panel.compared_with == before.path.name
    qtbot.waitUntil(lambda: overlays.names == ("Before",))
    qtbot.waitUntil(lambda: said(panel, "quality_change") == NOTHING_HELD_OUT)
    choose(panel, 0)
    qtbot.waitUntil(lambda: overlays.names == ())
    assert said(panel, "image_change") == said(panel, "quality_change") == ""


def test_what_was_chosen_stays_when_predictions_come(qtbot, panel, state, project):
    _, now = two_runs(project)
    panel.set_run(now.path.name)
    choose(panel, 0)
    state.predictions_changed.emit()
    assert panel.compared_with is None


def test_an_image_that_one_of_the_runs_lacks_is_not_compared(
    qtbot, panel, state, project, overlays
):
    before, now = two_runs(project)
    panel.set_run(now.path.name)
    qtbot.waitUntil(lambda: overlays.names == ("Before",))
    state.image_id = project.images[1].id
    assert said(panel, "image_change") == NOT_PREDICTED_NOW
    assert overlays.names == ()
    predicted(project, now, project.images[1], square(5))
    state.predictions_changed.emit()
    assert said(panel, "image_change") == NOT_PREDICTED_BEFORE
    predicted(project, before, project.images[1], square(5))
    state.predictions_changed.emit()
    qtbot.waitUntil(lambda: overlays.names == ("Before",))
    assert said(panel, "image_change") == "Dice between both 1.00 · as many objects"


def test_a_damaged_prediction_is_named(qtbot, panel, project):
    before, now = two_runs(project)
    folder = project.path / "predictions" / before.path.name / project.images[0].id
    (folder / "classes.tif").write_bytes(b"")
    panel.set_run(now.path.name)
    qtbot.waitUntil(lambda: "is missing or damaged" in said(panel, "image_change"))


def test_the_outlines_before_go_with_all_results(qtbot, panel, project, overlays):
    _, now = two_runs(project)
    panel.set_run(now.path.name)
    qtbot.waitUntil(lambda: overlays.names == ("Before",))
    layer = dict(overlays._layers.made())["Before"]
    overlays.visible = False
    assert not layer.visible
    overlays.visible = True
    assert layer.visible
    assert set(np.unique(layer.data)) == {0, 1, 2}


def test_results_of_this_run_leave_the_outlines_before_alone(
    qtbot, panel, project, overlays
):
    _, now = two_runs(project)
    panel.set_run(now.path.name)
    qtbot.waitUntil(lambda: overlays.names == ("Before",))
    layer = dict(overlays._layers.made())["Before"]
    image = project.images[0].id
    with qtbot.waitSignal(overlays.shown):
        overlays.show_prediction(project.path / "predictions" / now.path.name / image)
    assert {"Before", "Contours"} <= set(overlays.names)
    overlays.put_away_results()
    qtbot.waitUntil(lambda: overlays.names == ("Before",))
    assert dict(overlays._layers.made())["Before"] is layer


def test_closing_the_project_forgets_what_was_compared(qtbot, panel, state, project):
    _, now = two_runs(project)
    panel.set_run(now.path.name)
    state.close_project()
    assert combo(panel).count() == 1
    assert said(panel, "image_change") == ""
