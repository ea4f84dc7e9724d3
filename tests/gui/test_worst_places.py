"""Going to the most doubtful places of an image."""

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtWidgets import QPushButton

from napari_mtseg.gui.sentence_label import SentenceLabel
from napari_mtseg.gui.state import WindowState
from napari_mtseg.gui.worst_places import (
    LOOKING,
    NO_OBJECT,
    TOO_OLD,
    WorstPlaces,
    fitting_zoom,
)
from tests.gui.test_places_of_doubt import columns
from tests.gui.trained_projects import predicted, trained_run
from tests.tiny_projects import SIZE, disc_project

VIEW = (300, 600)
"""height and width of the canvas, pixels"""


def opened(tmp_path, qtbot, *, ndim=2, spacing=(1.0, 1.0)):
    project = disc_project(tmp_path, n_images=2, ndim=ndim)
    for entry in project.images:
        project.update_image(entry.changed({"spacing": spacing}))
    state, viewer = WindowState(), ViewerModel()
    state.open_project(project.path)
    viewer.canvas.size = VIEW
    shape = project.images[0].spatial_shape
    viewer.add_image(np.zeros(shape), scale=spacing)
    places = WorstPlaces(viewer, state)
    qtbot.addWidget(places)
    places.resize(340, 80)
    places.show()
    return project, state, viewer, places


@pytest.fixture
def flat(tmp_path, qtbot):
    project, state, viewer, places = opened(tmp_path, qtbot, spacing=(0.5, 0.5))
    objects = np.zeros((SIZE, SIZE), np.uint32)
    objects[0:4, 0:4] = 3
    objects[10:30, 8:28] = 8
    run = trained_run(project)
    scores = columns([3, 8], [0.2, 0.61], [16, 400])
    entry = project.images[0]
    predicted(project, run, entry, objects, object_scores=scores)
    places.set_run(run.path.name)
    yield project, state, viewer, places
    state.close_project()


@pytest.fixture
def volume(tmp_path, qtbot):
    spacing = (5.0, 1.0, 1.0)
    project, state, viewer, places = opened(tmp_path, qtbot, ndim=3, spacing=spacing)
    objects = np.zeros((6, SIZE, SIZE), np.uint32)
    objects[1, 4:20, 4:20] = 2
    objects[2:5, 6, 6] = 2
    run = trained_run(project)
    planes = {
        "plane": np.arange(6.0),
        "boundary_entropy": np.array([0, 0.1, 0.2, 0.6, 0.1, 0]),
        "n_object_pixels": np.ones(6, np.int64),
    }
    predicted(
        project,
        run,
        project.images[0],
        objects,
        object_scores=columns([2], [0.4], [259]),
        slice_scores=planes,
    )
    places.set_run(run.path.name)
    yield project, state, viewer, places
    state.close_project()


def said(places):
    return places.findChild(SentenceLabel, "worst_place").sentence


def button(places, name):
    return places.findChild(QPushButton, name)


def test_the_worst_object_is_centred_with_what_is_around_it(qtbot, flat):
    _, _, viewer, places = flat
    button(places, "worst_object").click()
    assert said(places) == LOOKING
    qtbot.waitUntil(lambda: said(places) != LOOKING)
    assert said(places).startswith("Object 8 (1 of 2): doubt 0.61")
    camera = viewer.scene.camera
    assert camera.center[-2:] == (19.5 * 0.5, 17.5 * 0.5)
    # It has 20 pixels of half a unit: 32 are a third of the canvas, 300 pixels high.
    assert camera.zoom * 32 * 0.5 == pytest.approx(100)


def test_the_next_image_and_the_next_page_are_shown_as_before(qtbot, flat):
    _, state, viewer, places = flat
    camera = viewer.scene.camera
    camera.center, camera.zoom = (3.0, 4.0), 2.0
    for leave in (lambda: state.step_image(1), lambda: setattr(state, "page", "train")):
        state.page = "review"
        state.image_id = state.project.images[0].id
        places.next_worst_object()
        qtbot.waitUntil(lambda: said(places).startswith("Object"))
        assert camera.zoom != 2.0
        leave()
        assert camera.center[-2:] == (3.0, 4.0)
        assert camera.zoom == 2.0


