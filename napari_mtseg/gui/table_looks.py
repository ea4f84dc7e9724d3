"""How tables of images look: rows with a picture, one column that takes the rest."""

from collections.abc import Mapping
from typing import Any

from qtpy.QtCore import QSize, Qt
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableView

PICTURE = 40
"""height and width of a thumbnail on the screen, pixels"""

MARGIN = 14
"""pixels beside the text of a cell, both sides together"""


def set_table_looks(view: QTableView) -> None:
    """Give a view of images rows that are selected whole and changed by no click."""
    view.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    view.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    view.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
    view.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    view.setTextElideMode(Qt.TextElideMode.ElideMiddle)
    view.setIconSize(QSize(PICTURE, PICTURE))
    view.setTabKeyNavigation(False)
    view.setShowGrid(False)
    view.setWordWrap(False)


def set_column_widths(
    view: QTableView, widest: Mapping[Any, str], *, stretched: int
) -> None:
    """Make rows as high as a picture, and columns as wide as their text.

    Parameters
    ----------
    view : QTableView
        With its model.
    widest : mapping of int to str
        Column -> the widest text that is shown in full.
    stretched : int
        Column that takes what is left.
    """
    rows, columns = view.verticalHeader(), view.horizontalHeader()
    rows.hide()
    rows.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
    rows.setDefaultSectionSize(PICTURE + 6)
    columns.setHighlightSections(False)
    columns.setMinimumSectionSize(1)
    columns.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
    columns.setSectionResizeMode(stretched, QHeaderView.ResizeMode.Stretch)
    for column, text in widest.items():
        width = view.fontMetrics().horizontalAdvance(text) + MARGIN
        view.setColumnWidth(column, width)


def heading(
    headings: Mapping[Any, tuple[str, str]],
    section: int,
    orientation: Qt.Orientation,
    role: int,
) -> str | None:
    """Return what a model answers of a column: its title, or what it means.

    ``headings`` are (title, meaning) by column.
    """
    if orientation != Qt.Orientation.Horizontal:
        return None
    title, meaning = headings[section]
    if role == Qt.ItemDataRole.DisplayRole:
        return title
    return meaning if role == Qt.ItemDataRole.ToolTipRole else None
