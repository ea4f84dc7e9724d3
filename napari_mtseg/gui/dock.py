"""The dock widget: header, five pages in the order of work, and what they share."""

from pathlib import Path

from napari.utils.notifications import show_error
from napari.viewer import Viewer
from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtWidgets import (
    QFrame,
    QMessageBox,
    QScrollArea,
    QSizePolicy,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from napari_mtseg.domain.errors import MtsegError
from napari_mtseg.gui.annotate_page import AnnotatePage
from napari_mtseg.gui.brush_rest import BrushRest
from napari_mtseg.gui.commands import Commands
from napari_mtseg.gui.curves import CurvePlot
from napari_mtseg.gui.editing import Editing
from napari_mtseg.gui.export_page import ExportPage
from napari_mtseg.gui.header import Header
from napari_mtseg.gui.named_widgets import horizontal_rule
from napari_mtseg.gui.overlays import Overlays
from napari_mtseg.gui.page_bar import PageBar
from napari_mtseg.gui.project_page import ProjectPage
from napari_mtseg.gui.review_page import ReviewPage
from napari_mtseg.gui.run_follower import training_run
from napari_mtseg.gui.shortcuts import HeldKey, add_shortcuts, key_of
from napari_mtseg.gui.start_panel import StartPanel
from napari_mtseg.gui.state import Page, WindowState
from napari_mtseg.gui.train_page import TrainPage
from napari_mtseg.gui.trainer import Trainer
from napari_mtseg.gui.warm_up import warm_up
from napari_mtseg.gui.window_settings import remember_project

WIDTH = 360
"""least width of the dock, pixels"""
_KEEP_OPEN = "Keep the window open"


class MtsegDock(QWidget):
    """The plugin's one dock widget.

    Parameters
    ----------
    viewer : napari.Viewer
        Its layers show the images, the paint and the results.
    """

    def __init__(self, viewer: Viewer) -> None:
        super().__init__()
        self.setObjectName("mtseg_dock")
        self.setMinimumWidth(WIDTH)
        # Else napari would give half of the height to an empty stretch.
        policy = QSizePolicy.Policy
        self.setSizePolicy(policy.Preferred, policy.Expanding)
        self.state = WindowState()
        self.commands = Commands(self)
        self.trainer = Trainer(self)
        self.editing = Editing(viewer, self.state)
        self.overlays = Overlays(viewer, self.state)
        self._brush_rest = BrushRest(viewer)
        self._window: QWidget | None = None
        self._has_left = False
        self._build(viewer)
        self._join()
        warm_up()

    def open_project(self, path: Path) -> None:
        """Open a project; what the user can mend is shown as one sentence."""
        try:
            self.state.open_project(Path(path))
        except MtsegError as error:
            show_error(str(error))

    def leave(self) -> None:
        """Save, close the project and let go of every process; a training goes on."""
        if self._has_left:
            return
        self._has_left = True
        if self._window is not None:
            self._window.removeEventFilter(self)
            self._window = None
        self.state.close_project()
        for plot in self.findChildren(CurvePlot):
            plot.release()
        self.trainer.release()
        self.commands.release()

    def showEvent(self, event: QEvent) -> None:  # noqa: N802 - Qt's name
        """Watch the window that the dock has come to, so that closing it can ask."""
        super().showEvent(event)
        if not self._has_left and self._window is not self.window():
            self._window = self.window()
            self._window.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802
        """Ask before a window with a training closes; save before it does."""
        if watched is self._window and event.type() == QEvent.Type.Close:
            if not self._may_close():
                event.ignore()
                return True
            self.leave()
        return False

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802 - Qt's name
        """Leave when napari takes the dock out of its window, for good."""
        super().changeEvent(event)
        is_out = event.type() == QEvent.Type.ParentChange and self.parent() is None
        if is_out and self._window is not None:
            self.leave()
            self.deleteLater()

    def closeEvent(self, event: QEvent) -> None:  # noqa: N802 - Qt's name
        """Leave nothing unsaved and no idle process behind."""
        self.leave()
        super().closeEvent(event)

    def _build(self, viewer: Viewer) -> None:
        state = self.state
        project = ProjectPage(state, self.commands, self.editing)
        self.pages: dict[Page, QWidget] = {
            "project": project,
            "annotate": AnnotatePage(
                viewer, state, self.editing, self.trainer, self.commands
            ),
            "train": TrainPage(state, self.editing, self.trainer, self.overlays),
            "review": ReviewPage(
                viewer,
                state,
                self.editing,
                self.overlays,
                self.commands,
                project.thumbnails,
            ),
            "export": ExportPage(state, self.commands),
        }
        self._stack = QStackedWidget()
        for page in self.pages.values():
            self._stack.addWidget(_scrolling(page))
        opened = QWidget()
        column = QVBoxLayout(opened)
        column.setContentsMargins(6, 4, 6, 0)
        column.setSpacing(4)
        column.addWidget(Header(state))
        column.addWidget(PageBar(state))
        column.addWidget(horizontal_rule())
        column.addWidget(self._stack, stretch=1)
        self.start_panel = StartPanel(state, self.commands, viewer)
        self._outer = QStackedWidget()
        self._outer.addWidget(_scrolling(self.start_panel))
        self._outer.addWidget(opened)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._outer)

    def _join(self) -> None:
        state, trainer = self.state, self.trainer
        state.events.project.connect(self._show_project)
        state.events.page.connect(self._show_page)
        state.events.image_id.connect(self._remember_image)
        trainer.started.connect(self._training_began)
        trainer.ended.connect(lambda *_: state.runs_changed.emit())
        add_shortcuts(
            self,
            state,
            train=self.pages["train"].train,
            stop=trainer.stop,
            review=self.pages["review"].actions_by_name(),
        )
        self._held = HeldKey(key_of("hide_results"), self, self._hide_results)
        self._show_page(state.page)

    def _show_project(self) -> None:
        project = self.state.project
        self._outer.setCurrentIndex(0 if project is None else 1)
        if project is None:
            self.overlays.clear()
            self.trainer.kill_idle()
            return
        if not project.images:
            # Else the image that is shown next remembers the project with it.
            _remember(project.path, None)
        has_paint = any((project.path / "annotations").glob("*/annotation.json"))
        self.state.page = "annotate" if has_paint else "project"
        self.trainer.prepare(project.path)
        self._find_training(project.path)

    def _find_training(self, project: Path) -> None:
        """Watch the run that is still training since the window was closed."""
        run_id = training_run(project)
        if run_id is not None and self.trainer.run_id != run_id:
            self.state.run_id = run_id
            self.trainer.watch(run_id)

    def _training_began(self, run_id: str) -> None:
        self.overlays.make_ready()
        self.state.run_id = run_id
        self.state.runs_changed.emit()

    def _show_page(self, page: Page) -> None:
        self._stack.setCurrentIndex(list(self.pages).index(page))

    def _remember_image(self, image_id: str | None) -> None:
        if self.state.project is not None and image_id is not None:
            _remember(self.state.project.path, image_id)

    def _hide_results(self, is_held: bool) -> None:
        self.overlays.visible = not is_held

    def _may_close(self) -> bool:
        """Ask about what closing would lose or leave; False keeps the window open."""
        if self._has_left:
            return True
        return (
            self._may_lose_paint()
            and self._may_stop_segmenting()
            and self._may_leave_training()
        )

    def _may_lose_paint(self) -> bool:
        """Save, and ask only where that failed."""
        if self.editing.flush():
            return True
        close = "Close anyway"
        text = f"Not saved: {self.state.saving} Close anyway? What was painted since "
        answer = _answer(
            self,
            "Not saved",
            text + "the last save would be lost.",
            {
                _KEEP_OPEN: QMessageBox.ButtonRole.RejectRole,
                close: QMessageBox.ButtonRole.DestructiveRole,
            },
        )
        return answer == close

    def _may_stop_segmenting(self) -> bool:
        """Ask before a folder of images is left half segmented."""
        text = self.pages["export"].closing_question
        if not text:
            return True
        close, role = "Stop and close", QMessageBox.ButtonRole
        choices = {_KEEP_OPEN: role.RejectRole, close: role.AcceptRole}
        return _answer(self, "Images are being segmented", text, choices) == close

    def _may_leave_training(self) -> bool:
        """Ask what becomes of a running training."""
        if not self.trainer.is_training:
            return True
        go_on, stop = "Let it run on", "Stop it"
        role = QMessageBox.ButtonRole
        answer = _answer(
            self,
            "A training is running",
            "A training is running. It can go on without this window; opening the "
            "project again finds it.",
            {
                go_on: role.AcceptRole,
                stop: role.DestructiveRole,
                _KEEP_OPEN: role.RejectRole,
            },
        )
        if answer == stop:
            self.trainer.stop()
        return answer in {go_on, stop}


def _answer(
    parent: QWidget, title: str, text: str, choices: dict[str, QMessageBox.ButtonRole]
) -> str:
    """Ask a question; return the choice. The first choice is the default."""
    box = QMessageBox(parent)
    box.setWindowTitle(title)
    box.setText(text)
    buttons = {box.addButton(label, role): label for label, role in choices.items()}
    box.setDefaultButton(next(iter(buttons)))
    box.exec()
    answer = next((t for b, t in buttons.items() if b is box.clickedButton()), "")
    box.deleteLater()
    return answer


def _remember(project: Path, image_id: str | None) -> None:
    try:
        remember_project(project, image_id)
    except MtsegError as error:
        show_error(str(error))


def _scrolling(page: QWidget) -> QScrollArea:
    area = QScrollArea()
    area.setWidget(page)
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    return area
