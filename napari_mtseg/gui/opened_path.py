"""Opening a file or folder with the program that the system has for it."""

from pathlib import Path

from qtpy.QtCore import QUrl
from qtpy.QtGui import QDesktopServices


def open_path(path: Path) -> None:
    """Show a folder in the file manager, or a file in its program."""
    QDesktopServices.openUrl(QUrl.fromLocalFile(str(path)))
