"""The Annotate page follows the state, says what counts, and fits the dock."""

import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QAbstractButton,
    QComboBox,
    QMessageBox,
    QPushButton,
    QRadioButton,
    QSpinBox,
)

from napari_mtseg.domain.annotation import CompleteRegion, Tags
from napari_mtseg.gui.annotate_page import AnnotatePage
from napari_mtseg.gui.editing import Editing
from napari_mtseg.gui.paint_report import counts_sentence
from napari_mtseg.gui.painted_image import PaintCounts
from napari_mtseg.gui.sentence_label import SentenceLabel
from napari_mtseg.gui.trainer import MethodReadiness, ReadinessReport
from napari_mtseg.storage.class_edits import add_class
from tests.gui.annotate_fakes import (
    FakeCommands,
    FakeEditing,
    FakeTrainer,
    opened,
    painted,
)

DOCK = 345
"""pixels left for a page in the narrowest dock, beside its scroll bar"""


@pytest.fixture
def made(tmp_path, make_napari_viewer, qtbot):
    def make(ndim=2, classes=2, editing_type=None):
        viewer = make_napari_viewer()
        state = opened(tmp_path, ndim=ndim, classes=classes)
        if editing_type is None:
            editing = FakeEditing(state)
        else:
            # As in the dock: the editing is there before the project opens.
            path = state.project.path
            state.close_project()
            editing = editing_type(viewer, state)
            state.open_project(path)
        trainer, commands = FakeTrainer(), FakeCommands()
        page = AnnotatePage(viewer, state, editing, trainer, commands)
        qtbot.addWidget(page)
        page.resize(DOCK, 900)
        page.show()
        return state, editing, trainer, page

    return make


def said(page, name):
    label = page.findChild(SentenceLabel, name)
    return label.sentence


def test_draw_as_goes_both_ways(made):
    state, _, _, page = made()
    page.findChild(QRadioButton, "draw_as_scribble").click()
    assert state.draw_as == "scribble"
    state.draw_as = "full"
    assert page.findChild(QRadioButton, "draw_as_full").isChecked()
    assert said(page, "draw_as_explanation").startswith("Exact objects")


def test_a_click_on_what_is_chosen_already_gives_the_brush_back(made):
    _, editing, _, page = made()
    page.findChild(QRadioButton, "draw_as_partial").click()
    assert editing.said[-1] == "take_brush"


def test_an_unpainted_image_says_what_to_paint_first(made):
    _, editing, _, page = made()
    assert said(page, "first_step").startswith(
        "Paint inside a few objects with the brush. Press "
    )
    editing.paint(n_partial=1)
    assert said(page, "first_step") == ""


def test_why_nobody_can_paint_is_said_first(made):
    _, editing, _, page = made()
    editing.hint = "Zoom in to paint."
    editing.changed.emit()
    assert said(page, "first_step") == "Zoom in to paint."


def test_an_image_that_is_complete_without_objects_needs_no_first_step(made):
    _, editing, _, page = made()
    editing.set_complete(CompleteRegion(whole=True))
    assert said(page, "first_step") == ""


def test_without_an_image_only_the_way_to_one_is_shown(made):
    state, _, _, page = made()
    state.image_id = None
    assert said(page, "first_step") == (
        "Open an image first: Project page, double-click."
    )
    assert not page.findChild(QPushButton, "import_masks").isVisible()


def test_counts_are_said_with_their_plurals():
    assert counts_sentence(PaintCounts(n_partial=7, n_strokes=1, n_full=0)) == (
        "This image: 7 partial masks, 1 scribble, 0 full masks"
    )


def test_readiness_is_asked_once_for_many_saves(made, qtbot):
    state, _, trainer, _ = made()
    for _ in range(5):
        state.annotation_saved.emit(state.image_id)
    qtbot.waitUntil(lambda: trainer.n_asked > 0)
    assert trainer.n_asked == 1


def test_readiness_is_said_for_each_method(made):
    _, _, trainer, page = made()
    trainer.readiness_changed.emit(
        ReadinessReport(
            summary="12 partial masks on 4 images.",
            methods={
                "recursive_approximation": MethodReadiness(
                    ready=False, problems=("Paint two full masks.", "And more.")
                ),
                "baseline": MethodReadiness(ready=True),
            },
            recommended="baseline",
            reason="",
        )
    )
    assert said(page, "paint_summary") == "All images: 12 partial masks on 4 images."
    assert said(page, "readiness_baseline") == "Plain U-Net is ready."
    assert said(page, "readiness_recursive_approximation") == (
        "Recursive approximation: Paint two full masks."
    )


