"""Targets of one image on disk, so that a resumed training need not compute them again.

::

    runs/RUN/targets/IMAGE_ID/
      known.npy, objects.npy    ([Z,] Y, X)
      map_NAME.npy              ([Z,] Y, X), one per map
      fact_NAME.npy             numbers about the whole image, one per fact
      targets.json              stratum and names; written last

A folder without its JSON is cut off and counts as missing.
"""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mtseg.domain.errors import ProjectError
from napari_mtseg.domain.targets import ImageTargets
from napari_mtseg.storage.write import clear_write_errors, read_json, write_json

FACTS = "targets.json"


def save_targets(folder: Path, targets: ImageTargets) -> None:
    """Save the targets of one image; they can be computed again, so without fsync.

    Raises
    ------
    StorageError
        If the disk is full or the folder cannot be written.
    """
    with clear_write_errors(folder):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name, values in _arrays(targets).items():
            np.save(folder / f"{name}.npy", values, allow_pickle=False)
    facts = {
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
            maps={name: _opened(folder, f"map_{name}") for name in facts["maps"]},
            known=_opened(folder, "known"),
            objects=_opened(folder, "objects"),
            stratum=facts["stratum"],
            facts={name: _opened(folder, f"fact_{name}") for name in facts["facts"]},
        )
    except (OSError, ValueError, KeyError, ProjectError):
        return None


def _arrays(targets: ImageTargets) -> dict[str, NDArray[np.generic]]:
    maps = {f"map_{name}": values for name, values in targets.maps.items()}
    facts = {f"fact_{name}": values for name, values in targets.facts.items()}
    return {"known": targets.known, "objects": targets.objects, **maps, **facts}


def _opened(folder: Path, name: str) -> Any:
    return np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)
