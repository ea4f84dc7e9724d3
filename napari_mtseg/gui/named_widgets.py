"""Small controls that several pages make alike, with names for tests and scripts."""

from qtpy.QtWidgets import QFrame, QHBoxLayout, QLineEdit, QPushButton, QWidget

MARGINS = (6, 6, 6, 6)
"""around what stands in a box of a page, pixels: left, top, right, bottom"""


def named_button(name: str, text: str, parent: QWidget) -> QPushButton:
    """Return a button with an object name."""
    button = QPushButton(text, parent)
    button.setObjectName(name)
    return button


def named_line(name: str, tip: str, parent: QWidget) -> QLineEdit:
    """Return a line to type in, with an object name and a tooltip."""
    line = QLineEdit(parent)
    line.setObjectName(name)
    line.setToolTip(tip)
    return line


def row_of(*widgets: QWidget) -> QHBoxLayout:
    """Return a row of widgets."""
    row = QHBoxLayout()
    for widget in widgets:
        row.addWidget(widget)
    return row


def horizontal_rule() -> QFrame:
    """Return a line that sets off what is below it."""
    line = QFrame()
    line.setFrameShape(QFrame.Shape.HLine)
    return line
