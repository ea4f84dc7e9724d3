import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_mtseg.domain.annotation import Box
from napari_mtseg.domain.errors import ImageError
from napari_mtseg.storage.lazy_pixels import (
    CroppedPixels,
    LazyPixels,
    ThinnedPixels,
    is_read_in_parts,
)
from napari_mtseg.storage.stored_array import StoredArray, layout_of

ZCYX = np.arange(3 * 4 * 5 * 6, dtype=">u2").reshape(3, 4, 5, 6)
CZYX = ZCYX.transpose(1, 0, 2, 3)


class Recorder:
    """An array that remembers what was read, and takes slices only."""

    def __init__(self, array):
        self.array = array
        self.read = []

    def __getitem__(self, key):
        assert all(isinstance(k, slice) and (k.step or 1) > 0 for k in key)
        self.read.append(self.array[key].size)
        return self.array[key]


class Undecodable:
    """An array whose file is damaged."""

    def __getitem__(self, key):
        raise RuntimeError("bad block")


def lazy(array, axes, channels=None):
    stored = StoredArray(
        name="a.tif",
        axes=axes,
        shape=array.shape,
        dtype=array.dtype,
        load=lambda: array,
    )
    layout = layout_of(stored)
    recorder = Recorder(array)
    pixels = LazyPixels(
        recorder,
        name="a.tif",
        layout=layout,
        channels=range(layout.n_channels) if channels is None else channels,
        dtype=array.dtype,
    )
    return pixels, recorder


def keys(length):
    return st.one_of(
        st.integers(-length, length - 1),
        st.slices(length),
    )


@given(st.data(), st.integers(0, 4), st.booleans())
def test_slicing_equals_numpy_and_reads_no_more(data, n_keys, dots):
    pixels, recorder = lazy(ZCYX, "ZCYX")
    key = tuple(data.draw(keys(n)) for n in CZYX.shape[:n_keys])
    key = (*key, ...) if dots else key
    expected = CZYX[key]
    found = pixels[key]
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == np.uint16
    assert found.dtype.isnative
    assert recorder.read[-1] <= max(expected.size, CZYX[0].size * 4)


def test_only_the_planes_asked_for_are_read():
    pixels, recorder = lazy(ZCYX, "ZCYX")
    assert pixels[1, 2].shape == (5, 6)
    assert recorder.read == [30]


def test_a_list_of_indices_picks_on_one_axis():
    pixels, _ = lazy(ZCYX, "ZCYX")
    np.testing.assert_array_equal(pixels[[3, 0]], CZYX[[3, 0]])
    np.testing.assert_array_equal(pixels[1, [2, 2]], CZYX[1, [2, 2]])
    np.testing.assert_array_equal(pixels[:, :, [4, 1], 2], CZYX[:, :, [4, 1], 2])
    with pytest.raises(IndexError, match="one axis only"):
        pixels[[0], [1]]


def test_chosen_channels_come_in_the_order_asked_for():
    pixels, _ = lazy(ZCYX, "ZCYX", channels=[2, 0])
    assert pixels.shape == (2, 3, 5, 6)
    np.testing.assert_array_equal(np.asarray(pixels), CZYX[[2, 0]])
    np.testing.assert_array_equal(pixels[-1], CZYX[0])


def test_it_has_what_an_array_has():
    pixels, _ = lazy(ZCYX, "ZCYX")
    assert (pixels.ndim, pixels.size, pixels.nbytes, len(pixels)) == (4, 360, 720, 4)
    assert pixels.chunks is None
    assert np.asarray(pixels, np.float32).dtype == np.float32
    with pytest.raises(ValueError, match="without a copy"):
        np.asarray(pixels, copy=False)


def test_wrong_indices_are_refused():
    pixels, _ = lazy(ZCYX, "ZCYX")
    for key in [(0, 0, 0, 0, 0), 4, (0, 3), (..., ...)]:
        with pytest.raises(IndexError):
            pixels[key]


def test_a_part_that_cannot_be_decoded_is_one_sentence():
    pixels, recorder = lazy(ZCYX, "ZCYX")
    recorder.array = Undecodable()
    with pytest.raises(ImageError) as error:
        pixels[0]
    assert str(error.value) == (
        "'a.tif' cannot be read: it is damaged, cut off, or not what its name says. "
        "Copy or export it again from its source."
    )


def test_pixels_are_read_in_parts_where_slicing_reads_the_file(tmp_path):
    file = tmp_path / "a.npy"
    np.save(file, ZCYX.astype(np.uint16))
    mapped = np.load(file, mmap_mode="r")
    assert is_read_in_parts(np.asarray(mapped)[1:].transpose(1, 0, 2, 3))
    assert not is_read_in_parts(np.array(mapped)[1:])
    assert is_read_in_parts(lazy(ZCYX, "ZCYX")[0])
    for array, expected in ((mapped, True), (np.array(mapped), False)):
        stored = StoredArray(
            name="a", axes="ZCYX", shape=array.shape, dtype=array.dtype, load=lambda: 0
        )
        pixels = LazyPixels(
            array,
            name="a",
            layout=layout_of(stored),
            channels=[1, 0],
            dtype=array.dtype,
        )
        assert is_read_in_parts(pixels) == expected


@given(st.data())
def test_a_crop_and_every_nth_pixel_are_sliced_as_arrays_are(data):
    start = tuple(data.draw(st.integers(0, n - 1)) for n in CZYX.shape[1:])
    stop = tuple(
        data.draw(st.integers(a + 1, n))
        for a, n in zip(start, CZYX.shape[1:], strict=True)
    )
    box = Box(start=start, stop=stop)
    steps = tuple(data.draw(st.integers(1, 3)) for _ in CZYX.shape)
    pixels, _ = lazy(ZCYX, "ZCYX")
    thin = tuple(slice(None, None, n) for n in steps)
    for found, expected in (
        (CroppedPixels(pixels, box), CZYX[(slice(None), *box.slices)]),
        (ThinnedPixels(pixels, steps), CZYX[thin]),
    ):
        assert found.shape == expected.shape
        key = tuple(
            slice(
                data.draw(st.integers(-n, n)),
                data.draw(st.integers(-n, n)),
                data.draw(st.integers(1, 3)),
            )
            for n in found.shape
        )
        np.testing.assert_array_equal(found[...], expected)
        np.testing.assert_array_equal(found[key], expected[key])


def test_a_plane_of_every_nth_pixel_is_read_by_its_number():
    pixels, _ = lazy(ZCYX, "ZCYX")
    found = ThinnedPixels(pixels, (1, 1, 2, 2))
    np.testing.assert_array_equal(found[0, 1], CZYX[0, 1, ::2, ::2])
