"""What the window remembers between two sessions: recent projects and images."""

import os
import sys
from pathlib import Path

from pydantic import Field

from napari_mtseg.domain.errors import MtsegError
from napari_mtseg.domain.settings import Settings
from napari_mtseg.gui.folder_request import FolderRequest
from napari_mtseg.storage.settings_files import read_settings
from napari_mtseg.storage.write import clear_write_errors, write_json

CONFIG_VARIABLE = "MTSEG_CONFIG"
"""environment variable that names another folder for the settings"""
MAX_RECENT = 8

_FILE = "window.json"


class WindowSettings(Settings):
    """What holds for this user's window, whatever project is open."""

    recent_projects: tuple[str, ...] = ()
    """paths of projects, the last opened first"""
    last_image: dict[str, str] = Field(default_factory=dict)
    """path of a project -> id of the image that was looked at last"""
    open_at_end: str = ""
    """path of the project that was open when the window closed; '' if none was"""
    author: str = ""
    """who models are said to be by; several are parted by semicolons"""
    licence: str = ""
    """SPDX name of the licence that was chosen last; '' if none was"""
    unfinished: dict[str, FolderRequest] = Field(default_factory=dict)
    """path of a project -> images that were being segmented with it, not all done"""


def settings_folder() -> Path:
    """Return the folder of the user's settings, which need not exist."""
    if chosen := os.environ.get(CONFIG_VARIABLE):
        return Path(chosen)
    if sys.platform == "win32":
        return Path(os.environ.get("APPDATA", Path.home())) / "napari-mtseg"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "napari-mtseg"
    base = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(base) / "napari-mtseg"


def load_window_settings() -> WindowSettings:
    """Read the settings; the defaults where there are none or they are damaged.

    What is kept here is a convenience: a damaged file must not keep the window shut.
    """
    try:
        return read_settings(settings_folder() / _FILE, WindowSettings)
    except (OSError, MtsegError):
        return WindowSettings()


def save_window_settings(settings: WindowSettings) -> None:
    """Save the settings.

    Raises
    ------
    StorageError
        If the disk is full or the folder cannot be written.
    """
    folder = settings_folder()
    with clear_write_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / _FILE, settings.model_dump(mode="json"))


def remember_project(path: Path, image_id: str | None = None) -> None:
    """Put a project first among the recent ones, with the image that is shown.

    Raises
    ------
    StorageError
        If the settings cannot be written.
    """
    settings, key = load_window_settings(), str(Path(path).resolve())
    others = (other for other in settings.recent_projects if other != key)
    recent = (key, *others)[:MAX_RECENT]
    last = {k: v for k, v in settings.last_image.items() if k in recent}
    if image_id is not None:
        last[key] = image_id
    left = {k: v for k, v in settings.unfinished.items() if k in recent}
    after = settings.changed(
        {
            "recent_projects": recent,
            "last_image": last,
            "open_at_end": key,
            "unfinished": left,
        }
    )
    if after != settings:
        save_window_settings(after)


def forget_open_project() -> None:
    """Note that the user closed the project, so that it is not offered first.

    Raises
    ------
    StorageError
        If the settings cannot be written.
    """
    settings = load_window_settings()
    if settings.open_at_end:
        save_window_settings(settings.changed({"open_at_end": ""}))


def remember_credits(author: str, licence: str) -> None:
    """Keep who models are by and under which licence, for the next export.

    Raises
    ------
    StorageError
        If the settings cannot be written.
    """
    settings = load_window_settings()
    after = settings.changed({"author": author, "licence": licence})
    if after != settings:
        save_window_settings(after)


def remember_unfinished(project: Path, request: FolderRequest | None) -> None:
    """Keep which images are being segmented with a project; None: all are done.

    Raises
    ------
    StorageError
        If the settings cannot be written.
    """
    settings, key = load_window_settings(), str(Path(project).resolve())
    left = {k: v for k, v in settings.unfinished.items() if k != key}
    if request is not None:
        left[key] = request
    if left != settings.unfinished:
        save_window_settings(settings.changed({"unfinished": left}))
