"""A child process whose lines and end arrive as Qt signals."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from threading import Thread, current_thread
from typing import IO

from qtpy.QtCore import QObject, Qt, Signal

MTSEG = (sys.executable, "-m", "napari_mtseg.cli.main")
"""The command `mtseg` of this very Python."""

NOT_STARTED = -1
"""exit code of a process that the system refused to start"""

_PATIENCE = 2.0
"""Seconds that :meth:`ChildProcess.end` waits for a killed process."""


class ChildProcess(QObject):
    """A process that is read by threads, so that the window never waits for it.

    Signals reach the thread that made this object: ``printed`` with 'out' or 'err' and
    one line, then ``ended`` with the exit code.

    Parameters
    ----------
    command : sequence of str
        Program and arguments.
    has_input : bool
        True: :meth:`write_line` can be used.
    survives : bool
        True: the process is apart from this one and may outlive it.
    """

    printed = Signal(str, str)
    ended = Signal(object)
    _line_read = Signal(str, str)
    _gone = Signal(object)

    def __init__(
        self,
        command: Sequence[str],
        *,
        has_input: bool = False,
        survives: bool = False,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._is_heard = True
        self._threads: tuple[Thread, ...] = ()
        queued = Qt.ConnectionType.QueuedConnection
        self._line_read.connect(self._on_line, queued)
        self._gone.connect(self._on_gone, queued)
        self._process: subprocess.Popen[str] | None = None
        try:
            self._process = _started(command, has_input=has_input, survives=survives)
        except OSError as error:
            self._line_read.emit(
                "err",
                f"'{command[0]}' could not be started ({error}). Close other programs "
                "and try again.",
            )
            self._gone.emit(NOT_STARTED)
            return
        name = f"mtseg {self._process.pid}"
        errors = Thread(target=self._relay, args=("err",), name=f"{name} err")
        lines = Thread(target=self._listen, args=(errors,), name=f"{name} out")
        self._threads = (errors, lines)
        for thread in self._threads:
            thread.daemon = True
            thread.start()

    @property
    def pid(self) -> int | None:
        """Number of the process; None if it could not be started."""
        return None if self._process is None else self._process.pid

    def is_running(self) -> bool:
        """Tell whether the process lives; any thread may ask."""
        return self._process is not None and self._process.poll() is None

    def write_line(self, line: str) -> None:
        """Send one line; a process that is gone is told of by ``ended`` alone."""
        stdin = self._stream("in")
        if stdin is not None:
            with suppress(OSError, ValueError):
                stdin.write(f"{line}\n")
                stdin.flush()

    def close_input(self) -> None:
        """Tell the process that no more lines will come."""
        stdin = self._stream("in")
        if stdin is not None:
            with suppress(OSError):
                stdin.close()

    def interrupt(self) -> None:
        """Ask the process to end, as Ctrl-C does (Windows: end it)."""
        if self._process is None:
            return
        if sys.platform == "win32":
            self._process.terminate()
        else:
            self._process.send_signal(signal.SIGINT)

    def kill(self) -> None:
        """End the process at once; ``ended`` follows. Any thread may call it."""
        if self._process is not None:
            self._process.kill()

    def end(self) -> None:
        """Kill the process and wait until nothing of it is left; no signal follows."""
        self._is_heard = False
        self.close_input()
        self.kill()
        for thread in self._threads:
            thread.join(_PATIENCE)

    def let_go(self) -> None:
        """Leave the process alone from now on; no signal follows."""
        self._is_heard = False
        self.close_input()

    def _stream(self, name: str) -> IO[str] | None:
        process = self._process
        if process is None:
            return None
        streams = {"in": process.stdin, "out": process.stdout, "err": process.stderr}
        return streams[name]

    def _relay(self, name: str) -> None:
        stream = self._stream(name)
        if stream is not None:
            with stream:
                for line in stream:
                    self._tell("_line_read", name, line.rstrip("\r\n"))

    def _listen(self, errors: Thread) -> None:
        self._relay("out")
        errors.join()
        if self._process is not None:
            self._tell("_gone", self._process.wait())

    def _tell(self, signal: str, *values: object) -> None:
        if not self._is_heard:
            return
        try:
            getattr(self, signal).emit(*values)
        except RuntimeError:
            # The Qt side was deleted with its window; the process may go on.
            self._is_heard = False

    def _on_line(self, stream: str, line: str) -> None:
        if self._is_heard:
            self.printed.emit(stream, line)

    def _on_gone(self, code: int) -> None:
        self.close_input()
        for thread in self._threads:
            if thread is not current_thread():
                thread.join(_PATIENCE)
        if self._is_heard:
            self.ended.emit(code)


def _started(
    command: Sequence[str], *, has_input: bool, survives: bool
) -> subprocess.Popen[str]:
    flags = 0
    if sys.platform == "win32":
        apart = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.DETACHED_PROCESS
        flags = apart if survives else subprocess.CREATE_NO_WINDOW
    return subprocess.Popen(
        list(command),
        stdin=subprocess.PIPE if has_input else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
        start_new_session=survives,
        creationflags=flags,
    )
