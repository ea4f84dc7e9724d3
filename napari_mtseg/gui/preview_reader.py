"""Shows what a training predicts of the current image while it runs."""

from functools import partial
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QObject

from napari_mtseg.domain.events import PreviewReady
from napari_mtseg.gui.newest_answer import NewestAnswer
from napari_mtseg.gui.overlays import Overlays
from napari_mtseg.gui.state import WindowState
from napari_mtseg.storage.run_folder import RunFolder
from napari_mtseg.storage.stored_array import DECODER_ERRORS

Preview = tuple[str, NDArray[Any], NDArray[Any]]


class PreviewReader(QObject):
    """Reads previews in a thread; only those of the current image are shown.

    Parameters
    ----------
    state : WindowState
        Knows the current image.
    overlays : Overlays
        Draws the maps.
    """

    def __init__(
        self, state: WindowState, overlays: Overlays, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._state, self._overlays = state, overlays
        self._folder: Path | None = None
        self._answers = NewestAnswer(self)
        self._answers.answered.connect(self._show)
        state.events.image_id.connect(self._change_image)

    def watch(self, run: RunFolder | None) -> None:
        """Show the previews of a run that trains; None for no run."""
        self._answers.drop()
        self._folder = None if run is None else run.path

    def take(self, event: PreviewReady) -> None:
        """Show a preview that was made, if it is of the current image."""
        if event.image == self._state.image_id:
            self._ask(event.image, event.file)

    def _change_image(self) -> None:
        """Show the latest preview of another image, if the run made one."""
        self._answers.drop()
        image_id = self._state.image_id
        if image_id is not None:
            self._ask(image_id, f"previews/{image_id}.npz")

    def _ask(self, image_id: str, file: str) -> None:
        if self._folder is not None:
            self._answers.ask(partial(_read, image_id, self._folder / file))

    def _show(self, found: Preview | None) -> None:
        if found is not None and found[0] == self._state.image_id:
            self._overlays.show_maps(found[1], found[2])


def _read(image_id: str, file: Path) -> Preview | None:
    """Read a preview; None where there is none, or it is being replaced."""
    try:
        with np.load(file, allow_pickle=False) as maps:
            return image_id, maps["classes"], maps["instances"]
    except (*DECODER_ERRORS, BadZipFile):
        return None
