"""Classes are chosen and edited by buttons; nothing is deleted unasked."""

import pytest
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QColorDialog, QInputDialog, QMessageBox, QPushButton

from napari_mtseg.gui.class_edits import warning_before_removal
from napari_mtseg.gui.class_palette import ClassPalette, PaintCodes
from napari_mtseg.storage.project import Project
from tests.gui.annotate_fakes import FakeEditing, opened, painted


@pytest.fixture
def made(tmp_path, qtbot):
    def make(classes=2):
        state = opened(tmp_path, classes=classes)
        editing = FakeEditing(state)
        palette = ClassPalette(state, editing)
        qtbot.addWidget(palette)
        palette.resize(340, 400)
        palette.show()
        return state, editing, palette

    return make


def button(palette, name):
    return palette.findChild(QPushButton, name)


def names(state):
    return [c.name for c in Project.open(state.project.path).info.classes]


def typed(monkeypatch, text):
    monkeypatch.setattr(QInputDialog, "getText", lambda *_, **__: (text, True))


def answered(monkeypatch, answer):
    asked = []

    def question(_, __, text, *___):
        asked.append(text)
        return answer

    monkeypatch.setattr(QMessageBox, "question", question)
    return asked


def test_a_press_on_a_class_chooses_it(made):
    state, _, palette = made()
    button(palette, "paint_code_4").click()
    assert state.paint_code == 4
    button(palette, "paint_code_4").click()
    assert button(palette, "paint_code_4").isChecked()


def test_a_code_chosen_elsewhere_presses_its_button(made):
    state, _, palette = made()
    state.paint_code = 1
    assert button(palette, "paint_code_1").isChecked()
    assert not button(palette, "paint_code_3").isChecked()


def test_background_cannot_be_renamed_and_says_why(made):
    state, _, palette = made()
    state.paint_code = 1
    rename = button(palette, "rename_class")
    assert not rename.isEnabled()
    assert rename.toolTip() == (
        "Choose a class first: background and separator stay as they are."
    )


def test_an_added_class_is_saved_and_chosen(made, monkeypatch):
    state, editing, palette = made()
    typed(monkeypatch, "mitosis")
    button(palette, "add_class").click()
    assert names(state) == ["nucleus", "debris", "mitosis"]
    assert state.paint_code == 5
    assert button(palette, "paint_code_5").isChecked()
    assert editing.said == ["flush", "apply_classes"]


def test_a_name_that_is_taken_is_refused_in_a_sentence(made, monkeypatch):
    state, _, palette = made()
    shown = []
    monkeypatch.setattr("napari_mtseg.gui.class_edits.show_error", shown.append)
    typed(monkeypatch, "debris")
    button(palette, "rename_class").click()
    assert len(shown) == 1
    assert names(state) == ["nucleus", "debris"]


def test_a_class_gets_another_name_and_colour(made, monkeypatch):
    state, _, palette = made()
    typed(monkeypatch, "cell")
    button(palette, "rename_class").click()
    monkeypatch.setattr(QColorDialog, "getColor", lambda *_: QColor("#112233"))
    button(palette, "recolour_class").click()
    info = Project.open(state.project.path).info.classes[0]
    assert (info.name, info.colour) == ("cell", "#112233")
    assert "cell" in button(palette, "paint_code_3").text()


def test_deleting_says_how_many_images_lose_paint(made, monkeypatch, qtbot):
    state, _, palette = made()
    entry = state.entry
    state.project.save_annotation(entry, painted(entry.spatial_shape, 1))
    asked = answered(monkeypatch, QMessageBox.StandardButton.Cancel)
    button(palette, "remove_class").click()
    qtbot.waitUntil(lambda: bool(asked))
    assert asked == [
        "1 image has paint or tags of 'nucleus': disc_0.tif. If the class is deleted, "
        "they are deleted with it, which cannot be undone."
    ]
    assert names(state) == ["nucleus", "debris"]


def test_a_deleted_class_takes_its_paint_and_the_image_comes_back(
    made, monkeypatch, qtbot
):
    state, editing, palette = made()
    entry = state.entry
    state.project.save_annotation(entry, painted(entry.spatial_shape, 1))
    answered(monkeypatch, QMessageBox.StandardButton.Yes)
    state.paint_code = 3
    button(palette, "remove_class").click()
    qtbot.waitUntil(lambda: "apply_classes" in editing.said)
    assert names(state) == ["debris"]
    assert state.image_id == entry.id
    assert state.paint_code == 3
    assert not state.project.annotation(entry).has_partial


def test_the_last_class_cannot_be_deleted(made):
    _, _, palette = made(classes=1)
    remove = button(palette, "remove_class")
    assert not remove.isEnabled()
    assert remove.toolTip() == "A project needs a class: add another one first."


def test_paint_that_cannot_be_saved_keeps_a_class_from_being_deleted(made, monkeypatch):
    state, editing, palette = made()
    editing.saves, state.saving = False, "The disk is full."
    shown = []
    monkeypatch.setattr("napari_mtseg.gui.class_edits.show_error", shown.append)
    button(palette, "remove_class").click()
    assert shown == ["The disk is full."]


def test_many_classes_scroll_down_and_never_sideways(made, qtbot):
    _, _, palette = made(classes=60)
    codes = palette.findChild(PaintCodes)
    assert codes.height() <= 168
    inner = codes.widget()
    qtbot.waitUntil(lambda: inner.height() > codes.height())
    assert all(
        b.geometry().right() <= codes.viewport().width()
        for b in inner.findChildren(QPushButton)
    )


def test_a_warning_names_three_images_and_counts_the_rest(tmp_path):
    images = opened(tmp_path).project.images
    assert warning_before_removal("cell", ()) == (
        "No image has paint or tags of 'cell'. Delete the class?"
    )
    assert "disc_2.tif and 1 more" in warning_before_removal(
        "cell", (*images, images[0])
    )
