"""The earlier runs of a project as a table, and what can be done with them."""

from collections.abc import Sequence

from qtpy.QtCore import QItemSelectionModel, Qt, Signal
from qtpy.QtWidgets import (
    QAbstractItemView,
    QGridLayout,
    QHeaderView,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_mtseg.gui.run_records import NOT_SET, RunRecord
from napari_mtseg.gui.sentence_label import SentenceLabel

_SIGNS = {
    "done": "✔",
    "stopped": "■",
    "failed": "✖",
    "training": "▶",
    "cut off": "✖",
    "damaged": "✖",
}
_WORDS = {
    "done": "It took all its steps.",
    "stopped": "It was stopped, and can be resumed.",
    "failed": "It failed.",
    "training": "It trains now.",
    "cut off": "It ended without a word.",
    "damaged": "Its files cannot be read.",
}
_ROWS_SHOWN = 5
_WAYS = {
    "compare": ("Compare", "Shows settings that differ, curves and scores."),
    "train_on": (
        "Train on from this run",
        "Chooses its weights and grown labels as the start of the next run.",
    ),
    "resume": ("Resume", "Goes on with this run where it stopped."),
}


class EarlierRuns(QWidget):
    """A row per run, newest first. Choosing one looks at it; two or more compare."""

    looked_at = Signal(str)
    train_on = Signal(str)
    resume = Signal(str)
    compare = Signal(object)
    """records of the chosen runs"""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("earlier_runs")
        self._records: tuple[RunRecord, ...] = ()
        self._is_training = False
        self._build()
        self.show_records(())

    @property
    def chosen(self) -> tuple[RunRecord, ...]:
        """Records of the rows that are selected, newest first."""
        rows = {index.row() for index in self.table.selectionModel().selectedRows()}
        return tuple(r for i, r in enumerate(self._records) if i in rows)

    def show_records(self, records: Sequence[RunRecord]) -> None:
        """Show these runs; rows that were selected stay so."""
        before = {record.id for record in self.chosen}
        self._records = tuple(records)
        self.table.blockSignals(True)
        self.table.setRowCount(len(records))
        for row, record in enumerate(records):
            self._fill(row, record)
        self._select(before)
        self.table.blockSignals(False)
        row_height = self.table.verticalHeader().defaultSectionSize()
        n_rows = min(max(len(records), 1), _ROWS_SHOWN)
        header = self.table.horizontalHeader().sizeHint().height()
        self.table.setFixedHeight(header + n_rows * row_height + 4)
        self.table.setVisible(bool(records))
        self._nothing.say("" if records else "No run yet. Train to make one.")
        self._refresh()

    def set_training(self, is_training: bool) -> None:
        """Offer to resume only while nothing trains."""
        self._is_training = is_training
        self._refresh()

    def _build(self) -> None:
        self.table = QTableWidget(0, 4)
        self.table.setObjectName("run_table")
        self.table.setHorizontalHeaderLabels(["Date", "Method", "Steps", "Dice"])
        self.table.setToolTip(
            "One row looks at that run; several (Shift or Ctrl) can be compared."
        )
        self.table.verticalHeader().setVisible(False)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setTabKeyNavigation(False)
        self.table.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.table.setMinimumWidth(1)
        modes = QHeaderView.ResizeMode
        for column, mode in enumerate(
            (modes.ResizeToContents, modes.Stretch, *[modes.ResizeToContents] * 2)
        ):
            self.table.horizontalHeader().setSectionResizeMode(column, mode)
        self._nothing = SentenceLabel(parent=self)
        self._note = SentenceLabel(parent=self)
        self._note.setObjectName("run_note")
        grid = QGridLayout()
        self._buttons = {name: self._button(name) for name in _WAYS}
        grid.addWidget(self._buttons["compare"], 0, 0)
        grid.addWidget(self._buttons["resume"], 0, 1)
        grid.addWidget(self._buttons["train_on"], 1, 0, 1, 2)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for widget in (self._nothing, self.table, self._note):
            layout.addWidget(widget)
        layout.addLayout(grid)
        self.table.itemSelectionChanged.connect(self._choose)

    def _button(self, name: str) -> QPushButton:
        button = QPushButton(_WAYS[name][0])
        button.setObjectName(f"run_{name}")
        button.clicked.connect(lambda: self._act(name))
        return button

    def _fill(self, row: int, record: RunRecord) -> None:
        steps = f"{record.n_steps:,} {_SIGNS[record.outcome]}"
        score = NOT_SET if record.score is None else f"{record.score:.3f}"
        date = record.created or record.id
        tooltip = f"{record.id}\n{_WORDS[record.outcome]} {record.message}".strip()
        for column, text in enumerate((date, record.title or "?", steps, score)):
            item = QTableWidgetItem(text)
            item.setToolTip(tooltip)
            self.table.setItem(row, column, item)

    def _select(self, ids: set[str]) -> None:
        self.table.clearSelection()
        flags = QItemSelectionModel.SelectionFlag
        for row, record in enumerate(self._records):
            if record.id in ids:
                self.table.selectionModel().select(
                    self.table.model().index(row, 0), flags.Select | flags.Rows
                )

    def _choose(self) -> None:
        self._refresh()
        if len(self.chosen) == 1:
            self.looked_at.emit(self.chosen[0].id)

    def _refresh(self) -> None:
        chosen = self.chosen
        one = chosen[0] if len(chosen) == 1 else None
        why = {
            "compare": "" if len(chosen) > 1 else "Choose two or more runs first.",
            "train_on": _why_not_train_on(one),
            "resume": _why_not_resume(one, is_training=self._is_training),
        }
        for name, button in self._buttons.items():
            button.setEnabled(not why[name])
            button.setToolTip(why[name] or _WAYS[name][1])
            button.setVisible(bool(self._records))
        self._note.say(one.message if one is not None else "", "problem")

    def _act(self, name: str) -> None:
        if name == "compare":
            self.compare.emit(self.chosen)
        elif name == "resume":
            self.resume.emit(self.chosen[0].id)
        else:
            self.train_on.emit(self.chosen[0].id)


def _why_not_train_on(record: RunRecord | None) -> str:
    if record is None:
        return "Choose one run first."
    return "" if record.has_weights else "This run has no weights yet."


def _why_not_resume(record: RunRecord | None, *, is_training: bool) -> str:
    if record is None:
        return "Choose one run first."
    if record.outcome == "done":
        return "This run has taken all its steps. Train on from it instead."
    if is_training or record.outcome == "training":
        return "A training is running. Stop it first."
    if not record.can_resume:
        return "This run has no checkpoint to go on from. Train anew."
    return ""
