from dataclasses import replace

import numpy as np
import pytest
import zarr
from ome_zarr.io import parse_url
from ome_zarr.reader import Reader

from napari_mtseg.domain.errors import StorageError
from napari_mtseg.domain.image import ImageInfo
from napari_mtseg.storage.image_files import open_image
from napari_mtseg.storage.zarr_metadata import MapKind
from napari_mtseg.storage.zarr_results import (
    ZarrResults,
    partial_folder,
    write_zarr_results,
)


def info_of(shape, *, spacing=None, unit="micrometer"):
    return ImageInfo(
        axes="C" + "ZYX"[-len(shape) :],
        shape=(1, *shape),
        dtype="uint8",
        rgb=False,
        spacing=spacing or (0.5,) * len(shape),
        unit=unit,
    )


@pytest.fixture
def written(tmp_path):
    """Maps of an image of 1,100 x 1,030 pixels: two levels."""
    ids = np.arange(1100 * 1030, dtype=np.uint32).reshape(1100, 1030)
    maps = {
        "classes": (ids % 3).astype(np.uint8),
        "instances": ids,
        "contours": ids % 2 == 0,
        "probabilities": np.stack([ids % 2, 1 - ids % 2]).astype(np.float16),
        "uncertainty": (ids / ids.max()).astype(np.float32),
    }
    path = write_zarr_results(
        tmp_path / "cells.ome.zarr",
        maps,
        info=info_of(ids.shape),
        value_names={"classes": {1: "nucleus", 2: "debris"}},
    )
    return path, maps


def test_maps_are_read_back_as_they_were(written):
    path, maps = written
    for name in ("classes", "instances", "contours"):
        image = open_image(path / "labels" / name)
        np.testing.assert_array_equal(np.asarray(image.pixels)[0], maps[name])
        assert (image.info.spacing, image.info.unit) == ((0.5, 0.5), "micrometer")
    for name in ("probabilities", "uncertainty"):
        pixels = np.asarray(open_image(path / name).pixels)
        np.testing.assert_array_equal(np.squeeze(pixels), maps[name])


def test_the_folder_itself_opens_as_its_first_image(written):
    path, maps = written
    np.testing.assert_array_equal(open_image(path).pixels[...], maps["probabilities"])


def test_levels_halve_and_keep_their_place(written):
    path, maps = written
    group = zarr.open_group(path / "labels" / "instances", mode="r")
    assert group["1"].shape == (550, 515)
    np.testing.assert_array_equal(group["1"][...], maps["instances"][::2, ::2])
    levels = group.attrs["multiscales"][0]["datasets"]
    scales = [level["coordinateTransformations"][0]["scale"] for level in levels]
    assert scales == [[0.5, 0.5], [1.0, 1.0]]
    doubt = zarr.open_group(path / "uncertainty", mode="r")
    blocks = maps["uncertainty"].reshape(550, 2, 515, 2)
    np.testing.assert_allclose(doubt["1"][...], blocks.mean(axis=(1, 3)), rtol=1e-5)
    shift = doubt.attrs["multiscales"][0]["datasets"][1]["coordinateTransformations"]
    assert shift[1] == {"type": "translation", "translation": [0.25, 0.25]}


def test_the_reader_of_ome_zarr_finds_images_and_labels(written):
    path, maps = written
    nodes = {str(node.zarr.basename()): node for node in Reader(parse_url(str(path)))()}
    assert {"labels", "classes", "instances", "contours"} < set(nodes)
    assert [level.shape for level in nodes["instances"].data] == [
        (1100, 1030),
        (550, 515),
    ]
    np.testing.assert_array_equal(nodes["classes"].data[0].compute(), maps["classes"])
    assert nodes["classes"].metadata["properties"][1] == {"name": "nucleus"}


def test_planes_are_halved_once_pixels_are_as_large(tmp_path):
    volume = np.zeros((40, 600, 600), np.uint8)
    info = info_of(volume.shape, spacing=(2.0, 0.5, 0.5))
    path = write_zarr_results(tmp_path / "v.ome.zarr", {"classes": volume}, info=info)
    group = zarr.open_group(path / "labels" / "classes", mode="r")
    shapes = [group[str(level)].shape for level in range(3)]
    assert shapes == [(40, 600, 600), (40, 300, 300), (40, 150, 150)]
    scale = group.attrs["multiscales"][0]["datasets"][2]["coordinateTransformations"]
    assert scale[0]["scale"] == [2.0, 2.0, 2.0]


