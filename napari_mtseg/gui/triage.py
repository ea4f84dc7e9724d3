"""Triage: the predicted images by doubt, and a person's verdicts on them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from qtpy.QtCore import Signal
from qtpy.QtGui import QPixmap
from qtpy.QtWidgets import QGroupBox, QVBoxLayout, QWidget

from napari_mtseg.domain.review import DEFAULT_SCORE, FlagRule
from napari_mtseg.gui.doubt_histogram import DoubtHistogram
from napari_mtseg.gui.editing import Editing
from napari_mtseg.gui.flag_line import FlagLine
from napari_mtseg.gui.judging import Judging
from napari_mtseg.gui.newest_answer import NewestAnswer
from napari_mtseg.gui.review_filter import ReviewFilter
from napari_mtseg.gui.review_table import ReviewTable
from napari_mtseg.gui.review_table_view import ReviewTableView
from napari_mtseg.gui.review_words import counts_in_words
from napari_mtseg.gui.sentence_label import SentenceLabel
from napari_mtseg.gui.state import WindowState
from napari_mtseg.gui.thumbnails import Thumbnails
from napari_mtseg.gui.verdict_buttons import VerdictButtons
from napari_mtseg.storage.project import Project
from napari_mtseg.storage.review_index import ReviewedImage, ReviewIndex
from napari_mtseg.storage.review_log import ReviewLog

NO_SCORES = (
    "These results have no scores to sort by. Predict the images again to get them."
)


@dataclass(frozen=True, eq=False, kw_only=True)
class _Found:
    """What was read of a run."""

    run: str
    images: tuple[ReviewedImage, ...]
    rule: FlagRule | None
    """which images are flagged; None if nobody said"""
    n_changes: int
    """verdicts that had been given or saved when reading began"""


class Triage(QGroupBox):
    """Lists what a run predicted, the most doubtful first, and takes verdicts.

    Parameters
    ----------
    state : WindowState
        Its image is set by a row, and after a verdict.
    editing : Editing
        The paint of the image on the canvas.
    thumbnails : Thumbnails
        Those of the project, which other tables show too.
    parent : QWidget, optional
        Qt parent.
    """

    score_chosen = Signal(str)
    """score that the images are sorted by from now on, of SCORES"""

    def __init__(
        self,
        state: WindowState,
        editing: Editing,
        thumbnails: Thumbnails,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__("Predicted images", parent)
        self.setObjectName("triage")
        self._state = state
        self._run: str | None = None
        self._index = ReviewIndex()
        self._reading = NewestAnswer(self)
        self._thumbnails = thumbnails
        self.table = ReviewTable(self._picture_of, self)
        self.view = ReviewTableView(self.table, self)
        self._build()
        self._judging = Judging(
            state, editing, view=self.view, buttons=self._buttons, said=self._said
        )
        self._join()
        self.list_images(())

    @property
    def score(self) -> str | None:
        """Score that the images are sorted by; None where they have none."""
        return self.table.rows.score

    def actions_by_name(self) -> Mapping[str, Callable[[], object]]:
        """Return what keys do, by their name in the preferences."""
        return self._judging.actions_by_name()

    def set_run(self, run: str | None) -> None:
        """List what another run predicted; None for none. It is read in a thread."""
        if run != self._run:
            self._run = run
            self._line.forget()
            self._judging.set_run(run)
            self.list_images(())
        self.read()

    def read(self) -> None:
        """Read again in a thread what the run predicted."""
        project, run, index = self._state.project, self._run, self._index
        if project is None or run is None:
            self._reading.drop()
            self.list_images(())
        else:
            n_changes = self._judging.n_changes
            self._reading.ask(lambda: _found(project, run, index, n_changes))

    def list_images(
        self, images: Sequence[ReviewedImage], rule: FlagRule | None = None
    ) -> None:
        """List images in place of the present ones.

        Parameters
        ----------
        images : sequence of ReviewedImage
            What the run predicted.
        rule : FlagRule, optional
            Which of them are flagged; the worst 10 % by default.
        """
        self._line.learn(rule)
        self.table.list_images(images, self._run or "")
        scores = self.table.rows.scores()
        wanted = [self.score, rule.score if rule else None, DEFAULT_SCORE, *scores]
        self._line.show_score(next((n for n in wanted if n in scores), None))
        self._filter.offer_scores(scores, self.score)
        self._filter.offer_disagreeing(self.table.rows.tells_classes)
        self._no_scores.say(NO_SCORES if images and not scores else "", "note")
        self._histogram.setVisible(bool(scores))
        self.setVisible(bool(images))
        self._follow()
        self.view.show_image(self._state.image_id)

    def _build(self) -> None:
        self._filter = ReviewFilter(self)
        self._no_scores = SentenceLabel("", "plain", self)
        self._no_scores.setObjectName("no_scores")
        self._histogram = DoubtHistogram(self)
        self._line = FlagLine(self.table, self._histogram, self)
        self._counts = SentenceLabel("", "plain", self)
        self._counts.setObjectName("review_counts")
        self._buttons = VerdictButtons(self)
        self._said = SentenceLabel("", "plain", self)
        self._said.setObjectName("verdict_outcome")
        column = QVBoxLayout(self)
        column.setSpacing(4)
        column.addWidget(self._filter)
        column.addWidget(self._no_scores)
        column.addWidget(self._histogram)
        column.addWidget(self._counts)
        column.addWidget(self.view, stretch=1)
        column.addWidget(self._buttons)
        column.addWidget(self._said)

    def _join(self) -> None:
        state = self._state
        self._thumbnails.made.connect(self.table.tell)
        self._reading.answered.connect(self._show)
        self._reading.refused.connect(lambda why: self._said.say(why, "problem"))
        self._filter.score_chosen.connect(self._choose_score)
        self._filter.changed.connect(self._change_filter)
        self._line.moved.connect(self._follow)
        self._line.settled.connect(self._save_rule)
        self.view.chosen.connect(self._choose)
        self._judging.changed.connect(self._follow)
        state.events.project.connect(self._filter.clear)

    def _picture_of(self, image_id: str) -> QPixmap | None:
        project = self._state.project
        if project is None:
            return None
        return self._thumbnails.pixmap(project.image(image_id))

    def _show(self, found: _Found) -> None:
        if found.run != self._run or self._state.project is None:
            return
        if found.n_changes != self._judging.n_changes:
            # It may lack a verdict that was saved meanwhile.
            self.read()
        else:
            self.list_images(found.images, found.rule)

    def _choose(self, image_id: str) -> None:
        self._state.image_id = image_id

    def _choose_score(self, name: str) -> None:
        self._line.show_score(name)
        self._follow()
        self.view.show_image(self._state.image_id)
        self.score_chosen.emit(name)

    def _change_filter(self) -> None:
        self.table.set_filter(self._filter.state, self._filter.text)
        self._follow()

    def _save_rule(self, score: str, threshold: float) -> None:
        if self._run is not None:
            self._judging.writer.set_flag_rule(self._run, score, threshold)

    def _follow(self) -> None:
        """Show counts, and what can be done, as it is now."""
        counts = self.table.rows.counts()
        self._filter.say_counts(counts)
        self._counts.say(
            counts_in_words(
                counts,
                n_saving=self._judging.writer.n_waiting,
                takes_back=self._judging.writer.takes_back,
            )
        )
        self._judging.allow()


def _found(project: Project, run: str, index: ReviewIndex, n_changes: int) -> _Found:
    log = ReviewLog(project.path)
    return _Found(
        run=run,
        images=index.images(project, run, log=log),
        rule=log.flag_rule(run),
        n_changes=n_changes,
    )
