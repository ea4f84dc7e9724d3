"""Imports ahead what napari's first Labels layer would import while a project opens."""

from importlib import import_module
from threading import Thread

MODULES = ("pandas", "skimage.util")
"""what takes long of it: pandas alone is half of the time of a first layer"""


def warm_up() -> Thread:
    """Import MODULES in a thread that ends by itself; return it."""
    thread = Thread(target=_import_all, name="mtseg-warm-up")
    thread.start()
    return thread


def _import_all() -> None:
    for name in MODULES:
        import_module(name)
