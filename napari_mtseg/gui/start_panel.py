"""What the dock shows while nothing is open: ways to begin, and recent projects."""

from pathlib import Path

from napari.components import ViewerModel
from qtpy.QtWidgets import (
    QFileDialog,
    QLabel,
    QPushButton,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from napari_mtseg.domain.errors import MtsegError
from napari_mtseg.gui.commands import Commands
from napari_mtseg.gui.new_project import NewProjectForm
from napari_mtseg.gui.newest_answer import NewestAnswer
from napari_mtseg.gui.sample_project import SampleForm
from napari_mtseg.gui.sentence_label import SentenceLabel
from napari_mtseg.gui.state import WindowState
from napari_mtseg.gui.window_settings import load_window_settings
from napari_mtseg.storage.project_names import SUFFIX

_LARGE = 60
"""height of a large choice, pixels"""


class StartPanel(QWidget):
    """Three large choices and the recent projects; nothing else.

    Parameters
    ----------
    state : WindowState
        Projects are opened there.
    commands : Commands
        Make projects.
    viewer : napari.components.ViewerModel
        Its image layers can become a project.
    parent : QWidget, optional
        Qt parent.
    """

    def __init__(
        self,
        state: WindowState,
        commands: Commands,
        viewer: ViewerModel,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("start_panel")
        self._state = state
        self._recent_buttons: dict[Path, QPushButton] = {}
        self._look = NewestAnswer(self)
        self._look.answered.connect(self._mark_missing)
        self.new_project = NewProjectForm(state, commands, viewer)
        self.sample = SampleForm(state, commands)
        self._build()
        self.new_project.left.connect(self._show_choices)
        self.sample.left.connect(self._show_choices)
        state.events.project.connect(self._show_choices)
        self._show_choices()

    def open(self, path: Path) -> None:
        """Open a project; what the user can mend is said in a sentence."""
        try:
            self._state.open_project(path)
        except MtsegError as error:
            self._said.say(str(error), "problem")

    def begin_new(self, folder: Path | None = None) -> None:
        """Show the form of a new project, with the folder of its images if known."""
        if folder is not None:
            self.new_project.source.set_folder(folder)
        self.new_project.start()
        self._stack.setCurrentWidget(self.new_project)

    def begin_sample(self) -> None:
        """Show the form of the sample."""
        self.sample.start()
        self._stack.setCurrentWidget(self.sample)

    def _build(self) -> None:
        self._go_on = _large("go_on")
        self._go_on.clicked.connect(self._open_last)
        new = _large("new_from_folder")
        new.setText("New from a folder\nor from images open in napari")
        new.setToolTip("Make a project of your images.")
        new.clicked.connect(lambda: self.begin_new())
        existing = _large("open_project")
        existing.setText(f"Open a project\na folder whose name ends in {SUFFIX}")
        existing.setToolTip("Open a project that was made before.")
        existing.clicked.connect(self._ask)
        sample = _large("try_sample")
        sample.setText("Try a sample\na small stained section, no download")
        sample.setToolTip("Make a small project to try everything on.")
        sample.clicked.connect(self.begin_sample)
        self._said = SentenceLabel()
        self._said.setObjectName("start_message")
        self._recent_title = QLabel("Recent projects")
        self._recent = QVBoxLayout()
        choices = QWidget()
        column = QVBoxLayout(choices)
        column.setContentsMargins(0, 0, 0, 0)
        for widget in (self._go_on, new, existing, sample, self._said):
            column.addWidget(widget)
        column.addSpacing(8)
        column.addWidget(self._recent_title)
        column.addLayout(self._recent)
        column.addStretch(1)
        self._choices = choices
        self._stack = QStackedWidget()
        for page in (choices, self.new_project, self.sample):
            self._stack.addWidget(page)
        layout = QVBoxLayout(self)
        layout.addWidget(self._stack)

    def _show_choices(self) -> None:
        self._stack.setCurrentWidget(self._choices)
        if self._state.project is not None:
            return
        self._said.say("")
        settings = load_window_settings()
        last = settings.open_at_end
        self._go_on.setText(f"Go on with {_name(Path(last))}\nwhere you were last time")
        self._go_on.setToolTip(f"Open {last}")
        self._go_on.setEnabled(True)
        self._go_on.setVisible(bool(last))
        self._show_recent([Path(each) for each in settings.recent_projects])

    def _show_recent(self, paths: list[Path]) -> None:
        for button in self._recent_buttons.values():
            self._recent.removeWidget(button)
            button.deleteLater()
        self._recent_buttons = {}
        for n, path in enumerate(paths):
            button = QPushButton(_name(path))
            button.setObjectName(f"recent_project_{n}")
            button.setToolTip(str(path))
            button.clicked.connect(lambda _=False, path=path: self.open(path))
            self._recent.addWidget(button)
            self._recent_buttons[path] = button
        self._recent_title.setVisible(bool(paths))
        # A drive that is not there may take long to say so.
        self._look.ask(lambda: [path for path in paths if not _is_there(path)])

    def _mark_missing(self, missing: list[Path]) -> None:
        for path in missing:
            button = self._recent_buttons.get(path)
            if button is not None:
                button.setEnabled(False)
                button.setText(f"{_name(path)} (not there)")
                button.setToolTip(f"{path} is not there any more, or its drive is off.")
        last = load_window_settings().open_at_end
        if last and Path(last) in missing:
            self._go_on.hide()

    def _open_last(self) -> None:
        self.open(Path(load_window_settings().open_at_end))

    def _ask(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Open a project")
        if folder:
            self.open(Path(folder))


def _large(name: str) -> QPushButton:
    button = QPushButton()
    button.setObjectName(name)
    button.setMinimumHeight(_LARGE)
    return button


def _name(project: Path) -> str:
    return project.name.removesuffix(SUFFIX)


def _is_there(project: Path) -> bool:
    try:
        return (project / "project.json").exists()
    except OSError:
        return False
