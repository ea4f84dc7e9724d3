"""Keys of the window as Qt actions; napari's preferences rebind them.

No default takes a key from napari: its Labels layers use plain letters and digits
while one paints. Inside the dock, where napari listens to none, plain keys work as
well: those of verdicts on the Review page, those of the palette elsewhere.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from napari.settings import get_plugin_settings
from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtGui import QKeySequence
from qtpy.QtWidgets import (
    QAbstractSpinBox,
    QAction,
    QApplication,
    QComboBox,
    QLineEdit,
    QPlainTextEdit,
    QTextEdit,
    QWidget,
)

from napari_mtseg.domain.annotation import (
    SCRIBBLE_BACKGROUND,
    SCRIBBLE_FIRST_CLASS,
    SCRIBBLE_SEPARATOR,
)
from napari_mtseg.gui.state import DrawAs, WindowState

PLUGIN = "napari-mtseg"
N_DIGITS = 9
"""classes that have a number key"""
REVIEW_LETTERS: Mapping[str, str] = MappingProxyType(
    {
        "A": "accept",
        "R": "reject",
        "F": "fix",
        "S": "skip",
        "U": "undo_verdict",
        "N": "next_worst",
    }
)
"""plain keys inside the dock while the Review page is shown"""
FROM_ANY_PAGE = frozenset({"next_worst"})
"""actions of the Review page whose keys work on every page, and open it"""

_PALETTE_LETTERS = {
    "P": "partial_masks",
    "C": "scribbles",
    "F": "full_masks",
    "B": "background",
    "S": "separator",
}
_TYPED_INTO = (QLineEdit, QPlainTextEdit, QTextEdit, QAbstractSpinBox, QComboBox)


def key_of(name: str) -> str:
    """Return the key that the user's preferences give an action; '' for none."""
    return str(getattr(get_plugin_settings(PLUGIN).keys, name))


def add_shortcuts(
    dock: QWidget,
    state: WindowState,
    *,
    train: Callable[[], None],
    stop: Callable[[], None],
    review: Mapping[str, Callable[[], object]] | None = None,
) -> None:
    """Give the window's actions their keys, as long as ``dock`` lives.

    Parameters
    ----------
    dock : QWidget
        Gets the keys.
    state : WindowState
        Says which page is shown; the keys of the palette change it.
    train, stop : callable
        Begin and end a training.
    review : mapping, optional
        Actions of the Review page by their name in the preferences. But for
        FROM_ANY_PAGE they are called only while that page is shown: no verdict is
        given on a result that nobody looks at.
    """
    review = {k: _in_review(state, k, call) for k, call in (review or {}).items()}
    everywhere: dict[str, Callable[[], object]] = {
        "next_image": lambda: state.step_image(1),
        "previous_image": lambda: state.step_image(-1),
        "partial_masks": lambda: _draw(state, "partial"),
        "scribbles": lambda: _draw(state, "scribble"),
        "full_masks": lambda: _draw(state, "full"),
        "background": lambda: _paint(state, SCRIBBLE_BACKGROUND),
        "separator": lambda: _paint(state, SCRIBBLE_SEPARATOR),
        "train": train,
        "stop": stop,
        **review,
    }
    for name, action in everywhere.items():
        _add(dock, key_of(name), action, Qt.ShortcutContext.WindowShortcut)
    inside = Qt.ShortcutContext.WidgetWithChildrenShortcut
    for letter in sorted({*_PALETTE_LETTERS, *REVIEW_LETTERS}):
        palette = everywhere.get(_PALETTE_LETTERS.get(letter, ""))
        judge = everywhere.get(REVIEW_LETTERS.get(letter, ""))
        _add(dock, letter, _by_page(state, palette, judge), inside)
    for digit in range(1, N_DIGITS + 1):
        choose = _class_chooser(state, digit)
        _add(dock, f"Ctrl+{digit}", choose, Qt.ShortcutContext.WindowShortcut)
        _add(dock, str(digit), choose, inside)


class HeldKey(QObject):
    """Calls back when a key goes down and when it comes up again, taking it from none.

    Parameters
    ----------
    key : str
        Such as 'H'; '' for none.
    window : QWidget
        Only keys pressed in the window of this widget count.
    on_change : callable
        Called with True when the key goes down, with False when it comes up.
    """

    def __init__(
        self, key: str, window: QWidget, on_change: Callable[[bool], None]
    ) -> None:
        super().__init__(window)
        self._key = QKeySequence(key).toString() if key else ""
        self._window = window
        self._on_change = on_change
        self._is_down = False
        QApplication.instance().installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802
        """Look at every key, and let it pass."""
        if event.type() in (QEvent.Type.KeyPress, QEvent.Type.KeyRelease):
            self._see(event)
        elif event.type() == QEvent.Type.ApplicationDeactivate:
            self._set(down=False)
        return False

    def _see(self, event: QEvent) -> None:
        if event.isAutoRepeat() or not self._key:
            return
        focused = QApplication.focusWidget()
        here = QApplication.activeWindow() is self._window.window()
        if not here or isinstance(focused, _TYPED_INTO):
            return
        plain = event.modifiers() == Qt.KeyboardModifier.NoModifier
        if plain and QKeySequence(event.key()).toString() == self._key:
            self._set(down=event.type() == QEvent.Type.KeyPress)

    def _set(self, *, down: bool) -> None:
        if down != self._is_down:
            self._is_down = down
            self._on_change(down)


def _add(
    dock: QWidget,
    key: str,
    action: Callable[[], object],
    context: Qt.ShortcutContext,
) -> None:
    if not key:
        return
    made = QAction(dock)
    made.setShortcut(QKeySequence(key))
    made.setShortcutContext(context)
    made.triggered.connect(lambda: action())
    dock.addAction(made)


def _in_review(
    state: WindowState, name: str, action: Callable[[], object]
) -> Callable[[], object]:
    """Return an action of the Review page that rests while another page is shown."""

    def act() -> None:
        if state.project is None:
            return
        if name in FROM_ANY_PAGE:
            state.page = "review"
        if state.page == "review":
            action()

    return act


def _by_page(
    state: WindowState,
    palette: Callable[[], object] | None,
    judge: Callable[[], object] | None,
) -> Callable[[], object]:
    """Return what a letter does: on the Review page a verdict, else the palette's."""

    def act() -> None:
        action = judge if judge is not None and state.page == "review" else palette
        if action is not None:
            action()

    return act


def _draw(state: WindowState, draw_as: DrawAs) -> None:
    if state.project is not None:
        state.draw_as = draw_as


def _paint(state: WindowState, code: int) -> None:
    if state.project is not None:
        state.paint_code = code


def _class_chooser(state: WindowState, n_class: int) -> Callable[[], None]:
    def choose() -> None:
        project = state.project
        if project is not None and n_class <= project.info.n_classes:
            state.paint_code = SCRIBBLE_FIRST_CLASS + n_class - 1

    return choose
