"""Exporting a run's best weights as a model, and telling how it is used."""

import json
import os
import shlex
import subprocess
from pathlib import Path

from qtpy.QtCore import QUrl
from qtpy.QtGui import QDesktopServices, QGuiApplication
from qtpy.QtWidgets import (
    QCheckBox,
    QFormLayout,
    QGroupBox,
    QLabel,
    QVBoxLayout,
    QWidget,
)

from napari_mtseg.gui.commands import CommandResult, Commands, RunningCommand
from napari_mtseg.gui.folder_field import FolderField
from napari_mtseg.gui.named_widgets import named_button, named_line, row_of
from napari_mtseg.gui.run_choice import RunChoice
from napari_mtseg.gui.sentence_label import SentenceLabel
from napari_mtseg.gui.state import WindowState
from napari_mtseg.storage.run_folder import RunFolder, runs_of

NO_RUN = "Nothing is trained yet. Train a run on the Train page, then export it here."


class ModelExport(QGroupBox):
    """Chooses a run, a name and a folder, and exports the model."""

    def __init__(
        self, state: WindowState, commands: Commands, parent: QWidget | None = None
    ) -> None:
        super().__init__("Model", parent)
        self._state, self._commands = state, commands
        self._running: RunningCommand | None = None
        self._project: Path | None = None
        self._runs = RunChoice("export_run", self)
        self._name = named_line("model_name", "Name of the model's folder or zip", self)
        self._name.setAccessibleName("Model name")
        self._place = FolderField(
            "model_folder", "Folder that the model is put into", self
        )
        self._zip = QCheckBox("One zip file", self)
        self._zip.setObjectName("model_zip")
        self._zip.setToolTip("Write one zip file, easy to send, instead of a folder")
        self._export = named_button("export_model", "Export model", self)
        self._outcome = SentenceLabel("", "plain", self)
        self._outcome.setObjectName("export_outcome")
        self._result = ExportedModel(self)
        self._lay_out()
        self._runs.activated.connect(self._choose_run)
        self._name.textChanged.connect(self._enable)
        self._place.edit.textChanged.connect(self._enable)
        self._zip.toggled.connect(self._enable)
        self._export.clicked.connect(self._start)
        state.events.project.connect(self._start_over)
        state.events.run_id.connect(self._list_runs)
        state.runs_changed.connect(self._list_runs)
        self._start_over()

    def _lay_out(self) -> None:
        what = SentenceLabel(
            "The trained weights as a model that segments any images, without this "
            "project.",
            "plain",
            self,
        )
        form = QFormLayout()
        # Above it, so that the date fits into the line.
        form.addRow(QLabel("Run", self))
        form.addRow(self._runs)
        form.addRow("Name", self._name)
        form.addRow("Folder", self._place)
        form.addRow("", self._zip)
        column = QVBoxLayout(self)
        column.addWidget(what)
        column.addLayout(form)
        column.addWidget(self._export)
        column.addWidget(self._outcome)
        column.addWidget(self._result)

    @property
    def target(self) -> Path:
        """What would be written now."""
        name = self._name.text().strip()
        suffix = ".zip" if self._zip.isChecked() and not name.endswith(".zip") else ""
        return self._place.folder / f"{name}{suffix}"

    def _start_over(self) -> None:
        """Another project: propose names beside it."""
        project = self._state.project
        if self._running is not None:
            self._running.stop()
        self._outcome.say("")
        self._result.hide()
        self._name.setText(f"{project.info.name}-model" if project else "")
        self._place.edit.setText(str(project.path.parent) if project else "")
        self._list_runs()

    def _list_runs(self) -> None:
        project = self._state.project
        runs = _trained_runs(project.path) if project else []
        self._runs.list_runs(runs, self._state.run_id)
        self._enable()

    def _choose_run(self, place: int) -> None:
        self._state.run_id = self._runs.itemData(place)

    def _enable(self) -> None:
        has_runs = self._runs.count() > 0
        for widget in (self._runs, self._name, self._place, self._zip):
            widget.setEnabled(has_runs)
        tip = "Training run whose best weights are exported; the newest stands first"
        self._runs.setToolTip(tip if has_runs else NO_RUN)
        obstacle = self._obstacle()
        self._export.setEnabled(not obstacle)
        self._export.setToolTip(obstacle or f"Write the model to {self.target}")
        if not has_runs:
            self._outcome.say(NO_RUN, "note")
        elif self._outcome.sentence == NO_RUN:
            self._outcome.say("")

    def _obstacle(self) -> str:
        """Return why the model cannot be exported now, or ''."""
        if self._runs.count() == 0:
            return NO_RUN
        if self._running is not None:
            return "The model is being written."
        if not self._name.text().strip():
            return "Give the model a name."
        if not self._place.folder.is_absolute():
            return "Choose a folder for the model."
        if self.target.exists():
            return f"'{self.target.name}' exists in this folder. Choose another name."
        return ""

    def _start(self) -> None:
        project = self._state.project
        if project is None or self._obstacle():
            return
        args = ["export", str(project.path), "--run", self._runs.currentData()]
        args += ["--out", str(self.target), "--json"]
        if self._zip.isChecked():
            args.append("--zip")
        self._project = project.path
        self._result.hide()
        self._outcome.say("Writing the model…")
        self._running = self._commands.run(args, self._finish)
        self._enable()

    def _finish(self, result: CommandResult) -> None:
        self._running = None
        project = self._state.project
        if project is not None and project.path == self._project:
            model = _written_model(result)
            if model is None:
                self._outcome.say(result.sentence, "problem")
            else:
                self._outcome.say(f"Model written to {model}", "ok")
                self._result.show_model(model)
        self._enable()


