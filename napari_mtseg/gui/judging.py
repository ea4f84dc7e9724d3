"""Giving verdicts on the image that is shown, and going on to the next one."""

from collections.abc import Callable, Mapping

from qtpy.QtCore import QObject, Signal

from napari_mtseg.domain.review import Verdict
from napari_mtseg.gui.editing import Editing
from napari_mtseg.gui.review_table_view import ReviewTableView
from napari_mtseg.gui.sentence_label import SentenceLabel
from napari_mtseg.gui.state import WindowState
from napari_mtseg.gui.verdict_buttons import VerdictButtons
from napari_mtseg.gui.verdict_writer import TakenBack, VerdictWriter
from napari_mtseg.storage.verdicts import Judged

NOT_PREDICTED = "This run has not predicted this image: predict it first."
ALL_REVIEWED = "Every image of this list has a verdict."
NOTHING_TO_UNDO = "There is no verdict on a result of this run."


class Judging(QObject):
    """Takes verdicts from buttons and keys, and shows what came of them.

    Parameters
    ----------
    state : WindowState
        Its image is judged, and set to the next one.
    editing : Editing
        The paint of the image on the canvas.
    view : ReviewTableView
        Lists the images.
    buttons : VerdictButtons
        What the user clicks.
    said : SentenceLabel
        Says what went wrong, or what is to be known of a verdict.
    """

    changed = Signal()
    """other verdicts are given or on their way"""

    def __init__(
        self,
        state: WindowState,
        editing: Editing,
        *,
        view: ReviewTableView,
        buttons: VerdictButtons,
        said: SentenceLabel,
    ) -> None:
        super().__init__(view)
        self._state, self._view, self._table = state, view, view.images
        self._buttons, self._said = buttons, said
        self._run: str | None = None
        self._jumped_to: str | None = None
        self.n_changes = 0
        """verdicts that were given, saved or taken back so far"""
        self.writer = VerdictWriter(state, editing, self)
        buttons.judged.connect(self.judge)
        buttons.undo_asked.connect(self.take_back)
        buttons.next_asked.connect(self.next_worst)
        self.writer.judged.connect(self._show_judged)
        self.writer.taken_back.connect(self._show_taken_back)
        self.writer.refused.connect(self._show_refused)
        self.writer.changed.connect(self.changed)
        state.events.image_id.connect(self._show_current)

    def set_run(self, run: str | None) -> None:
        """Judge what another run predicted; None for none."""
        self._run, self._jumped_to = run, None
        self._said.say("")

    def actions_by_name(self) -> Mapping[str, Callable[[], object]]:
        """Return what keys do, by their name in the preferences."""
        return {
            "accept": lambda: self.judge("accepted"),
            "reject": lambda: self.judge("rejected"),
            "fix": lambda: self.judge("corrected"),
            "skip": lambda: self.judge("skipped"),
            "undo_verdict": self.take_back,
            "next_worst": self.next_worst,
        }

    def judge(self, verdict: Verdict) -> None:
        """Give a verdict on the image that is shown, and go on to the next one."""
        self._view.settle()
        image_id, run = self._state.image_id, self._run
        if image_id is None or run is None or self._why_not():
            return
        following = self._table.next_unreviewed(image_id)
        if not self.writer.give(image_id, run, verdict):
            return
        self.n_changes += 1
        self._said.say("")
        self._table.set_saving(image_id, verdict)
        self.changed.emit()
        if verdict != "corrected":
            self._jump(following)

    def take_back(self) -> None:
        """Take back the last verdict on a result of this run, and show its image."""
        if self._run is not None and not self._why_no_undo():
            self._said.say("")
            self.n_changes += self.writer.take_back(self._run)

    def next_worst(self) -> None:
        """Show the most doubtful image of the list without a verdict; then the next."""
        here = self._state.image_id
        worst = self._table.most_doubtful(after=None)
        if here is not None and here in {worst, self._jumped_to}:
            worst = self._table.most_doubtful(after=here) or worst
        self._jump(worst)

    def allow(self) -> None:
        """Enable the buttons for what can be done now; the others say why not."""
        left = self._table.rows.is_unreviewed.any()
        self._buttons.allow(
            why_not=self._why_not(),
            why_no_undo=self._why_no_undo(),
            why_no_next="" if left else ALL_REVIEWED,
        )

    def _show_current(self) -> None:
        image_id = self._state.image_id
        if image_id != self._jumped_to:
            self._jumped_to = None
        self._view.show_image(image_id)
        self.allow()

    def _jump(self, image_id: str | None) -> None:
        if image_id is None:
            self._said.say(ALL_REVIEWED, "note")
            return
        self._jumped_to = image_id
        self._state.image_id = image_id
        self._view.show_image(image_id)

    def _show_judged(self, image_id: str, judged: Judged) -> None:
        self.n_changes += 1
        self._table.set_verdict(image_id, judged.record)
        self._unmark(image_id)
        self._tell(judged)
        is_here = image_id == self._state.image_id
        if judged.record.verdict == "corrected" and is_here:
            self._state.draw_as = "full"
            self._state.page = "annotate"

    def _show_taken_back(self, found: TakenBack) -> None:
        self.n_changes += 1
        if found.judged is None:
            return
        image_id = found.judged.record.image_id
        self._table.set_verdict(image_id, found.now)
        self._tell(found.judged)
        if self._state.project is not None:
            self._jump(image_id)

    def _show_refused(self, image_id: str, sentence: str) -> None:
        self._unmark(image_id)
        self._said.say(sentence, "problem")

    def _tell(self, judged: Judged) -> None:
        if judged.notices:
            self._said.say(" ".join(judged.notices), "note")

    def _unmark(self, image_id: str) -> None:
        """Show whether a further verdict on the image is being saved."""
        self._table.set_saving(image_id, self.writer.waiting(image_id))

    def _why_not(self) -> str:
        here = self._table.rows.place_of(self._state.image_id)
        return NOT_PREDICTED if here is None else ""

    def _why_no_undo(self) -> str:
        return "" if self._table.rows.can_take_back else NOTHING_TO_UNDO
