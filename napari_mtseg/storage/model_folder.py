"""A trained model as a folder, or a zip of it, that works without its project.

::

    NAME/
      weights.safetensors       what was learned; loading it never runs code
      model.json                :class:`~napari_mtseg.storage.model_info.ModelInfo`
      README.md                 the card, for people

A zip holds the same files, in one folder or at its top. Beside other files these may
also lie in a BioImage.IO package, which is then read as a model like any other.
"""

import hashlib
import io
import json
import math
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from napari_mtseg.domain.errors import ModelError, SettingsError
from napari_mtseg.storage.bioimageio_package import BIOIMAGEIO_FILES
from napari_mtseg.storage.model_archive import files_of_model
from napari_mtseg.storage.model_info import MODEL_VERSION, ModelInfo
from napari_mtseg.storage.write import clear_write_errors, write_bytes_atomically

if TYPE_CHECKING:
    from torch import Tensor

WEIGHTS_FILE = "weights.safetensors"
INFO_FILE = "model.json"
CARD_FILE = "README.md"

_PICKLE_MARKS = (b"\x80", b"PK\x03\x04")
"""First bytes of a pickle, and of the zip in which torch saves one."""


def save_model(
    path: Path, info: ModelInfo, tensors: Mapping[str, "Tensor"], *, card: str
) -> ModelInfo:
    """Write a model folder, or a zip where ``path`` ends in '.zip'.

    The model appears under its name only when it is whole and on the disk.

    Parameters
    ----------
    path : Path
        Must not exist yet; an empty folder may.
    info : ModelInfo
        ``weights_sha256`` is filled in.
    tensors : mapping of str to Tensor
        Weights by the names of the network's ``state_dict``.
    card : str
        Markdown for people.

    Returns
    -------
    ModelInfo
        What was written.

    Raises
    ------
    ModelError
        If there is something at ``path`` already.
    StorageError
        If the disk is full or the folder cannot be written.
    """
    check_is_free(path)
    info, files = model_files(info, tensors, card=card)
    with clear_write_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        if is_zip_name(path):
            write_bytes_atomically(path, _zipped(path.stem, files))
        else:
            _write_folder(path, files)
    return info


def model_files(
    info: ModelInfo, tensors: Mapping[str, "Tensor"], *, card: str
) -> tuple[ModelInfo, dict[str, bytes]]:
    """Return the files of a model by name, and its facts with ``weights_sha256``."""
    from safetensors.torch import save

    plain = {k: t.detach().cpu().contiguous().clone() for k, t in tensors.items()}
    weights = save(plain, metadata={"format": "pt"})
    info = info.changed({"weights_sha256": hashlib.sha256(weights).hexdigest()})
    files = {
        WEIGHTS_FILE: weights,
        CARD_FILE: card.encode(),
        INFO_FILE: facts_text(info).encode(),
    }
    return info, files


def facts_text(info: ModelInfo) -> str:
    """Return what is known of a model as the text of ``model.json``."""
    facts = json.dumps(info.model_dump(mode="json"), indent=2, ensure_ascii=False)
    return f"{facts}\n"


def load_model_folder(path: Path) -> tuple[ModelInfo, dict[str, "Tensor"]]:
    """Read a model folder or zip; code in its files cannot run.

    A BioImage.IO package is one too where 'mtseg export' wrote it: nothing of it is
    ever unpickled.

    Raises
    ------
    ModelError
        If there is no model at ``path``, a file of it is missing or damaged, a newer
        version of the program wrote it, or another program did.
    """
    facts, weights = files_of_model(path, (INFO_FILE, WEIGHTS_FILE))
    info = _checked_info(path, facts)
    if (
        info.weights_sha256
        and hashlib.sha256(weights).hexdigest() != info.weights_sha256
    ):
        _refuse_pickle(path, weights)
        raise ModelError(
            f"'{WEIGHTS_FILE}' of the model '{path}' is damaged: its content is not "
            f"what {INFO_FILE} says. Copy the model again from its source."
        )
    return info, _tensors(path, weights)


