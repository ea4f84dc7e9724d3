"""The slim bar that chooses a page: icons with words, in the order of work."""

from typing import get_args

from qtpy.QtCore import QEvent, QSize, Qt
from qtpy.QtWidgets import QButtonGroup, QHBoxLayout, QSizePolicy, QToolButton, QWidget

from napari_mtseg.gui.icons import icon
from napari_mtseg.gui.state import Page, WindowState

PAGES: dict[Page, tuple[str, str]] = {
    "project": ("Project", "The images of the project and what is done on each"),
    "annotate": ("Annotate", "Paint partial masks, scribbles and full masks"),
    "train": ("Train", "Train on what is painted and watch the masks grow"),
    "review": ("Review", "Predict images and look at the results"),
    "export": ("Export", "Take the trained model away"),
}
"""title and tooltip of each page"""
MARKED = """
QToolButton {{ border: none; border-bottom: 2px solid transparent; padding: 2px; }}
QToolButton:checked {{ border-bottom: 2px solid {colour}; font-weight: bold; }}
"""


class PageBar(QWidget):
    """One checkable button per page, in step with ``state.page``."""

    def __init__(self, state: WindowState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state = state
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(1)
        self._group = QButtonGroup(self)
        self.buttons: dict[Page, QToolButton] = {}
        for page in get_args(Page):
            button = self._button(page)
            self.buttons[page] = button
            self._group.addButton(button)
            layout.addWidget(button)
        self._mark_page()
        state.events.page.connect(self._show)
        self._show(state.page)

    def changeEvent(self, event: QEvent | None) -> None:  # noqa: N802 - Qt's name
        """Draw the icons anew where the theme has changed."""
        super().changeEvent(event)
        if event is not None and event.type() == QEvent.Type.StyleChange:
            self._mark_page()

    def _button(self, page: Page) -> QToolButton:
        title, tip = PAGES[page]
        button = QToolButton(self)
        button.setObjectName(f"page_{page}")
        button.setText(title)
        button.setToolTip(tip)
        button.setCheckable(True)
        button.setAutoRaise(True)
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextUnderIcon)
        button.setIconSize(QSize(18, 18))
        button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        policy = QSizePolicy.Policy
        button.setSizePolicy(policy.Expanding, policy.Fixed)
        button.clicked.connect(lambda: setattr(self._state, "page", page))
        return button

    def _mark_page(self) -> None:
        """Draw icons in the theme's colour, and a line below the page that is shown."""
        for page, button in getattr(self, "buttons", {}).items():
            colour = button.palette().buttonText().color()
            button.setIcon(icon(page, colour))
            # A new style sheet is a change of style: only one that differs is set.
            sheet = MARKED.format(colour=colour.name())
            if button.styleSheet() != sheet:
                button.setStyleSheet(sheet)

    def _show(self, page: Page) -> None:
        self.buttons[page].setChecked(True)
