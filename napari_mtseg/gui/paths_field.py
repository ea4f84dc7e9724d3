"""Folders or files that the user types or chooses."""

from pathlib import Path

from qtpy.QtWidgets import QFileDialog, QMenu, QWidget

from napari_mtseg.gui.named_widgets import named_button, named_line, row_of

_BETWEEN = ";"
"""parts several paths in one line"""


class PathsField(QWidget):
    """One folder, or one or several files, typed or chosen.

    Parameters
    ----------
    name : str
        Object name of the line.
    tip : str
        What belongs into it.
    files : str
        What the files are, for the menu, such as 'Image files…'.
    parent : QWidget, optional
        Qt parent.
    """

    def __init__(
        self, name: str, tip: str, *, files: str, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._tip = tip
        self.edit = named_line(name, tip, self)
        self.edit.setAccessibleName(tip)
        browse = named_button(f"choose_{name}", "…", self)
        browse.setToolTip("Choose a folder or files")
        browse.setAccessibleName("Choose a folder or files")
        browse.setMaximumWidth(44)
        menu = QMenu(browse)
        folder, file = menu.addAction("Folder…"), menu.addAction(files)
        browse.setMenu(menu)
        row = row_of(self.edit, browse)
        row.setContentsMargins(0, 0, 0, 0)
        self.setLayout(row)
        folder.triggered.connect(lambda: self._choose_folder())
        file.triggered.connect(lambda: self._choose_files())

    @property
    def paths(self) -> tuple[Path, ...]:
        """What is given, in order."""
        parts = (part.strip() for part in self.edit.text().split(_BETWEEN))
        return tuple(Path(part).expanduser() for part in parts if part)

    def show_paths(self, paths: tuple[str, ...]) -> None:
        """Put paths into the line."""
        self.edit.setText(f"{_BETWEEN} ".join(paths))

    def _choose_folder(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, self._tip, self._start())
        if chosen:
            self.edit.setText(chosen)

    def _choose_files(self) -> None:
        chosen, _ = QFileDialog.getOpenFileNames(self, self._tip, self._start())
        if chosen:
            self.show_paths(tuple(chosen))

    def _start(self) -> str:
        return str(self.paths[0]) if self.paths else ""