def test_the_mean_at_an_odd_edge_is_of_what_is_there(tmp_path):
    row = np.array([[1, 3, 5]], np.float32)
    info = info_of(row.shape)
    kinds = {"uncertainty": MapKind(dtype="float32")}
    results = ZarrResults.create(
        tmp_path / "r.ome.zarr", info=info, maps=kinds, chunk=(1, 2)
    )
    results["uncertainty"][...] = row
    path = results.finish()
    small = zarr.open_array(path / "uncertainty" / "1", mode="r")
    assert small[...].tolist() == [[2.0, 5.0]]


def test_nothing_has_the_final_name_before_the_end(tmp_path):
    path = tmp_path / "cells.ome.zarr"
    info = info_of((8, 8))
    kinds = {"classes": MapKind(dtype="uint8")}
    results = ZarrResults.create(path, info=info, maps=kinds)
    results["classes"][2:4] = 1
    assert not path.exists()
    again = ZarrResults.open_partial(path)
    again["classes"][4:6] = 2
    again.finish()
    assert not partial_folder(path).exists()
    pixels = np.asarray(open_image(path / "labels" / "classes").pixels)
    assert pixels[0, :, 0].tolist() == [0, 0, 1, 1, 2, 2, 0, 0]


def test_an_earlier_result_is_replaced(tmp_path):
    path, info = tmp_path / "cells.ome.zarr", info_of((4, 4))
    write_zarr_results(path, {"classes": np.ones((4, 4), np.uint8)}, info=info)
    write_zarr_results(path, {"contours": np.ones((4, 4), bool)}, info=info)
    assert sorted(zarr.open_group(path / "labels", mode="r")) == ["contours"]
    assert [p.name for p in tmp_path.iterdir()] == ["cells.ome.zarr"]


def test_what_is_no_result_is_not_replaced(tmp_path):
    path, info = tmp_path / "cells.ome.zarr", info_of((4, 4))
    zarr.create_array(path, data=np.ones((4, 4)), zarr_format=2)
    maps = {"classes": np.ones((4, 4), np.uint8)}
    sentence = (
        f"'{path}' is there already and is no result of this program, so it is not "
        "replaced. Choose another folder for the results."
    )
    with pytest.raises(StorageError) as caught:
        write_zarr_results(path, maps, info=info)
    assert str(caught.value) == sentence
    assert [p.name for p in tmp_path.iterdir()] == ["cells.ome.zarr"]
    kept = path.rename(tmp_path / "kept")
    kinds = {"classes": MapKind(dtype="uint8")}
    results = ZarrResults.create(path, info=info, maps=kinds)
    kept.rename(path)
    with pytest.raises(StorageError) as caught:
        results.finish()
    assert str(caught.value) == sentence
    assert zarr.open_array(path, mode="r").shape == (4, 4)


def test_maps_lie_where_the_image_lies(tmp_path):
    info = replace(info_of((2000, 8)), translation=(100.0, -3.0))
    maps = {
        "classes": np.ones((2000, 8), np.uint8),
        "probabilities": np.ones((2, 2000, 8), np.float16),
    }
    path = write_zarr_results(tmp_path / "c.ome.zarr", maps, info=info)
    for name in ("labels/classes", "probabilities"):
        assert open_image(path / name).info.translation == (100, -3)
    places = [
        [
            level["coordinateTransformations"][1]["translation"]
            for level in zarr.open_group(path / name).attrs["multiscales"][0][
                "datasets"
            ]
        ]
        for name in ("labels/classes", "probabilities")
    ]
    assert places == [
        [[100, -3], [100, -3]],
        [[0, 100, -3], [0, 100.25, -2.75]],
    ]


def test_unfinished_results_that_are_not_there_are_told(tmp_path):
    with pytest.raises(StorageError, match=r"is not there\. Every worker must see"):
        ZarrResults.open_partial(tmp_path / "cells.ome.zarr")
