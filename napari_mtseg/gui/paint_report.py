"""What is painted on this image, and what all the paint allows, in words."""

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_mtseg.domain.annotation import Tags
from napari_mtseg.gui.editing import Editing
from napari_mtseg.gui.painted_image import PaintCounts
from napari_mtseg.gui.sentence_label import SentenceLabel
from napari_mtseg.gui.state import WindowState
from napari_mtseg.gui.trainer import ReadinessReport, Trainer
from napari_mtseg.methods.catalog import CATALOG

ASK_AFTER = 800
"""milliseconds without another save until the child is asked again"""


class PaintReport(QWidget):
    """Counts for the current image; below, which methods are ready.

    Parameters
    ----------
    state : WindowState
        Says when paint is on disk.
    editing : Editing
        Counts what is painted.
    trainer : Trainer
        Knows what all the paint allows.
    parent : QWidget, optional
        Qt parent.
    """

    def __init__(
        self,
        state: WindowState,
        editing: Editing,
        trainer: Trainer,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._state, self._editing, self._trainer = state, editing, trainer
        self._counts = SentenceLabel(parent=self)
        self._counts.setObjectName("paint_counts")
        self._summary = SentenceLabel(parent=self)
        self._summary.setObjectName("paint_summary")
        self._methods = {key: SentenceLabel(parent=self) for key in CATALOG}
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for label in (self._counts, self._summary, *self._methods.values()):
            layout.addWidget(label)
        for key, label in self._methods.items():
            label.setObjectName(f"readiness_{key}")
            label.setToolTip(f"Uses {CATALOG[key].uses}.")
        self._asking = QTimer(self)
        self._asking.setSingleShot(True)
        self._asking.setInterval(ASK_AFTER)
        self._asking.timeout.connect(self._ask)
        self._join()
        self._show_counts()

    def _join(self) -> None:
        self._editing.changed.connect(self._show_counts)
        self._state.events.project.connect(self._forget)
        for signal in (
            self._state.annotation_saved,
            self._state.classes_changed,
            self._state.images_changed,
        ):
            signal.connect(self._ask_soon)
        self._trainer.prepared.connect(self._ask_soon)
        self._trainer.readiness_changed.connect(self._show_readiness)

    def _ask_soon(self) -> None:
        self._asking.start()

    def _ask(self) -> None:
        if self._state.project is not None:
            self._trainer.ask_readiness()

    def _forget(self) -> None:
        self._asking.stop()
        for label in (self._summary, *self._methods.values()):
            label.say("")

    def _show_counts(self) -> None:
        self._counts.say(counts_sentence(self._editing.counts))

    def _show_readiness(self, report: ReadinessReport) -> None:
        if self._state.project is None:
            return
        self._summary.say(f"All images: {report.summary}")
        for key, label in self._methods.items():
            found, title = report.methods.get(key), CATALOG[key].title
            if found is None:
                label.say("")
            elif found.ready:
                label.say(f"{title} is ready.", "ok")
            else:
                problem = found.problems[0] if found.problems else "not ready yet."
                label.say(f"{title}: {problem}", "note")


def counts_sentence(counts: PaintCounts) -> str:
    """Say how much is painted on the current image."""
    parts = (
        _count(counts.n_partial, "partial mask"),
        _count(counts.n_strokes, "scribble"),
        _count(counts.n_full, "full mask"),
    )
    where = "Here" if counts.is_of_part else "This image"
    return f"{where}: {', '.join(parts)}"


def is_unpainted(counts: PaintCounts) -> bool:
    """Tell whether nothing at all is painted on the current image."""
    return not (counts.n_partial or counts.n_strokes or counts.n_full)


def tags_without_paint(tags: Tags) -> Tags:
    """Return what of the tags still holds when all paint is gone."""
    return Tags(scene=tags.scene, present=tags.present)


def _count(n: int, word: str) -> str:
    return f"{n} {word}" if n == 1 else f"{n} {word}s"
