"""`mtseg window`: napari with the Mtseg dock open."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from napari_mtseg.domain.errors import WindowError


def run_window(
    project: Annotated[
        Path | None, typer.Argument(help="Project folder to open, NAME.mtseg.")
    ] = None,
) -> None:
    """Open napari with the Mtseg dock, and a project in it if one is named.

    Example: `mtseg window cells.mtseg`
    """
    if project is not None:
        from napari_mtseg.storage.project import Project

        project = Project.open(project).path
    open_window(project)


def open_window(project: Path | None) -> None:
    """Run napari in a process of its own until it is closed.

    Raises
    ------
    WindowError
        If there is no screen, or napari is not installed.
    """
    if find_spec("napari") is None:
        raise WindowError(
            "The window needs napari, which is not installed. Install it with: "
            "pip install 'napari-mtseg[pyqt5]'."
        )
    if not has_screen():
        raise WindowError(
            "There is no screen to open a window on: DISPLAY is not set. Work from "
            "the shell instead, see 'mtseg --help'."
        )
    # By name: the command line must not import the window.
    command = [sys.executable, "-m", "napari_mtseg.gui.launch"]
    done = subprocess.run(command + [str(project)] * (project is not None), check=False)
    if done.returncode:
        raise typer.Exit(done.returncode)


def has_screen() -> bool:
    """Tell whether a window could be shown."""
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
