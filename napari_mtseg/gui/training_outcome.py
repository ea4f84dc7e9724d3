"""How a training ended, and what can be done next."""

from collections.abc import Mapping

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QGridLayout, QPushButton, QVBoxLayout, QWidget

from napari_mtseg.gui.sentence_label import Kind, SentenceLabel

_BUTTONS = {
    "review": ("Review the results", "Goes to the Review page to look at predictions."),
    "export": ("Export the model", "Goes to the Export page to take the model away."),
    "resume": (
        "Resume",
        "Goes on where this training stopped, as if nothing had happened.",
    ),
    "again": ("Try again", "Trains anew with the settings above."),
    "log": ("Show the log", "Opens what the training wrote."),
}
_OFFERED: Mapping[str, tuple[str, ...]] = {
    "done": ("review", "export"),
    "stopped": ("resume", "review", "export"),
    "failed": ("resume", "again", "log"),
    "cut off": ("resume", "again", "log"),
    "": (),
}
_KINDS: Mapping[str, Kind] = {
    "done": "ok",
    "stopped": "note",
    "failed": "problem",
    "cut off": "problem",
    "": "plain",
}


class TrainingOutcome(QWidget):
    """A sentence about the end of a training and a button per way on."""

    chosen = Signal(str)
    """'review', 'export', 'resume', 'again' or 'log'"""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("training_outcome")
        self.sentence = SentenceLabel(parent=self)
        self.sentence.setObjectName("outcome_sentence")
        self._grid = QGridLayout()
        self._grid.setContentsMargins(0, 0, 0, 0)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.sentence)
        layout.addLayout(self._grid)
        self._buttons = {name: self._button(name) for name in _BUTTONS}
        self.clear()

    def clear(self) -> None:
        """Say nothing: a training runs, or none was looked at."""
        self.tell("", "")

    def tell(self, how: str, sentence: str, *, can_resume: bool = True) -> None:
        """Say how a training ended.

        Parameters
        ----------
        how : {'done', 'stopped', 'failed', 'cut off', ''}
            '' says nothing.
        sentence : str
            What to say.
        can_resume : bool
            False where there is no checkpoint to go on from.
        """
        self.sentence.say(sentence, _KINDS[how])
        offered = [n for n in _OFFERED[how] if n != "resume" or can_resume]
        for name, button in self._buttons.items():
            self._grid.removeWidget(button)
            button.setVisible(name in offered)
        for index, name in enumerate(offered):
            self._grid.addWidget(self._buttons[name], index // 2, index % 2)
        self.setVisible(bool(sentence))

    def _button(self, name: str) -> QPushButton:
        text, tooltip = _BUTTONS[name]
        button = QPushButton(text, self)
        button.setObjectName(f"outcome_{name}")
        button.setToolTip(tooltip)
        button.clicked.connect(lambda: self.chosen.emit(name))
        return button
