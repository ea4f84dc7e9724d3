"""Edits of the open project's classes, from the question to the new palette."""

from collections.abc import Callable

from napari.utils.notifications import show_error
from qtpy.QtCore import QObject, Signal
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QColorDialog, QInputDialog, QMessageBox, QWidget

from napari_mtseg.domain.annotation import SCRIBBLE_FIRST_CLASS
from napari_mtseg.domain.errors import MtsegError
from napari_mtseg.domain.project import ImageEntry
from napari_mtseg.gui.editing import Editing
from napari_mtseg.gui.newest_answer import NewestAnswer
from napari_mtseg.gui.state import WindowState
from napari_mtseg.storage.class_edits import (
    add_class,
    images_with_class,
    recolour_class,
    remove_class,
    rename_class,
)
from napari_mtseg.storage.project import Project

N_NAMED = 3
"""images that the warning names"""


class ClassEdits(QObject):
    """Asks what a class shall be, changes the project, and tells the window.

    Parameters
    ----------
    state : WindowState
        Whose project is changed.
    editing : Editing
        Saved before each change, and told of it.
    window : QWidget
        Parent of the questions.
    """

    busy = Signal(str)
    """what is done in the background, '' when it has ended"""

    def __init__(self, state: WindowState, editing: Editing, window: QWidget) -> None:
        super().__init__(window)
        self._state, self._editing, self._window = state, editing, window
        self._number = 0
        self._project: Project | None = None
        self._image_id: str | None = None
        self._found = NewestAnswer(self)
        self._found.answered.connect(self._ask_to_remove)
        self._found.refused.connect(self._failed)
        self._removed = NewestAnswer(self)
        self._removed.answered.connect(self._show_removed)
        self._removed.refused.connect(self._not_removed)

    def add(self) -> None:
        """Ask for a name and add a class, which is then the current one."""
        project = self._state.project
        if project is None:
            return
        name, is_given = QInputDialog.getText(
            self._window, "Add class", "What the new class is called:"
        )
        if is_given and self._change(lambda: add_class(project, name)):
            self._state.paint_code = project.info.n_classes + SCRIBBLE_FIRST_CLASS - 1

    def rename(self, number: int) -> None:
        """Ask for another name of class ``number``."""
        project = self._state.project
        if project is None:
            return
        old = project.info.classes[number - 1].name
        name, is_given = QInputDialog.getText(
            self._window,
            "Rename class",
            f"What '{old}' is called from now on:",
            text=old,
        )
        if is_given and name.strip() != old:
            self._change(lambda: rename_class(project, number, name))

    def recolour(self, number: int) -> None:
        """Ask for another colour of class ``number``."""
        project = self._state.project
        if project is None:
            return
        old = project.info.classes[number - 1]
        title = f"Colour of {old.name}"
        colour = QColorDialog.getColor(QColor(old.colour), self._window, title)
        if colour.isValid() and colour.name() != old.colour:
            self._change(lambda: recolour_class(project, number, colour.name()))

    def remove(self, number: int) -> None:
        """Say how many images have paint of class ``number``; remove it if wanted."""
        project = self._state.project
        if project is None or project.info.n_classes == 1:
            return
        if self._found.is_busy or self._removed.is_busy:
            return
        if not self._editing.flush():
            show_error(self._state.saving)
            return
        self._number, self._project = number, project
        self.busy.emit("Looking for paint of this class…")
        self._found.ask(lambda: images_with_class(project, number))

    def _ask_to_remove(self, images: tuple[ImageEntry, ...]) -> None:
        self.busy.emit("")
        project, number = self._project, self._number
        if project is None or self._state.project is not project:
            return
        name = project.info.classes[number - 1].name
        buttons = QMessageBox.StandardButton
        answer = QMessageBox.question(
            self._window,
            "Delete class",
            warning_before_removal(name, images),
            buttons.Yes | buttons.Cancel,
            buttons.Cancel,
        )
        if answer == buttons.Yes:
            self._remove(project)

    def _remove(self, project: Project) -> None:
        """Remove the class with no image on the canvas, so that nobody paints it."""
        number = self._number
        self._image_id = self._state.image_id
        self._editing.flush()
        self._state.image_id = None
        self.busy.emit("Deleting the class and its paint…")
        self._removed.ask(lambda: remove_class(project, number))

    def _show_removed(self) -> None:
        project = self._project
        self.busy.emit("")
        if project is None or self._state.project is not project:
            return
        top = project.info.n_classes + SCRIBBLE_FIRST_CLASS - 1
        removed = self._number + SCRIBBLE_FIRST_CLASS - 1
        code = self._state.paint_code
        self._state.paint_code = min(code - (code > removed), top)
        self._tell()
        self._state.image_id = self._image_id

    def _not_removed(self, sentence: str) -> None:
        self._failed(sentence)
        if self._state.project is self._project:
            self._state.image_id = self._image_id

    def _failed(self, sentence: str) -> None:
        self.busy.emit("")
        show_error(sentence)

    def _change(self, edit: Callable[[], object]) -> bool:
        self._editing.flush()
        try:
            edit()
        except MtsegError as error:
            show_error(str(error))
            return False
        self._tell()
        return True

    def _tell(self) -> None:
        self._state.classes_changed.emit()
        self._editing.apply_classes()


def warning_before_removal(name: str, images: tuple[ImageEntry, ...]) -> str:
    """Say what is lost if the class ``name`` goes."""
    if not images:
        return f"No image has paint or tags of '{name}'. Delete the class?"
    named = ", ".join(entry.name for entry in images[:N_NAMED])
    more = f" and {len(images) - N_NAMED} more" if len(images) > N_NAMED else ""
    count = "1 image has" if len(images) == 1 else f"{len(images)} images have"
    return (
        f"{count} paint or tags of '{name}': {named}{more}. If the class is deleted, "
        "they are deleted with it, which cannot be undone."
    )
