"""Going on to train from the run that is looked at, with what was accepted."""

from dataclasses import dataclass
from functools import partial

from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_mtseg.domain.review import MASK_VERDICTS
from napari_mtseg.gui.held_out import accepted_masks, learned_masks
from napari_mtseg.gui.named_widgets import named_button
from napari_mtseg.gui.newest_answer import NewestAnswer
from napari_mtseg.gui.sentence_label import SentenceLabel
from napari_mtseg.gui.state import WindowState
from napari_mtseg.storage.locks import is_locked
from napari_mtseg.storage.project import Project
from napari_mtseg.storage.review_log import ReviewLog
from napari_mtseg.storage.run_folder import RunFolder

_TIP = (
    "Opens the Train page with this run's method, settings and weights as the start of "
    "the next run"
)


@dataclass(frozen=True, kw_only=True)
class NewMasks:
    """Images that a run did not learn from, with accepted or corrected masks."""

    n_accepted: int = 0
    """accepted images that train"""
    n_corrected: int = 0
    """corrected images that train"""
    n_held_out: int = 0
    """accepted or corrected images that are held out, and so do not train"""

    def sentence(self) -> str:
        """Return such as '7 accepted, 2 corrected images join the training.'."""
        counts = ((self.n_accepted, "accepted"), (self.n_corrected, "corrected"))
        parts = [f"{n:,} {word}" for n, word in counts if n]
        n = self.n_accepted + self.n_corrected
        if not parts:
            text = (
                "No image that trains was accepted or corrected since this run: the "
                "next one would learn nothing new from this review."
            )
        else:
            images = "image joins" if n == 1 else "images join"
            text = f"{', '.join(parts)} {images} the training."
        if self.n_held_out:
            is_one = self.n_held_out == 1
            text += (
                f" {self.n_held_out:,}{' more' if n else ''} "
                f"{'is held out and does' if is_one else 'are held out and do'} not "
                "train."
            )
        return text


def new_masks(project: Project, run_id: str) -> NewMasks:
    """Return what a run that starts from this one would learn from its review.

    Slow for many verdicts: call it in a thread.
    """
    split_of = {entry.id: entry.split for entry in project.images}
    judged = {
        record.image_id
        for record in ReviewLog(project.path).records()
        if record.verdict in MASK_VERDICTS and record.image_id in split_of
    }
    learned = learned_masks(RunFolder(project.path / "runs" / run_id))
    n = {"accepted": 0, "corrected": 0, "held out": 0}
    # Not the verdicts are counted but the masks: those of any run train.
    for image, origin in accepted_masks(project, judged).items():
        if learned.get(image) != origin:
            verdict = "corrected" if origin.startswith("corrected") else "accepted"
            n[verdict if split_of[image] == "train" else "held out"] += 1
    return NewMasks(
        n_accepted=n["accepted"],
        n_corrected=n["corrected"],
        n_held_out=n["held out"],
    )


class TrainAgain(QWidget):
    """A button to the Train page, and how many masks the review has added.

    Parameters
    ----------
    state : WindowState
        Its ``start_from`` and ``page`` are set.
    """

    def __init__(self, state: WindowState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("train_again_panel")
        self._state = state
        self._run_id: str | None = None
        self._is_behind = False
        self._counting = NewestAnswer(self)
        self._said = SentenceLabel("", "plain", self)
        self._said.setObjectName("new_masks")
        self._button = named_button("train_again", "Train again from this run", self)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(self._said)
        column.addWidget(self._button)
        self._counting.answered.connect(self._show)
        self._button.clicked.connect(self._go)
        state.events.project.connect(self._leave_project)
        state.reviewed.connect(self.refresh)
        state.annotation_saved.connect(self._refresh_later)
        state.events.page.connect(self._show_page)
        state.runs_changed.connect(self.refresh)
        state.images_changed.connect(self.refresh)
        self.refresh()

    def set_run(self, run_id: str | None) -> None:
        """Choose the run to train on from; None for none."""
        if run_id != self._run_id:
            self._run_id = run_id
            self._said.say("")
            self.refresh()

    def refresh(self) -> None:
        """Count again: a verdict was given or taken back, or a run has ended."""
        self._is_behind = False
        project, obstacle = self._state.project, self._obstacle()
        self._button.setEnabled(not obstacle)
        self._button.setToolTip(obstacle or _TIP)
        if project is None or self._run_id is None:
            self._counting.drop()
            self._said.say("")
        else:
            self._counting.ask(partial(new_masks, project, self._run_id))

    def _refresh_later(self) -> None:
        """Count again once that is looked at: paint may be gone, or be new."""
        self._is_behind = True
        self._show_page()

    def _show_page(self) -> None:
        if self._is_behind and self._state.page == "review":
            self.refresh()

    def _obstacle(self) -> str:
        """Return why one cannot train from this run now, or ''."""
        if self._state.project is None or self._run_id is None:
            return "Nothing is trained yet. Train a run on the Train page first."
        run = RunFolder(self._state.project.path / "runs" / self._run_id)
        if is_locked(run.path):
            return "This run is training. Train again when it has ended."
        if not run.checkpoint("best").exists():
            return "This run has no weights to start from. Choose another run."
        return ""

    def _show(self, found: NewMasks) -> None:
        is_new = found.n_accepted + found.n_corrected > 0
        self._said.say(found.sentence(), "ok" if is_new else "plain")

    def _leave_project(self) -> None:
        self._run_id = None
        self.refresh()

    def _go(self) -> None:
        self._state.start_from = self._run_id
        self._state.page = "train"
