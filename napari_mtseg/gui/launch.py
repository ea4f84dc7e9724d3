"""``python -m napari_mtseg.gui.launch [PROJECT]``: napari with the dock open."""

import sys
from pathlib import Path

import napari

from napari_mtseg.gui.menu_entries import open_dock


def main() -> None:
    """Open a viewer, the dock and the project that is named, and run until closed."""
    viewer = napari.Viewer(title="Mtseg")
    dock = open_dock(viewer)
    if len(sys.argv) > 1:
        dock.open_project(Path(sys.argv[1]))
    napari.run()


if __name__ == "__main__":
    main()
