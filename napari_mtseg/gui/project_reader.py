"""Opening a ``.mtseg`` folder in napari: dropped, by File > Open, or from the shell."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

Reader = Callable[[str], list[Any]]


def project_reader(path: str | Sequence[str]) -> Reader | None:
    """Return a reader if ``path`` is one project folder, else None."""
    if not isinstance(path, str) or not (Path(path) / "project.json").exists():
        return None
    return open_in_dock


def open_in_dock(path: str) -> list[Any]:
    """Open a project in the dock of the current viewer.

    Returns
    -------
    list
        What napari takes for 'no layers': the dock makes them.
    """
    import napari

    from napari_mtseg.gui.menu_entries import open_dock

    viewer = napari.current_viewer() or napari.Viewer()
    open_dock(viewer).open_project(Path(path))
    return [(None,)]
