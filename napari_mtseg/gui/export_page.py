"""The Export page: take the trained weights, or the labels, away from the project."""

from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_mtseg.gui.commands import Commands
from napari_mtseg.gui.label_export import LabelExport
from napari_mtseg.gui.model_export import ModelExport
from napari_mtseg.gui.state import WindowState


class ExportPage(QWidget):
    """Writes a run's best weights as a model, and the labels as files.

    Parameters
    ----------
    state : WindowState
        Shared state.
    commands : Commands
        Runs `mtseg export` and `mtseg project export`.
    """

    def __init__(
        self, state: WindowState, commands: Commands, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setObjectName("export_page")
        column = QVBoxLayout(self)
        column.setContentsMargins(4, 4, 4, 4)
        column.setSpacing(6)
        column.addWidget(ModelExport(state, commands, self))
        column.addWidget(LabelExport(state, commands, self))
        column.addStretch(1)
