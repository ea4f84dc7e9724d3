"""What a worker on this machine does first; dask imports this file when it starts."""

import signal
import threading


def dask_setup(_worker: object) -> None:
    """Leave Ctrl-C to the process that gives the tasks, which then ends the worker."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)
