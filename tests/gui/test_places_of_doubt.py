"""The most doubtful parts of one prediction."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_mtseg.geometry.outliers import object_statistics
from napari_mtseg.gui.places_of_doubt import (
    doubtful_objects,
    doubtful_planes,
    object_places,
)
from tests.gui.trained_projects import predicted, trained_run
from tests.tiny_projects import SIZE, disc_project

LARGE = 2**31


def columns(ids, doubts, sizes):
    n = len(ids)
    return {
        "id": np.array(ids),
        "class": np.ones(n, np.int64),
        "size": np.array(sizes, np.int64),
        "boundary_entropy": np.array(doubts, np.float64),
        "inside_entropy": np.zeros(n),
        "elongation": np.ones(n),
        "fill": np.ones(n),
    }


def two_squares():
    objects = np.zeros((SIZE, SIZE), np.uint32)
    objects[2:6, 2:6] = 3
    objects[10:20, 8:12] = 8
    return objects


def test_the_most_doubtful_object_comes_first_with_its_place(tmp_path):
    project = disc_project(tmp_path, n_images=1)
    folder = predicted(
        project,
        trained_run(project),
        project.images[0],
        two_squares(),
        object_scores=columns([3, 8], [0.2, 0.61], [16, 40]),
    )
    worst, other = doubtful_objects(folder)
    assert (worst.id, other.id) == (8, 3)
    assert worst.box == (slice(10, 20), slice(8, 12))
    assert worst.sentence(0, 2) == "Object 8 (1 of 2): doubt 0.61"


def test_an_object_of_unusual_size_is_called_so(tmp_path):
    project = disc_project(tmp_path, n_images=2)
    first, second = project.images
    run = trained_run(project)
    usual = columns([1] * 40, [0.1] * 40, [16] * 20 + [17] * 20)
    predicted(
        project,
        run,
        first,
        np.zeros((SIZE, SIZE), np.uint32),
        statistics=object_statistics(usual),
    )
    odd = columns([3, 8], [0.2, 0.6], [16, 400])
    folder = predicted(
        project,
        run,
        second,
        two_squares(),
        object_scores=odd,
        statistics=object_statistics(odd),
    )
    worst, other = doubtful_objects(folder)
    assert [what for what, _ in worst.unusual] == ["size"]
    assert ", unusual size " in worst.sentence(0, 2)
    assert other.unusual == ()


def test_an_older_prediction_tells_nothing_of_its_parts(tmp_path):
    project = disc_project(tmp_path, n_images=1)
    run = trained_run(project)
    folder = predicted(project, run, project.images[0], two_squares())
    assert doubtful_objects(folder) is None
    assert doubtful_planes(folder) is None
    nothing = np.zeros((SIZE, SIZE), np.uint32)
    assert doubtful_objects(predicted(project, run, project.images[0], nothing)) == ()


def test_the_most_doubtful_plane_comes_first(tmp_path):
    project = disc_project(tmp_path, n_images=1, ndim=3)
    (entry,) = project.images
    planes = {
        "plane": np.arange(3.0),
        "boundary_entropy": np.array([0.1, 0.5, 0.3]),
        "n_object_pixels": np.array([4, 0, 9]),
    }
    objects = np.ones(entry.spatial_shape, np.uint32)
    run = trained_run(project)
    folder = predicted(project, run, entry, objects, slice_scores=planes)
    found = doubtful_planes(folder)
    assert [each.plane for each in found] == [1, 2, 0]
    assert found[0].sentence(0, 3) == "Slice 1 (1 of 3): doubt 0.50, nothing found"
    assert found[1].sentence(1, 3) == "Slice 2 (2 of 3): doubt 0.30"


def test_an_object_is_shown_on_the_plane_with_most_of_it():
    objects = np.zeros((4, 5, 5), np.uint32)
    objects[0:3, 0, 0] = 2
    objects[2, 1:4, 0] = 2
    assert object_places(objects) == {2: ((slice(0, 3), slice(0, 4), slice(0, 1)), 2)}


def test_an_object_in_two_parts_of_a_large_image_has_one_box():
    objects = np.zeros((2, 1024, 1024), np.uint32)
    objects[0, 5, 7:9] = 4
    objects[1, 1020, 8] = 4
    box = (slice(0, 2), slice(5, 1021), slice(7, 9))
    assert object_places(objects) == {4: (box, 0)}


@given(
    arrays(np.uint32, (3, 4, 5), elements=st.sampled_from([0, 1, 5, 6])),
    st.sampled_from([0, LARGE]),
)
def test_every_object_fills_its_box(objects, more):
    objects = np.where(objects > 0, objects + np.uint32(more), 0).astype(np.uint32)
    places = object_places(objects)
    assert set(places) == set(np.unique(objects).tolist()) - {0}
    for key, (box, plane) in places.items():
        inside = objects == key
        outside = inside.copy()
        outside[box] = False
        assert not outside.any()
        assert all(inside[box].any(axis=axis).any() for axis in range(3))
        assert inside[plane].sum() == inside.sum(axis=(1, 2)).max()
