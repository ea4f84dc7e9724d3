"""Results as layers over the image."""

from dataclasses import replace

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtWidgets import QCheckBox

from napari_mtseg.domain.annotation import ObjectMasks
from napari_mtseg.domain.prediction import Prediction
from napari_mtseg.gui.overlay_content import (
    ANY_CLASS,
    grown_content,
    outline_widths,
    outlines,
    prediction_content,
    preview_content,
)
from napari_mtseg.gui.overlay_layers import STYLES
from napari_mtseg.gui.overlay_switches import OverlaySwitches
from napari_mtseg.gui.overlays import Overlays
from napari_mtseg.gui.state import WindowState
from napari_mtseg.storage.prediction_files import save_prediction
from tests.tiny_projects import SIZE, disc_project

ALL = (
    "Contours",
    "Grown masks",
    "Instances",
    "Segmentation",
    "Uncertainty",
    "Distance",
    "Probability",
)
OF_METHODS = {
    "Boundary": (0, 1),
    "Difficulty": (1, 26),
    "Marker": (0, 1),
    "Border": (0, 1),
    "Contour probability": (0, 1),
    "Learned distance": (-7, 7),
}
"""overlay of a map that some method adds -> limits of its colours below"""
OF_SEVERAL_ANSWERS = {
    "Mean entropy": (0, 1),
    "Mutual information": (0, pytest.approx(0.3, abs=1e-3)),
    "Variance": (0, 0.05),
}
"""overlay that several answers add -> limits of its colours below"""


@pytest.fixture
def viewer():
    return ViewerModel()


@pytest.fixture
def state(tmp_path):
    disc_project(tmp_path)
    state = WindowState()
    state.open_project(tmp_path / "discs.mtseg")
    yield state
    state.close_project()


@pytest.fixture
def overlays(viewer, state, qtbot):
    viewer.add_image(np.zeros((SIZE, SIZE)), name="Image")
    viewer.add_labels(np.zeros((SIZE, SIZE), np.uint32), name="Partial masks")
    overlays = Overlays(viewer, state)
    yield overlays
    overlays.release()


def square(shape=(SIZE, SIZE)):
    objects = np.zeros(shape, np.uint32)
    objects[..., 4:16, 4:16] = 5
    return objects


def prediction(shape=(SIZE, SIZE), *, empty=False):
    objects = np.zeros(shape, np.uint32) if empty else square(shape)
    inside = (objects > 0).astype(np.float16)
    distance = np.where(objects > 0, -3, 9).astype(np.float32)
    return Prediction(
        classes=(objects > 0).astype(np.uint8),
        probabilities=np.stack([1 - inside * 0.75, inside * 0.75]).astype(np.float16),
        instances=objects,
        class_of={} if empty else {5: 1},
        maps={
            "distance": np.full(shape, np.inf, np.float32) if empty else distance,
            "uncertainty": np.full(shape, 0.5, np.float16),
        },
        scores={"quality": 0.9},
    )


def with_own_maps(made):
    """Add the maps of all methods, as none of them does alone."""
    inside = made.instances > 0
    names = ("contour_probability", "boundary", "marker", "border")
    own = {name: np.where(inside, 0.5, 0).astype(np.float16) for name in names}
    own["shape_distance"] = np.where(inside, -3, 7).astype(np.float16)
    own["difficulty"] = np.where(inside, 26, 1).astype(np.float16)
    return replace(made, maps={**made.maps, **own})


def with_several_answers(made):
    """Add what several passes tell; the variance is faint."""
    ones = np.ones_like(made.maps["uncertainty"])
    own = {"expected_entropy": 0.2, "mutual_information": 0.3, "variance": 0.01}
    maps = {name: (value * ones).astype(np.float16) for name, value in own.items()}
    return replace(made, maps={**made.maps, **maps})


def saved(folder, shape=(SIZE, SIZE), *, own_maps=False, several=False, **facts):
    made = prediction(shape, **facts)
    if own_maps:
        made = with_own_maps(made)
    if several:
        made = with_several_answers(made)
    save_prediction(folder, made, spacing=(1,) * len(shape), unit="pixel")
    return folder


