"""Older project folders, brought to today's layout step by step."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from napari_mtseg.domain.errors import ProjectError
from napari_mtseg.domain.project import FORMAT_VERSION
from napari_mtseg.storage.write import write_json

Migration = Callable[[Path, dict[str, Any]], dict[str, Any]]

MIGRATIONS: dict[int, Migration] = {}
"""version -> function that changes the folder to the next version and returns the
new content of project.json. A crash may come before that is saved, so each must
be able to run again. Version 1 is the first: there is none yet."""


def migrated(
    folder: Path,
    facts: Any,
    *,
    migrations: dict[int, Migration] | None = None,
    target: int = FORMAT_VERSION,
) -> dict[str, Any]:
    """Bring a project folder to version ``target``.

    Parameters
    ----------
    folder : Path
        The project folder.
    facts : dict
        Content of its project.json, or what stands there instead.
    migrations : dict, optional
        version -> migration to the next version.
    target : int
        Version to arrive at.

    Returns
    -------
    dict
        Content of project.json after the last migration.

    Raises
    ------
    ProjectError
        If the folder was written by a newer version of the program, by one that is
        too old, or has no version.
    """
    steps = MIGRATIONS if migrations is None else migrations
    version = facts.get("format_version") if isinstance(facts, dict) else None
    if not isinstance(version, int) or isinstance(version, bool):
        raise ProjectError(
            f"'{folder / 'project.json'}' has no valid format_version. "
            "Restore the file from a copy."
        )
    if version > target:
        raise ProjectError(
            f"'{folder.name}' has format version {version} but this program knows up "
            f"to {target}. Update napari-mtseg to open it."
        )
    if any(step not in steps for step in range(version, target)):
        raise ProjectError(
            f"'{folder.name}' has format version {version}, which this program cannot "
            f"bring to {target}. Open it once with an older napari-mtseg first."
        )
    while version < target:
        facts = steps[version](folder, facts)
        version += 1
        facts["format_version"] = version
        write_json(folder / "project.json", facts)
    return dict(facts)
