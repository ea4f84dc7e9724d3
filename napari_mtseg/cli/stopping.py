"""How Ctrl-C stops a training: first in order, then at once."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_mtseg.storage.run_folder import RunFolder

EXIT_INTERRUPTED = 130
"""exit code after Ctrl-C, as shells have it"""

STDERR = 2


@contextmanager
def stopping_on_ctrl_c(run: "RunFolder") -> Iterator[threading.Event]:
    """Let the first Ctrl-C stop the run in order and the second end it at once.

    What is yielded is set by the first one. Where Ctrl-C is ignored, as it is behind
    ``nohup``, it stays so.
    """
    pressed = threading.Event()
    before = signal.getsignal(signal.SIGINT)

    def stop(_signal: int, _frame: object) -> None:
        pressed.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        # Not through sys.stderr, which this may have interrupted in a write.
        os.write(STDERR, b"\nstopping; press Ctrl-C again to end at once\n")
        run.set_control(run.control().changed({"stop": True}))

    if before is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, stop)
    try:
        yield pressed
    finally:
        signal.signal(signal.SIGINT, before or signal.SIG_DFL)