def show(qtbot, overlays, tmp_path, **facts):
    with qtbot.waitSignal(overlays.shown):
        overlays.show_prediction(saved(tmp_path / "prediction", **facts))


def test_a_prediction_becomes_layers_below_the_paint(qtbot, overlays, viewer, tmp_path):
    active = viewer.layers.selection.active
    camera = (viewer.scene.camera.zoom, viewer.scene.camera.center)
    show(qtbot, overlays, tmp_path)
    names = [layer.name for layer in viewer.layers]
    assert names == [
        "Image",
        "Probability",
        "Distance",
        "Uncertainty",
        "Segmentation",
        "Instances",
        "Contours",
        "Partial masks",
    ]
    assert overlays.names == tuple(n for n in ALL if n != "Grown masks")
    visible = [layer.name for layer in viewer.layers if layer.visible]
    assert visible == ["Image", "Segmentation", "Contours", "Partial masks"]
    assert viewer.layers.selection.active is active
    assert set(viewer.layers.selection) == {active}
    assert (viewer.scene.camera.zoom, viewer.scene.camera.center) == camera


def test_layers_show_what_was_predicted(qtbot, overlays, viewer, tmp_path):
    show(qtbot, overlays, tmp_path)
    layers = viewer.layers
    assert layers["Segmentation"].data.sum() == 144
    assert set(np.unique(layers["Instances"].data)) == {0, 5}
    assert layers["Contours"].data[4, 4] == 1
    assert layers["Contours"].data[10, 10] == 0
    assert layers["Probability"].data[10, 10] == pytest.approx(0.75)
    assert layers["Distance"].contrast_limits == [-9, 9]
    assert layers["Uncertainty"].contrast_limits == [0, 1]
    assert layers["Uncertainty"].colorbar.visible


def test_maps_of_a_method_are_layers_that_are_hidden_at_first(
    qtbot, overlays, viewer, tmp_path
):
    show(qtbot, overlays, tmp_path, own_maps=True)
    assert overlays.names == (*(n for n in ALL if n != "Grown masks"), *OF_METHODS)
    for name, limits in OF_METHODS.items():
        layer = viewer.layers[name]
        assert not layer.visible
        assert tuple(layer.contrast_limits) == limits
        assert layer.colorbar.visible
    assert viewer.layers["Learned distance"].data[10, 10] == -3
    assert viewer.layers["Difficulty"].data[10, 10] == 26
    assert viewer.layers["Difficulty"].colormap.name == "inferno"
    before = list(viewer.layers)
    show(qtbot, overlays, tmp_path, own_maps=True)
    assert list(viewer.layers) == before


def test_several_answers_add_maps_of_doubt_that_are_hidden_at_first(
    qtbot, overlays, viewer, tmp_path
):
    show(qtbot, overlays, tmp_path, several=True)
    assert overlays.names[3:7] == ("Uncertainty", *OF_SEVERAL_ANSWERS)
    for name, limits in OF_SEVERAL_ANSWERS.items():
        layer = viewer.layers[name]
        assert not layer.visible
        assert tuple(layer.contrast_limits) == limits
        assert layer.colorbar.visible
    show(qtbot, overlays, tmp_path)
    assert not set(OF_SEVERAL_ANSWERS) & set(overlays.names)


def test_a_prediction_without_a_map_takes_its_overlay_away(
    qtbot, overlays, viewer, tmp_path
):
    show(qtbot, overlays, tmp_path, own_maps=True)
    show(qtbot, overlays, tmp_path)
    assert not set(OF_METHODS) & set(overlays.names)
    assert not {layer.name for layer in viewer.layers} & set(OF_METHODS)


