"""One control per setting, made from its description."""

import json
import math
from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QEvent, QObject, Qt, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QLineEdit,
    QSizePolicy,
    QSpinBox,
    QWidget,
)

from napari_mtseg.domain.settings import SettingDescription

LARGEST = 2_147_483_647
"""what a spin box of whole numbers holds at most"""

_SOURCES = {
    "paper": "the paper's value",
    "code": "the value of the paper's code",
    "derived": "derived from the paper",
    "ours": "our choice",
}
_NO_MEASURES = ("stage", "share", "per step")
"""units that say what a number is, and do not read well behind it"""
_FINEST = 12
"""decimals that a number is shown with at most"""


class WheelGuard(QObject):
    """Keeps the wheel for scrolling the page, unless a control has the focus."""

    def eventFilter(  # noqa: N802 - Qt's name
        self, watched: QObject | None, event: QEvent | None
    ) -> bool:
        """Leave the wheel over a control without focus to the page."""
        if event is None or event.type() != QEvent.Type.Wheel:
            return False
        if not isinstance(watched, QWidget) or watched.hasFocus():
            return False
        event.ignore()
        return True


class NumberBox(QDoubleSpinBox):
    """A spin box that shows 0.001 as 0.001 and 5 as 5."""

    def textFromValue(self, value: float) -> str:  # noqa: N802 - Qt's name
        """Return the number without the zeros behind it."""
        text = f"{value:.{self.decimals()}f}"
        return text.rstrip("0").rstrip(".") if "." in text else text


class SettingControl(QObject):
    """The control of one setting.

    Parameters
    ----------
    about : SettingDescription
        The setting.
    """

    changed = Signal()

    def __init__(self, about: SettingDescription, parent: QObject | None = None):
        super().__init__(parent)
        self.about = about
        make: dict[str, Callable[[], QWidget]] = {
            "choice": self._choice,
            "switch": self._switch,
            "whole number": self._whole_number,
            "number": self._number,
        }
        self.widget: QWidget = make.get(about.kind, self._text)()
        self.widget.setObjectName(f"setting_{about.name}")
        self.widget.setToolTip(tooltip(about))
        self.widget.setAccessibleName(title(about))
        self.widget.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.widget.installEventFilter(WheelGuard(self))

    @property
    def value(self) -> Any:
        """What the control shows, as a value of the setting."""
        widget = self.widget
        if isinstance(widget, QCheckBox):
            return bool(widget.isChecked())
        if isinstance(widget, QComboBox):
            return widget.currentData()
        if isinstance(widget, QSpinBox):
            return int(widget.value())
        if isinstance(widget, QDoubleSpinBox):
            return float(f"{widget.value():.{widget.decimals()}f}")
        return self._typed(widget)

    def show_value(self, value: Any) -> None:
        """Show a value, without telling that it changed."""
        widget = self.widget
        widget.blockSignals(True)
        if isinstance(widget, QCheckBox):
            widget.setChecked(bool(value))
        elif isinstance(widget, QComboBox):
            widget.setCurrentIndex(self.about.choices.index(value))
        elif isinstance(widget, QSpinBox):
            widget.setValue(int(value))
        elif isinstance(widget, QDoubleSpinBox):
            self._make_room(widget, float(value))
            widget.setValue(float(value))
        elif isinstance(widget, QLineEdit):
            widget.setText(value if isinstance(value, str) else json.dumps(value))
        widget.blockSignals(False)

    def _choice(self) -> QComboBox:
        box = QComboBox()
        for value in self.about.choices:
            box.addItem(str(value), value)
        box.currentIndexChanged.connect(lambda _: self.changed.emit())
        return box

    def _switch(self) -> QCheckBox:
        box = QCheckBox()
        box.toggled.connect(lambda _: self.changed.emit())
        return box

    def _whole_number(self) -> QSpinBox:
        box, limits = QSpinBox(), self.about.limits
        low = limits.get("ge", limits.get("gt", -LARGEST - 1) + 1)
        high = limits.get("le", limits.get("lt", LARGEST + 1) - 1)
        box.setRange(max(int(low), -LARGEST), min(int(high), LARGEST))
        box.setSingleStep(max(int(self.about.step or 1), 1))
        box.setGroupSeparatorShown(True)
        _dress(box, self.about)
        box.valueChanged.connect(lambda _: self.changed.emit())
        return box

    def _number(self) -> QDoubleSpinBox:
        box, limits = NumberBox(), self.about.limits
        step = self.about.step or 0.01
        # One more than the step has: a person may want something between.
        box.setDecimals(min(_decimals(step) + 1, _FINEST))
        grain = 10.0 ** -box.decimals()
        low = limits.get("ge", limits.get("gt", -1e12) + grain)
        high = limits.get("le", limits.get("lt", 1e12 + grain) - grain)
        box.setRange(low, high)
        box.setSingleStep(step)
        _dress(box, self.about)
        box.valueChanged.connect(lambda _: self.changed.emit())
        return box

    def _text(self) -> QLineEdit:
        line = QLineEdit()
        line.textChanged.connect(lambda _: self.changed.emit())
        return line

    def _make_room(self, box: QDoubleSpinBox, value: float) -> None:
        """Show more decimals where a preset or an earlier run needs them."""
        needed = min(_decimals(value), _FINEST)
        if needed > box.decimals():
            box.setDecimals(needed)
            if "gt" in self.about.limits:
                box.setMinimum(self.about.limits["gt"] + 10.0**-needed)

    def _typed(self, line: QLineEdit) -> Any:
        if self.about.kind == "text":
            return line.text()
        try:
            found = json.loads(line.text())
        except json.JSONDecodeError:
            return line.text()
        # Settings are frozen: they hold tuples, which JSON does not have.
        return tuple(found) if isinstance(found, list) else found


