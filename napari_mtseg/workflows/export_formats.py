"""The formats in which a model is taken away, their names and their libraries."""

import re
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from napari_mtseg.domain.errors import ModelError

Format = Literal["folder", "zip", "bioimageio", "onnx", "torch"]
"""our own model folder, a zip of it, and the formats of other programs"""

SUFFIXES: Mapping[Format, str] = {
    "folder": "",
    "zip": ".zip",
    "bioimageio": ".bioimageio.zip",
    "onnx": ".onnx",
    "torch": ".pt2",
}
"""what is put after a name that does not end so"""

_LIKE_A_FILE = re.compile(r"\.(?!v\d)[a-z][a-z0-9]*", re.IGNORECASE)
"""an ending that says which format a file has; a version such as '.v2' does not"""

_ONNX = ("onnx", "onnxruntime", "onnxscript")

_LIBRARIES: Mapping[Format, tuple[str, ...]] = {
    "onnx": _ONNX,
    "bioimageio": (*_ONNX, "bioimageio.core"),
}
"""what the extra 'export' installs, by the formats that need it"""


def format_of(out: Path) -> Format:
    """Return the format that a name ends in; a folder if in none.

    Examples
    --------
    >>> [format_of(Path(name)) for name in ("m", "m.zip", "m.onnx", "m.pt2")]
    ['folder', 'zip', 'onnx', 'torch']
    """
    kinds: tuple[Format, ...] = ("bioimageio", "zip", "onnx", "torch")
    name = out.name.lower()
    return next((kind for kind in kinds if name.endswith(SUFFIXES[kind])), "folder")


def format_meant(out: Path) -> Format:
    """Return the format that a name ends in, where nobody said which is wanted.

    Raises
    ------
    ModelError
        If the name ends like a file of a format that there is not.

    Examples
    --------
    >>> format_meant(Path("m.pt2")), format_meant(Path("model-1.2"))
    ('torch', 'folder')
    """
    kind = format_of(out)
    if kind == "folder" and _LIKE_A_FILE.fullmatch(out.suffix):
        endings = ", ".join(suffix for suffix in SUFFIXES.values() if suffix)
        raise ModelError(
            f"The ending '{out.suffix}' of '{out}' is not that of a format. End the "
            f"name in one of {endings}, or say --format; folder takes any name."
        )
    return kind


def named_as(out: Path, kind: Format) -> Path:
    """Return a path that ends as the format does.

    Raises
    ------
    ModelError
        If there is no such format, or the path ends as another one does.

    Examples
    --------
    >>> named_as(Path("nuclei"), "onnx").name, named_as(Path("n.zip"), "zip").name
    ('nuclei.onnx', 'n.zip')
    """
    if kind not in SUFFIXES:
        raise ModelError(
            f"There is no format '{kind}'. Choose one of: {', '.join(SUFFIXES)}."
        )
    if not out.name:
        out = out.resolve()
    ends_as = format_of(out)
    if ends_as == kind or {ends_as, kind} == {"bioimageio", "zip"}:
        return out
    if ends_as != "folder":
        raise ModelError(
            f"The name '{out}' is that of the format {ends_as}, but {kind} is to be "
            f"written. Choose another name, or --format {ends_as}."
        )
    return out.with_name(f"{out.name}{SUFFIXES[kind]}")


def model_name(out: Path) -> str:
    """Return the name of a file without the suffix of its format.

    Examples
    --------
    >>> [model_name(Path(name)) for name in ("m.v2", "m.v2.zip", "m.bioimageio.zip")]
    ['m.v2', 'm.v2', 'm']
    """
    suffix = SUFFIXES[format_of(out)]
    return out.name[: len(out.name) - len(suffix)]


def check_libraries(kind: Format) -> None:
    """Refuse a format whose libraries are not installed.

    Raises
    ------
    ModelError
        If one is missing.
    """
    missing = [name for name in _LIBRARIES.get(kind, ()) if not _is_installed(name)]
    if missing:
        raise ModelError(
            f"The format {kind} needs {', '.join(missing)}, which "
            f"{'is' if len(missing) == 1 else 'are'} not installed. Run pip install "
            "'napari-mtseg[export]'."
        )


def _is_installed(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:
        return False
