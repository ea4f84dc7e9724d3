"""Which method to train, and whether what is painted is enough for it."""

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_mtseg.gui.sentence_label import Kind, SentenceLabel
from napari_mtseg.gui.trainer import MethodReadiness, ReadinessReport
from napari_mtseg.methods.catalog import CATALOG, entry

WAITING = "Looking at what is painted…"


class MethodChoice(QWidget):
    """The methods by title; the one that suits the labels at hand is chosen first."""

    chosen = Signal(str)
    """key of the method that is chosen now"""
    paint_wanted = Signal()
    """the user wants to mend what is missing"""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("method_choice")
        self._report: ReadinessReport | None = None
        self._is_by_hand = False
        self._is_brief = False
        self._notes: list[SentenceLabel] = []
        self._build()
        self.forget()

    @property
    def key(self) -> str:
        """Key of the chosen method."""
        return str(self.combo.currentData())

    @property
    def problems(self) -> tuple[str, ...]:
        """What is missing for the chosen method; empty also while it is not known."""
        found, asked = self._found, self._asked
        if found is None:
            return ()
        # Other settings may need less paint.
        return tuple(s for s in found.problems if asked is None or s in asked.problems)

    @property
    def setting_problems(self) -> tuple[str, ...]:
        """What stands in the way because of the settings, and not of the paint alone.

        Empty also while it is not known.
        """
        if self._asked is None:
            return ()
        return tuple(s for s in self._asked.problems if s not in self.problems)

    @property
    def _found(self) -> MethodReadiness | None:
        return None if self._report is None else self._report.methods.get(self.key)

    @property
    def _asked(self) -> MethodReadiness | None:
        """Readiness with the settings, as they were when it was asked for."""
        asked = None if self._report is None else self._report.asked
        return asked[1] if asked is not None and asked[0] == self.key else None

    def forget(self) -> None:
        """Know nothing of the paint: another project is open."""
        self._report, self._is_by_hand = None, False
        self._refresh()

    def choose(self, key: str) -> None:
        """Choose a method, as a user would."""
        self.combo.setCurrentIndex(self.combo.findData(key))
        self._is_by_hand = True

    def set_brief(self, is_brief: bool) -> None:
        """Leave out what the paint allows, which is no matter while one trains."""
        self._is_brief = is_brief
        self._show_notes()

    def show_report(self, report: ReadinessReport) -> None:
        """Show what the paint allows, and choose what it suits best.

        A method that the user chose by hand stays.
        """
        self._report = report
        at = self.combo.findData(report.recommended)
        if at >= 0 and not self._is_by_hand:
            self.combo.setCurrentIndex(at)
        self._refresh()

    def _build(self) -> None:
        self.combo = QComboBox()
        self.combo.setObjectName("method")
        self.combo.setToolTip("How to learn from what is painted.")
        self.combo.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.combo.setMinimumContentsLength(8)
        shrinks = QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        self.combo.setSizeAdjustPolicy(shrinks)
        for known in CATALOG.values():
            self.combo.addItem(known.title, known.key)
        label = QLabel("Method")
        label.setBuddy(self.combo)
        row = QHBoxLayout()
        row.addWidget(label)
        row.addWidget(self.combo, stretch=1)
        self._summary = SentenceLabel(parent=self)
        self._summary.setObjectName("method_summary")
        self._reason = SentenceLabel(parent=self)
        self._reason.setObjectName("method_reason")
        self._notes_box = QVBoxLayout()
        self._notes_box.setSpacing(2)
        self.mend = QPushButton("Go to Annotate")
        self.mend.setObjectName("go_to_annotate")
        self.mend.setToolTip("Opens the page where you paint what is missing.")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(row)
        layout.addWidget(self._summary)
        layout.addWidget(self._reason)
        layout.addLayout(self._notes_box)
        layout.addWidget(self.mend)
        self.combo.currentIndexChanged.connect(self._change)
        self.combo.activated.connect(self._take_by_hand)
        self.mend.clicked.connect(self.paint_wanted)

    def _take_by_hand(self) -> None:
        self._is_by_hand = True

    def _change(self) -> None:
        self._refresh()
        self.chosen.emit(self.key)

    def _refresh(self) -> None:
        known = entry(self.key)
        self._summary.say(known.summary)
        self._summary.setToolTip(f"Uses {known.uses}.\n{known.source}")
        self._reason.say(*self._recommendation())
        for note in self._notes:
            self._notes_box.removeWidget(note)
            note.hide()
            note.deleteLater()
        self._notes = [self._note(text, kind) for text, kind in self._sentences()]
        self._show_notes()

    def _show_notes(self) -> None:
        for label in (self._summary, self._reason, *self._notes):
            label.setVisible(bool(label.sentence) and not self._is_brief)
        self.mend.setVisible(bool(self.problems) and not self._is_brief)

    def _recommendation(self) -> tuple[str, Kind]:
        if self._report is None:
            return WAITING, "plain"
        if self._report.recommended == self.key:
            if self.problems:
                # What is missing says it already.
                return "", "plain"
            return f"Recommended: {self._report.reason}", "plain"
        if self._report.recommended in CATALOG:
            better = CATALOG[self._report.recommended].title
            return f"{better} is recommended: {self._report.reason}", "note"
        return "", "plain"

    def _sentences(self) -> list[tuple[str, Kind]]:
        if self._report is None:
            return []
        found = self._found
        if found is None:
            return [(self._report.summary, "note")]
        kind: Kind = "plain" if self.problems else "ok"
        summary: list[tuple[str, Kind]] = [(self._report.summary, kind)]
        problems: list[tuple[str, Kind]] = [(s, "problem") for s in self.problems]
        if problems:
            return summary + problems
        return summary + [(s, "note") for s in (self._asked or found).notices]

    def _note(self, text: str, kind: Kind) -> SentenceLabel:
        note = SentenceLabel(text, kind, parent=self)
        self._notes_box.addWidget(note)
        return note
