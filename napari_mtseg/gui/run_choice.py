"""Choosing one of a project's runs, named for people."""

from collections.abc import Sequence
from pathlib import Path

from qtpy.QtWidgets import QComboBox, QWidget

from napari_mtseg.gui.run_records import began_text
from napari_mtseg.methods.catalog import CATALOG
from napari_mtseg.storage.run_folder import RunFolder, runs_of

_STAMP = len("20260101-120000-")
"""letters of a run's name before its method"""


class RunChoice(QComboBox):
    """A box of runs; its data are their names."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self.setAccessibleName("Run")
        shrinks = QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        self.setSizeAdjustPolicy(shrinks)
        self.setMinimumContentsLength(12)

    @property
    def run_id(self) -> str | None:
        """Run that is chosen; None if there is none."""
        return self.currentData()

    def list_runs(self, runs: Sequence[RunFolder], wanted: str | None) -> None:
        """Offer other runs: ``wanted`` is chosen, else what was, else the first."""
        ids = [run.path.name for run in runs]
        chosen = wanted if wanted in ids else self.run_id
        self.clear()
        for run_id, title in zip(ids, run_titles(ids), strict=True):
            self.addItem(title, run_id)
        first = 0 if ids else -1
        self.setCurrentIndex(ids.index(chosen) if chosen in ids else first)


def run_titles(run_ids: Sequence[str]) -> list[str]:
    """Return names for people: method and local time, to the second for equal ones.

    Each run of a project has a second of its own.
    """
    titles = [_title(run_id, to_second=False) for run_id in run_ids]
    return [
        _title(run_id, to_second=True) if titles.count(title) > 1 else title
        for run_id, title in zip(run_ids, titles, strict=True)
    ]


def _title(run_id: str, *, to_second: bool) -> str:
    began, method = began_text(run_id, to_second=to_second), run_id[_STAMP:]
    if began == run_id:
        return run_id
    return f"{CATALOG[method].title if method in CATALOG else method} · {began}"


def trained_runs(project: Path) -> list[RunFolder]:
    """Return the runs of a project that have weights, newest first."""
    runs = reversed(runs_of(project))
    return [run for run in runs if run.checkpoint("best").exists()]