def test_a_layer_that_was_put_away_comes_back_as_the_user_left_it(
    qtbot, overlays, viewer, tmp_path
):
    show(qtbot, overlays, tmp_path, own_maps=True)
    marker = viewer.layers["Marker"]
    overlays.set_visible("Marker", True)
    marker.contrast_limits = (0, 0.5)
    active = viewer.layers["Image"]
    viewer.layers.selection.active = active
    before = [layer.name for layer in viewer.layers]
    show(qtbot, overlays, tmp_path)
    assert np.isnan(marker.data).all()
    overlays.opacity = 0.3
    assert set(viewer.layers.selection) == {active}
    show(qtbot, overlays, tmp_path, own_maps=True)
    assert [layer.name for layer in viewer.layers] == before
    assert viewer.layers["Marker"] is marker
    assert (marker.visible, marker.opacity) == (True, 0.3)
    assert marker.contrast_limits == [0, 0.5]
    assert marker.colorbar.visible
    assert not viewer.layers["Border"].visible
    assert set(viewer.layers.selection) == {active}


def test_a_layer_put_away_while_the_results_are_hidden_is_not_forgotten(
    qtbot, overlays, viewer, tmp_path
):
    show(qtbot, overlays, tmp_path, own_maps=True)
    overlays.set_visible("Marker", True)
    overlays.visible = False
    show(qtbot, overlays, tmp_path)
    show(qtbot, overlays, tmp_path, own_maps=True)
    assert not viewer.layers["Marker"].visible
    show(qtbot, overlays, tmp_path)
    overlays.visible = True
    show(qtbot, overlays, tmp_path, own_maps=True)
    assert viewer.layers["Marker"].visible


def test_a_run_without_results_of_this_image_leaves_none_of_another(
    qtbot, overlays, viewer, tmp_path
):
    show(qtbot, overlays, tmp_path, own_maps=True)
    with qtbot.waitSignal(overlays.shown):
        overlays.put_away_results()
    assert overlays.names == ()
    assert not viewer.layers["Segmentation"].data.any()
    assert [layer.name for layer in viewer.layers] == [
        "Image",
        "Segmentation",
        "Instances",
        "Contours",
        "Partial masks",
    ]


def test_grown_masks_are_put_away_with_their_run(qtbot, overlays, viewer, tmp_path):
    overlays.make_ready()
    with qtbot.waitSignal(overlays.shown):
        overlays.show_maps((square() > 0).astype(np.uint8), square())
    assert "Grown masks" not in viewer.layers
    with qtbot.waitSignal(overlays.shown):
        overlays.show_grown(square(), {5: 1})
    assert viewer.layers["Grown masks"].data.any()
    with qtbot.waitSignal(overlays.shown):
        overlays.put_away_grown()
    assert "Grown masks" not in viewer.layers
    assert overlays.names == ("Contours", "Instances", "Segmentation")


def test_another_project_begins_without_the_maps_of_the_one_before(
    qtbot, overlays, viewer, state, tmp_path
):
    show(qtbot, overlays, tmp_path, own_maps=True)
    (tmp_path / "b").mkdir()
    disc_project(tmp_path / "b")
    with qtbot.waitSignal(overlays.shown):
        state.open_project(tmp_path / "b" / "discs.mtseg")
    names = {layer.name for layer in viewer.layers}
    assert names == {"Image", "Segmentation", "Instances", "Contours", "Partial masks"}


@pytest.mark.parametrize(
    "name", ["Contour probability", "Boundary", "Border", "Marker"]
)
def test_maps_of_lines_and_cores_let_the_image_through_where_they_are_low(name):
    colours = STYLES[name].colours.map(np.array([0, 0.1, 0.5, 1]))
    assert colours[0, 3] == 0
    assert 0.1 < colours[1, 3] < 0.3
    assert (colours[2:, 3] == 1).all()


def test_there_is_a_switch_for_each_map_of_the_prediction_and_no_other(
    qtbot, overlays, state, tmp_path
):
    switches = OverlaySwitches(state, overlays)
    qtbot.addWidget(switches)
    switches.show()
    own = {f"show_{name.lower().replace(' ', '_')}" for name in OF_METHODS}

    def shown():
        boxes = switches.findChildren(QCheckBox)
        return {box.objectName() for box in boxes if box.isVisible()}

    show(qtbot, overlays, tmp_path)
    assert not own & shown()
    show(qtbot, overlays, tmp_path, own_maps=True)
    assert own <= shown()
    switches.findChild(QCheckBox, "show_marker").click()
    assert overlays.is_visible("Marker")
    assert switches.minimumSizeHint().width() <= 300


