"""Asks for the name of a new scene, and adds it to the project."""

from napari.utils.notifications import show_error
from qtpy.QtWidgets import QInputDialog, QWidget

from napari_mtseg.domain.errors import MtsegError
from napari_mtseg.gui.state import WindowState
from napari_mtseg.storage.class_edits import add_scene


def ask_for_scene(state: WindowState, title: str, parent: QWidget) -> int | None:
    """Return the index of a scene that the user adds; None if none was added.

    Parameters
    ----------
    state : WindowState
        Whose project gets the scene; everybody who shows scenes is told.
    title : str
        Of the question.
    parent : QWidget
        Widget that asks.
    """
    if state.project is None:
        return None
    name, is_given = QInputDialog.getText(
        parent, title, "What this kind of image is called:"
    )
    if not is_given:
        return None
    try:
        scene = add_scene(state.project, name)
    except MtsegError as error:
        show_error(str(error))
        return None
    state.classes_changed.emit()
    return scene
