import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QLineEdit, QVBoxLayout, QWidget

from napari_mtseg.domain.annotation import (
    SCRIBBLE_BACKGROUND,
    SCRIBBLE_FIRST_CLASS,
    SCRIBBLE_SEPARATOR,
)
from napari_mtseg.gui.shortcuts import HeldKey, add_shortcuts
from napari_mtseg.gui.state import WindowState
from tests.tiny_projects import disc_project


@pytest.fixture
def window(qtbot, tmp_path):
    state, pressed = WindowState(), []
    state.open_project(disc_project(tmp_path, n_images=2).path)
    outer, dock, line = QWidget(), QWidget(), QLineEdit()
    QVBoxLayout(outer).addWidget(dock)
    QVBoxLayout(dock).addWidget(line)
    dock.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    add_shortcuts(
        dock,
        state,
        train=lambda: pressed.append("train"),
        stop=lambda: pressed.append("stop"),
    )
    qtbot.addWidget(outer)
    with qtbot.waitActive(outer):
        outer.show()
        outer.activateWindow()
    yield state, dock, line, pressed
    state.close_project()


def press(widget, key, modifier=Qt.KeyboardModifier.NoModifier):
    widget.setFocus()
    QTest.keyClick(widget, key, modifier)


CTRL = Qt.KeyboardModifier.ControlModifier


def test_keys_go_to_the_next_image_and_back(window):
    state, dock, _, _ = window
    press(dock, Qt.Key.Key_PageDown, CTRL)
    assert state.entry.name == "disc_1.tif"
    press(dock, Qt.Key.Key_PageUp, CTRL)
    assert state.entry.name == "disc_0.tif"


def test_keys_choose_what_the_brush_paints(window):
    state, dock, _, _ = window
    press(dock, Qt.Key.Key_B, CTRL)
    assert state.paint_code == SCRIBBLE_BACKGROUND
    press(dock, Qt.Key.Key_D, CTRL)
    assert state.paint_code == SCRIBBLE_SEPARATOR
    press(dock, Qt.Key.Key_1, CTRL)
    assert state.paint_code == SCRIBBLE_FIRST_CLASS


def test_a_number_without_a_class_does_nothing(window):
    state, dock, _, _ = window
    press(dock, Qt.Key.Key_9, CTRL)
    assert state.paint_code == SCRIBBLE_FIRST_CLASS


def test_plain_letters_work_in_the_dock_but_not_while_one_types(window):
    state, dock, line, _ = window
    press(line, Qt.Key.Key_F)
    assert (line.text(), state.draw_as) == ("f", "partial")
    press(dock, Qt.Key.Key_F)
    assert state.draw_as == "full"


def test_train_and_stop_have_keys(window):
    _, dock, _, pressed = window
    press(dock, Qt.Key.Key_Return, CTRL)
    press(dock, Qt.Key.Key_Period, CTRL)
    assert pressed == ["train", "stop"]


def test_a_held_key_is_told_down_and_up_and_reaches_others_too(window):
    _, dock, line, _ = window
    told = []
    held = HeldKey("H", dock, told.append)
    dock.setFocus()
    QTest.keyPress(dock, Qt.Key.Key_H)
    QTest.keyRelease(dock, Qt.Key.Key_H)
    press(line, Qt.Key.Key_H)
    assert told == [True, False]
    assert line.text() == "h"
    held.deleteLater()
