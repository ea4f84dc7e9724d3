"""Triage: the table of predicted images, and verdicts by buttons and keys."""

from threading import Event

import pytest
from napari.components import ViewerModel
from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import (
    QComboBox,
    QLabel,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_mtseg.domain.errors import StorageError
from napari_mtseg.gui import verdict_writer
from napari_mtseg.gui.editing import Editing
from napari_mtseg.gui.judging import ALL_REVIEWED, NOT_PREDICTED
from napari_mtseg.gui.review_table import Column
from napari_mtseg.gui.shortcuts import add_shortcuts
from napari_mtseg.gui.state import WindowState
from napari_mtseg.gui.thumbnails import Thumbnails
from napari_mtseg.gui.triage import Triage
from napari_mtseg.storage.project import Project
from napari_mtseg.storage.review_log import ReviewLog
from tests.gui.painted_projects import on_disk
from tests.gui.review_projects import predict, predicted_project

DOUBTS = (0.2, 0.9, 0.5, 0.1)
"""the second image is the most doubtful, the third follows"""
WORST = ["disc_1.tif", "disc_2.tif", "disc_0.tif", "disc_3.tif"]


class Host:
    """A panel on a page without anything else, as the window holds it."""

    def __init__(self, qtbot, project, run):
        self.qtbot, self.run = qtbot, run
        self.viewer, self.state = ViewerModel(), WindowState()
        self.editing = Editing(self.viewer, self.state)
        self.dock = QWidget()
        pictures = Thumbnails(self.dock)
        self.state.events.project.connect(pictures.show_project)
        self.panel = Triage(self.state, self.editing, pictures, self.dock)
        self.state.open_project(project.path)
        self.state.page = "review"
        QVBoxLayout(self.dock).addWidget(self.panel)
        self.dock.resize(360, 700)
        add_shortcuts(
            self.dock,
            self.state,
            train=lambda: None,
            stop=lambda: None,
            review=self.panel.actions_by_name(),
        )
        self.panel.set_run(run)
        qtbot.waitUntil(lambda: self.panel.table.rowCount() > 0)
        qtbot.waitUntil(lambda: self.editing.is_shown)

    def names(self):
        table = self.panel.table
        ids = [table.id_at(row) for row in range(table.rowCount())]
        return [self.state.project.image(key).name for key in ids]

    def cell(self, row, column, role=Qt.ItemDataRole.DisplayRole):
        table = self.panel.table
        return table.data(table.index(row, column), role)

    def verdicts(self):
        return [self.cell(r, Column.VERDICT) for r in range(len(self.names()))]

    def click(self, name):
        self.qtbot.mouseClick(self.button(name), Qt.MouseButton.LeftButton)

    def button(self, name):
        return self.panel.findChild(QPushButton, name)

    def show(self, name):
        self.state.image_id = self.state.project.image(name).id

    def choose(self, box, text):
        found = self.panel.findChild(QComboBox, box)
        texts = [found.itemText(i) for i in range(found.count())]
        found.setCurrentIndex(
            next(i for i, t in enumerate(texts) if t.startswith(text))
        )
        found.activated.emit(found.currentIndex())

    def said(self, name):
        return self.panel.findChild(QLabel, name).sentence

    def wait_until_saved(self):
        self.qtbot.waitUntil(lambda: "saving" not in self.said("review_counts"))
        self.qtbot.waitUntil(lambda: "taking" not in self.said("review_counts"))


@pytest.fixture
def host(qtbot, tmp_path):
    found = Host(qtbot, *predicted_project(tmp_path, DOUBTS))
    qtbot.addWidget(found.dock)
    found.dock.show()
    yield found
    found.state.close_project()


def test_the_most_doubtful_image_stands_first(host):
    assert host.names() == WORST
    assert host.cell(0, Column.SCORE) == "⚑ 0.900"
    assert host.cell(1, Column.SCORE) == "0.500"
    assert host.cell(0, Column.IMAGE).split("\n") == ["disc_1.tif", "1 object"]
    assert host.said("review_counts") == "0 of 4 reviewed · 1 flagged"


def test_an_accepted_image_gets_a_full_mask_and_the_next_one_is_shown(host):
    host.click("next_worst")
    assert host.state.entry.name == "disc_1.tif"
    host.click("accept")
    assert host.cell(0, Column.VERDICT) == "✔ accepted\nsaving…"
    assert host.state.entry.name == "disc_2.tif"
    host.wait_until_saved()
    assert host.cell(0, Column.VERDICT) == "✔ accepted"
    assert host.said("review_counts") == "1 of 4 reviewed · 1 flagged"
    saved = on_disk(host.state.project, 1)
    assert saved.origin == f"accepted {host.run}"
    assert saved.full.objects[5, 5] == 1


def test_every_verdict_is_there_when_the_project_is_opened_again(host, qtbot):
    host.click("next_worst")
    for name in ("accept", "reject", "skip"):
        host.click(name)
    path = host.state.project.path
    # Closing waits for what is not written yet.
    host.state.close_project()
    given = ReviewLog(path).verdicts(host.run)
    names = {Project.open(path).image(k).name: r.verdict for k, r in given.items()}
    assert names == {
        "disc_1.tif": "accepted",
        "disc_2.tif": "rejected",
        "disc_0.tif": "skipped",
    }


def test_undo_takes_back_one_verdict_after_the_other(host):
    host.click("next_worst")
    host.click("accept")
    host.click("reject")
    host.wait_until_saved()
    host.click("undo_verdict")
    host.wait_until_saved()
    assert host.verdicts()[:2] == ["✔ accepted", ""]
    assert host.state.entry.name == "disc_2.tif"
    host.click("undo_verdict")
    host.wait_until_saved()
    assert host.verdicts() == [""] * 4
    assert not on_disk(host.state.project, 1).full.objects.any()
    assert not host.button("undo_verdict").isEnabled()


def test_undo_works_after_a_restart(host, qtbot):
    host.click("next_worst")
    host.click("accept")
    path = host.state.project.path
    host.state.close_project()
    again = Host(qtbot, Project.open(path), host.run)
    assert again.verdicts()[0] == "✔ accepted"
    again.click("undo_verdict")
    again.wait_until_saved()
    assert again.verdicts()[0] == ""
    again.state.close_project()
    again.dock.deleteLater()


def test_fix_opens_the_result_as_a_full_mask(host, qtbot):
    host.click("next_worst")
    host.click("fix")
    qtbot.waitUntil(lambda: host.state.page == "annotate")
    assert host.state.draw_as == "full"
    assert host.state.entry.name == "disc_1.tif"
    qtbot.waitUntil(lambda: host.editing.is_shown)
    layer = host.viewer.layers["Full masks"]
    assert layer.data[5, 5] > 0
    layer.paint((25, 25), 1)
    assert host.editing.flush()
    saved = on_disk(host.state.project, 1)
    assert saved.origin == f"corrected {host.run}"
    assert saved.full.objects[25, 25] > 0


def test_strokes_before_a_verdict_are_kept(host, qtbot):
    host.show("disc_1.tif")
    qtbot.waitUntil(lambda: host.editing.is_shown)
    host.viewer.layers["Scribbles"].paint((28, 28), 1)
    host.click("accept")
    host.wait_until_saved()
    saved = on_disk(host.state.project, 1)
    assert saved.scribbles[28, 28] == 1
    assert saved.full.objects[5, 5] == 1


def test_nobody_paints_on_an_image_whose_verdict_is_being_written(
    host, qtbot, monkeypatch
):
    may_go = hold_back(monkeypatch, "corrected")
    host.click("next_worst")
    qtbot.waitUntil(lambda: host.editing.is_shown)
    host.click("fix")
    assert not host.viewer.layers["Full masks"].editable
    host.state.step_image(1)
    host.state.step_image(-1)
    qtbot.wait(100)
    assert not host.editing.is_shown
    may_go.set()
    qtbot.waitUntil(lambda: host.editing.is_shown)
    assert host.viewer.layers["Full masks"].editable
    assert host.viewer.layers["Full masks"].data[5, 5] > 0


def test_a_verdict_that_cannot_be_saved_is_taken_from_the_list(
    host, qtbot, monkeypatch
):
    sentence = "The disk is full. Free some space and try again."

    def fails(**_):
        raise StorageError(sentence)

    monkeypatch.setitem(verdict_writer._JUDGES, "accepted", fails)
    host.click("next_worst")
    host.click("accept")
    host.wait_until_saved()
    assert host.said("verdict_outcome") == sentence
    assert host.verdicts()[0] == ""
    host.show("disc_1.tif")
    qtbot.waitUntil(lambda: host.editing.is_shown)
    assert host.viewer.layers["Full masks"].editable


def test_a_prediction_of_another_size_is_refused_in_a_sentence(host):
    host.show("disc_3.tif")
    folder = host.state.project.path / "predictions" / host.run / host.state.image_id
    (folder / "instances.tif").unlink()
    host.click("accept")
    host.wait_until_saved()
    assert "missing or damaged" in host.said("verdict_outcome")


def test_only_flagged_unreviewed_or_judged_images_are_listed(host):
    host.click("next_worst")
    host.click("accept")
    host.click("reject")
    host.wait_until_saved()
    shown = {
        "flagged (1)": ["disc_1.tif"],
        "unreviewed (2)": ["disc_0.tif", "disc_3.tif"],
        "accepted (1)": ["disc_1.tif"],
        "rejected (1)": ["disc_2.tif"],
        "corrected (0)": [],
        "skipped (0)": [],
        "all (4)": WORST,
    }
    for text, names in shown.items():
        host.choose("review_state_filter", text)
        assert host.names() == names, text


def test_a_judged_image_leaves_the_unreviewed_and_the_next_one_is_shown(host):
    host.choose("review_state_filter", "unreviewed")
    host.click("next_worst")
    host.click("reject")
    assert host.names() == WORST[1:]
    assert host.state.entry.name == "disc_2.tif"


def test_images_are_found_by_name(host, qtbot):
    host.panel.findChild(QLineEdit, "review_name_filter").setText("C_2")
    qtbot.waitUntil(lambda: host.names() == ["disc_2.tif"])


def test_the_line_of_the_histogram_flags_while_it_is_dragged(host, qtbot):
    line = host.panel.findChild(QWidget, "doubt_histogram")
    drag_to(line, 0.45)
    assert [host.cell(r, Column.SCORE)[0] for r in range(4)] == ["⚑", "⚑", "0", "0"]
    assert host.said("review_counts") == "0 of 4 reviewed · 2 flagged"
    log = ReviewLog(host.state.project.path)
    assert log.flag_rule(host.run) is None
    line.mouseReleaseEvent(None)
    qtbot.waitUntil(lambda: log.flag_rule(host.run) is not None)
    rule = log.flag_rule(host.run)
    assert rule.score == "boundary_entropy"
    assert rule.threshold == pytest.approx(0.45, abs=0.02)


def test_the_line_is_where_it_was_left(host, qtbot):
    line = host.panel.findChild(QWidget, "doubt_histogram")
    drag_to(line, 0.45)
    line.mouseReleaseEvent(None)
    path = host.state.project.path
    host.state.close_project()
    again = Host(qtbot, Project.open(path), host.run)
    assert again.said("review_counts") == "0 of 4 reviewed · 2 flagged"
    again.state.close_project()
    again.dock.deleteLater()


def test_the_arrow_keys_move_the_line_and_a_double_click_puts_it_back(host, qtbot):
    line = host.panel.findChild(QWidget, "doubt_histogram")
    for _ in range(40):
        QTest.keyClick(line, Qt.Key.Key_Left)
    assert host.said("review_counts") == "0 of 4 reviewed · 2 flagged"
    log = ReviewLog(host.state.project.path)
    qtbot.waitUntil(lambda: log.flag_rule(host.run) is not None)
    qtbot.mouseDClick(line, Qt.MouseButton.LeftButton)
    assert host.said("review_counts") == "0 of 4 reviewed · 1 flagged"


def test_a_row_is_shown_by_a_click_by_enter_and_by_resting_on_it(host, qtbot):
    view = host.panel.view
    spot = view.visualRect(host.panel.table.index(3, 0)).center()
    qtbot.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=spot)
    assert host.state.entry.name == "disc_3.tif"
    QTest.keyClick(view, Qt.Key.Key_Up)
    assert host.state.entry.name == "disc_3.tif"
    QTest.keyClick(view, Qt.Key.Key_Return)
    assert host.state.entry.name == "disc_0.tif"
    QTest.keyClick(view, Qt.Key.Key_Up)
    qtbot.waitUntil(lambda: host.state.entry.name == "disc_2.tif")


