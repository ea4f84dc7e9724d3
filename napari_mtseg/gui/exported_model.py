"""An exported model: what was checked, where it lies, and the line that uses it."""

from pathlib import Path

from qtpy.QtGui import QGuiApplication
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_mtseg.domain.model_usage import usage_line
from napari_mtseg.gui.export_formats import FORMATS
from napari_mtseg.gui.named_widgets import named_button, named_line, row_of
from napari_mtseg.gui.opened_path import open_path
from napari_mtseg.gui.sentence_label import SentenceLabel


class ExportedModel(QWidget):
    """How an exported model is used: a line to copy, and its folder."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model = Path()
        self._use = SentenceLabel("", "plain", self)
        self._line = named_line("shell_line", "Line that uses the model", self)
        self._line.setReadOnly(True)
        self._line.setAccessibleName("Line that uses the model")
        copy = named_button("copy_shell_line", "Copy", self)
        copy.setToolTip("Copy the line to the clipboard")
        show = named_button("open_model_folder", "Open folder", self)
        show.setToolTip("Show the model in the file manager")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._use)
        column.addLayout(row_of(self._line, copy))
        column.addWidget(show)
        copy.clicked.connect(self._copy)
        show.clicked.connect(self._open)
        self.hide()

    def show_model(self, key: str, model: Path) -> None:
        """Tell how ``model``, of the format ``key``, is used."""
        self._model = model
        line = usage_line(key, model)
        self._use.say(FORMATS[key].use)
        self._line.setText(line)
        self._line.setCursorPosition(0)
        self._line.setToolTip(line)
        self.show()

    def _copy(self) -> None:
        clipboard = QGuiApplication.clipboard()
        if clipboard is not None:
            clipboard.setText(self._line.text())

    def _open(self) -> None:
        open_path(self._model if self._model.is_dir() else self._model.parent)
