"""Exporting a run's best weights as a model, in the format that is wanted."""

from pathlib import Path

from qtpy.QtWidgets import (
    QComboBox,
    QFormLayout,
    QGroupBox,
    QLabel,
    QProgressBar,
    QVBoxLayout,
    QWidget,
)

from napari_mtseg.gui.commands import CommandResult, Commands, RunningCommand
from napari_mtseg.gui.credits_form import CreditsForm
from napari_mtseg.gui.export_checks import ExportChecks, written_model
from napari_mtseg.gui.export_formats import FORMATS
from napari_mtseg.gui.exported_model import ExportedModel
from napari_mtseg.gui.folder_field import FolderField
from napari_mtseg.gui.named_widgets import MARGINS, named_button, named_line, row_of
from napari_mtseg.gui.run_choice import RunChoice, trained_runs
from napari_mtseg.gui.sentence_label import SentenceLabel
from napari_mtseg.gui.state import WindowState

NO_RUN = "Nothing is trained yet. Train a run on the Train page, then export it here."


class ModelExport(QGroupBox):
    """Chooses a run, a format, a name and a folder, and exports the model."""

    def __init__(
        self, state: WindowState, commands: Commands, parent: QWidget | None = None
    ) -> None:
        super().__init__("Model", parent)
        self._state, self._commands = state, commands
        self._running: RunningCommand | None = None
        self._project: Path | None = None
        self._written_as = ""
        self._runs = RunChoice("export_run", self)
        self._format = _format_box(self)
        self._purpose = SentenceLabel("", "plain", self)
        self._purpose.setObjectName("export_purpose")
        self._credits = CreditsForm(self)
        self._name = named_line(
            "model_name", "Name of the model's folder or file", self
        )
        self._name.setAccessibleName("Model name")
        self._place = FolderField(
            "model_folder", "Folder that the model is put into", self
        )
        self._export = named_button("export_model", "Export model", self)
        self._why_not = SentenceLabel("", "plain", self)
        self._why_not.setObjectName("export_obstacle")
        self._progress = QProgressBar(self)
        self._progress.setObjectName("export_progress")
        self._progress.setRange(0, 0)
        self._progress.setToolTip("The model is being written and checked")
        self._stop = named_button("stop_export", "Stop", self)
        self._stop.setToolTip("Stop; nothing is written")
        self._outcome = SentenceLabel("", "plain", self)
        self._outcome.setObjectName("export_outcome")
        self._checks = ExportChecks(self)
        self._result = ExportedModel(self)
        self._lay_out()
        self._connect()
        self._start_over()

    def _lay_out(self) -> None:
        form = QFormLayout()
        # Above it, so that the date fits into the line.
        form.addRow(QLabel("Run", self))
        form.addRow(self._runs)
        form.addRow("Format", self._format)
        form.addRow(self._purpose)
        self._credits.add_to(form)
        form.addRow("Name", self._name)
        form.addRow("Folder", self._place)
        column = QVBoxLayout(self)
        column.setContentsMargins(*MARGINS)
        column.addWidget(
            SentenceLabel(
                "The trained weights, to segment any images without this project.",
                "plain",
                self,
            )
        )
        column.addLayout(form)
        column.addWidget(self._export)
        column.addLayout(row_of(self._progress, self._stop))
        for widget in (self._outcome, self._why_not, self._checks, self._result):
            column.addWidget(widget)

    def _connect(self) -> None:
        self._runs.activated.connect(self._choose_run)
        for changed in (
            self._format.currentIndexChanged,
            self._name.textChanged,
            self._place.edit.textChanged,
            self._credits.author.textChanged,
            self._credits.licence.editTextChanged,
        ):
            changed.connect(self._forget_outcome)
        self._export.clicked.connect(self._start)
        self._stop.clicked.connect(self._stop_now)
        self._state.events.project.connect(self._start_over)
        self._state.events.run_id.connect(self._follow_run)
        self._state.runs_changed.connect(self._list_runs)

    @property
    def target(self) -> Path:
        """What would be written now."""
        name, suffix = self._name.text().strip(), FORMATS[self._key].suffix
        return self._place.folder / (
            name if name.endswith(suffix) else f"{name}{suffix}"
        )

    @property
    def _key(self) -> str:
        return str(self._format.currentData())

    def _start_over(self) -> None:
        """Another project: propose names beside it."""
        project = self._state.project
        self._stop_now()
        self._forget_outcome()
        self._name.setText(f"{project.info.name}-model" if project else "")
        self._place.edit.setText(str(project.path.parent) if project else "")
        self._list_runs()

    def _list_runs(self) -> None:
        project = self._state.project
        runs = trained_runs(project.path) if project else []
        self._runs.list_runs(runs, self._state.run_id)
        self._enable()

    def _follow_run(self) -> None:
        before = self._runs.run_id
        self._list_runs()
        if self._runs.run_id != before:
            self._forget_outcome()

    def _choose_run(self, place: int) -> None:
        self._state.run_id = self._runs.itemData(place)

    def _forget_outcome(self) -> None:
        """Clear what was told: it is not about what the form says now."""
        if self._running is None:
            self._outcome.say("")
            self._forget_result()
        self._enable()

    def _enable(self) -> None:
        has_runs = self._runs.count() > 0
        for widget in (self._runs, self._format, self._name, self._place):
            widget.setEnabled(has_runs)
        shown = FORMATS[self._key]
        self._purpose.say(shown.purpose)
        self._credits.show_rows(is_shown=shown.has_credits, is_enabled=has_runs)
        tip = "Training run whose best weights are exported; the newest stands first"
        self._runs.setToolTip(tip if has_runs else NO_RUN)
        obstacle = self._obstacle()
        self._export.setEnabled(not obstacle)
        self._export.setToolTip(obstacle or f"Write the model to {self.target}")
        is_running = self._running is not None
        self._why_not.say("" if is_running else obstacle, "note")
        for widget in (self._progress, self._stop):
            widget.setVisible(is_running)

    def _obstacle(self) -> str:
        """Return why the model cannot be exported now, or ''."""
        if self._runs.count() == 0:
            return NO_RUN
        if self._running is not None:
            return "The model is being written."
        if FORMATS[self._key].has_credits and self._credits.obstacle:
            return self._credits.obstacle
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
        args += ["--out", str(self.target), "--format", self._key, "--json"]
        if FORMATS[self._key].has_credits:
            args += self._credits.options()
            self._credits.remember()
        self._project, self._written_as = project.path, self._key
        self._forget_result()
        self._stop.setEnabled(True)
        self._outcome.say("Writing the model…")
        self._running = self._commands.run(args, self._finish, self._tell)
        self._enable()

    def _tell(self, line: str) -> None:
        """Show what the command says of its work; libraries may say more than that."""
        words = line.strip()
        is_of_library = "Warning" in words or words[:1] in {"[", "/", "<"}
        if words[:1].isalpha() and not is_of_library and self._running is not None:
            self._outcome.say(f"{words[0].upper()}{words[1:].rstrip('.…')}…")

    def _stop_now(self) -> None:
        if self._running is not None:
            self._stop.setEnabled(False)
            self._running.stop()

    def _forget_result(self) -> None:
        self._checks.show_checks(())
        self._result.hide()

    def _finish(self, result: CommandResult) -> None:
        self._running = None
        project = self._state.project
        if project is not None and project.path == self._project:
            self._show(result)
        self._enable()

    def _show(self, result: CommandResult) -> None:
        told = written_model(result.stdout)
        self._checks.show_checks(told.checks)
        if result.was_stopped and result.code:
            self._outcome.say("Stopped. Nothing was written.", "note")
        elif result.code or told.path is None:
            self._outcome.say(result.sentence, "problem")
        else:
            self._outcome.say(f"Model written to {told.path}", "ok")
            self._result.show_model(self._written_as, told.path)


def _format_box(parent: QWidget) -> QComboBox:
    box = QComboBox(parent)
    box.setObjectName("model_format")
    box.setAccessibleName("Format")
    box.setToolTip("What the model is written as")
    shrinks = QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
    box.setSizeAdjustPolicy(shrinks)
    box.setMinimumContentsLength(12)
    for key, shown in FORMATS.items():
        box.addItem(shown.title, key)
    return box