def test_all_paint_goes_only_after_a_question(made, monkeypatch):
    _, editing, _, page = made()
    delete = page.findChild(QPushButton, "delete_all_paint")
    assert not delete.isEnabled()
    assert delete.toolTip() == "Nothing is painted on this image."
    editing.set_tags(Tags(scene=None, present={1: True}, exhaustive=True))
    editing.paint(n_partial=3)
    buttons = QMessageBox.StandardButton
    monkeypatch.setattr(QMessageBox, "question", lambda *_: buttons.Cancel)
    delete.click()
    assert editing.replaced == []
    monkeypatch.setattr(QMessageBox, "question", lambda *_: buttons.Yes)
    delete.click()
    assert editing.replaced[0].is_empty
    assert editing.replaced[0].tags == Tags(present={1: True})


@pytest.mark.parametrize("ndim", [2, 3])
def test_the_page_fits_the_narrowest_dock(made, ndim):
    _, editing, _, page = made(ndim=ndim, classes=12)
    editing.paint(n_full=2)
    page.findChild(QRadioButton, "complete_boxes").click()
    assert page.minimumSizeHint().width() <= DOCK


def test_every_control_has_a_tooltip(made):
    _, _, _, page = made(ndim=3)
    kinds = (QAbstractButton, QComboBox, QSpinBox)
    controls = [c for kind in kinds for c in page.findChildren(kind)]
    assert len(controls) > 20
    assert [c.objectName() for c in controls if not c.toolTip()] == []


def visited(page):
    widget, places = page.nextInFocusChain(), []
    while widget is not page:
        takes_tab = widget.focusPolicy() & Qt.FocusPolicy.TabFocus
        # A spin box has an editor of its own, which is no stop for Tab.
        if takes_tab and page.isAncestorOf(widget) and widget.objectName():
            places.append(widget.objectName())
        widget = widget.nextInFocusChain()
    return [name for name in places if not name.startswith("qt_")]


def test_tab_goes_in_reading_order_also_after_a_class_was_added(made):
    state, _, _, page = made(ndim=3)
    add_class(state.project, "mitosis")
    state.classes_changed.emit()
    assert visited(page) == [
        *("draw_as_partial", "draw_as_scribble", "draw_as_full"),
        *(f"paint_code_{code}" for code in (3, 4, 5, 1, 2)),
        *("add_class", "rename_class", "recolour_class", "remove_class"),
        *("complete_none", "complete_whole", "complete_boxes", "complete_slices"),
        *("draw_box", "enter_box", "remove_part", "mark_slice", "complete_depth"),
        *("complete_parts", "every_object_is_marked", "scene", "add_scene"),
        *("present_1", "present_2", "present_3"),
        *("import_masks", "delete_all_paint"),
    ]


def test_a_class_is_deleted_under_the_real_editing(made, monkeypatch, qtbot):
    state, editing, _, page = made(editing_type=Editing)
    qtbot.waitUntil(lambda: editing.annotation is not None)
    image_id = state.image_id
    editing.replace_annotation(painted(state.entry.spatial_shape, 1))
    yes = QMessageBox.StandardButton.Yes
    monkeypatch.setattr(QMessageBox, "question", lambda *_: yes)
    page.findChild(QPushButton, "remove_class").click()
    qtbot.waitUntil(lambda: state.project.info.n_classes == 1)
    qtbot.waitUntil(lambda: editing.annotation is not None)
    assert state.image_id == image_id
    assert not editing.annotation.has_partial
    state.close_project()


def test_the_page_and_the_real_editing_agree(made, qtbot):
    state, editing, _, page = made(editing_type=Editing)
    qtbot.waitUntil(lambda: editing.annotation is not None)
    shape = state.entry.spatial_shape
    editing.replace_annotation(painted(shape, 2))
    qtbot.waitUntil(
        lambda: said(page, "paint_counts").startswith("This image: 1 partial mask,")
    )
    page.findChild(QRadioButton, "complete_whole").click()
    assert editing.complete.whole
    page.findChild(QPushButton, "present_1").click()
    assert editing.flush()
    saved = state.project.annotation(state.entry)
    assert saved.complete.whole
    assert saved.tags.present == {1: True}
    state.close_project()
