"""JSON files of the program's own that hold one settings model each."""

from pathlib import Path
from typing import Any, TypeVar

from napari_mtseg.domain.errors import ProjectError, SettingsError
from napari_mtseg.domain.settings import Settings
from napari_mtseg.storage.write import read_json

Model = TypeVar("Model", bound=Settings)


def read_settings(file: Path, model: type[Model]) -> Model:
    """Read a JSON file as ``model``.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ProjectError
        If the file is not JSON or holds something else.
    """
    return settings_in(file, model, read_json(file))


def settings_in(file: Path, model: type[Model], values: Any) -> Model:
    """Check ``values``, which were read from ``file``.

    Raises
    ------
    ProjectError
        Names the file and what is wrong in it.
    """
    try:
        return model.checked(values)
    except SettingsError as error:
        raise ProjectError(
            f"'{file}' is damaged; put back a copy of it, or mend it in a text editor. "
            f"{error}"
        ) from None
