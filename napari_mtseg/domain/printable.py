"""Text of file names, which need not be text."""

from pathlib import Path


def printable(text: Path | str) -> str:
    r"""Return text that can be stored as UTF-8 and shown, whatever a name is made of.

    A byte of a file name that is no UTF-8 becomes a backslash and digits, such as
    ``\udcff``; all else stays as it is.
    """
    return str(text).encode(errors="backslashreplace").decode()
