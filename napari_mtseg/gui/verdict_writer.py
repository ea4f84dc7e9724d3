"""Verdicts on their way to the disk: one after another in a thread, none is lost."""

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any

from qtpy.QtCore import QObject, Qt, Signal

from napari_mtseg.domain.errors import MtsegError
from napari_mtseg.domain.project import ImageEntry
from napari_mtseg.domain.review import FlagRule, ReviewRecord, Verdict
from napari_mtseg.gui.editing import Editing
from napari_mtseg.gui.state import WindowState
from napari_mtseg.storage.project import Project
from napari_mtseg.storage.review_log import ReviewLog, account_name, time_now
from napari_mtseg.storage.verdicts import Judged, accept, fix, reject, skip, undo

_JUDGES: Mapping[Verdict, Callable[..., Judged]] = {
    "accepted": accept,
    "rejected": reject,
    "corrected": fix,
    "skipped": skip,
}
_BUSY = "Wait until the class is deleted, then judge again."
_BUG = (
    "The verdict could not be saved because of an error in the program; please report "
    "it and judge the image again."
)


@dataclass(frozen=True, kw_only=True)
class TakenBack:
    """What came of an undo."""

    judged: Judged | None
    """what was done; None if there was no verdict to take back"""
    now: ReviewRecord | None
    """verdict that counts for the image from now on"""


@dataclass(frozen=True, eq=False, kw_only=True)
class _Job:
    """One thing to write."""

    project: Project
    image_id: str | None
    """image whose annotation it may change; None if that is not known yet"""
    verdict: Verdict | None
    """verdict that is given; None if one is taken back, or another thing is written"""
    touches_paint: bool
    """True if it may change an annotation"""

    @property
    def is_verdict(self) -> bool:
        """True if a verdict is given or taken back."""
        return self.verdict is not None or self.touches_paint