def read_model_info(path: Path) -> ModelInfo:
    """Read what a model is for, without its weights and without torch.

    Raises
    ------
    ModelError
        As :func:`load_model_folder`, but for damaged weights.
    """
    (facts,) = files_of_model(path, (INFO_FILE,), there=(WEIGHTS_FILE,))
    return _checked_info(path, facts)


def is_model(path: Path) -> bool:
    """Return True for a file, and for a folder that holds what a model's folder does.

    Whether it can be read is another matter.
    """
    names = (INFO_FILE, WEIGHTS_FILE, *BIOIMAGEIO_FILES)
    return path.is_file() or any((path / name).is_file() for name in names)


def is_zip_name(path: Path) -> bool:
    """Return True for a name that ends in '.zip'."""
    return path.suffix.lower() == ".zip"


def check_is_free(path: Path) -> None:
    """Refuse to write over what exists.

    Raises
    ------
    ModelError
        If there is a file or a folder that is not empty.
    """
    if path.is_file() or (path.is_dir() and any(path.iterdir())):
        raise ModelError(
            f"'{path}' exists already. Choose another name for the model, or delete it "
            "first."
        )


def _write_folder(path: Path, files: Mapping[str, bytes]) -> None:
    partial = path.with_name(f".{path.name}.{uuid4().hex[:12]}.tmp")
    try:
        partial.mkdir()
        for name, content in files.items():
            write_bytes_atomically(partial / name, content)
        if path.is_dir():
            path.rmdir()
        partial.rename(path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _zipped(folder: str, files: Mapping[str, bytes]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            # A fixed time: the same model gives the same bytes.
            entry = zipfile.ZipInfo(f"{folder}/{name}", (1980, 1, 1, 0, 0, 0))
            entry.compress_type = (
                zipfile.ZIP_STORED if name == WEIGHTS_FILE else zipfile.ZIP_DEFLATED
            )
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content)
    return target.getvalue()


def _checked_info(path: Path, facts: bytes) -> ModelInfo:
    try:
        values = json.loads(facts)
    except (ValueError, RecursionError):
        raise ModelError(_damaged_info_sentence(path, "it is not JSON")) from None
    if not isinstance(values, dict) or not isinstance(
        values.get("format_version"), int
    ):
        raise ModelError(_damaged_info_sentence(path, "it has no format_version"))
    version = values["format_version"]
    if version > MODEL_VERSION:
        raise ModelError(
            f"The model '{path}' has format {version} but this version of napari-mtseg "
            f"reads up to {MODEL_VERSION}. Update napari-mtseg."
        )
    try:
        info = ModelInfo.checked(values)
    except SettingsError as error:
        sentence = str(error).removesuffix(" Change it and try again.")
        raise ModelError(
            f"{INFO_FILE} of the model '{path}' is wrong. {sentence}"
        ) from None
    sizes = list(info.spacing)
    if len(sizes) != info.ndim:
        why = f"its spacing {sizes} does not fit its axes {info.axes}"
        raise ModelError(_damaged_info_sentence(path, why))
    if not all(0 < size < math.inf for size in sizes):
        why = f"its spacing {sizes} is not of positive numbers"
        raise ModelError(_damaged_info_sentence(path, why))
    return info


def _tensors(path: Path, weights: bytes) -> dict[str, "Tensor"]:
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        return load(weights)
    except (SafetensorError, KeyError, ValueError):
        _refuse_pickle(path, weights)
        raise ModelError(
            f"'{WEIGHTS_FILE}' of the model '{path}' is damaged or cut off. Copy the "
            "model again from its source."
        ) from None


def _refuse_pickle(path: Path, weights: bytes) -> None:
    if weights.startswith(_PICKLE_MARKS):
        raise ModelError(
            f"'{WEIGHTS_FILE}' of the model '{path}' is a pickle, which can run code "
            "when it is loaded, so it was not. Get the model as 'mtseg export' writes "
            "it."
        )


def _damaged_info_sentence(path: Path, why: str) -> str:
    return (
        f"{INFO_FILE} of the model '{path}' is damaged: {why}. Copy the model again "
        "from its source."
    )
