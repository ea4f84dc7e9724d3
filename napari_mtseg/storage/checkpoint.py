"""Checkpoints: tensors and plain state in one safetensors file, replaced atomically."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_mtseg.domain.errors import RunError
from napari_mtseg.storage.write import clear_write_errors, write_bytes_atomically

if TYPE_CHECKING:
    from torch import Tensor


def save_checkpoint(
    path: Path, tensors: Mapping[str, "Tensor"], state: Mapping[str, Any]
) -> None:
    """Write a checkpoint so that a crash leaves the old one or the new one.

    Parameters
    ----------
    path : Path
        The file; its folder is made if missing.
    tensors : mapping of str to Tensor
        Weights and optimiser state by name, on any device.
    state : mapping
        Everything else; must be JSON.

    Raises
    ------
    StorageError
        If the disk is full or the folder cannot be written.
    """
    from safetensors.torch import save

    content = save(
        {name: t.detach().cpu().contiguous().clone() for name, t in tensors.items()},
        metadata={"state": json.dumps(dict(state), sort_keys=True)},
    )
    with clear_write_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes_atomically(path, content)


def load_checkpoint(path: Path) -> tuple[dict[str, "Tensor"], dict[str, Any]]:
    """Read a checkpoint; code in the file cannot run.

    Raises
    ------
    RunError
        If the file is missing or damaged.
    """
    from safetensors import SafetensorError, safe_open

    if not path.exists():
        raise RunError(
            f"'{path}' is missing: the run was stopped before its first checkpoint. "
            "Start a new run."
        )
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        state = json.loads(metadata["state"])
    except (SafetensorError, KeyError, json.JSONDecodeError) as error:
        raise RunError(
            f"The checkpoint '{path}' is damaged ({error}). Start a new run."
        ) from None
    return tensors, state
