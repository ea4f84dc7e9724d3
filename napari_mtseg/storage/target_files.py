"""Targets of one image on disk, so that a resumed training need not compute them again.

::

    runs/RUN/targets/IMAGE_ID/
      known.npy, objects.npy    ([Z,] Y, X)
      map_NAME.npy              ([Z,] Y, X), one per map
      fact_NAME.npy             numbers about the whole image, one per fact
      targets.json              shape, stratum and names; written last
      pixels.npy                (C, [Z,] Y, X) as in the image's file, where that can
                                only be decoded as a whole

A map that is the same everywhere, as those of an image without paint, is saved as one
pixel. A folder without its JSON is cut off and counts as missing.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mtseg.domain.errors import ProjectError
from napari_mtseg.domain.targets import ImageTargets
from napari_mtseg.storage.whole_files import whole_file
from napari_mtseg.storage.write import clear_write_errors, read_json, write_json

FACTS = "targets.json"
PIXELS = "pixels.npy"


def save_targets(folder: Path, targets: ImageTargets) -> None:
    """Save the targets of one image; they can be computed again, so without fsync.

    Raises
    ------
    StorageError
        If the disk is full or the folder cannot be written.
    """
    with clear_write_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / FACTS).unlink(missing_ok=True)
        for name, values in _maps(targets).items():
            _save(folder / f"{name}.npy", _one_pixel_if_uniform(values))
        for name, values in targets.facts.items():
            _save(folder / f"fact_{name}.npy", values)
    facts = {
        "shape": list(targets.known.shape),
        "stratum": targets.stratum,
        "maps": list(targets.maps),
        "facts": list(targets.facts),
    }
    write_json(folder / FACTS, facts)


def load_targets(folder: Path) -> ImageTargets | None:
    """Return saved targets, read from the disk as needed; None if there are none."""
    try:
        facts = read_json(folder / FACTS)
        return ImageTargets(
            maps={n: _map(folder, f"map_{n}", facts) for n in facts["maps"]},
            known=_map(folder, "known", facts),
            objects=_map(folder, "objects", facts),
            stratum=facts["stratum"],
            facts={n: _opened(folder / f"fact_{n}.npy") for n in facts["facts"]},
        )
    except (OSError, ValueError, KeyError, ProjectError):
        return None


def pixels_copied(folder: Path, pixels: NDArray[np.generic]) -> NDArray[np.generic]:
    """Copy pixels into the folder, unless they are there, and return them mapped.

    Parameters
    ----------
    folder : Path
        Folder of the targets of one image; made if it does not exist.
    pixels : (C, [Z,] Y, X)
        As in the image's file, in memory.

    Raises
    ------
    StorageError
        If the disk is full or the folder cannot be written.
    """
    known = pixels_copy(folder)
    if known is not None and known.shape == pixels.shape:
        return known
    with clear_write_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        _save(folder / PIXELS, np.asarray(pixels))
    return _opened(folder / PIXELS)


def pixels_copy(folder: Path) -> NDArray[np.generic] | None:
    """Return the pixels that were copied into the folder, mapped; None if none were."""
    try:
        return _opened(folder / PIXELS)
    except (OSError, ValueError):
        return None


def _maps(targets: ImageTargets) -> dict[str, NDArray[np.generic]]:
    maps = {f"map_{name}": values for name, values in targets.maps.items()}
    return {"known": targets.known, "objects": targets.objects, **maps}


def _map(folder: Path, name: str, facts: dict[str, Any]) -> Any:
    return np.broadcast_to(_opened(folder / f"{name}.npy"), tuple(facts["shape"]))


def _opened(path: Path) -> Any:
    return np.load(path, mmap_mode="r", allow_pickle=False)


def _save(path: Path, values: NDArray[np.generic]) -> None:
    """Write an array so that its file is whole or not there."""
    with whole_file(path) as partial:
        np.save(partial, values, allow_pickle=False)


def _one_pixel_if_uniform(values: NDArray[np.generic]) -> NDArray[np.generic]:
    first = values[(slice(1),) * values.ndim]
    is_uniform = values.size > 0 and all((part == first[0]).all() for part in values)
    return first if is_uniform else values