class VerdictWriter(QObject):
    """Writes verdicts in the order in which they were given.

    While an image has one on its way, nobody paints on it: else the paint of the window
    and the mask of the verdict would overwrite each other. With no image on the canvas
    nothing is written: the project closes then, or all annotations are reworked.

    Parameters
    ----------
    state : WindowState
        Holds the project's annotation lock; is told what was written.
    editing : Editing
        Saved before a verdict, and shown anew after it.
    parent : QObject, optional
        Qt parent.
    """

    judged = Signal(str, object)
    """image id, :class:`~napari_mtseg.storage.verdicts.Judged`: a verdict is saved"""
    taken_back = Signal(object)
    """:class:`TakenBack`: an undo is done"""
    refused = Signal(str, str)
    """image id ('' for none), sentence that says why nothing was written"""
    changed = Signal()
    """more or less is on its way"""

    _ended = Signal(object)

    def __init__(
        self, state: WindowState, editing: Editing, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._state, self._editing = state, editing
        self._due: dict[Future[Any], _Job] = {}
        self._executor: ThreadPoolExecutor | None = None
        self._log: ReviewLog | None = None
        self._let_go: str | None = None
        self._is_holding = False
        # Queued: what has ended at once is told after ``give`` has returned.
        self._ended.connect(self._tell_and_show, Qt.ConnectionType.QueuedConnection)
        editing.changed.connect(self._hold)
        state.events.image_id.connect(self._change_image)
        state.closing.connect(self.finish)

    @property
    def n_waiting(self) -> int:
        """Verdicts, also such as are taken back, that are not on the disk yet."""
        return sum(j.is_verdict for j in self._due.values())

    @property
    def takes_back(self) -> bool:
        """True while a verdict is being taken back."""
        return any(j.is_verdict and j.verdict is None for j in self._due.values())

    def waiting(self, image_id: str) -> Verdict | None:
        """Return the last verdict on an image that is not on the disk yet."""
        given = [j.verdict for j in self._due.values() if j.image_id == image_id]
        return given[-1] if given else None

    def give(self, image_id: str, run: str, verdict: Verdict) -> bool:
        """Save a verdict soon; False, and ``refused``, if strokes cannot be saved."""
        project = self._state.project
        if project is None:
            return False
        entry = project.image(image_id)
        job = _Job(
            project=project,
            image_id=image_id,
            verdict=verdict,
            touches_paint=verdict != "skipped",
        )
        return self._put(
            job, lambda log: _JUDGES[verdict](**_given(job, entry, run, log))
        )

    def take_back(self, run: str) -> bool:
        """Take back the last verdict on a run soon; False as for ``give``."""
        project = self._state.project
        if project is None:
            return False
        job = _Job(project=project, image_id=None, verdict=None, touches_paint=True)
        return self._put(job, lambda log: _taken_back(project, run, log))

    def set_flag_rule(self, run: str, score: str, threshold: float) -> None:
        """Save from which score on images of a run are flagged."""
        project = self._state.project
        if project is None:
            return
        rule = FlagRule(
            run=run,
            score=score,
            threshold=threshold,
            who=account_name(),
            when=time_now(),
        )
        job = _Job(project=project, image_id=None, verdict=None, touches_paint=False)
        self._put(job, lambda log: log.set_flag_rule(rule))

    def finish(self) -> None:
        """Return when all is written; the thread has ended then."""
        while self._due:
            future = next(iter(self._due))
            wait([future])
            self._take(future)
        self._let_go = None
        if self._executor is not None:
            self._executor.shutdown()
        self._executor = self._log = None

    def _change_image(self, image_id: str | None) -> None:
        """Without an image wait for the disk, and tell once there is one again."""
        if image_id is None:
            wait(self._due)
            return
        for future in self._due:
            if future.done():
                self._ended.emit(future)

    def _put(self, job: _Job, work: Callable[[ReviewLog], object]) -> bool:
        if job.is_verdict and self._state.image_id is None:
            self.refused.emit(job.image_id or "", _BUSY)
            return False
        if job.touches_paint and job.image_id in {None, self._state.image_id}:
            if not self._editing.let_go():
                self.refused.emit(job.image_id or "", self._state.saving)
                return False
            self._let_go = self._state.image_id
        if self._executor is None or self._log is None:
            self._executor = ThreadPoolExecutor(1, thread_name_prefix="mtseg-verdict")
            self._log = ReviewLog(job.project.path)
        future = self._executor.submit(self._written, work, self._log)
        self._due[future] = job
        future.add_done_callback(self._tell)
        self.changed.emit()
        return True

    def _written(self, work: Callable[[ReviewLog], object], log: ReviewLog) -> object:
        with self._state.writing:
            return work(log)

    def _tell(self, future: "Future[Any]") -> None:
        try:
            self._ended.emit(future)
        except RuntimeError:
            # The window closed meanwhile.
            return

    def _tell_and_show(self, future: "Future[Any]") -> None:
        # What is told may bring an image onto the canvas.
        if self._state.image_id is None:
            return
        try:
            self._take(future)
        finally:
            self._show_again()

    def _take(self, future: "Future[Any]") -> None:
        """Tell what came of one; each only once."""
        job = self._due.pop(future, None)
        if job is None:
            return
        error = future.exception()
        if error is not None:
            sentence = str(error) if isinstance(error, MtsegError) else _BUG
            self.refused.emit(job.image_id or "", sentence)
        else:
            self._say(job, future.result())
        self.changed.emit()
        if error is not None and not isinstance(error, MtsegError):
            raise error

    def _say(self, job: _Job, result: object) -> None:
        judged = result.judged if isinstance(result, TakenBack) else result
        if isinstance(judged, Judged):
            if judged.changed:
                if judged.record.image_id == self._state.image_id:
                    # What is being read may be older than what was written.
                    self._let_go = self._state.image_id
                self._state.annotation_saved.emit(judged.record.image_id)
            self._state.reviewed.emit(judged.record.image_id)
        if isinstance(result, TakenBack):
            self.taken_back.emit(result)
        elif isinstance(result, Judged) and job.image_id is not None:
            self.judged.emit(job.image_id, result)

    def _is_held(self) -> bool:
        """Return whether nobody may paint on the image on the canvas now."""
        here = {None, self._state.image_id}
        return any(j.touches_paint and j.image_id in here for j in self._due.values())

    def _hold(self) -> None:
        """Let go of an image that came on the canvas while it has a verdict due."""
        if self._is_holding or not self._editing.is_shown or not self._is_held():
            return
        # Saving what there is tells of changes, too.
        self._is_holding = True
        try:
            if self._editing.let_go():
                self._let_go = self._state.image_id
        finally:
            self._is_holding = False

    def _show_again(self) -> None:
        if self._let_go is None or self._is_held():
            return
        let_go, self._let_go = self._let_go, None
        if let_go == self._state.image_id and not self._editing.is_shown:
            self._editing.read_again()


def _given(job: _Job, entry: ImageEntry, run: str, log: ReviewLog) -> dict[str, Any]:
    return {
        "project": job.project,
        "entry": entry,
        "run": run,
        "who": account_name(),
        "log": log,
    }


def _taken_back(project: Project, run: str, log: ReviewLog) -> TakenBack:
    judged = undo(project, run=run, who=account_name(), log=log)
    now = None if judged is None else log.verdicts(run).get(judged.record.image_id)
    return TakenBack(judged=judged, now=now)
