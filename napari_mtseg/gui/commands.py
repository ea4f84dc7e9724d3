"""One-off `mtseg` processes, so that no heavy work is done in the window."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from qtpy.QtCore import QObject, QTimer, Signal

from napari_mtseg.gui.child_process import MTSEG, ChildProcess

_PREFIX = "mtseg: "
_STOP_PATIENCE = 3000
"""Milliseconds that a command has to end after it was asked to."""


@dataclass(frozen=True, kw_only=True)
class CommandResult:
    """How a command ended."""

    code: int
    """exit code; 0 is success"""
    stdout: str
    """all that it printed for programs"""
    sentence: str
    """the last sentence that it said to people; '' if it said none and succeeded"""
    was_stopped: bool = False
    """True if it ended because :meth:`RunningCommand.stop` was called"""


class RunningCommand(QObject):
    """A command at work."""

    ended = Signal(object)

    def __init__(
        self,
        command: Sequence[str],
        on_end: Callable[[CommandResult], None],
        on_line: Callable[[str], None] | None,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._on_end = on_end
        self._on_line = on_line
        self._lines: dict[str, list[str]] = {"out": [], "err": []}
        self._was_stopped = False
        self._child = ChildProcess(command, parent=self)
        self._child.printed.connect(self._keep)
        self._child.ended.connect(self._finish)
        self._killer = QTimer(self)
        self._killer.setSingleShot(True)
        self._killer.setInterval(_STOP_PATIENCE)
        self._killer.timeout.connect(self._child.kill)

    @property
    def is_running(self) -> bool:
        """True until the process has ended."""
        return self._child.is_running()

    def stop(self) -> None:
        """Ask the command to end; it is killed if it has not after some seconds."""
        self._was_stopped = True
        self._child.interrupt()
        self._killer.start()

    def end(self) -> None:
        """End the command at once; nobody is called back."""
        self._killer.stop()
        self._child.end()

    def _keep(self, stream: str, line: str) -> None:
        self._lines[stream].append(line)
        if stream == "err" and self._on_line is not None:
            self._on_line(line)

    def _finish(self, code: int) -> None:
        self._killer.stop()
        self.ended.emit(self)
        self._on_end(
            CommandResult(
                code=code,
                stdout="\n".join(self._lines["out"]),
                sentence=self._sentence(code),
                was_stopped=self._was_stopped,
            )
        )

    def _sentence(self, code: int) -> str:
        if self._was_stopped and code:
            return "Stopped."
        said = [line for line in self._lines["err"] if any(map(str.isalnum, line))]
        if said:
            return said[-1].strip(" │").removeprefix(_PREFIX)
        if code:
            return (
                f"The command ended without a word (exit code {code}); it may have "
                "been killed or run out of memory. Try again."
            )
        return ""


class Commands(QObject):
    """Starts commands and ends those that still run when the window closes.

    Parameters
    ----------
    parent : QObject, optional
        Owner.
    mtseg : sequence of str
        Program that the arguments of :meth:`run` go to.
    """

    def __init__(
        self, parent: QObject | None = None, *, mtseg: Sequence[str] = MTSEG
    ) -> None:
        super().__init__(parent)
        self._mtseg = tuple(mtseg)
        self._running: list[RunningCommand] = []

    def run(
        self,
        args: Sequence[str],
        on_end: Callable[[CommandResult], None],
        on_line: Callable[[str], None] | None = None,
    ) -> RunningCommand:
        """Start `mtseg ARGS` and return at once.

        Parameters
        ----------
        args : sequence of str
            Such as ``["predict", "cells.mtseg", "--json"]``.
        on_end : callable
            Called with the result, later and in the calling thread, unless the
            window closes before.
        on_line : callable, optional
            Called with each line that it says to people (stderr), as it is printed.

        Returns
        -------
        RunningCommand
            With ``stop()``; calls ``on_end`` as well.
        """
        command = RunningCommand(
            [*self._mtseg, *map(str, args)], on_end, on_line, parent=self
        )
        command.ended.connect(self._forget)
        self._running.append(command)
        return command

    def release(self) -> None:
        """End all commands at once, without calling anybody back."""
        for command in self._running:
            command.end()
            command.deleteLater()
        self._running.clear()

    def _forget(self, command: RunningCommand) -> None:
        self._running.remove(command)
        command.deleteLater()
