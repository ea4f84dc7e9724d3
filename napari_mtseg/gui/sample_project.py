"""The form that makes a project on the embedded sample."""

from itertools import count
from pathlib import Path

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QFileDialog,
    QGridLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QWidget,
)

from napari_mtseg.domain.errors import MtsegError
from napari_mtseg.gui.commands import CommandResult, Commands, RunningCommand
from napari_mtseg.gui.image_files import report_of
from napari_mtseg.gui.sentence_label import SentenceLabel
from napari_mtseg.gui.state import WindowState

_ABOUT = (
    "A stained section of the colon, cut into 16 tiles of 128 x 128 pixels. What is to "
    "be segmented is the epithelium of the glands."
)


class SampleForm(QWidget):
    """Asks where the sample goes and makes a project of it in a child process.

    Parameters
    ----------
    state : WindowState
        The sample is opened there.
    commands : Commands
        Runs `mtseg project sample`.
    parent : QWidget, optional
        Qt parent.
    """

    left = Signal()
    """the form is not needed any more: the sample is open, or not wanted"""

    def __init__(
        self, state: WindowState, commands: Commands, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setObjectName("sample_project")
        self._state = state
        self._commands = commands
        self._running: RunningCommand | None = None
        self._asked: object = None
        self._build()
        self._folder.textChanged.connect(self._enable)
        self._folder.returnPressed.connect(self.make)
        self._browse.clicked.connect(self._ask)
        self._make.clicked.connect(self.make)
        self._back.clicked.connect(self.leave)
        self.start()

    def start(self) -> None:
        """Show the form as new, with a folder that is free."""
        self._said.say("")
        self._folder.setText(str(free_sample_folder(Path.home())))
        self._enable()

    def make(self) -> None:
        """Make the sample project and open it."""
        folder = Path(self._folder.text().strip()).expanduser()
        if self._reason():
            return
        self._said.say("Making the sample…")
        args = ["project", "sample", str(folder), "--json"]
        args += ["--painted"] * self._painted.isChecked()
        asked = self._asked = object()
        self._running = self._commands.run(
            args, lambda result: self._ended(asked, result)
        )
        self._enable()

    def leave(self) -> None:
        """Stop what is being made, and leave the form."""
        if self._running is not None:
            self._running.stop()
            self._running = None
        self._asked = None
        self.left.emit()

    def _build(self) -> None:
        self._folder = QLineEdit()
        self._folder.setObjectName("sample_folder")
        self._folder.setToolTip("Folder for the sample; it is made if it is missing.")
        self._browse = QPushButton("Browse…")
        self._browse.setObjectName("browse_sample")
        self._browse.setToolTip("Choose where the sample is put.")
        self._painted = QCheckBox("Painted already, ready to train")
        self._painted.setObjectName("sample_painted")
        self._painted.setToolTip(
            "A simulated annotator has painted rough partial masks on 9 tiles and "
            "exact ones on 2. Otherwise you paint it yourself."
        )
        self._said = SentenceLabel()
        self._said.setObjectName("sample_message")
        self._make = QPushButton("Make the sample")
        self._make.setObjectName("make_sample")
        self._back = QPushButton("Back")
        self._back.setObjectName("leave_sample")
        self._back.setToolTip("Back to the start.")
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.addWidget(QLabel("Try a sample"), 0, 0, 1, 2)
        grid.addWidget(SentenceLabel(_ABOUT), 1, 0, 1, 2)
        grid.addWidget(self._folder, 2, 0)
        grid.addWidget(self._browse, 2, 1)
        grid.addWidget(self._painted, 3, 0, 1, 2)
        grid.addWidget(self._said, 4, 0, 1, 2)
        grid.addWidget(self._make, 5, 0)
        grid.addWidget(self._back, 5, 1)
        grid.setRowStretch(6, 1)

    def _reason(self) -> str:
        """Say why the sample cannot be made now; '' if it can."""
        if self._running is not None:
            return "It is being made."
        if not self._folder.text().strip():
            return "Choose a folder for the sample."
        folder = Path(self._folder.text().strip()).expanduser()
        if _holds_something(folder):
            return f"'{folder}' is not empty. Choose another folder."
        return ""

    def _enable(self) -> None:
        reason = self._reason()
        self._make.setEnabled(not reason)
        self._make.setToolTip(reason or "Write the sample there and open it.")
        if self._running is None:
            self._said.say(reason)

    def _ended(self, asked: object, result: CommandResult) -> None:
        if asked is not self._asked:
            return
        self._running = None
        report = report_of(result)
        self._enable()
        if report is None:
            self._said.say(result.sentence, "problem")
            return
        try:
            self._state.open_project(Path(report["project"]))
        except MtsegError as error:
            self._said.say(str(error), "problem")
        else:
            self.left.emit()

    def _ask(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Where to put the sample")
        if folder:
            chosen = Path(folder)
            is_full = _holds_something(chosen)
            self._folder.setText(str(free_sample_folder(chosen) if is_full else chosen))


def free_sample_folder(place: Path) -> Path:
    """Return a folder in ``place`` that is missing or empty: 'mtseg-sample-N'."""
    names = (f"mtseg-sample{f'-{n}' * (n > 1)}" for n in count(1))
    return next(place / name for name in names if not _holds_something(place / name))


def _holds_something(folder: Path) -> bool:
    try:
        return folder.exists() and (not folder.is_dir() or any(folder.iterdir()))
    except OSError:
        return True
