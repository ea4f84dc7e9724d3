"""The child process that waits, torch imported, for a run to train."""

import json
from collections import deque
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from qtpy.QtCore import QObject, QTimer, Signal

from napari_mtseg.gui.child_process import ChildProcess

_KEPT = 20
"""lines of stderr that are kept to say why a child died"""


class WaitingChild(QObject):
    """Speaks with one `mtseg wait` process, in JSON lines.

    Signals: ``ready`` with the names of the devices; ``answered`` with what was asked
    and the answer; ``gone`` with what was never answered and a sentence why.

    Parameters
    ----------
    mtseg : sequence of str
        The command `mtseg`.
    project : Path
        Project folder.
    """

    ready = Signal(object)
    answered = Signal(str, object)
    gone = Signal(object, str)

    def __init__(
        self, mtseg: Sequence[str], project: Path, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self.is_ready = False
        self.trains = False
        self._asked: deque[str] = deque()
        self._errors: deque[str] = deque(maxlen=_KEPT)
        self.process = ChildProcess(
            [*mtseg, "wait", str(project)], has_input=True, survives=True, parent=self
        )
        self.process.printed.connect(self._on_line)
        self.process.ended.connect(self._on_end)

    @property
    def unanswered(self) -> tuple[str, ...]:
        """What was asked and not answered, in order."""
        return tuple(self._asked)

    def ask(self, what: str, **values: Any) -> None:
        """Ask 'readiness', 'train' or 'resume'; the child need not be ready yet."""
        self._asked.append(what)
        self.process.write_line(json.dumps({"ask": what, **values}))

    def release(self) -> None:
        """End an idle child; let one go on that trains or was asked to."""
        if self.trains or set(self._asked) - {"readiness"}:
            self.process.let_go()
        else:
            self.process.end()
        self.deleteLater()

    def _on_line(self, stream: str, line: str) -> None:
        answer = _answer_in(line) if stream == "out" else None
        if answer is None:
            self._errors.append(line)
        elif answer["answer"] == "ready":
            self.is_ready = True
            self.ready.emit(tuple(map(str, answer.get("devices", ()))))
        elif self._asked:
            self.trains |= answer["answer"] == "run"
            self.answered.emit(self._asked.popleft(), answer)

    def _on_end(self, code: int) -> None:
        said = [line for line in self._errors if any(map(str.isalnum, line))]
        why = said[-1].removeprefix("mtseg: ") if said else f"exit code {code}"
        self.gone.emit(
            self.unanswered,
            f"The process that trains ended before it could begin: {why.rstrip('.')}. "
            "Try again.",
        )


class WaitingRoom(QObject):
    """Keeps one child waiting for the project that is open.

    Signals: ``ready`` with the names of the devices; ``readiness`` with the answer to
    :meth:`ask_readiness`; ``replied`` with the answer to :meth:`ask_for_run` and the
    process that gave it; ``lost`` with a sentence, if that will never be answered.

    Parameters
    ----------
    mtseg : sequence of str
        The command `mtseg`.
    pause : float
        Seconds from the start of a training until the next child begins to import,
        so that it does not slow that start down.
    """

    ready = Signal(object)
    readiness = Signal(object)
    replied = Signal(object, object)
    lost = Signal(str)

    def __init__(
        self, mtseg: Sequence[str], pause: float, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._mtseg = tuple(mtseg)
        self._project: Path | None = None
        self._idle: WaitingChild | None = None
        self._busy: list[WaitingChild] = []
        self._question: dict[str, Any] | None = None
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.setInterval(round(1000 * pause))
        self._pause.timeout.connect(self.fill)

    @property
    def is_ready(self) -> bool:
        """True if a child waits with torch loaded."""
        return self._idle is not None and self._idle.is_ready

    def open(self, project: Path | None) -> None:
        """Wait for runs of this project, and of no other."""
        self.close()
        self._project = project

    def fill(self) -> None:
        """Start a child, if none waits."""
        self._pause.stop()
        if self._idle is not None or self._project is None:
            return
        child = WaitingChild(self._mtseg, self._project, parent=self)
        child.ready.connect(self.ready)
        child.answered.connect(partial(self._on_answer, child))
        child.gone.connect(partial(self._on_gone, child))
        self._idle = child
        self._pass_on()

    def ask_readiness(self, **values: Any) -> None:
        """Ask what the paint allows; of questions that pile up the last one counts."""
        self._question = values
        if not self._pause.isActive():
            self.fill()
        self._pass_on()

    def ask_for_run(self, what: str, **values: Any) -> None:
        """Ask to 'train' or 'resume'."""
        self.fill()
        if self._idle is not None:
            self._idle.ask(what, **values)

    def kill_idle(self) -> None:
        """End the waiting child at once, whatever it was asked."""
        child, self._idle = self._idle, None
        if child is not None:
            child.process.end()
            child.deleteLater()

    def close(self) -> None:
        """End the idle child and forget those that train."""
        self._pause.stop()
        self._question = None
        for child in (*self._busy, *filter(None, (self._idle,))):
            child.release()
        self._busy.clear()
        self._idle = None
        self._project = None

    def _pass_on(self) -> None:
        # A child that was asked for a run will listen no more.
        question = self._question
        if question is not None and self._idle and not self._idle.unanswered:
            self._question = None
            self._idle.ask("readiness", **question)

    def _on_answer(
        self, child: WaitingChild, asked: str, answer: dict[str, Any]
    ) -> None:
        if asked == "readiness":
            self.readiness.emit(answer)
        else:
            if child.trains:
                self._idle = None
                self._busy.append(child)
                self._pause.start()
            self.replied.emit(answer, child.process)
        self._pass_on()

    def _on_gone(
        self, child: WaitingChild, unanswered: tuple[str, ...], sentence: str
    ) -> None:
        if child in self._busy:
            self._busy.remove(child)
        elif child is self._idle:
            self._idle = None
        child.deleteLater()
        if "readiness" in unanswered:
            self.readiness.emit({"answer": "refused", "message": sentence})
        if set(unanswered) - {"readiness"}:
            self.lost.emit(sentence)


def _answer_in(line: str) -> dict[str, Any] | None:
    """Return the answer in a line; None for whatever else libraries print."""
    try:
        answer = json.loads(line)
    except ValueError:
        return None
    return answer if isinstance(answer, dict) and "answer" in answer else None
