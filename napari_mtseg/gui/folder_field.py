"""A folder that the user types or chooses."""

from pathlib import Path

from qtpy.QtWidgets import QFileDialog, QWidget

from napari_mtseg.gui.named_widgets import named_button, named_line, row_of


class FolderField(QWidget):
    """A folder, typed or chosen."""

    def __init__(self, name: str, tip: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._tip = tip
        self.edit = named_line(name, tip, self)
        self.edit.setAccessibleName(tip)
        browse = named_button(f"choose_{name}", "…", self)
        browse.setToolTip("Choose the folder")
        browse.setAccessibleName("Choose the folder")
        browse.setMaximumWidth(32)
        row = row_of(self.edit, browse)
        row.setContentsMargins(0, 0, 0, 0)
        self.setLayout(row)
        browse.clicked.connect(self._choose)

    @property
    def folder(self) -> Path:
        """The folder; not absolute where nothing is chosen."""
        text = self.edit.text().strip()
        return Path(text).expanduser() if text else Path()

    def _choose(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, self._tip, self.edit.text())
        if chosen:
            self.edit.setText(chosen)
