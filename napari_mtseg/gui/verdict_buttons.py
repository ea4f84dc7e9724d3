"""The buttons under the table of predicted images: verdicts, undo, next worst."""

from collections.abc import Mapping
from dataclasses import dataclass

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QGridLayout, QWidget

from napari_mtseg.domain.review import Verdict
from napari_mtseg.gui.named_widgets import named_button
from napari_mtseg.gui.shortcuts import REVIEW_LETTERS, key_of


@dataclass(frozen=True, kw_only=True)
class _Look:
    """One button."""

    text: str
    tip: str


_LOOKS: Mapping[str, _Look] = {
    "accept": _Look(
        text="✔ Accept",
        tip="The result is right: it becomes the full mask of this image, which later "
        "trainings learn from.",
    ),
    "reject": _Look(
        text="✖ Reject",
        tip="The result is wrong: nothing is learned from it. A mask that came from a "
        "result is taken back.",
    ),
    "fix": _Look(
        text="✎ Fix",
        tip="The result is nearly right: it opens as a full mask to be corrected.",
    ),
    "skip": _Look(text="» Skip", tip="Put this image aside."),
    "undo_verdict": _Look(
        text="↶ Undo", tip="Take back the last verdict, with what it did to the masks."
    ),
    "next_worst": _Look(
        text="Next worst ▶",
        tip="Show the most doubtful image of the list that has no verdict yet; again "
        "for the one after it.",
    ),
}
_VERDICTS: Mapping[str, Verdict] = {
    "accept": "accepted",
    "reject": "rejected",
    "fix": "corrected",
    "skip": "skipped",
}
_N_COLUMNS = 4


class VerdictButtons(QWidget):
    """Says what the user wants done with the image that is shown.

    Parameters
    ----------
    parent : QWidget, optional
        Qt parent.
    """

    judged = Signal(str)
    """verdict on the image that is shown, of VERDICTS"""
    undo_asked = Signal()
    """the last verdict is to be taken back"""
    next_asked = Signal()
    """the most doubtful unreviewed image is to be shown"""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._buttons = {
            name: named_button(name, look.text, self) for name, look in _LOOKS.items()
        }
        self._tips = {name: look.tip + _keys(name) for name, look in _LOOKS.items()}
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(4)
        for column, name in enumerate(_VERDICTS):
            grid.addWidget(self._buttons[name], 0, column)
            grid.setColumnStretch(column, 1)
            self._buttons[name].setMinimumWidth(1)
        half = _N_COLUMNS // 2
        grid.addWidget(self._buttons["undo_verdict"], 1, 0, 1, half)
        grid.addWidget(self._buttons["next_worst"], 1, half, 1, half)
        for name, verdict in _VERDICTS.items():
            self._buttons[name].clicked.connect(
                lambda _=False, verdict=verdict: self.judged.emit(verdict)
            )
        self._buttons["undo_verdict"].clicked.connect(lambda: self.undo_asked.emit())
        self._buttons["next_worst"].clicked.connect(lambda: self.next_asked.emit())
        self.allow(why_not="", why_no_undo="", why_no_next="")

    def allow(self, *, why_not: str, why_no_undo: str, why_no_next: str) -> None:
        """Enable the buttons for which there is no reason against.

        Parameters
        ----------
        why_not, why_no_undo, why_no_next : str
            Why no verdict can be given, none taken back, and no image be gone to; ''
            where it can.
        """
        reasons = {"undo_verdict": why_no_undo, "next_worst": why_no_next}
        for name, button in self._buttons.items():
            reason = reasons.get(name, why_not)
            button.setEnabled(not reason)
            button.setToolTip(reason or self._tips[name])


def _keys(name: str) -> str:
    """Return the keys of a button as the end of its tooltip."""
    letter = next((k for k, action in REVIEW_LETTERS.items() if action == name), "")
    keys = [key_of(name), f"{letter} in the dock" * bool(letter)]
    told = " or ".join(key for key in keys if key)
    return f" Key: {told}." if told else ""
