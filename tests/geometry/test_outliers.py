import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_mtseg.geometry.outliers import (
    LEAST_SPREAD,
    Population,
    object_statistics,
)


def columns_of(*sizes, elongation=1.0, fill=1.0):
    n = len(sizes)
    return {
        "size": np.array(sizes, np.int64),
        "elongation": np.full(n, elongation),
        "fill": np.full(n, fill),
    }


def population_of(*tables):
    return Population.of(map(object_statistics, tables))


def test_statistics_are_mean_and_variance_of_the_logarithm():
    found = object_statistics(columns_of(1, math.e**2 // 1, 1))
    log = np.log([1, 7, 1])
    assert found["n"] == 3
    assert found["log_size_mean"] == pytest.approx(log.mean())
    assert found["log_size_variance"] == pytest.approx(log.var())
    assert (found["log_elongation_mean"], found["fill_mean"]) == (0, 1)


def test_sizes_are_compared_in_physical_units_where_they_are_known():
    columns = columns_of(10) | {"physical_size": np.array([2.5])}
    assert object_statistics(columns)["log_size_mean"] == pytest.approx(math.log(2.5))


def test_an_image_without_objects_has_statistics_and_is_infinitely_far():
    empty = object_statistics(columns_of())
    assert set(empty.values()) == {0.0}
    population = population_of(columns_of(5, 6))
    assert population.size_outlier(empty) == math.inf
    assert population.shape_outlier(empty) == math.inf
    assert population.size_outlier({}) == math.inf


def test_images_without_objects_do_not_count():
    whole = object_statistics(columns_of(5, 50))
    empty = object_statistics(columns_of())
    found = Population.of([whole, empty, {}, {"n": 3.0}, whole | {"n": math.nan}])
    assert found == Population.of([whole])
    assert population_of().n == population_of(columns_of()).n == 0


SIZES = st.lists(st.integers(1, 10_000), max_size=6)


@given(st.lists(SIZES, min_size=1, max_size=5))
def test_pooled_images_equal_all_objects_at_once(images):
    found = population_of(*(columns_of(*sizes) for sizes in images))
    log = np.log([size for sizes in images for size in sizes] or [1])
    assert found.means["log_size"] == pytest.approx(log.mean(), abs=1e-9)
    spread = max(log.std(), LEAST_SPREAD["log_size"])
    assert found.spreads["log_size"] == pytest.approx(spread, abs=1e-6)


def test_the_odd_image_is_farthest():
    tables = [columns_of(100, 110), columns_of(95, 105), columns_of(5)]
    population = population_of(*tables)
    far = [population.size_outlier(object_statistics(each)) for each in tables]
    assert far.index(max(far)) == 2
    assert all(0 <= value < math.inf for value in far)


def test_objects_that_are_almost_equal_are_no_outliers():
    population = population_of(columns_of(1000), columns_of(1001))
    assert population.size_outlier(object_statistics(columns_of(1001))) < 0.01


def test_an_unusual_fill_is_an_unusual_shape_whatever_the_elongation():
    round_ones = columns_of(*[50] * 20)
    ragged = columns_of(50, fill=0.4)
    population = population_of(round_ones, ragged)
    assert population.shape_outlier(object_statistics(ragged)) > 3
    assert population.shape_outlier(object_statistics(round_ones)) < 1
    assert population.size_outlier(object_statistics(ragged)) < 1e-9


def test_each_object_has_its_own_distance():
    columns = columns_of(*[100] * 8, 1)
    found = population_of(columns).of_objects(columns)
    assert found["size_outlier"].argmax() == 8
    assert found["size_outlier"].shape == found["shape_outlier"].shape == (9,)
    assert not found["shape_outlier"].any()


def test_without_a_population_nothing_is_far():
    nobody, columns = population_of(), columns_of(1, 10**6)
    assert nobody.size_outlier(object_statistics(columns)) == 0
    assert not nobody.of_objects(columns)["size_outlier"].any()