def title(about: SettingDescription) -> str:
    """Return the name of a setting for people: 'Steps per iteration'."""
    return words(about.name)


def words(name: str) -> str:
    """Return a name of the code as people read it: 'Batch size'."""
    return name.replace("_", " ").capitalize()


def tooltip(about: SettingDescription, preset: Any = None) -> str:
    """Return what a setting means, its range, unit and source."""
    lines = [" ".join(about.text.split())]
    if about.kind != "switch":
        unit = f" ({about.unit})" if about.unit in _NO_MEASURES else _unit(about)
        lines.append(f"Range: {about.range.replace('..', ' to ')}{unit}")
    lines.append(f"Default: {_with_unit(about.default, about)}, {_source(about)}")
    if preset is not None and preset != about.default:
        lines.append(f"This preset: {_with_unit(preset, about)}")
    lines.append(f"In the shell: --set {about.name}={_shown(about.default)}")
    return "\n".join(lines)


def _source(about: SettingDescription) -> str:
    return _SOURCES.get(about.source, about.source)


def _unit(about: SettingDescription) -> str:
    """Return what stands behind a number: ' steps', or nothing."""
    return f" {about.unit}" if about.unit and about.unit not in _NO_MEASURES else ""


def _with_unit(value: Any, about: SettingDescription) -> str:
    if about.zero and value == 0:
        return f"0 ({about.zero})"
    return f"{_shown(value)}{_unit(about)}"


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def _decimals(value: float) -> int:
    """Return the decimals that show a number as it is: 2 of 0.05, 0 of 300."""
    if value == 0 or not math.isfinite(value):
        return 0
    text = f"{value:.{_FINEST}f}".rstrip("0")
    return len(text.partition(".")[2])


def _dress(box: QSpinBox | QDoubleSpinBox, about: SettingDescription) -> None:
    box.setSuffix(_unit(about))
    # Shown in place of the smallest value; where 0 is special, it is the smallest.
    box.setSpecialValueText(about.zero)
    box.setKeyboardTracking(False)
    box.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
    box.setMinimumWidth(0)
