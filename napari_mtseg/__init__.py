"""Segment biomedical images, 2D and 3D, from cheap labels.

The names below are loaded when first used, so that importing the package costs
nothing: napari does it to build its menus, the shell to print a help page.
"""

from __future__ import annotations

TYPE_CHECKING = False  # importing typing would cost more than all the rest
if TYPE_CHECKING:
    from typing import Any

    from napari_mtseg.storage.example_models import example_model
    from napari_mtseg.storage.project import Project
    from napari_mtseg.workflows.batch import predict_files
    from napari_mtseg.workflows.evaluate import evaluate_project
    from napari_mtseg.workflows.export import export_model
    from napari_mtseg.workflows.predict import load_model
    from napari_mtseg.workflows.predict_images import predict_project
    from napari_mtseg.workflows.train_project import train_project
    from napari_mtseg.workflows.uncertainty_source import UncertaintySource

__version__ = "0.1.0"
__all__ = [
    "Project",
    "UncertaintySource",
    "__version__",
    "evaluate_project",
    "example_model",
    "export_model",
    "load_model",
    "predict_files",
    "predict_project",
    "train_project",
]

_HOME_OF = {
    "Project": "napari_mtseg.storage.project",
    "UncertaintySource": "napari_mtseg.workflows.uncertainty_source",
    "evaluate_project": "napari_mtseg.workflows.evaluate",
    "example_model": "napari_mtseg.storage.example_models",
    "export_model": "napari_mtseg.workflows.export",
    "load_model": "napari_mtseg.workflows.predict",
    "predict_files": "napari_mtseg.workflows.batch",
    "predict_project": "napari_mtseg.workflows.predict_images",
    "train_project": "napari_mtseg.workflows.train_project",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOME_OF[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME_OF})