def test_boxes_of_the_switches_do_not_lie_on_each_other(
    qtbot, overlays, state, tmp_path
):
    switches = OverlaySwitches(state, overlays)
    qtbot.addWidget(switches)
    switches.resize(300, 400)
    switches.show()
    show(qtbot, overlays, tmp_path)
    show(qtbot, overlays, tmp_path, own_maps=True, several=True)
    with qtbot.waitSignal(overlays.shown):
        overlays.show_grown(square(), {5: 1})
    qtbot.waitExposed(switches)
    switches.layout().activate()
    places = [b.geometry() for b in switches.findChildren(QCheckBox) if b.isVisible()]
    assert len(places) == 1 + len(ALL) + len(OF_METHODS) + len(OF_SEVERAL_ANSWERS)
    for i, place in enumerate(places):
        assert not any(place.intersects(other) for other in places[:i])


def test_contours_have_the_colour_of_their_class(qtbot, overlays, viewer, tmp_path):
    show(qtbot, overlays, tmp_path)
    colour = viewer.layers["Contours"].get_color(1)
    np.testing.assert_allclose(colour[:3], np.array([0xE6, 0x9F, 0]) / 255, atol=1e-3)


def test_layers_carry_scale_unit_and_axes_of_the_image(
    qtbot, overlays, viewer, state, tmp_path
):
    entry = state.entry
    state.project.update_image(
        entry.changed({"spacing": (0.5, 0.25), "unit": "micrometer"})
    )
    show(qtbot, overlays, tmp_path)
    layer = viewer.layers["Distance"]
    assert tuple(layer.scale) == (0.5, 0.25)
    assert [str(unit) for unit in layer.units] == ["micrometer"] * 2
    assert layer.axis_labels == ("y", "x")


def test_a_refresh_keeps_what_the_user_set(qtbot, overlays, viewer, tmp_path):
    show(qtbot, overlays, tmp_path)
    layers = viewer.layers
    before = dict(zip([layer.name for layer in layers], layers, strict=True))
    layers["Segmentation"].opacity = 0.8
    layers["Segmentation"].visible = False
    layers["Distance"].contrast_limits = (-2, 2)
    layers.move(layers.index("Contours"), 1)
    order = [layer.name for layer in layers]
    show(qtbot, overlays, tmp_path)
    assert [layer.name for layer in layers] == order
    assert all(before[layer.name] is layer for layer in layers)
    assert layers["Segmentation"].opacity == 0.8
    assert not layers["Segmentation"].visible
    assert layers["Distance"].contrast_limits == [-2, 2]


def test_another_image_shows_nothing_of_the_one_before(
    qtbot, overlays, viewer, state, tmp_path
):
    show(qtbot, overlays, tmp_path)
    state.step_image(1)
    assert overlays.names == ()
    assert not viewer.layers["Segmentation"].data.any()
    assert np.isnan(viewer.layers["Distance"].data).all()
    assert not viewer.layers["Uncertainty"].colorbar.visible
    show(qtbot, overlays, tmp_path)
    assert viewer.layers["Segmentation"].data.any()


def test_an_answer_that_comes_too_late_is_not_shown(
    qtbot, overlays, viewer, state, tmp_path
):
    overlays.show_prediction(saved(tmp_path / "prediction"))
    state.step_image(1)
    with qtbot.waitSignal(overlays.shown):
        overlays.show_grown(square(), {5: 1})
    assert overlays.names == ("Grown masks",)


def test_a_preview_shows_no_maps_of_an_older_prediction(
    qtbot, overlays, viewer, tmp_path
):
    show(qtbot, overlays, tmp_path)
    with qtbot.waitSignal(overlays.shown):
        overlays.show_maps((square() > 0).astype(np.uint8), square())
    assert overlays.names == ("Contours", "Instances", "Segmentation")
    assert "Probability" not in viewer.layers


def test_grown_masks_are_dashed_outlines_beside_the_results(
    qtbot, overlays, viewer, tmp_path
):
    show(qtbot, overlays, tmp_path)
    with qtbot.waitSignal(overlays.shown):
        overlays.show_grown(square(), {5: 1})
    assert overlays.names == ALL
    grown, full = viewer.layers["Grown masks"].data, viewer.layers["Contours"].data
    assert 0 < grown.sum() < full.sum()
    assert not ((grown > 0) & (full == 0)).any()


