"""What the menus of napari call, and how the dock comes into a viewer."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari.viewer import Viewer

    from napari_mtseg.gui.dock import MtsegDock

PLUGIN = "napari-mtseg"
WIDGET = "Mtseg"


def open_window() -> None:
    """Show the dock in the current viewer."""
    import napari

    viewer = napari.current_viewer()
    if viewer is not None:
        open_dock(viewer)


def open_dock(viewer: "Viewer") -> "MtsegDock":
    """Return the dock of a viewer, opened where it is not open yet."""
    dock, widget = viewer.window.add_plugin_dock_widget(PLUGIN, WIDGET)
    dock.show()
    found: MtsegDock = widget
    return found
