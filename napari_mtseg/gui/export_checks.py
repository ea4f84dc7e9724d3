"""What `mtseg export` found when it checked what it wrote."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_mtseg.gui.fold import Fold
from napari_mtseg.gui.sentence_label import SIGNS, Kind, SentenceLabel


@dataclass(frozen=True, kw_only=True)
class CheckLine:
    """One check of an exported model."""

    what: str
    """what was checked, a sentence"""
    passed: bool
    """whether it holds"""
    figure: float | None = None
    """largest difference of two values; None where nothing was compared"""

    @property
    def sentence(self) -> str:
        """The sentence with its figure."""
        if self.figure is None:
            return self.what
        # A minus sign: lines may break behind hyphens.
        figure = f"{self.figure:.2g}".replace("-", "\N{MINUS SIGN}")
        return f"{self.what.rstrip('.')} (largest difference {figure})"


@dataclass(frozen=True, kw_only=True)
class WrittenModel:
    """What `mtseg export --json` said."""

    path: Path | None
    """the model; None if none was written"""
    checks: tuple[CheckLine, ...] = ()
    """what was checked of it"""


class ExportChecks(QWidget):
    """A line per check that failed, and how many passed, which opens to a line each."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("export_checks")
        self._failed, self._passed = _column_of_lines(self), _column_of_lines(self)
        self._fold = Fold(
            "",
            self._passed,
            tooltip="What was compared, and how well it agrees",
            parent=self,
        )
        self._fold.heading.setObjectName("export_checks_fold")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addWidget(self._failed)
        column.addWidget(self._fold)
        self.hide()

    @property
    def lines(self) -> tuple[str, ...]:
        """What is known: what failed, then what passed and may be folded away."""
        labels = [
            label
            for part in (self._failed, self._passed)
            for label in part.findChildren(SentenceLabel)
        ]
        return tuple(SIGNS[label.kind] + label.sentence for label in labels)

    def show_checks(self, checks: Sequence[CheckLine]) -> None:
        """Show these checks in place of those before; nothing for none."""
        passed = [check.sentence for check in checks if check.passed]
        failed = [check.sentence for check in checks if not check.passed]
        _show_lines(self._failed, failed, "problem")
        _show_lines(self._passed, passed, "ok")
        n = len(passed)
        self._fold.set_title(f"{n} check{'' if n == 1 else 's'} passed")
        self._fold.set_open(False)
        self._failed.setVisible(bool(failed))
        self._fold.setVisible(bool(passed))
        self.setVisible(bool(checks))


def _column_of_lines(parent: QWidget) -> QWidget:
    holder = QWidget(parent)
    column = QVBoxLayout(holder)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(2)
    return holder


def _show_lines(holder: QWidget, lines: Sequence[str], kind: Kind) -> None:
    column = holder.layout()
    for label in holder.findChildren(SentenceLabel):
        column.removeWidget(label)
        label.setParent(None)
        label.deleteLater()
    for line in lines:
        column.addWidget(SentenceLabel(line, kind, holder))


def written_model(stdout: str) -> WrittenModel:
    """Return what an export printed; a model without a path if that cannot be read.

    Whatever libraries printed before the report is passed over.
    """
    told = _report_in(stdout)
    model, checks = told.get("model"), told.get("checks")
    lines = checks if isinstance(checks, list) else []
    return WrittenModel(
        path=Path(model) if isinstance(model, str) and model else None,
        checks=tuple(line for line in map(_line, lines) if line is not None),
    )


def _report_in(stdout: str) -> Mapping[str, Any]:
    lines = stdout.splitlines()
    starts = [n for n, line in enumerate(lines) if line.startswith("{")]
    for n in reversed(starts):
        try:
            told = json.loads("\n".join(lines[n:]))
        except ValueError:
            continue
        if isinstance(told, dict):
            return told
    return {}


def _line(told: object) -> CheckLine | None:
    if not isinstance(told, dict) or not isinstance(told.get("what"), str):
        return None
    figure = told.get("figure")
    if isinstance(figure, bool) or not isinstance(figure, int | float):
        figure = math.nan
    return CheckLine(
        what=told["what"],
        passed=told.get("passed") is True,
        figure=float(figure) if math.isfinite(figure) else None,
    )