def test_a_verdict_is_on_the_row_that_is_selected(host):
    host.click("next_worst")
    QTest.keyClick(host.panel.view, Qt.Key.Key_Down)
    host.panel.actions_by_name()["reject"]()
    assert host.verdicts() == ["", "✖ rejected\nsaving…", "", ""]


def test_next_worst_goes_on_from_where_it_led(host):
    host.show("disc_2.tif")
    shown = []
    for _ in range(5):
        host.click("next_worst")
        shown.append(host.state.entry.name)
    assert shown == [*WORST, WORST[0]]


def test_when_all_is_reviewed_the_buttons_say_so(host):
    host.click("next_worst")
    for _ in WORST:
        host.click("skip")
    host.wait_until_saved()
    assert host.said("review_counts") == "0 of 4 reviewed · 1 flagged · 4 skipped"
    assert host.said("verdict_outcome") == ALL_REVIEWED
    assert not host.button("next_worst").isEnabled()
    assert host.button("next_worst").toolTip() == ALL_REVIEWED


def test_an_image_without_a_prediction_cannot_be_judged(qtbot, tmp_path):
    project, run = predicted_project(tmp_path, DOUBTS)
    (
        project.path / "predictions" / run / project.images[0].id / "prediction.json"
    ).unlink()
    host = Host(qtbot, project, run)
    host.show("disc_0.tif")
    for name in ("accept", "reject", "fix", "skip"):
        assert not host.button(name).isEnabled()
        assert host.button(name).toolTip() == NOT_PREDICTED
    host.panel.actions_by_name()["accept"]()
    assert host.verdicts() == [""] * 3
    host.state.close_project()
    host.dock.deleteLater()


