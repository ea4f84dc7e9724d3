"""Brushes in the 3D canvas."""

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_mtseg.gui.brush_rest import RESTS, BrushRest


@pytest.fixture
def told(monkeypatch):
    said = []
    monkeypatch.setattr("napari_mtseg.gui.brush_rest.show_info", said.append)
    return said


@pytest.fixture
def viewer():
    viewer = ViewerModel()
    for name in ("Partial masks", "Scribbles", "Of somebody else"):
        viewer.add_labels(np.zeros((3, 8, 8), np.uint8), name=name)
    viewer.layers.selection.active = viewer.layers["Partial masks"]
    return viewer


@pytest.fixture(autouse=True)
def rest(viewer, told):
    return BrushRest(viewer)


def test_the_brush_rests_in_3d_and_is_ready_again_in_slices(viewer, told):
    layers = viewer.layers
    layers["Partial masks"].mode = "paint"
    viewer.dims.ndisplay = 3
    assert layers["Partial masks"].mode == "pan_zoom"
    assert told == [RESTS]
    viewer.dims.ndisplay = 2
    assert layers["Partial masks"].mode == "paint"
    assert layers["Scribbles"].mode == "pan_zoom"


def test_who_only_looks_is_told_nothing(viewer, told):
    viewer.dims.ndisplay = 3
    viewer.dims.ndisplay = 2
    assert told == []
    assert viewer.layers["Partial masks"].mode == "pan_zoom"


def test_layers_that_are_not_ours_keep_their_tool(viewer):
    viewer.layers["Of somebody else"].mode = "paint"
    viewer.dims.ndisplay = 3
    assert viewer.layers["Of somebody else"].mode == "paint"


def test_a_tool_that_is_taken_up_in_3d_stays(viewer):
    layer = viewer.layers["Partial masks"]
    layer.mode = "paint"
    viewer.dims.ndisplay = 3
    layer.mode = "erase"
    viewer.dims.ndisplay = 2
    assert layer.mode == "erase"


def test_a_layer_that_was_deleted_in_3d_is_left_alone(viewer):
    layer = viewer.layers["Partial masks"]
    layer.mode = "paint"
    viewer.dims.ndisplay = 3
    viewer.layers.remove(layer)
    viewer.dims.ndisplay = 2
    assert layer.mode == "pan_zoom"
