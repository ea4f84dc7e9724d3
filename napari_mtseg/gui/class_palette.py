"""The classes as buttons that choose what a stroke means, and their edits."""

from collections.abc import Callable

from qtpy.QtCore import QEvent, QPoint, QSize, Qt, Signal
from qtpy.QtGui import QColor, QIcon, QPainter, QPen, QPixmap
from qtpy.QtWidgets import (
    QButtonGroup,
    QFrame,
    QHBoxLayout,
    QMenu,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)
from superqt.utils import QFlowLayout

from napari_mtseg.domain.annotation import (
    MAX_CLASSES,
    SCRIBBLE_BACKGROUND,
    SCRIBBLE_FIRST_CLASS,
    SCRIBBLE_SEPARATOR,
)
from napari_mtseg.domain.project import ClassInfo
from napari_mtseg.gui.class_edits import ClassEdits
from napari_mtseg.gui.editing import Editing
from napari_mtseg.gui.layers import BACKGROUND_COLOUR, SEPARATOR_COLOUR
from napari_mtseg.gui.sentence_label import SentenceLabel
from napari_mtseg.gui.shortcuts import N_DIGITS, key_of
from napari_mtseg.gui.state import WindowState

SWATCH = 14
"""pixels of a colour's square"""
_LONGEST_NAME = 24
"""letters of a name on its button; the tooltip has all of it"""
_TALLEST = 168
"""pixels of the buttons; more of them scroll"""
_EDITS = {
    "rename": ("Rename…", "Give {} another name."),
    "recolour": ("Colour…", "Give {} another colour."),
    "remove": ("Delete…", "Delete {} and all its paint, after a question."),
}


