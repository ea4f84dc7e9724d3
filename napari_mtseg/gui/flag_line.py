"""From which score on images are flagged: a line on the histogram, kept per score."""

import math

from qtpy.QtCore import QObject, Signal

from napari_mtseg.domain.review import FlagRule
from napari_mtseg.gui.doubt_histogram import DoubtHistogram
from napari_mtseg.gui.review_rows import worst_threshold
from napari_mtseg.gui.review_table import ReviewTable


class FlagLine(QObject):
    """Keeps the line of the histogram and the flags of the table in step.

    Parameters
    ----------
    table : ReviewTable
        Its images are flagged.
    histogram : DoubtHistogram
        Its line is dragged.
    parent : QObject, optional
        Qt parent.
    """

    moved = Signal()
    """other images are flagged now"""
    settled = Signal(str, float)
    """score, and the threshold that the user has settled on for it"""

    def __init__(
        self,
        table: ReviewTable,
        histogram: DoubtHistogram,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._table, self._histogram = table, histogram
        self._thresholds: dict[str, float] = {}
        histogram.moved.connect(self._move)
        histogram.let_go.connect(self._settle)
        histogram.reset_asked.connect(self._flag_worst)

    def forget(self) -> None:
        """Another run: its lines are where nobody has moved them."""
        self._thresholds.clear()

    def learn(self, rule: FlagRule | None) -> None:
        """Take a saved line, unless the user has moved it since."""
        if rule is not None:
            self._thresholds.setdefault(rule.score, rule.threshold)

    def show_score(self, name: str | None) -> None:
        """Sort and flag by a score; the worst 10 % where nobody has moved the line."""
        self._table.set_score(name)
        values, known = self._table.rows.values, self._thresholds.get(name or "")
        threshold = worst_threshold(values) if known is None else known
        self._table.set_threshold(threshold)
        self._histogram.show_values(values)
        self._histogram.set_threshold(threshold)

    def _move(self, threshold: float) -> None:
        score = self._table.rows.score
        if score is not None:
            self._thresholds[score] = threshold
            self._table.set_threshold(threshold)
            self.moved.emit()

    def _settle(self, threshold: float) -> None:
        score = self._table.rows.score
        if score is not None and math.isfinite(threshold):
            self.settled.emit(score, threshold)

    def _flag_worst(self) -> None:
        threshold = worst_threshold(self._table.rows.values)
        self._histogram.set_threshold(threshold)
        self._move(threshold)
        self._settle(threshold)