def test_each_press_goes_on_to_the_next_and_after_the_last_to_the_first(qtbot, flat):
    _, _, viewer, places = flat
    places.next_worst_object()
    qtbot.waitUntil(lambda: said(places) != LOOKING)
    places.next_worst_object()
    assert said(places).startswith("Object 3 (2 of 2)")
    assert viewer.scene.camera.center[-2:] == (0.75, 0.75)
    places.next_worst_object()
    assert said(places).startswith("Object 8 (1 of 2)")


def test_a_flat_image_has_no_slices(flat):
    _, _, _, places = flat
    assert not button(places, "worst_slice").isVisible()
    places.next_worst_slice()
    assert said(places) == ""


def test_an_image_without_prediction_offers_nothing(flat):
    project, state, _, places = flat
    assert places.isVisible()
    state.image_id = project.images[1].id
    assert not places.isVisible()
    places.next_worst_object()
    assert said(places) == ""


def test_a_new_prediction_is_looked_at_anew(qtbot, flat):
    project, state, _, places = flat
    places.next_worst_object()
    qtbot.waitUntil(lambda: said(places) != LOOKING)
    run = project.path / "predictions" / places._run_id
    nothing = np.zeros((SIZE, SIZE), np.uint32)
    entry = project.images[0]
    predicted(project, type("Run", (), {"path": run}), entry, nothing)
    state.predictions_changed.emit()
    places.next_worst_object()
    qtbot.waitUntil(lambda: said(places) == NO_OBJECT)


def test_an_older_prediction_must_be_made_anew(qtbot, flat):
    project, _, _, places = flat
    folder = project.path / "predictions" / places._run_id / project.images[0].id
    (folder / "objects.csv").unlink()
    places.next_worst_object()
    qtbot.waitUntil(lambda: said(places) == TOO_OLD)


def test_the_worst_slice_is_shown_then_the_next(qtbot, volume):
    _, _, viewer, places = volume
    button(places, "worst_slice").click()
    qtbot.waitUntil(lambda: said(places) == "Slice 3 (1 of 6): doubt 0.60")
    assert viewer.dims.current_step[0] == 3
    places.next_worst_slice()
    assert viewer.dims.current_step[0] == 2


def test_the_worst_slice_is_shown_from_3d_and_from_the_side(qtbot, volume):
    _, _, viewer, places = volume
    viewer.dims.ndisplay = 3
    places.next_worst_slice()
    qtbot.waitUntil(lambda: viewer.dims.current_step[0] == 3)
    assert viewer.dims.ndisplay == 2
    viewer.dims.order = (1, 0, 2)
    places.next_worst_slice()
    assert viewer.dims.order == (0, 1, 2)
    assert viewer.dims.current_step[0] == 2


def test_an_object_of_a_volume_is_shown_on_its_fullest_plane(qtbot, volume):
    _, _, viewer, places = volume
    places.next_worst_object()
    qtbot.waitUntil(lambda: said(places).startswith("Object 2"))
    assert viewer.dims.current_step[0] == 1
    assert viewer.scene.camera.center[-2:] == (11.5, 11.5)
    viewer.dims.order = (1, 0, 2)
    places.next_worst_object()
    assert viewer.dims.current_step[1] in {11, 12}
    assert viewer.scene.camera.center[-2:] == (12.5, 11.5)
    viewer.dims.ndisplay = 3
    places.next_worst_object()
    assert viewer.scene.camera.center == (11.5, 12.5, 11.5)


def test_a_thing_in_3d_fits_the_shorter_side_of_the_canvas():
    assert fitting_zoom((1, 20, 10), (300, 600)) == 5
