import pytest

from napari_mtseg.domain.image import ImageInfo


@pytest.mark.parametrize(
    ("shape", "spatial", "ndim"), [((2, 4, 5), (4, 5), 2), ((1, 3, 4, 5), (3, 4, 5), 3)]
)
def test_the_first_axis_is_channels_and_the_rest_is_space(shape, spatial, ndim):
    info = ImageInfo(
        axes="C" + "ZYX"[-ndim:],
        shape=shape,
        dtype="uint8",
        rgb=False,
        spacing=(1.0,) * ndim,
    )
    assert info.n_channels == shape[0]
    assert info.spatial_shape == spatial
    assert info.ndim == ndim
