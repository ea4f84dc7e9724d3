"""`mtseg wait`: the window's child, which waits with torch imported for a run."""

import faulthandler
import json
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer

LOG_FILE = "log.txt"
"""file of the run folder that gets what the training says"""

NICE = 10
"""niceness of a training, so that the window stays quick (measured)"""

STDOUT, STDERR = 1, 2


def run_wait(
    project: Annotated[Path, typer.Argument(help="Project folder, NAME.mtseg.")],
) -> None:
    """Answer the window in JSON lines, then train the run that it asks for.

    The end of stdin ends an idle child. One that trains reads it no more.
    """
    answers = _answers_alone_on_stdout()
    if isinstance(sys.stdin, TextIOWrapper):
        sys.stdin.reconfigure(encoding="utf-8", errors="replace")

    def reply(answer: Mapping[str, Any]) -> None:
        # Where the window is gone, stdin ends too, or the training goes on without.
        with suppress(OSError):
            answers.write(json.dumps(answer) + "\n")
            answers.flush()

    from napari_mtseg.workflows import waiting

    reply(waiting.ready())
    asked = waiting.asked_run(project, sys.stdin, reply)
    with suppress(OSError):
        answers.close()
    if asked is not None:
        _speak_into(asked.run.path / LOG_FILE)
        lower_priority()
        waiting.train_to_the_end(asked, _log)


def lower_priority() -> None:
    """Let every thread of this process yield to whatever a person is doing."""
    import psutil

    process = psutil.Process()
    if sys.platform == "win32":
        process.nice(psutil.BELOW_NORMAL_PRIORITY_CLASS)
        return
    nice = max(NICE, process.nice())
    process.nice(nice)
    if sys.platform == "linux":
        # There niceness belongs to a thread, and torch has started some already.
        for thread in process.threads():
            with suppress(ProcessLookupError):
                os.setpriority(os.PRIO_PROCESS, thread.id, nice)
        # And where the kernel groups processes by session, niceness counts only within
        # one: the session as a whole has its own.
        with suppress(OSError):
            Path("/proc/self/autogroup").write_text(str(nice))


def _answers_alone_on_stdout() -> TextIO:
    """Return a stream to stdout; what libraries print there goes to stderr instead."""
    answers = os.fdopen(os.dup(STDOUT), "w", encoding="utf-8")
    os.dup2(STDERR, STDOUT)
    return answers


def _speak_into(file: Path) -> None:
    """Append stdout and stderr to a file from now on, crashes of libraries too."""
    target = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    for stream, number in ((sys.stdout, STDOUT), (sys.stderr, STDERR)):
        stream.flush()
        os.dup2(target, number)
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="replace", line_buffering=True)
    os.close(target)
    faulthandler.enable()


def _log(text: str) -> None:
    print(f"{datetime.now():%H:%M:%S}  {text}", flush=True)
