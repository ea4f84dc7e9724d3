"""Names that a person gives to a project, its classes and its scenes."""

from collections.abc import Sequence
from pathlib import Path

from napari_mtseg.domain.annotation import MAX_CLASSES
from napari_mtseg.domain.errors import ProjectError, SettingsError

SUFFIX = ".mtseg"


def checked_names(what: str, names: Sequence[str]) -> tuple[str, ...]:
    """Return names without the blanks around them.

    Parameters
    ----------
    what : {'class', 'scene'}
        What is named; a project needs at least one class.
    names : sequence of str
        As the person wrote them; empty ones are passed over.

    Raises
    ------
    SettingsError
        If no class is given, a name stands twice or there are too many.
    """
    found = tuple(name.strip() for name in names if name.strip())
    if what == "class" and not found:
        raise SettingsError(
            "The project has no class but needs at least one. Name what you want to "
            "segment, for example --classes nucleus."
        )
    if len(found) > MAX_CLASSES:
        raise SettingsError(
            f"The project has {len(found)} {what} names but can hold {MAX_CLASSES}. "
            "Name fewer."
        )
    if len(set(found)) < len(found):
        raise SettingsError(
            f"The {what} names {', '.join(found)} are not all different. Rename one."
        )
    return found


def with_suffix(path: Path) -> Path:
    """Return ``path`` with '.mtseg' at its end.

    Raises
    ------
    ProjectError
        If ``path`` has no name, as '.' has none.
    """
    path = Path(path)
    if not path.name:
        raise ProjectError(
            f"'{path}' is no name for a project. Give one, such as cells{SUFFIX}."
        )
    return path if path.name.endswith(SUFFIX) else path.with_name(path.name + SUFFIX)
