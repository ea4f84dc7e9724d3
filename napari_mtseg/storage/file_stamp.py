"""What tells that an image file, or a folder that is an image, has changed."""

import os
from pathlib import Path


def file_stamp(file: Path) -> list[int]:
    """Return number, size and newest change of the files that an image consists of.

    This is quick, since no content is read.

    Parameters
    ----------
    file : Path
        A file, or a folder, of which all files inside count, however deep.

    Returns
    -------
    list of int
        Files, bytes, nanoseconds; empty where there is nothing.
    """
    parts = [file]
    try:
        if file.is_dir():
            parts = [
                Path(folder) / name
                for folder, _, names in os.walk(file)
                for name in names
            ]
        elif file.suffix.lower() == ".mhd":
            parts = [part for part in file.parent.iterdir() if part.stem == file.stem]
        facts = [part.stat() for part in parts]
    except OSError:
        return []
    if not facts:
        return []
    return [
        len(facts),
        sum(fact.st_size for fact in facts),
        max(fact.st_mtime_ns for fact in facts),
    ]