def test_letters_judge_on_the_review_page_only(host, qtbot):
    host.click("next_worst")
    with qtbot.waitActive(host.dock):
        host.dock.activateWindow()
    host.panel.view.setFocus()
    host.state.page = "annotate"
    QTest.keyClick(host.panel.view, Qt.Key.Key_A)
    assert host.verdicts() == [""] * 4
    host.state.page = "review"
    QTest.keyClick(host.panel.view, Qt.Key.Key_A)
    QTest.keyClick(host.panel.view, Qt.Key.Key_R)
    QTest.keyClick(host.panel.view, Qt.Key.Key_S)
    host.wait_until_saved()
    assert host.verdicts() == ["✔ accepted", "✖ rejected", "» skipped", ""]
    QTest.keyClick(host.panel.view, Qt.Key.Key_U)
    host.wait_until_saved()
    assert host.verdicts()[2] == ""


def test_next_worst_opens_the_review_page_from_any_other(host, qtbot):
    with qtbot.waitActive(host.dock):
        host.dock.activateWindow()
    host.state.page = "annotate"
    both = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
    QTest.keyClick(host.dock, Qt.Key.Key_PageDown, both)
    assert (host.state.page, host.state.entry.name) == ("review", "disc_1.tif")


def test_tooltips_tell_the_keys(host):
    assert (
        host.button("accept").toolTip().endswith("Key: Ctrl+Shift+A or A in the dock.")
    )


