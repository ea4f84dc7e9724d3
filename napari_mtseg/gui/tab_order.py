"""The Tab key goes through a page in reading order."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QScrollArea, QWidget


def set_reading_order(page: QWidget) -> None:
    """Let Tab visit the controls of ``page`` in the order of its layouts.

    Qt's own order is that in which controls were made, which differs as soon as some
    are made later.
    """
    controls = [
        control
        for control in _in_reading_order(page)
        if control.focusPolicy() & Qt.FocusPolicy.TabFocus
    ]
    for before, after in pairwise(controls):
        QWidget.setTabOrder(before, after)


def _in_reading_order(widget: QWidget) -> Iterator[QWidget]:
    inner = widget.widget() if isinstance(widget, QScrollArea) else widget
    layout = None if inner is None else inner.layout()
    if layout is None:
        yield widget
    else:
        yield from _in_layout(layout)


def _in_layout(layout: Any) -> Iterator[QWidget]:
    for place in range(layout.count()):
        item = layout.itemAt(place)
        if item.widget() is not None:
            yield from _in_reading_order(item.widget())
        elif item.layout() is not None:
            yield from _in_layout(item.layout())
