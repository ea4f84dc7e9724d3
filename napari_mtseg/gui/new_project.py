"""The form that makes a new project from a folder or from open layers."""

from pathlib import Path
from tempfile import TemporaryDirectory

from napari.components import ViewerModel
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from napari_mtseg.domain.errors import MtsegError
from napari_mtseg.gui.commands import CommandResult, Commands, RunningCommand
from napari_mtseg.gui.image_files import added_in_words, report_of
from napari_mtseg.gui.image_source import ImageSource
from napari_mtseg.gui.layer_files import LayerPixels, pixels_of_layer, write_layer
from napari_mtseg.gui.newest_answer import NewestAnswer
from napari_mtseg.gui.project_fields import ProjectFields
from napari_mtseg.gui.sentence_label import SentenceLabel
from napari_mtseg.gui.state import WindowState

_MAKING = "Making the project: every image is looked at once."


class NewProjectForm(QWidget):
    """Asks what a project is made of and makes it in a child process.

    Parameters
    ----------
    state : WindowState
        The new project is opened there.
    commands : Commands
        Runs `mtseg project new`.
    viewer : napari.components.ViewerModel
        Its image layers can become the project's images.
    parent : QWidget, optional
        Qt parent.
    """

    left = Signal()
    """the form is not needed any more: the project is open, or nothing is wanted"""

    def __init__(
        self,
        state: WindowState,
        commands: Commands,
        viewer: ViewerModel,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("new_project")
        self._state = state
        self._commands = commands
        self._running: RunningCommand | None = None
        self._asked: object = None
        self._made: Path | None = None
        self._copies: TemporaryDirectory[str] | None = None
        self._writer = NewestAnswer(self)
        self.source = ImageSource(viewer)
        self.fields = ProjectFields()
        self._build()
        self._join()
        self._suggest()

    def start(self) -> None:
        """Show the form as new, the images that were chosen last apart."""
        self._made = None
        self._said.say("")
        self.fields.forget()
        self._suggest()

    def make(self) -> None:
        """Make the project, or open it where it is made already."""
        if self._made is not None:
            self._open(self._made)
            return
        if self._reason():
            return
        try:
            layers = [pixels_of_layer(layer) for layer in self.source.layers]
        except MtsegError as error:
            self._said.say(str(error), "problem")
            return
        self._said.say(_MAKING)
        if layers:
            copies = TemporaryDirectory(prefix="mtseg-", ignore_cleanup_errors=True)
            self._copies = copies
            self._writer.ask(lambda: _written(Path(copies.name), layers))
        elif self.source.folder is not None:
            self._run(self.source.folder)
        self._enable()

    def leave(self) -> None:
        """Stop what is being made, and leave the form."""
        self._writer.drop()
        if self._running is not None:
            self._running.stop()
            self._running = None
        self._asked = None
        self._drop_copies()
        self.left.emit()

    def _build(self) -> None:
        self._said = SentenceLabel()
        self._said.setObjectName("new_project_message")
        self._make = QPushButton()
        self._make.setObjectName("make_project")
        self._back = QPushButton("Back")
        self._back.setObjectName("leave_new_project")
        self._back.setToolTip("Back to the start; stops what is being made.")
        row = QHBoxLayout()
        row.addWidget(self._make, stretch=2)
        row.addWidget(self._back, stretch=1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(QLabel("New project"))
        column.addWidget(self.source)
        column.addWidget(self.fields)
        column.addWidget(self._said)
        column.addLayout(row)
        column.addStretch(1)

    def _join(self) -> None:
        self._writer.answered.connect(self._run)
        self._writer.refused.connect(self._fail)
        self.source.changed.connect(self._suggest)
        self.fields.changed.connect(self._enable)
        self.fields.confirmed.connect(self.make)
        self._make.clicked.connect(self.make)
        self._back.clicked.connect(self.leave)

    def _suggest(self) -> None:
        """Name the project after its folder, next to it, until the user types."""
        folder, layers = self.source.folder, self.source.layers
        named = folder.name if folder else layers[0].name if layers else ""
        self.fields.suggest(name=named, place=folder.parent if folder else Path.home())
        self.fields.demand_copies(bool(layers))
        self._enable()

    def _reason(self) -> str:
        """Say why no project can be made now; '' if it can."""
        if self._copies is not None or self._running is not None:
            return "It is being made."
        return self.source.problem or self.fields.problem

    def _enable(self) -> None:
        is_made, reason = self._made is not None, self._reason()
        self._make.setText("Open the project" if is_made else "Make the project")
        self._make.setEnabled(is_made or not reason)
        if is_made:
            self._make.setToolTip(f"Opens {self._made}")
        else:
            self._make.setToolTip(reason or f"Makes {self.fields.project_path}")
        is_silent = self._said.kind == "plain" and self._said.sentence != _MAKING
        if is_silent and not is_made:
            self._said.say("" if self.source.problem else self.fields.problem)

    def _run(self, images: Path) -> None:
        where = ["--images", str(images), "--json"]
        made = ["project", "new", str(self.fields.project_path)]
        asked = self._asked = object()
        self._running = self._commands.run(
            [*made, *self.fields.arguments(), *where],
            lambda result: self._ended(asked, result),
        )
        self._enable()

    def _ended(self, asked: object, result: CommandResult) -> None:
        if asked is not self._asked:
            return
        self._running = None
        self._drop_copies()
        report = report_of(result)
        if report is None:
            self._fail(result.sentence)
        elif report["failed"]:
            self._made = Path(report["project"])
            self._said.say(*added_in_words(report))
            self._enable()
        else:
            self._open(Path(report["project"]))

    def _open(self, path: Path) -> None:
        try:
            self._state.open_project(path)
        except MtsegError as error:
            self._fail(str(error))
        else:
            self.left.emit()

    def _fail(self, sentence: str) -> None:
        self._drop_copies()
        self._said.say(sentence, "problem")
        self._enable()

    def _drop_copies(self) -> None:
        if self._copies is not None:
            self._copies.cleanup()
            self._copies = None


def _written(folder: Path, layers: list[LayerPixels]) -> Path:
    for layer in layers:
        write_layer(folder, layer)
    return folder
