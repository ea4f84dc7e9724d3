"""Masks are read by a command while the project is closed, then it opens again."""

import json

import numpy as np
import pytest
import tifffile
from qtpy.QtWidgets import QCheckBox, QComboBox, QLineEdit, QPushButton

from napari_mtseg.gui.commands import CommandResult, Commands
from napari_mtseg.gui.import_masks import (
    ImportRequest,
    MaskImport,
    what_was_imported,
)
from napari_mtseg.gui.import_masks_dialog import ImportMasksDialog
from tests.gui.annotate_fakes import FakeCommands, FakeEditing, opened

NOTHING: dict[str, object] = {
    "imported": [],
    "failed": {},
    "unmatched": [],
    "notices": [],
}


@pytest.fixture
def made(tmp_path, qtbot):
    state = opened(tmp_path)
    editing, commands = FakeEditing(state), FakeCommands()
    importing = MaskImport(state, editing, commands)
    said = []
    importing.ended.connect(lambda *answer: said.append(answer))
    return state, editing, commands, importing, said


def test_the_project_is_closed_while_masks_are_read(made, tmp_path):
    state, editing, commands, importing, said = made
    state.step_image(1)
    path, image_id = state.project.path, state.image_id
    importing.start(ImportRequest(source=tmp_path, kind="partial", values="classes"))
    assert editing.said == ["flush"]
    assert state.project is None
    assert commands.args == [
        *("project", "import", str(path), str(tmp_path), "--json"),
        *("--kind", "partial", "--mask-values", "classes"),
    ]
    commands.end(report={**NOTHING, "imported": ["disc_0"]})
    assert state.project.path == path
    assert state.image_id == image_id
    assert state.page == "annotate"
    assert said == [("Masks of 1 image were imported.", "ok")]


def test_paint_that_cannot_be_saved_keeps_the_project_open(made, tmp_path):
    state, editing, commands, importing, said = made
    editing.saves, state.saving = False, "The disk is full."
    importing.start(ImportRequest(source=tmp_path))
    assert state.project is not None
    assert said == [("The disk is full.", "problem")]
    assert commands.args == []


def test_another_project_that_was_opened_meanwhile_stays_open(made, tmp_path):
    state, _, commands, importing, said = made
    importing.start(ImportRequest(source=tmp_path))
    (tmp_path / "other").mkdir()
    other = opened(tmp_path / "other")
    path = other.project.path
    other.close_project()
    state.open_project(path)
    commands.end(report=NOTHING)
    assert state.project.path == path
    assert len(said) == 1


def test_a_real_command_reads_masks_into_the_project(tmp_path, qtbot):
    state = opened(tmp_path)
    masks = tmp_path / "masks"
    masks.mkdir()
    mask = np.zeros((32, 32), np.uint8)
    mask[4:9, 4:9] = 1
    tifffile.imwrite(masks / "disc_1.tif", mask)
    commands = Commands()
    importing = MaskImport(state, FakeEditing(state), commands)
    with qtbot.waitSignal(importing.ended, timeout=60_000) as ended:
        importing.start(ImportRequest(source=masks))
    assert ended.args == ["Masks of 1 image were imported.", "ok"]
    annotation = state.project.annotation(state.project.image("disc_1"))
    assert annotation.complete.whole
    assert annotation.full.objects.any()
    commands.release()


def test_failures_are_said_in_words_of_the_window():
    report = {
        **NOTHING,
        "failed": {
            "a.tif": "'a.tif' has full masks already (painted). "
            "Replace them on purpose with --overwrite."
        },
    }
    result = CommandResult(code=1, stdout=json.dumps(report), sentence="")
    assert what_was_imported(result) == (
        "Masks of 0 images were imported. 1 could not be used: 'a.tif' has full masks "
        "already (painted). To replace them, tick 'Replace'.",
        "problem",
    )


def test_a_command_that_failed_as_a_whole_says_its_sentence():
    result = CommandResult(code=1, stdout="", sentence="No label file fits.")
    assert what_was_imported(result) == ("No label file fits.", "problem")


def test_the_form_waits_for_masks_that_exist(tmp_path, qtbot):
    dialog = ImportMasksDialog(tmp_path)
    qtbot.addWidget(dialog)
    start = dialog.findChild(QPushButton, "import_start")
    source = dialog.findChild(QLineEdit, "import_source")
    assert not start.isEnabled()
    source.setText(str(tmp_path / "nowhere"))
    assert not start.isEnabled()
    source.setText(str(tmp_path))
    assert start.isEnabled()
    dialog.findChild(QComboBox, "import_kind").setCurrentIndex(1)
    dialog.findChild(QCheckBox, "import_overwrite").click()
    assert dialog.request == ImportRequest(
        source=tmp_path, kind="partial", values="objects", overwrite=True
    )


def test_exported_labels_need_no_kind(tmp_path, qtbot):
    (tmp_path / "labels.json").write_text("{}")
    dialog = ImportMasksDialog(tmp_path)
    qtbot.addWidget(dialog)
    dialog.findChild(QLineEdit, "import_source").setText(str(tmp_path))
    assert not dialog.findChild(QComboBox, "import_kind").isEnabled()
    assert "--kind" not in dialog.request.arguments(tmp_path)
