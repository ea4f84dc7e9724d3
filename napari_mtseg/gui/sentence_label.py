"""A sentence with a sign before it, so that colour is never the only sign."""

import re
from typing import Literal

from qtpy.QtCore import QEvent, QSize, Qt
from qtpy.QtWidgets import QLabel, QSizePolicy, QWidget

Kind = Literal["ok", "note", "problem", "plain"]

SIGNS: dict[Kind, str] = {"ok": "✔ ", "note": "! ", "problem": "✖ ", "plain": ""}
_WORDS: dict[Kind, str] = {"ok": "Good: ", "note": "Note: ", "problem": "Problem: "}
_BREAKS = re.compile(r"(?<=[/\\_\-.])(?!(?<=\d\.)\d)")
"""where a path or file name that is longer than a line may be broken; no number is"""
_ZERO_WIDTH_SPACE = "\u200b"


class SentenceLabel(QLabel):
    """One sentence that wraps at any width; hidden while it has nothing to say.

    Parameters
    ----------
    text : str
        The sentence.
    kind : {'ok', 'note', 'problem', 'plain'}
        Which sign stands before it: ✔, !, ✖ or none.
    parent : QWidget, optional
        Qt parent.
    """

    def __init__(
        self, text: str = "", kind: Kind = "plain", parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setWordWrap(True)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        # Not Minimum: that would claim the height of a narrow column at any width.
        policy = QSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        self.say(text, kind)

    @property
    def sentence(self) -> str:
        """What is said, without the sign."""
        return self._sentence

    @property
    def kind(self) -> Kind:
        """How it is said."""
        return self._kind

    def say(self, text: str, kind: Kind = "plain") -> None:
        """Show another sentence; an empty one hides the label."""
        self._sentence, self._kind = text, kind
        self.setText(SIGNS[kind] + _breakable(text) if text else "")
        self.setAccessibleName(_WORDS.get(kind, "") + text)
        if self.parentWidget() is not None:
            self.setVisible(bool(text))

    def minimumSizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Return a hint that lets the dock be as narrow as it likes."""
        return QSize(0, super().minimumSizeHint().height())

    def changeEvent(self, event: QEvent | None) -> None:  # noqa: N802 - Qt's name
        """Stay hidden in a new parent while there is nothing to say."""
        super().changeEvent(event)
        reparented = event is not None and event.type() == QEvent.Type.ParentChange
        if reparented and not self.text():
            self.hide()


def _breakable(text: str) -> str:
    return _BREAKS.sub(_ZERO_WIDTH_SPACE, text)