def test_the_group_is_hidden_and_comes_back_as_it_was(
    qtbot, overlays, viewer, tmp_path
):
    show(qtbot, overlays, tmp_path)
    overlays.set_visible("Uncertainty", True)
    overlays.visible = False
    shown = [layer.name for layer in viewer.layers if layer.visible]
    assert shown == ["Image", "Partial masks"]
    overlays.set_visible("Contours", False)
    with qtbot.waitSignal(overlays.shown):
        overlays.show_grown(square(), {5: 1})
    assert not viewer.layers["Grown masks"].visible
    overlays.visible = True
    shown = {layer.name for layer in viewer.layers if layer.visible}
    assert shown == {
        "Image",
        "Partial masks",
        "Segmentation",
        "Uncertainty",
        "Grown masks",
    }


def test_a_layer_that_the_user_deleted_is_made_again(qtbot, overlays, viewer, tmp_path):
    show(qtbot, overlays, tmp_path)
    viewer.layers.remove("Contours")
    show(qtbot, overlays, tmp_path)
    assert [layer.name for layer in viewer.layers][-2:] == ["Contours", "Partial masks"]


def test_an_image_without_objects_has_a_transparent_distance(
    qtbot, overlays, viewer, tmp_path
):
    show(qtbot, overlays, tmp_path, empty=True)
    assert np.isnan(viewer.layers["Distance"].data).all()
    assert viewer.layers["Distance"].contrast_limits == [-1, 1]


def test_a_damaged_prediction_is_told_as_a_sentence(qtbot, overlays, tmp_path):
    folder = saved(tmp_path / "prediction")
    (folder / "classes.tif").write_bytes(b"no image")
    with qtbot.waitSignal(overlays.failed) as told:
        overlays.show_prediction(folder)
    assert told.args[0].endswith("Predict this image again with 'mtseg predict'.")
    assert overlays.names == ()


def test_the_colours_follow_the_palette(qtbot, overlays, viewer, state, tmp_path):
    show(qtbot, overlays, tmp_path)
    disc = state.project.info.classes[0].changed({"colour": "#0000ff"})
    state.project.info = state.project.info.changed({"classes": (disc,)})
    state.classes_changed.emit()
    np.testing.assert_allclose(
        viewer.layers["Segmentation"].get_color(1)[:3], (0, 0, 1)
    )


def test_opacity_leaves_outlines_alone(qtbot, overlays, viewer, tmp_path):
    show(qtbot, overlays, tmp_path)
    overlays.opacity = 0.25
    assert overlays.opacity == 0.25
    assert viewer.layers["Uncertainty"].opacity == 0.25
    assert viewer.layers["Contours"].opacity == 1


@pytest.mark.filterwarnings("error:Contours are not displayed")
def test_volumes_are_shown_in_the_3d_canvas(make_napari_viewer, qtbot, tmp_path):
    disc_project(tmp_path, ndim=3)
    state = WindowState()
    state.open_project(tmp_path / "discs.mtseg")
    viewer = make_napari_viewer()
    viewer.add_image(np.zeros((6, SIZE, SIZE)), name="Image")
    overlays = Overlays(viewer, state)
    folder = saved(tmp_path / "prediction", shape=(6, SIZE, SIZE))
    with qtbot.waitSignal(overlays.shown):
        overlays.show_prediction(folder)
    for name in overlays.names:
        overlays.set_visible(name, True)
    viewer.dims.ndisplay = 3
    assert viewer.layers["Contours"].data.shape == (6, SIZE, SIZE)
    assert viewer.layers["Distance"].axis_labels == ("z", "y", "x")
    state.close_project()
    assert overlays.names == ()