def test_another_score_sorts_and_has_a_line_of_its_own(qtbot, tmp_path):
    sizes = (0.3, 0.1, 0.2, 0.8)
    project, run = predicted_project(tmp_path, DOUBTS, low_confidence=sizes)
    host = Host(qtbot, project, run)
    host.choose("review_score", "Low confidence")
    assert host.names()[0] == "disc_3.tif"
    assert host.cell(0, Column.SCORE) == "⚑ 0.800"
    host.state.close_project()
    host.dock.deleteLater()


def test_without_scores_it_says_how_to_get_them(qtbot, tmp_path):
    project, run = predicted_project(tmp_path, DOUBTS)
    for entry in project.images:
        predict(project, run, entry, doubt=0.5)
    host = Host(qtbot, project, run)
    assert host.said("no_scores").startswith("These results have no scores")
    assert host.names() == ["disc_0.tif", "disc_1.tif", "disc_2.tif", "disc_3.tif"]
    host.state.close_project()
    host.dock.deleteLater()


def test_images_whose_classes_disagree_are_marked_and_found(qtbot, tmp_path):
    odd = (0.1, 0.2, 0.9, 0.3)
    host = Host(qtbot, *predicted_project(tmp_path, DOUBTS, disagreement=odd))
    host.choose("review_state_filter", "classes disagree (1)")
    assert host.names() == ["disc_2.tif"]
    assert host.cell(0, Column.IMAGE).startswith("⚠ disc_2.tif")
    host.state.close_project()
    host.dock.deleteLater()


def test_a_bug_while_saving_frees_the_image_and_is_raised(host, qtbot, monkeypatch):
    def breaks(**_):
        raise ZeroDivisionError

    monkeypatch.setitem(verdict_writer._JUDGES, "rejected", breaks)
    host.click("next_worst")
    with qtbot.captureExceptions() as raised:
        host.click("reject")
        host.wait_until_saved()
    assert [kind for kind, *_ in raised] == [ZeroDivisionError]
    assert host.verdicts()[0] == ""
    assert host.said("verdict_outcome").startswith("The verdict could not be saved")


def hold_back(monkeypatch, verdict):
    """Let verdicts of one kind wait for the event that is returned."""
    may_go, judge = Event(), verdict_writer._JUDGES[verdict]

    def waits(**given):
        assert may_go.wait(10)
        return judge(**given)

    monkeypatch.setitem(verdict_writer._JUDGES, verdict, waits)
    return may_go


def drag_to(line, value):
    """Take the line of a histogram and move it to a value, without letting go."""
    height, margin, left = line.height() // 2, 8, Qt.MouseButton.LeftButton
    start = QPoint(int(line.line_x()), height)
    QTest.mousePress(line, left, pos=start)
    place = QPointF(margin + (line.line_x() - margin) * value / line.threshold, height)
    none = Qt.MouseButton.NoButton, left, Qt.KeyboardModifier.NoModifier
    # Not by QTest: with Qt 5 it moves the real pointer and does not wait.
    line.mouseMoveEvent(QMouseEvent(QEvent.Type.MouseMove, place, place, *none))