class ExportedModel(QWidget):
    """How an exported model is used: the line for the shell, and its folder."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model = Path()
        says = SentenceLabel(
            "Segment images with it from a shell; put your own folder in place of "
            "IMAGES:",
            "plain",
            self,
        )
        self._line = named_line("shell_line", "Command for a shell", self)
        self._line.setReadOnly(True)
        self._line.setAccessibleName("Command for a shell")
        copy = named_button("copy_shell_line", "Copy", self)
        copy.setToolTip("Copy the command to the clipboard")
        show = named_button("open_model_folder", "Open folder", self)
        show.setToolTip("Show the model in the file manager")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(says)
        column.addLayout(row_of(self._line, copy))
        column.addWidget(show)
        copy.clicked.connect(self._copy)
        show.clicked.connect(self._open)
        self.hide()

    def show_model(self, model: Path) -> None:
        """Tell how ``model`` is used."""
        self._model = model
        self._line.setText(shell_line(model))
        self._line.setCursorPosition(0)
        self._line.setToolTip(shell_line(model))
        self.show()

    def _copy(self) -> None:
        clipboard = QGuiApplication.clipboard()
        if clipboard is not None:
            clipboard.setText(self._line.text())

    def _open(self) -> None:
        folder = self._model if self._model.is_dir() else self._model.parent
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder)))


def shell_line(model: Path) -> str:
    """Return the command that segments images with a model.

    Examples
    --------
    >>> shell_line(Path("nuclei-model"))
    'mtseg predict nuclei-model IMAGES --out results'
    """
    words = ["mtseg", "predict", str(model), "IMAGES", "--out", "results"]
    return subprocess.list2cmdline(words) if os.name == "nt" else shlex.join(words)


def _written_model(result: CommandResult) -> Path | None:
    """Return the model that a command wrote; None if it failed."""
    try:
        return Path(json.loads(result.stdout)["model"]) if result.code == 0 else None
    except (ValueError, KeyError, TypeError):
        return None


def _trained_runs(project: Path) -> list[RunFolder]:
    """Return the runs that have weights, newest first."""
    runs = reversed(runs_of(project))
    return [run for run in runs if run.checkpoint("best").exists()]