def test_layers_serve_a_volume_after_a_flat_image(qtbot, viewer, tmp_path):
    state = WindowState()
    overlays = Overlays(viewer, state)
    for ndim, shape in ((2, (SIZE, SIZE)), (3, (6, SIZE, SIZE)), (2, (SIZE, SIZE))):
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        disc_project(folder, ndim=ndim)
        state.open_project(folder / "discs.mtseg")
        with qtbot.waitSignal(overlays.shown):
            overlays.show_prediction(saved(folder / "prediction", shape=shape))
        assert viewer.layers["Contours"].data.shape == shape
        assert len(viewer.layers["Contours"].scale) == ndim
    state.close_project()
    assert len(viewer.layers) == 6


def test_outlines_run_between_touching_objects_and_not_along_the_edge():
    row = np.array([[1, 1, 1, 2, 2, 2, 0]])
    assert outlines(row).astype(int).tolist() == [[0, 1, 1, 1, 1, 1, 0]]


def test_outlines_run_along_the_axes_on_the_canvas_equally_wide_in_the_world():
    objects = np.zeros((5, 9, 9), np.uint32)
    objects[1:4, 1:8, 1:8] = 1
    assert outline_widths((1, 2), (5, 1, 1)) == (0, 2, 2)
    slices = outlines(objects, (0, 2, 2))
    assert not slices[1, 4, 4]
    assert slices[2, 2, 4]
    from_the_side = outlines(objects, outline_widths((0, 1), (5, 1, 1)))
    assert from_the_side[:, 4, 4].tolist() == [False, True, False, True, False]
    assert not from_the_side[2, 4, 1]
    shell = outlines(objects, outline_widths((0, 1, 2), (5, 1, 1)))
    assert np.count_nonzero(objects[~shell]) == 9
    assert outline_widths((0, 1), (0.5, 0.25)) == (1, 2)


def test_dashes_of_a_volume_part_its_lines_in_every_plane():
    objects = np.ones((4, 12, 12), np.uint32)
    objects[:, 0, :] = 0
    grown = ObjectMasks(objects=objects, class_of={1: 2})
    for widths in ((0, 2, 2), (1, 2, 0)):
        line = outlines(objects, widths)
        dashed = grown_content(grown, widths)["Grown masks"].values
        assert set(np.unique(dashed)) == {0, 2}
        assert 0.3 < np.count_nonzero(dashed) / np.count_nonzero(line) < 0.7
        assert not dashed[~line].any()


def test_the_probability_of_a_class_or_of_any_object():
    p = np.array([0.2, 0.5, 0.3], np.float16).reshape(3, 1, 1)
    one = np.ones((1, 1), np.uint32)
    made = Prediction(
        classes=one.astype(np.uint8), probabilities=p, instances=one, class_of={1: 1}
    )
    for n_class, expected in ((ANY_CLASS, 0.8), (1, 0.5), (2, 0.3), (9, 0.8)):
        shown = prediction_content(made, n_class)["Probability"].values
        assert shown.item() == pytest.approx(expected, abs=1e-3)


def test_a_difficulty_that_is_one_everywhere_has_limits():
    made = prediction(empty=True)
    easy = np.ones((SIZE, SIZE), np.float16)
    shown = prediction_content(replace(made, maps={"difficulty": easy}), ANY_CLASS)
    assert shown["Difficulty"].limits == (1, 2)


def test_numbers_keep_their_type_and_what_is_not_finite_is_not_shown():
    made = prediction(empty=True)
    maps = {"uncertainty": np.float16([[0.5, np.inf]]), "distance": np.array([[1, 2]])}
    shown = prediction_content(replace(made, maps=maps), ANY_CLASS)
    assert shown["Uncertainty"].values.dtype == np.float16
    np.testing.assert_array_equal(shown["Uncertainty"].values, [[0.5, np.nan]])
    assert shown["Distance"].values.dtype == np.float32
    assert shown["Probability"].values.dtype == np.float16


def test_an_object_of_a_preview_takes_the_class_of_its_pixels():
    objects = np.array([[1, 1, 0, 2, 2, 3]], np.uint32)
    classes = np.array([[2, 2, 0, 1, 1, 0]], np.uint8)
    shown = preview_content(classes, objects)
    assert shown["Contours"].values.tolist() == [[2, 2, 0, 1, 1, 0]]
    assert shown["Instances"].values.tolist() == [[1, 1, 0, 2, 2, 0]]
