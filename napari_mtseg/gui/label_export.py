"""Writing what is painted on all images as label files."""

from pathlib import Path

from qtpy.QtWidgets import QComboBox, QFormLayout, QGroupBox, QVBoxLayout, QWidget

from napari_mtseg.gui.commands import CommandResult, Commands, RunningCommand
from napari_mtseg.gui.folder_field import FolderField
from napari_mtseg.gui.named_widgets import MARGINS, named_button
from napari_mtseg.gui.sentence_label import SentenceLabel
from napari_mtseg.gui.state import SAVED, SAVING, WindowState

FORMATS = {
    "masks": (
        "TIFF files",
        "Everything you painted, as TIFF files and one JSON that can be imported "
        "again.",
    ),
    "rois": ("ImageJ ROIs", "The full masks, as ROI sets for ImageJ and Fiji."),
    "coco": ("COCO JSON", "The full masks, as COCO for programs that detect objects."),
}
"""name of a format for `mtseg project export` -> its name and what it holds"""


class LabelExport(QGroupBox):
    """Writes what is painted on all images as label files."""

    def __init__(
        self, state: WindowState, commands: Commands, parent: QWidget | None = None
    ) -> None:
        super().__init__("Labels", parent)
        self._state, self._commands = state, commands
        self._running: RunningCommand | None = None
        self._is_waiting = False
        self._format = QComboBox(self)
        self._format.setObjectName("labels_format")
        self._format.setToolTip("What the labels are written as")
        for key, (name, _) in FORMATS.items():
            self._format.addItem(name, key)
        self._what = SentenceLabel("", "plain", self)
        self._what.setObjectName("labels_what")
        self._place = FolderField(
            "labels_folder", "Folder for the label files; made if it is missing", self
        )
        self._export = named_button("export_labels", "Export labels", self)
        self._why_not = SentenceLabel("", "plain", self)
        self._why_not.setObjectName("export_labels_obstacle")
        self._outcome = SentenceLabel("", "plain", self)
        self._outcome.setObjectName("export_labels_outcome")
        form = QFormLayout()
        form.addRow("Format", self._format)
        form.addRow(self._what)
        form.addRow("Folder", self._place)
        column = QVBoxLayout(self)
        column.setContentsMargins(*MARGINS)
        column.addLayout(form)
        column.addWidget(self._export)
        column.addWidget(self._why_not)
        column.addWidget(self._outcome)
        self._format.currentIndexChanged.connect(self._forget_outcome)
        self._export.clicked.connect(self._start)
        self._place.edit.textChanged.connect(self._forget_outcome)
        state.events.project.connect(self._start_over)
        state.events.saving.connect(self._go_on)
        self._start_over()

    def _start_over(self) -> None:
        project = self._state.project
        if self._running is not None:
            self._running.stop()
        self._is_waiting = False
        self._outcome.say("")
        place = project.path.with_name(f"{project.info.name}-labels") if project else ""
        self._place.edit.setText(str(place))
        self._enable()

    def _forget_outcome(self) -> None:
        """Clear what was told: it is not about what the form says now."""
        if self._running is None and not self._is_waiting:
            self._outcome.say("")
        self._enable()

    def _enable(self) -> None:
        self._what.say(FORMATS[self._format.currentData()][1])
        obstacle = self._obstacle()
        self._export.setEnabled(not obstacle)
        self._export.setToolTip(
            obstacle or f"Write the labels of all images to {self._place.folder}"
        )
        is_at_work = self._running is not None or self._is_waiting
        self._why_not.say("" if is_at_work else obstacle, "note")

    def _obstacle(self) -> str:
        """Return why the labels cannot be exported now, or ''."""
        if self._state.project is None:
            return "No project is open."
        if self._running is not None or self._is_waiting:
            return "The labels are being written."
        if not _has_paint(self._state.project.path):
            return "Nothing is painted yet. Paint on the Annotate page."
        if not self._place.folder.is_absolute():
            return "Choose a folder for the labels."
        return ""

    def _start(self) -> None:
        """Wait for the last stroke to be saved: the command reads what is on disk."""
        if not self._obstacle():
            self._is_waiting = True
            self._outcome.say("Writing the labels…")
            self._go_on()

    def _go_on(self) -> None:
        project, saving = self._state.project, self._state.saving
        if not self._is_waiting:
            self._enable()
            return
        if saving == SAVING:
            return
        self._is_waiting = False
        if project is not None and saving == SAVED:
            args = ["project", "export", str(project.path), str(self._place.folder)]
            args += ["--format", self._format.currentData()]
            self._running = self._commands.run(args, self._finish)
        else:
            self._outcome.say(f"What you painted is not saved. {saving}", "problem")
        self._enable()

    def _finish(self, result: CommandResult) -> None:
        self._running = None
        sentence = result.sentence[:1].upper() + result.sentence[1:]
        self._outcome.say(sentence, "problem" if result.code else "ok")
        self._enable()


def _has_paint(project: Path) -> bool:
    """Return True if something is painted or tagged on an image."""
    return any((project / "annotations").glob("*/annotation.json"))
