"""A progress bar for loops over files, shown to people only."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from napari_mtseg.cli.output import console, say

SAY_EVERY = 30.0
"""seconds between two lines of progress"""


class NowAndThen:
    """Says lines of progress, none within SAY_EVERY of the one before."""

    def __init__(self) -> None:
        self._said_at = time.monotonic()

    def say(self, text: str) -> None:
        """Say a line if it is time for one."""
        if time.monotonic() - self._said_at > SAY_EVERY:
            say(text)
            self._said_at = time.monotonic()


@contextmanager
def progress_bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar on stderr while the block runs; it vanishes at the end.

    Parameters
    ----------
    what : str
        What is being done, such as 'adding images'.

    Yields
    ------
    callable
        To be called with the number of things done and to do.
    """
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    shown_on = console()
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    hidden = not shown_on.is_terminal
    with Progress(*columns, console=shown_on, transient=True, disable=hidden) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
