import math

import numpy as np
import pytest

from napari_mtseg.geometry.crofton import extent_per_exit, line_directions


@pytest.mark.parametrize(("n_axes", "n_directions"), [(2, 4), (3, 13)])
def test_directions_lead_to_half_of_the_neighbours(n_axes: int, n_directions: int):
    directions = np.array(line_directions(n_axes))
    both = np.concatenate([directions, -directions])
    assert len(directions) == n_directions
    assert len(np.unique(both, axis=0)) == 3**n_axes - 1


def test_weights_of_cubic_voxels_are_those_of_legland():
    """Legland, Kiêu and Devaux 2007: solid angles 0.0916, 0.0740 and 0.0704."""
    extents = np.array(extent_per_exit((1.0, 1.0, 1.0)))
    lengths = np.linalg.norm(line_directions(3), axis=1)
    shares = extents * lengths / 4
    assert shares.sum() == pytest.approx(1)
    for axes, share in ((1, 0.04577789), (2, 0.03698063), (3, 0.03519564)):
        assert shares[np.isclose(lengths, math.sqrt(axes))] == pytest.approx(2 * share)


@pytest.mark.parametrize("spacing", [(1.0, 3.0), (0.5, 0.5), (5.0, 1.0, 1.0)])
def test_the_shares_of_the_directions_are_everything(spacing: tuple[float, ...]):
    extents = np.array(extent_per_exit(spacing))
    lengths = np.linalg.norm(np.array(line_directions(len(spacing))) * spacing, axis=1)
    factor = math.pi if len(spacing) == 2 else 4
    shares = extents * lengths / math.prod(spacing) / factor
    assert shares.sum() == pytest.approx(1)
    assert (shares > 0).all()


def test_a_nonsensical_voxel_size_still_gives_finite_extents():
    assert np.isfinite(extent_per_exit((1e9, 1.0, 1.0))).all()
