"""A heading that folds what is below it away."""

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QPushButton, QVBoxLayout, QWidget


class Fold(QWidget):
    """A heading with an arrow; a click or Space shows what it holds.

    Parameters
    ----------
    title : str
        The heading.
    content : QWidget
        What is shown while it is open.
    tooltip : str
        What one finds inside.
    is_open : bool
        Whether it is open at first.
    """

    toggled = Signal(bool)
    """True when it was opened"""

    def __init__(
        self,
        title: str,
        content: QWidget,
        *,
        tooltip: str,
        is_open: bool = False,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._title, self._content = title, content
        self.heading = QPushButton()
        self.heading.setCheckable(True)
        self.heading.setFlat(True)
        self.heading.setToolTip(tooltip)
        # Only what a heading needs: colours and the frame of focus stay the theme's.
        self.heading.setStyleSheet("text-align: left; background: transparent;")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.heading)
        layout.addWidget(content)
        self.heading.toggled.connect(self._toggle)
        self.heading.setChecked(is_open)
        self._show(is_open)

    @property
    def is_open(self) -> bool:
        """True while what it holds is shown."""
        return bool(self.heading.isChecked())

    def set_open(self, is_open: bool) -> None:
        """Open or close it."""
        self.heading.setChecked(is_open)

    def set_title(self, title: str) -> None:
        """Show another heading."""
        self._title = title
        self._show(self.is_open)

    def _toggle(self, is_open: bool) -> None:
        self._show(is_open)
        self.toggled.emit(is_open)

    def _show(self, is_open: bool) -> None:
        self.heading.setText(f"{'▾' if is_open else '▸'} {self._title}")
        self._content.setVisible(is_open)
