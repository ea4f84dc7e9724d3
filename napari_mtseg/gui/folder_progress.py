"""How the segmentation of a folder goes: bar, outcome, failed images, results."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from qtpy.QtCore import QTimer, Signal
from qtpy.QtWidgets import QProgressBar, QScrollArea, QVBoxLayout, QWidget

from napari_mtseg.gui.batch_words import bar_text, error_lines
from napari_mtseg.gui.named_widgets import named_button, row_of
from napari_mtseg.gui.opened_path import open_path
from napari_mtseg.gui.sentence_label import Kind, SentenceLabel
from napari_mtseg.storage.batch_ledger import BatchProgress

_MOST_SHOWN = 8
"""failed images that are listed; the report lists all"""


class FolderProgress(QWidget):
    """A bar with a stop, then the outcome with what failed and where the rest lies."""

    stopped = Signal()
    """the user wants it to stop"""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._out, self._report = Path(), Path()
        self._errors: tuple[str, ...] = ()
        self._bar = QProgressBar(self)
        self._bar.setObjectName("segment_progress")
        self._bar.setToolTip("Images that are through so far, and the time left")
        self._stop = named_button("stop_segmenting", "Stop", self)
        self._stop.setToolTip(
            "Stop; what is done is kept, and Start goes on from there"
        )
        self._outcome = SentenceLabel("", "plain", self)
        self._outcome.setObjectName("segment_outcome")
        self._failed = QWidget(self)
        self._failed.setObjectName("segment_failed")
        rows = QVBoxLayout(self._failed)
        rows.setContentsMargins(12, 0, 0, 0)
        rows.setSpacing(2)
        self._folder = named_button("open_results", "Open folder", self)
        self._folder.setToolTip("Show the results in the file manager")
        self._page = named_button("open_report", "Open report", self)
        self._page.setToolTip("Show the page about all images in the browser")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(row_of(self._bar, self._stop))
        column.addWidget(self._outcome)
        column.addWidget(self._failed)
        column.addLayout(row_of(self._folder, self._page))
        self._stop.clicked.connect(self._stop_once)
        self._folder.clicked.connect(lambda: open_path(self._out))
        self._page.clicked.connect(lambda: open_path(self._report))
        self.show_nothing()

    def begin(self) -> None:
        """Show that it begins; a bar without a range is busy."""
        self.show_nothing()
        self._bar.setRange(0, 0)
        self._bar.setFormat("")
        self._stop.setEnabled(True)
        self._show_bar(True)
        self._outcome.say("Loading the model…")
        self._come_into_view()

    def go_on(self, found: BatchProgress) -> None:
        """Show how far it is."""
        if self._stop.isEnabled():
            self._outcome.say("")
        self._bar.setRange(0, max(found.total, 1))
        self._bar.setValue(max(found.n_tried, self._bar.value()))
        self._bar.setFormat(bar_text(found))
        self._list_failed(found.errors)

    def end(
        self, sentence: str, kind: Kind, found: BatchProgress | None, out: Path
    ) -> None:
        """Show how it ended.

        Parameters
        ----------
        sentence, kind : str
            The outcome.
        found : BatchProgress, optional
            What the ledger says of it; None if it says nothing.
        out : Path
            Folder of the results.
        """
        self._show_bar(False)
        self._outcome.say(sentence, kind)
        self._list_failed(() if found is None else found.errors)
        report = None if found is None else found.report
        self._out, self._report = out, report or Path()
        has_some = found is not None and found.n_done + found.n_skipped > 0
        self._folder.setVisible(has_some)
        self._page.setVisible(report is not None)
        self._come_into_view()

    def show_nothing(self) -> None:
        """Forget what was shown."""
        self._show_bar(False)
        self._outcome.say("")
        self._list_failed(())
        for button in (self._folder, self._page):
            button.hide()

    def say(self, sentence: str, kind: Kind) -> None:
        """Show only a sentence."""
        self.show_nothing()
        self._outcome.say(sentence, kind)

    @property
    def sentence(self) -> str:
        """What is said."""
        return self._outcome.sentence

    def _come_into_view(self) -> None:
        """Scroll the page to this, once it has its place."""
        area = self.parentWidget()
        while area is not None and not isinstance(area, QScrollArea):
            area = area.parentWidget()
        if area is not None:
            QTimer.singleShot(0, partial(area.ensureWidgetVisible, self))

    def _show_bar(self, is_shown: bool) -> None:
        for widget in (self._bar, self._stop):
            widget.setVisible(is_shown)

    def _stop_once(self) -> None:
        self._stop.setEnabled(False)
        self._outcome.say("Stopping…")
        self.stopped.emit()

    def _list_failed(self, errors: Sequence[tuple[str, str]]) -> None:
        lines = error_lines(errors[:_MOST_SHOWN])
        if len(errors) > _MOST_SHOWN:
            n = len(errors) - _MOST_SHOWN
            lines += (f"{n:,} more, which the report lists.",)
        if lines == self._errors:
            return
        self._errors = lines
        rows = self._failed.layout()
        for label in self._failed.findChildren(SentenceLabel):
            rows.removeWidget(label)
            label.setParent(None)
            label.deleteLater()
        for line in lines:
            rows.addWidget(SentenceLabel(line, "problem", self._failed))
        self._failed.setVisible(bool(lines))
