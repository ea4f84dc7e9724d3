"""The Export page: the trained weights, results on a folder, and the labels."""

from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_mtseg.gui.commands import Commands
from napari_mtseg.gui.folder_prediction import FolderPrediction
from napari_mtseg.gui.label_export import LabelExport
from napari_mtseg.gui.model_export import ModelExport
from napari_mtseg.gui.state import WindowState
from napari_mtseg.gui.tab_order import set_reading_order


class ExportPage(QWidget):
    """Writes a run's best weights as a model, segments a folder, writes the labels.

    Parameters
    ----------
    state : WindowState
        Shared state.
    commands : Commands
        Runs `mtseg export`, `mtseg predict` and `mtseg project export`.
    """

    def __init__(
        self, state: WindowState, commands: Commands, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setObjectName("export_page")
        column = QVBoxLayout(self)
        column.setContentsMargins(4, 4, 4, 4)
        column.setSpacing(6)
        self._folder = FolderPrediction(state, commands, self)
        column.addWidget(ModelExport(state, commands, self))
        column.addWidget(self._folder)
        column.addWidget(LabelExport(state, commands, self))
        column.addStretch(1)
        set_reading_order(self)

    @property
    def closing_question(self) -> str:
        """What is lost by closing the window now, a sentence or two, or ''."""
        return self._folder.closing_question
