"""The example models that this version of the program can use."""

from collections.abc import Mapping
from pathlib import Path

from napari_mtseg.domain.errors import MtsegError
from napari_mtseg.methods.catalog import CATALOG
from napari_mtseg.storage.example_models import example_models
from napari_mtseg.storage.model_folder import read_model_info
from napari_mtseg.storage.model_info import ModelInfo


def usable_examples() -> Mapping[Path, ModelInfo]:
    """Return what is known of each example model by its folder.

    Those that cannot be read or are of an unknown method are left out.
    """
    found = {}
    for path in example_models().values():
        try:
            info = read_model_info(path)
        except MtsegError:
            continue
        if info.method in CATALOG:
            found[path] = info
    return found
