"""Two or more runs beside each other: scores, settings that differ, curves."""

from collections.abc import Mapping, Sequence

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QAbstractItemView,
    QDialog,
    QHeaderView,
    QLabel,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_mtseg.gui.curves import CurvePlot, Series
from napari_mtseg.gui.run_records import NOT_SET, RunRecord, differing_settings
from napari_mtseg.gui.setting_controls import words

BEST = " ★"
"""sign behind the best value of a row"""

_ROW = 24


class RunComparison(QDialog):
    """A window that compares runs.

    Parameters
    ----------
    records : sequence of RunRecord
        The runs, a column each.
    """

    def __init__(
        self, records: Sequence[RunRecord], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setObjectName("run_comparison")
        self.setWindowTitle(f"Compare {len(records)} runs")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.resize(640, 620)
        names = _names(records)
        layout = QVBoxLayout(self)
        layout.addWidget(QLabel("Scores"))
        layout.addWidget(_table("score_table", names, score_rows(records)))
        differing = differing_settings(records)
        layout.addWidget(QLabel("Settings that differ" if differing else ""))
        rows = {words(name): row for name, row in differing.items()}
        if rows:
            layout.addWidget(_table("setting_table", names, rows), stretch=1)
        else:
            layout.addWidget(QLabel("All settings are the same."))
        for plot in _plots(names, records):
            layout.addWidget(plot)
        layout.addStretch(1)
        close = QPushButton("Close")
        close.setToolTip("Closes this comparison.")
        close.clicked.connect(self.close)
        layout.addWidget(close)


def score_rows(records: Sequence[RunRecord]) -> dict[str, tuple[str, ...]]:
    """Return what runs reached: name -> value of each run, the best one signed."""
    names = dict.fromkeys(name for record in records for name in record.metrics)
    rows = {
        "steps": tuple(
            f"{r.n_steps:,} of {r.total_steps:,}, {r.outcome}" for r in records
        )
    }
    for name in names:
        values = [record.metrics.get(name) for record in records]
        best = max((v for v in values if v is not None and v == v), default=None)
        rows[name] = tuple(
            NOT_SET if value is None else f"{value:.3f}{BEST if value == best else ''}"
            for value in values
        )
    return {words(name): row for name, row in rows.items()}


def _names(records: Sequence[RunRecord]) -> tuple[str, ...]:
    """Return a name per run, none of them twice."""
    dates = [record.created or record.id for record in records]
    return tuple(
        date if dates.count(date) == 1 else f"{date}, {dates[: i + 1].count(date)}"
        for i, date in enumerate(dates)
    )


def _table(
    object_name: str, columns: Sequence[str], rows: Mapping[str, Sequence[str]]
) -> QTableWidget:
    table = QTableWidget(len(rows), len(columns))
    table.setObjectName(object_name)
    table.setHorizontalHeaderLabels(list(columns))
    table.setVerticalHeaderLabels(list(rows))
    table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    table.setTabKeyNavigation(False)
    table.verticalHeader().setDefaultSectionSize(_ROW)
    table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
    for i, row in enumerate(rows.values()):
        for j, text in enumerate(row):
            item = QTableWidgetItem(text)
            item.setToolTip(text)
            table.setItem(i, j, item)
    table.setMinimumHeight(min(len(rows), 4) * _ROW + 34)
    table.setMaximumHeight(len(rows) * _ROW + 34)
    return table


def _plots(names: Sequence[str], records: Sequence[RunRecord]) -> list[CurvePlot]:
    plots = []
    for key, title, tooltip in (
        ("loss", "Loss", "Sum of the losses by step; lower is better."),
        ("score", "Validation score", "Score on held-out images by step."),
    ):
        curves: dict[str, Series] = {
            name: record.curves[key]
            for name, record in zip(names, records, strict=True)
            if key in record.curves and record.curves[key].x
        }
        if curves:
            plot = CurvePlot(
                title, f"compared_{key}", tooltip=tooltip, are_scores=key == "score"
            )
            plot.draw(curves)
            plots.append(plot)
    return plots
