"""Commands as sentences show them, ready for the shell."""

import os
import shlex
import subprocess


def shell_line(*words: str) -> str:
    """Return a command as it can be put into this system's shell.

    Parameters
    ----------
    *words : str
        The command and its arguments; those with spaces are quoted.

    Examples
    --------
    >>> shell_line("mtseg", "train", "cells.mtseg")
    'mtseg train cells.mtseg'
    """
    return subprocess.list2cmdline(words) if os.name == "nt" else shlex.join(words)