class ClassPalette(QWidget):
    """Buttons for the classes, background and separator, above those that edit them.

    Parameters
    ----------
    state : WindowState
        Whose ``paint_code`` the buttons show and set.
    editing : Editing
        Told when the classes change.
    parent : QWidget, optional
        Qt parent.
    """

    def __init__(
        self, state: WindowState, editing: Editing, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._state = state
        self._edits = ClassEdits(state, editing, self)
        self._edits.busy.connect(self._show_busy)
        self._codes = PaintCodes(self)
        self._codes.chosen.connect(self._choose)
        self._codes.menu_wanted.connect(self._open_menu)
        self._build()
        state.events.project.connect(self._show_classes)
        state.classes_changed.connect(self._show_classes)
        state.events.paint_code.connect(self._show_code)
        self._show_classes()

    def _build(self) -> None:
        self._sentence = SentenceLabel(parent=self)
        self._sentence.setObjectName("class_sentence")
        self._add = _button("add_class", "Add…", self._edits.add)
        self._buttons = {
            name: _button(f"{name}_class", text, self._editor(name))
            for name, (text, _) in _EDITS.items()
        }
        row = QHBoxLayout()
        for button in (self._add, *self._buttons.values()):
            row.addWidget(button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._codes)
        layout.addLayout(row)
        layout.addWidget(self._sentence)

    def _editor(self, name: str) -> Callable[[], None]:
        return lambda: getattr(self._edits, name)(self._number)

    @property
    def _classes(self) -> tuple[ClassInfo, ...]:
        project = self._state.project
        return () if project is None else project.info.classes

    @property
    def _number(self) -> int:
        """Number of the chosen class, 0 for background and separator."""
        number = self._state.paint_code - SCRIBBLE_FIRST_CLASS + 1
        return number if 1 <= number <= len(self._classes) else 0

    def _choose(self, code: int) -> None:
        self._state.paint_code = code
        # A second click on the same button changes nothing, and must not unpress it.
        self._show_code()

    def _show_classes(self) -> None:
        self._codes.show_classes(self._classes)
        self._show_code()

    def _show_code(self) -> None:
        self._codes.show_code(self._state.paint_code)
        self._show_edits()

    def _show_edits(self) -> None:
        classes, number = self._classes, self._number
        is_full = len(classes) >= MAX_CLASSES
        self._add.setEnabled(bool(classes) and not is_full)
        self._add.setToolTip(
            f"A project can hold {MAX_CLASSES} classes, and this one does."
            if is_full
            else "Add a class: another kind of object."
        )
        for name, (_, what) in _EDITS.items():
            self._buttons[name].setEnabled(bool(number))
            self._buttons[name].setToolTip(
                what.format(f"'{classes[number - 1].name}'")
                if number
                else "Choose a class first: background and separator stay as they are."
            )
        if number and len(classes) == 1:
            self._buttons["remove"].setEnabled(False)
            self._buttons["remove"].setToolTip(
                "A project needs a class: add another one first."
            )

    def _open_menu(self, number: int, place: QPoint) -> None:
        menu = QMenu(self)
        for name, (text, _) in _EDITS.items():
            action = menu.addAction(text)
            action.triggered.connect(
                lambda _=False, name=name: getattr(self._edits, name)(number)
            )
            action.setEnabled(name != "remove" or len(self._classes) > 1)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(place)

    def _show_busy(self, sentence: str) -> None:
        self._sentence.say(sentence)
        self._codes.setEnabled(not sentence)
        self._show_edits()
        if sentence:
            for button in (self._add, *self._buttons.values()):
                button.setEnabled(False)
                button.setToolTip(sentence)


class PaintCodes(QScrollArea):
    """A button per class, for background and for separator, in lines as they fit."""

    chosen = Signal(int)
    """scribble code of the button that was pressed"""
    menu_wanted = Signal(int, QPoint)
    """number of a class, and where on the screen it was asked about"""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._group = QButtonGroup(self)
        self._buttons: dict[int, QPushButton] = {}

    def show_classes(self, classes: tuple[ClassInfo, ...]) -> None:
        """Make the buttons for other classes."""
        for button in self._buttons.values():
            self._group.removeButton(button)
        self._buttons = {}
        for number, info in enumerate(classes, start=1):
            self._add_class(number, info)
        self._add(SCRIBBLE_BACKGROUND, "B  background", BACKGROUND_COLOUR).setToolTip(
            "Scribble on what is no object. Key: B here, "
            f"{key_of('background')} anywhere."
        )
        self._add(SCRIBBLE_SEPARATOR, "S  separator", SEPARATOR_COLOUR).setToolTip(
            "Scribble along the border between objects that touch. Key: S here, "
            f"{key_of('separator')} anywhere."
        )
        inner = QWidget()
        flow = QFlowLayout(inner)
        flow.setContentsMargins(0, 0, 0, 0)
        flow.setHorizontalSpacing(4)
        flow.setVerticalSpacing(4)
        for button in self._buttons.values():
            flow.addWidget(button)
        self.setWidget(inner)
        self._fit_height()

    def show_code(self, code: int) -> None:
        """Press the button of ``code``."""
        button = self._buttons.get(code)
        if button is not None:
            button.setChecked(True)
            self.ensureWidgetVisible(button, 0, 4)

    def resizeEvent(self, event: QEvent) -> None:  # noqa: N802 - Qt's name
        """Be as high as the lines of buttons at this width."""
        super().resizeEvent(event)
        self._fit_height()

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802 - Qt's name
        """Be as high as the buttons in another font or theme."""
        super().changeEvent(event)
        self._fit_height()

    def _add_class(self, number: int, info: ClassInfo) -> None:
        code = number + SCRIBBLE_FIRST_CLASS - 1
        button = self._add(code, f"{number}  {_short(info.name)}", info.colour)
        has_key = number <= N_DIGITS
        keys = f" Key: {number} here, Ctrl+{number} anywhere." if has_key else ""
        button.setToolTip(f"Paint '{info.name}', class {number}.{keys}")
        button.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        button.customContextMenuRequested.connect(
            lambda at: self.menu_wanted.emit(number, button.mapToGlobal(at))
        )

    def _add(self, code: int, text: str, colour: str) -> QPushButton:
        button = _button(
            f"paint_code_{code}",
            text.replace("&", "&&"),
            lambda: self.chosen.emit(code),
        )
        button.setCheckable(True)
        button.setIcon(swatch(colour))
        button.setIconSize(QSize(SWATCH, SWATCH))
        self._group.addButton(button)
        self._buttons[code] = button
        return button

    def _fit_height(self) -> None:
        inner = self.widget()
        if inner is not None and inner.layout() is not None:
            wanted = inner.layout().heightForWidth(self.viewport().width())
            around = self.height() - self.viewport().height()
            scrolls = wanted > _TALLEST
            policy = Qt.ScrollBarPolicy
            self.setVerticalScrollBarPolicy(
                policy.ScrollBarAsNeeded if scrolls else policy.ScrollBarAlwaysOff
            )
            self.setFixedHeight(_TALLEST if scrolls else max(0, wanted + around))


def swatch(colour: str) -> QIcon:
    """Return a square of ``colour``, with a tick where its button is pressed."""
    icon, size = QIcon(), 2 * SWATCH
    is_bright = QColor(colour).lightness() > 127
    tick = Qt.GlobalColor.black if is_bright else Qt.GlobalColor.white
    for is_on in (False, True):
        pixmap = QPixmap(size, size)
        pixmap.fill(QColor(colour))
        painter = QPainter(pixmap)
        painter.setPen(QPen(QColor(tick), 4))
        if is_on:
            painter.drawLine(6, 15, 12, 21)
            painter.drawLine(12, 21, 22, 7)
        painter.end()
        on_or_off = QIcon.State.On if is_on else QIcon.State.Off
        icon.addPixmap(pixmap, QIcon.Mode.Normal, on_or_off)
    return icon


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"


def _button(name: str, text: str, clicked: Callable[[], object]) -> QPushButton:
    button = QPushButton(text)
    button.setObjectName(name)
    button.setAutoDefault(False)
    button.clicked.connect(lambda: clicked())
    return button
