"""Packages of the BioImage Model Zoo that another program made: named, not read."""

import re
from pathlib import Path

BIOIMAGEIO_FILES = ("bioimageio.yaml", "rdf.yaml")
"""names under which BioImage.IO describes a model"""


def foreign_sentence(path: Path, description: bytes) -> str:
    """Return why a BioImage.IO package of another program is not read.

    Parameters
    ----------
    path : Path
        Folder or zip of the package.
    description : bytes
        Its ``rdf.yaml``, or as much of it as was read; nothing in it is trusted.
    """
    name = _value_in(description, r"^name") or path.stem
    architecture = _value_in(description, r"^\s+callable")
    of = f" of the architecture '{architecture}'" if architecture else ""
    return (
        f"'{path}' is the BioImage.IO model '{name}'{of}, which another program made, "
        "but only those that napari-mtseg itself wrote can be read. Run it with "
        "bioimageio.core, or train a model here."
    )


def _value_in(description: bytes, key: str) -> str:
    """Return what stands behind a key of YAML, or '' where that is no plain text."""
    text = description.decode(errors="replace")
    found = re.search(rf"{key}:[ \t]*(\S.*)$", text, re.MULTILINE)
    return found[1].strip().strip("'\"") if found else ""
