import builtins
import shutil
import struct
import subprocess
import sys
import zlib
from typing import Any

import numpy as np
import pytest
import SimpleITK
import tifffile
import zarr
from PIL import Image as Picture

from napari_mtseg.domain.errors import ImageError, MemoryShortageError
from napari_mtseg.domain.image import Image, ImageInfo
from napari_mtseg.storage import tiff_files
from napari_mtseg.storage.file_formats import SUPPORTED
from napari_mtseg.storage.image_files import (
    check_pixels,
    content_fingerprint,
    inspect_image,
    is_image_file,
    list_image_files,
    open_coarser,
    open_image,
    read_pixels,
)

YX = np.arange(30, dtype=np.uint8).reshape(5, 6)
ZYX = np.arange(210, dtype=np.uint16).reshape(7, 5, 6)
ZCYX = np.arange(420, dtype=np.uint16).reshape(7, 2, 5, 6)
RGB = np.arange(90, dtype=np.uint8).reshape(5, 6, 3)
CUT = ["a.png", "a.jpg", "a.bmp", "a.nii", "a.nii.gz", "a.nrrd", "a.mha"]
DAMAGED = (
    "'{}' cannot be read: it is damaged, cut off, or not what its name says. "
    "Copy or export it again from its source."
)


def tiff(folder, array, name="a.tif", **options):
    tifffile.imwrite(folder / name, array, **options)
    return folder / name


def png(folder, array, name="a.png", mode=None):
    picture = Picture.fromarray(array)
    (picture if mode is None else picture.convert(mode)).save(folder / name)
    return folder / name


def ome_zarr(folder, array, axes, scale, *, version="0.5", name="a.zarr"):
    path = folder / name
    group = zarr.open_group(path, mode="w", zarr_format=3 if version == "0.5" else 2)
    level = group.create_array(
        "0", shape=array.shape, dtype=array.dtype, chunks=array.shape
    )
    level[...] = array
    half = array[..., ::2, ::2]
    group.create_array("1", shape=half.shape, dtype=half.dtype)
    image = {
        "version": version,
        "axes": [
            {"name": x.lower(), **({"unit": "micrometer"} if x in "ZYX" else {})}
            for x in axes
        ],
        "datasets": [
            {
                "path": "0",
                "coordinateTransformations": [{"type": "scale", "scale": scale}],
            },
            {"path": "1"},
        ],
    }
    facts = {"multiscales": [image]}
    group.attrs.update({"ome": facts} if version == "0.5" else facts)
    return path


def volume(folder, array, name, spacing=(0.5, 0.75, 2.0)):
    image = SimpleITK.GetImageFromArray(array, isVector=False)
    image.SetSpacing(spacing[: image.GetDimension()])
    SimpleITK.WriteImage(image, folder / name)
    return folder / name


def dicom_series(folder, name="series", uid="1.2.3", step=2.5):
    path = folder / name
    path.mkdir(exist_ok=True)
    writer = SimpleITK.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    for z in range(3):
        image = SimpleITK.GetImageFromArray(ZYX[z].astype(np.int16))
        image.SetSpacing((0.5, 0.75))
        for tag, value in {
            "0008|0060": "CT",
            "0008|0016": "1.2.840.10008.5.1.4.1.1.2",
            "0008|0018": f"{uid}.{z + 1}",
            "0020|000e": uid,
            "0020|000d": "1.2",
            "0020|0032": f"0\\0\\{z * step}",
            "0020|0037": "1\\0\\0\\0\\1\\0",
            "0020|0013": str(z),
        }.items():
            image.SetMetaData(tag, value)
        writer.SetFileName(str(path / f"{uid}-{z}.dcm"))
        writer.Execute(image)
    return path


def assert_image(path, expected, *, rgb=False, spacing=None, unit="pixel", axes=None):
    """Header and pixels agree with the expected (C, [Z,] Y, X) array."""
    info = inspect_image(path, axes=axes)
    ndim = expected.ndim - 1
    assert info == ImageInfo(
        axes="CYX" if ndim == 2 else "CZYX",
        shape=expected.shape,
        dtype=expected.dtype.name,
        rgb=rgb,
        spacing=info.spacing,
        unit=unit,
    )
    assert info.spacing == pytest.approx(spacing or (1.0,) * ndim)
    image = open_image(path, axes=axes)
    assert image.info == info
    assert image.name == path.name
    assert image.pixels.shape == expected.shape
    assert image.pixels.dtype == expected.dtype
    np.testing.assert_array_equal(np.asarray(image.pixels), expected)
    np.testing.assert_array_equal(read_pixels(image), expected.astype(np.float32))


def sentence_of(call, *args, **options):
    with pytest.raises(ImageError) as error:
        call(*args, **options)
    return str(error.value)


class TestTiff:
    def test_grey(self, tmp_path):
        assert_image(tiff(tmp_path, YX), YX[None])

    @pytest.mark.parametrize("compression", [None, "zlib"])
    def test_colour_is_rgb_and_opacity_is_dropped(self, tmp_path, compression):
        expected = RGB.transpose(2, 0, 1)
        options = {"photometric": "rgb", "compression": compression}
        assert_image(tiff(tmp_path, RGB, **options), expected, rgb=True)
        with_alpha = np.concatenate([RGB, RGB[..., :1]], axis=-1)
        path = tiff(tmp_path, with_alpha, extrasamples=["unassalpha"], **options)
        assert_image(path, expected, rgb=True)

    def test_separate_colour_planes(self, tmp_path):
        planes = np.ascontiguousarray(RGB.transpose(2, 0, 1))
        path = tiff(tmp_path, planes, photometric="rgb", planarconfig="separate")
        assert_image(path, planes, rgb=True)

    def test_a_fourth_sample_that_is_no_opacity_makes_channels(self, tmp_path):
        four = np.concatenate([RGB, RGB[..., :1]], axis=-1)
        path = tiff(tmp_path, four, photometric="rgb", extrasamples=["unspecified"])
        assert_image(path, four.transpose(2, 0, 1))

    def test_ome_axes_and_sizes_in_mixed_units(self, tmp_path):
        metadata = {
            "axes": "ZCYX",
            "PhysicalSizeX": 0.25,
            "PhysicalSizeXUnit": "µm",
            "PhysicalSizeY": 500,
            "PhysicalSizeYUnit": "nm",
            "PhysicalSizeZ": 0.002,
            "PhysicalSizeZUnit": "mm",
        }
        path = tiff(tmp_path, ZCYX, "a.ome.tif", metadata=metadata)
        expected = ZCYX.transpose(1, 0, 2, 3)
        assert_image(path, expected, spacing=(2, 0.5, 0.25), unit="micrometer")

    def test_imagej_stack_with_sizes_and_one_frame(self, tmp_path):
        metadata = {"axes": "TZCYX", "spacing": 2.0, "unit": "um"}
        path = tiff(
            tmp_path, ZCYX[None], imagej=True, resolution=(5, 4), metadata=metadata
        )
        expected = ZCYX.transpose(1, 0, 2, 3)
        assert_image(path, expected, spacing=(2, 0.25, 0.2), unit="micrometer")

    def test_resolution_tags_give_the_pixel_size(self, tmp_path):
        path = tiff(tmp_path, YX, resolution=(20000, 10000), resolutionunit=3)
        assert_image(path, YX[None], spacing=(1.0, 0.5), unit="micrometer")

    @pytest.mark.parametrize("dpi", [1, 72, 300])
    def test_print_densities_are_no_pixel_size(self, tmp_path, dpi):
        path = tiff(tmp_path, YX, resolution=(dpi, dpi), resolutionunit=2)
        assert_image(path, YX[None])

    def test_a_depth_that_is_not_told_equals_the_width(self, tmp_path):
        metadata = {"axes": "ZYX", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5}
        path = tiff(tmp_path, ZYX, "a.ome.tif", metadata=metadata)
        assert_image(path, ZYX[None], spacing=(0.5, 0.5, 0.5), unit="micrometer")

    @pytest.mark.parametrize(
        ("shape", "expected"),
        [
            ((3, 5, 6), (3, 5, 6)),
            ((4, 5, 6), (4, 5, 6)),
            ((5, 7, 6), (1, 5, 7, 6)),
            ((2, 7, 5, 6), (2, 7, 5, 6)),
            ((7, 2, 5, 6), (2, 7, 5, 6)),
            ((5, 6, 2), (2, 5, 6)),
            ((5, 6, 1), (1, 5, 6)),
        ],
    )
    def test_unnamed_axes_are_understood_by_their_length(
        self, tmp_path, shape, expected
    ):
        path = tiff(tmp_path, np.zeros(shape, np.uint8), photometric="minisblack")
        assert inspect_image(path).shape == expected

    def test_a_stack_of_unnamed_pages_is_a_volume(self, tmp_path):
        path = tiff(tmp_path, ZYX, metadata=None, photometric="minisblack")
        assert_image(path, ZYX[None])

    def test_given_axes_overrule_the_file(self, tmp_path):
        path = tiff(tmp_path, ZYX[:3], photometric="minisblack")
        assert_image(path, ZYX[:3])
        assert_image(path, ZYX[None, :3], axes="ZYX")
        path = tiff(tmp_path, ZYX, metadata={"axes": "TYX"})
        assert_image(path, ZYX[None], axes="zyx")
        path = tiff(tmp_path, ZYX[:1], metadata={"axes": "CYX"})
        assert_image(path, ZYX[None, :1], axes="ZYX")

    def test_given_axes_may_leave_out_those_of_length_1(self, tmp_path):
        path = tmp_path / "a.zarr"
        zarr.create_array(path, data=ZCYX[None])
        assert_image(path, ZCYX, axes="CZYX")

    def test_uncompressed_files_are_mapped(self, tmp_path):
        pixels = open_image(tiff(tmp_path, ZYX, metadata={"axes": "ZYX"})).pixels
        assert isinstance(pixels, np.ndarray)
        base: Any = pixels
        while base is not None and not isinstance(base, np.memmap):
            base = base.base
        assert isinstance(base, np.memmap)

    def test_big_endian_files_are_read_in_native_order(self, tmp_path):
        path = tiff(tmp_path, ZYX, imagej=True, metadata={"axes": "ZYX"})
        part = open_image(path).pixels[0, 2:4]
        assert part.dtype.isnative
        np.testing.assert_array_equal(part, ZYX[2:4])

    def test_large_compressed_files_are_read_part_by_part(self, tmp_path, monkeypatch):
        monkeypatch.setattr(tiff_files, "READ_WHOLE_BELOW", 0)
        path = tiff(tmp_path, ZCYX, metadata={"axes": "ZCYX"}, compression="zlib")
        expected = ZCYX.transpose(1, 0, 2, 3)
        assert_image(path, expected)
        pixels: Any = open_image(path).pixels
        assert pixels.chunks == (1, 1, 5, 6)
        np.testing.assert_array_equal(pixels[1, 3], expected[1, 3])

    def test_the_finest_level_of_a_pyramid_is_read(self, tmp_path):
        path = tmp_path / "a.ome.tif"
        fine = np.arange(64 * 64, dtype=np.uint16).reshape(64, 64)
        with tifffile.TiffWriter(path) as writer:
            writer.write(fine, subifds=1, tile=(16, 16))
            writer.write(fine[::2, ::2], subfiletype=1, tile=(16, 16))
        assert_image(path, fine[None])


class TestPictures:
    def test_grey_8_and_16_bit(self, tmp_path):
        assert_image(png(tmp_path, YX), YX[None])
        deep = YX.astype(np.uint16) * 2000
        assert_image(png(tmp_path, deep), deep[None])

    def test_colour_stays_colour_where_its_channels_are_equal(self, tmp_path):
        grey = np.repeat(YX[..., None], 3, axis=-1)
        assert_image(png(tmp_path, grey), grey.transpose(2, 0, 1), rgb=True)

    @pytest.mark.parametrize(("mode", "rgb"), [("RGBA", True), ("LA", False)])
    def test_opacity_is_dropped(self, tmp_path, mode, rgb):
        array = RGB if rgb else YX
        expected = RGB.transpose(2, 0, 1) if rgb else YX[None]
        assert_image(png(tmp_path, array, mode=mode), expected, rgb=rgb)

    def test_black_and_white_is_grey(self, tmp_path):
        path = png(tmp_path, np.where(YX > 9, 255, 0).astype(np.uint8), mode="1")
        assert_image(path, np.where(YX > 9, 255, 0).astype(np.uint8)[None])

    def test_a_palette_is_turned_into_its_colours(self, tmp_path):
        picture = Picture.fromarray((YX % 2).astype(np.uint8), mode="P")
        picture.putpalette([0, 0, 0, 9, 8, 7])
        picture.save(tmp_path / "a.png")
        expected = np.stack([YX % 2 * c for c in (9, 8, 7)]).astype(np.uint8)
        assert_image(tmp_path / "a.png", expected, rgb=True)
        picture.putpalette([0, 0, 0, 9, 9, 9])
        picture.save(tmp_path / "a.png")
        assert_image(tmp_path / "a.png", expected[:1])

    @pytest.mark.parametrize("name", ["a.bmp", "A.BMP", "a.jpg", "a.JPEG"])
    def test_bmp_and_jpeg(self, tmp_path, name):
        flat = np.full((5, 6, 3), 100, np.uint8)
        assert_image(png(tmp_path, flat, name), flat.transpose(2, 0, 1), rgb=True)

    def test_16_bits_per_colour_are_kept(self, tmp_path):
        deep = RGB.astype(np.uint16) * 500
        image = SimpleITK.GetImageFromArray(deep, isVector=True)
        SimpleITK.WriteImage(image, tmp_path / "a.png")
        assert_image(tmp_path / "a.png", deep.transpose(2, 0, 1), rgb=True)


class TestZarr:
    @pytest.mark.parametrize("version", ["0.4", "0.5"])
    def test_ome_zarr_is_read_at_its_finest_level(self, tmp_path, version):
        path = ome_zarr(tmp_path, ZCYX, "ZCYX", [2, 1, 0.5, 0.25], version=version)
        expected = ZCYX.transpose(1, 0, 2, 3)
        assert_image(path, expected, spacing=(2, 0.5, 0.25), unit="micrometer")

    def test_coarser_levels_are_read_by_slicing(self, tmp_path):
        path = ome_zarr(tmp_path, ZCYX, "ZCYX", [1, 1, 1, 1])
        half = ZCYX[..., ::2, ::2]
        zarr.open_group(path)["1"][...] = half
        (level,) = open_coarser(path, channels=[1])
        assert level.shape == (1, len(ZCYX), *half.shape[2:])
        np.testing.assert_array_equal(level[0, 1, 1:], half[1, 1, 1:])

    def test_the_place_of_an_image_is_read_in_the_unit_of_its_pixels(self, tmp_path):
        path = ome_zarr(tmp_path, ZCYX, "ZCYX", [2, 1, 0.5, 0.25], version="0.4")
        group = zarr.open_group(path)
        (image,) = group.attrs["multiscales"]
        assert open_image(path).info.translation == ()
        shift = {"type": "translation", "translation": [0.003, 5, 7, 0]}
        image["datasets"][0]["coordinateTransformations"].append(shift)
        image["coordinateTransformations"] = [
            {"type": "scale", "scale": [1, 1, 2, 1]},
            {"type": "translation", "translation": [0, 0, 1, -4]},
        ]
        image["axes"][0]["unit"] = "millimeter"
        group.attrs["multiscales"] = [image]
        info = open_image(path).info
        assert info.spacing == pytest.approx((2000, 1, 0.25))
        assert info.translation == pytest.approx((3, 15, -4))

    @pytest.mark.parametrize(
        "facts",
        [
            "{}",
            '{"zarr_format": 2}',
            '{"zarr_format": 2, "shape": 3, "chunks": 1, "dtype": "u1"}',
        ],
    )
    def test_damaged_metadata_of_an_array_are_told(self, tmp_path, facts):
        path = ome_zarr(tmp_path, ZCYX, "ZCYX", [1, 1, 1, 1], version="0.4")
        (path / "1" / ".zarray").write_text(facts)
        assert open_coarser(path) == ()
        (path / "0" / ".zarray").write_text(facts)
        assert sentence_of(inspect_image, path) == DAMAGED.format("a.zarr")

    @pytest.mark.parametrize("place", ["0", "1"])
    def test_a_group_in_the_place_of_an_array_is_told(self, tmp_path, place):
        path = ome_zarr(tmp_path, ZCYX, "ZCYX", [1, 1, 1, 1], version="0.4")
        (path / place / ".zarray").unlink()
        (path / place / ".zgroup").write_text('{"zarr_format": 2}')
        if place == "1":
            assert open_coarser(path) == ()
        else:
            assert sentence_of(inspect_image, path) == DAMAGED.format("a.zarr")

    @pytest.mark.parametrize(
        "facts", ["[]", '{"multiscales": "x"}', '{"ome": [1]}', '{"multiscales": [3]}']
    )
    def test_damaged_metadata_of_an_image_are_told(self, tmp_path, facts):
        path = ome_zarr(tmp_path, ZCYX, "ZCYX", [1, 1, 1, 1], version="0.4")
        (path / ".zattrs").write_text(facts)
        assert "a.zarr' " in sentence_of(inspect_image, path)

    def test_a_level_that_is_gone_is_passed_over(self, tmp_path):
        path = ome_zarr(tmp_path, ZCYX, "ZCYX", [1, 1, 1, 1])
        shutil.rmtree(path / "1")
        assert open_coarser(path) == ()
        assert open_image(path).info.shape[1:] == (len(ZCYX), *ZCYX.shape[2:])

    def test_axes_of_length_1_are_dropped(self, tmp_path):
        path = ome_zarr(tmp_path, ZCYX[None, :1], "TZCYX", [1, 2, 1, 0.5, 0.5])
        assert_image(path, ZCYX[0], spacing=(0.5, 0.5), unit="micrometer")

    def test_only_what_is_sliced_is_read(self, tmp_path):
        path = ome_zarr(tmp_path, ZCYX, "ZCYX", [1, 1, 1, 1])
        image = open_image(path)
        assert not isinstance(image.pixels, np.ndarray)
        region = (slice(1, 3), slice(0, 2), slice(4, None))
        np.testing.assert_array_equal(
            read_pixels(image, region), ZCYX.transpose(1, 0, 2, 3)[:, 1:3, 0:2, 4:]
        )

    @pytest.mark.parametrize("zarr_format", [2, 3])
    def test_a_plain_array_is_understood_like_an_unnamed_stack(
        self, tmp_path, zarr_format
    ):
        path = tmp_path / "a.zarr"
        zarr.create_array(path, data=ZYX, zarr_format=zarr_format)
        assert_image(path, ZYX[None])

    def test_dimension_names_of_a_plain_array_count(self, tmp_path):
        path = tmp_path / "a.zarr"
        zarr.create_array(path, data=ZYX[:3], dimension_names=["z", "y", "x"])
        assert_image(path, ZYX[None, :3])

    def test_a_group_without_an_image_is_one_sentence(self, tmp_path):
        group = zarr.open_group(tmp_path / "a.zarr", mode="w")
        assert sentence_of(inspect_image, tmp_path / "a.zarr") == (
            "'a.zarr' is an empty zarr group. Open the folder of one OME-Zarr image, "
            "or export it as OME-Zarr."
        )
        group.create_array("0", shape=(2, 2), dtype="u1")
        assert sentence_of(inspect_image, tmp_path / "a.zarr") == (
            "'a.zarr' is a zarr group without an image of its own (no 'multiscales' in "
            "it). Open the folder of one OME-Zarr image such as 'a.zarr/0', or export "
            "it as OME-Zarr."
        )
        group.attrs["ome"] = {"plate": {}}
        assert sentence_of(inspect_image, tmp_path / "a.zarr") == (
            "'a.zarr' is a plate of many images. Open the folder of one OME-Zarr image "
            "such as 'a.zarr/0', or export it as OME-Zarr."
        )

    def test_damage_is_one_sentence(self, tmp_path):
        path = ome_zarr(tmp_path, ZCYX, "ZCYX", [1, 1, 1, 1])
        chunk = next(p for p in (path / "0" / "c").rglob("*") if p.is_file())
        chunk.write_bytes(b"garbage")
        assert sentence_of(read_pixels, open_image(path)) == DAMAGED.format("a.zarr")
        (path / "zarr.json").write_text("{")
        assert sentence_of(inspect_image, path) == DAMAGED.format("a.zarr")
        (path / "zarr.json").unlink()
        assert sentence_of(inspect_image, path) == DAMAGED.format("a.zarr")


class TestMedical:
    @pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "a.nrrd", "a.mha", "a.mhd"])
    def test_volumes_have_their_size_in_millimetres(self, tmp_path, name):
        path = volume(tmp_path, ZYX.astype(np.int16), name)
        expected = ZYX.astype(np.int16)[None]
        assert_image(path, expected, spacing=(2, 0.75, 0.5), unit="millimeter")

    def test_a_2d_image(self, tmp_path):
        path = volume(tmp_path, YX, "a.nrrd")
        assert_image(path, YX[None], spacing=(0.75, 0.5), unit="millimeter")

    def test_a_fourth_dimension_is_time_unless_told_otherwise(self, tmp_path):
        path = volume(tmp_path, ZCYX, "a.nii", (1, 1, 1, 1))
        assert sentence_of(inspect_image, path) == (
            "'a.nii' is a time series of 7 frames, and time series are read frame by "
            "frame: split it into a file per frame first. If that axis holds planes or "
            "channels, say so with the axes, for example 'CZYX'."
        )
        assert inspect_image(path, axes="CZYX").shape == (7, 2, 5, 6)

    def test_a_dicom_series_is_one_image(self, tmp_path):
        expected = ZYX[None, :3].astype(np.int16)
        path = dicom_series(tmp_path)
        assert_image(path, expected, spacing=(2.5, 0.75, 0.5), unit="millimeter")
        single = path / "1.2.3-1.dcm"
        assert_image(single, expected[:, 1], spacing=(0.75, 0.5), unit="millimeter")

    def test_two_series_in_one_folder_are_one_sentence(self, tmp_path):
        dicom_series(tmp_path)
        path = dicom_series(tmp_path, uid="1.2.9")
        assert sentence_of(inspect_image, path) == (
            "The folder 'series' holds 2 DICOM series, but one is expected. "
            "Put each series into a folder of its own."
        )

    def test_a_missing_extra_is_one_sentence(self, tmp_path, monkeypatch):
        path = volume(tmp_path, YX, "a.nrrd")
        deep = tmp_path / "deep.png"
        SimpleITK.WriteImage(
            SimpleITK.GetImageFromArray(RGB.astype(np.uint16), isVector=True), deep
        )
        real = builtins.__import__

        def without_simpleitk(name, *args, **options):
            if name == "SimpleITK":
                raise ModuleNotFoundError(name)
            return real(name, *args, **options)

        monkeypatch.setattr(builtins, "__import__", without_simpleitk)
        assert sentence_of(inspect_image, path) == (
            "'a.nrrd' needs the extra 'medical': pip install 'napari-mtseg[medical]'."
        )
        assert sentence_of(inspect_image, deep) == (
            "'deep.png' has 16 bits per colour, which need the extra 'medical': "
            "pip install 'napari-mtseg[medical]'. Or convert it to TIFF."
        )


class TestBadInput:
    def test_a_missing_file(self, tmp_path):
        path = tmp_path / "a.tif"
        expected = f"There is no file or folder '{path}'. Check the path."
        for call in (inspect_image, open_image, content_fingerprint, list_image_files):
            assert sentence_of(call, path) == expected

    def test_an_unknown_format(self, tmp_path):
        (tmp_path / "notes.txt").write_text("hello")
        assert sentence_of(open_image, tmp_path / "notes.txt") == (
            "'notes.txt' is of a format that cannot be read. "
            f"Supported are {SUPPORTED}."
        )

    def test_a_folder_that_is_no_image(self, tmp_path):
        folder = tmp_path / "images"
        folder.mkdir()
        assert sentence_of(open_image, folder) == (
            "The folder 'images' is neither an OME-Zarr image nor a DICOM series. "
            "Give an image file, or such a folder."
        )

    def test_an_empty_file(self, tmp_path):
        (tmp_path / "a.png").touch()
        assert sentence_of(open_image, tmp_path / "a.png") == (
            "'a.png' is an empty file (0 bytes). "
            "Copy or export it again from its source."
        )

    @pytest.mark.parametrize(
        "name", ["a.tif", "a.png", "a.jpg", "a.bmp", "a.nii", "a.nrrd"]
    )
    def test_a_file_that_is_not_what_its_name_says(self, tmp_path, name):
        (tmp_path / name).write_bytes(b"These are no pixels. " * 40)
        assert sentence_of(open_image, tmp_path / name) == DAMAGED.format(name)

    @pytest.mark.parametrize("compression", [None, "zlib"])
    @pytest.mark.parametrize("kind", ["plain", "ome", "imagej", "pages"])
    def test_a_tiff_that_was_cut_off(self, tmp_path, kind, compression):
        array = np.random.default_rng(0).integers(0, 999, (7, 50, 60), np.uint16)
        options: Any = {
            "plain": {"metadata": {"axes": "ZYX"}},
            "ome": {"metadata": {"axes": "ZYX"}, "ome": True},
            "imagej": {"metadata": {"axes": "ZYX"}, "imagej": True},
            "pages": {"metadata": None, "photometric": "minisblack"},
        }[kind]
        if kind == "imagej" and compression:
            pytest.skip("ImageJ files are not compressed")
        path = tiff(tmp_path, array, compression=compression, **options)
        path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
        assert sentence_of(open_image, path) == DAMAGED.format("a.tif")

    @pytest.mark.parametrize("name", CUT)
    def test_other_files_that_were_cut_off(self, tmp_path, name):
        array = np.random.default_rng(0).integers(0, 255, (50, 60), np.uint8)
        path = (volume if name[2] in "nm" else png)(tmp_path, array, name)
        path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
        assert sentence_of(open_image, path) == DAMAGED.format(name)

    def test_a_tiff_with_damaged_pixels(self, tmp_path):
        array = np.random.default_rng(0).integers(0, 255, (50, 60), np.uint8)
        path = tiff(tmp_path, array, compression="zlib")
        content = bytearray(path.read_bytes())
        content[-1000:-900] = b"x" * 100
        path.write_bytes(content)
        assert sentence_of(open_image, path) == DAMAGED.format("a.tif")

    @pytest.mark.filterwarnings("ignore:.*zero-size:UserWarning")
    def test_an_image_without_pixels(self, tmp_path):
        expected = "' is empty: its size is 0 x 5. Leave it out or export it again."
        path = tiff(tmp_path, np.zeros((0, 5), np.uint8))
        assert sentence_of(inspect_image, path) == "'a.tif" + expected
        zarr.create_array(tmp_path / "a.zarr", shape=(0, 5), dtype="u1")
        assert sentence_of(inspect_image, tmp_path / "a.zarr") == "'a.zarr" + expected

    def test_values_that_are_no_intensities(self, tmp_path):
        assert sentence_of(inspect_image, tiff(tmp_path, YX.astype(np.complex64))) == (
            "'a.tif' holds complex64 values, which are no intensities. "
            "Save it as integers or as float32."
        )

    def test_a_time_series(self, tmp_path):
        path = tiff(tmp_path, ZYX, metadata={"axes": "TYX"})
        assert sentence_of(inspect_image, path) == (
            "'a.tif' is a time series of 7 frames, and time series are read frame by "
            "frame: split it into a file per frame first. If that axis holds planes or "
            "channels, say so with the axes, for example 'ZYX'."
        )

    def test_more_than_three_dimensions(self, tmp_path):
        path = tiff(
            tmp_path, np.zeros((5, 6, 7, 8), np.uint8), photometric="minisblack"
        )
        assert sentence_of(inspect_image, path) == (
            "'a.tif' has the axes QQYX (5 x 6 x 7 x 8; Q is unknown), but an image has "
            "rows and columns, and may have planes and either channels or colour. "
            "Split it, or say what its axes are, for example 'CZYX'."
        )

    @pytest.mark.parametrize("axes", ["ZZX", "YX", "CZYX", "QYX", "CZX", ""])
    def test_axes_that_do_not_fit(self, tmp_path, axes):
        path = tiff(tmp_path, ZYX, metadata={"axes": "ZYX"})
        assert sentence_of(inspect_image, path, axes=axes) == (
            f"Axes '{axes}' do not fit 'a.tif', whose size is 7 x 5 x 6. Give one "
            "letter of T, C, Z, Y, X or S (colour) per axis, Y and X among them, for "
            "example 'ZYX'."
        )

    def test_a_picture_too_large_to_be_read_at_once(self, tmp_path):
        header = struct.pack(">IIBBBBB", 40000, 40000, 8, 0, 0, 0, 0)
        parts = [(b"IHDR", header), (b"IDAT", b""), (b"IEND", b"")]
        (tmp_path / "a.png").write_bytes(
            b"\x89PNG\r\n\x1a\n"
            + b"".join(
                struct.pack(">I", len(body))
                + kind
                + body
                + struct.pack(">I", zlib.crc32(kind + body))
                for kind, body in parts
            )
        )
        assert sentence_of(inspect_image, tmp_path / "a.png") == (
            "'a.png' is too large to be read at once. Convert it to OME-TIFF or "
            "OME-Zarr, which are read part by part."
        )

    def test_too_little_memory(self, tmp_path, monkeypatch):
        path = tiff(tmp_path, YX, compression="zlib")

        def fail(*args, **options):
            raise MemoryError

        monkeypatch.setattr(tifffile.TiffPageSeries, "asarray", fail)
        with pytest.raises(MemoryShortageError) as error:
            open_image(path)
        assert str(error.value) == (
            "'a.tif' needs 0.0 GB of memory, more than is free. Convert it to OME-Zarr "
            "or uncompressed TIFF, which are read part by part."
        )

    def test_a_compression_without_its_package(self, tmp_path, monkeypatch):
        path = tiff(tmp_path, YX, compression="zlib")

        def fail(*args, **options):
            raise ValueError("<COMPRESSION.LZW: 5> requires the 'imagecodecs' package")

        monkeypatch.setattr(tifffile.TiffPageSeries, "asarray", fail)
        assert sentence_of(open_image, path) == (
            "'a.tif' is compressed in a way that needs a further package: "
            "pip install imagecodecs."
        )

    def test_a_file_that_may_not_be_read(self, tmp_path, monkeypatch):
        path = tiff(tmp_path, YX)

        def fail(*args, **options):
            raise PermissionError

        monkeypatch.setattr("napari_mtseg.storage.file_formats.tiff_array", fail)
        assert sentence_of(inspect_image, path) == (
            f"'{path}' cannot be read: permission denied. Ask its owner for the right "
            "to read it."
        )

    def test_a_channel_that_is_not_there(self, tmp_path):
        path = tiff(tmp_path, ZCYX, metadata={"axes": "ZCYX"})
        assert sentence_of(open_image, path, channels=[1, 2]) == (
            "'a.tif' has 2 channels, but channel 2 is asked for. "
            "Channels count from 0 to 1."
        )
        assert sentence_of(open_image, path, channels=[]) == (
            "No channel of 'a.tif' is asked for. Choose at least one."
        )


def test_chosen_channels_come_in_the_order_asked_for(tmp_path):
    path = tiff(tmp_path, ZCYX, metadata={"axes": "ZCYX"})
    image = open_image(path, channels=[1, 0])
    assert image.info.shape == (2, 7, 5, 6)
    np.testing.assert_array_equal(
        np.asarray(image.pixels), ZCYX.transpose(1, 0, 2, 3)[::-1]
    )
    assert open_image(path, channels=[1]).pixels.shape == (1, 7, 5, 6)


def test_a_part_of_the_colours_is_no_colour_image(tmp_path):
    path = png(tmp_path, RGB)
    assert open_image(path).info.rgb
    assert not open_image(path, channels=[1]).info.rgb


def test_read_pixels_are_new_and_writable(tmp_path):
    image = open_image(tiff(tmp_path, ZYX, metadata={"axes": "ZYX"}))
    pixels = read_pixels(image)
    assert pixels.flags.c_contiguous
    assert pixels.flags.writeable
    with pytest.raises(ValueError, match="region has 2 axes, image 3"):
        read_pixels(image, (slice(None), slice(None)))


class TestCheckPixels:
    @staticmethod
    def image(pixels):
        info = ImageInfo(
            axes="CYX", shape=pixels.shape, dtype="float32", rgb=False, spacing=(1, 1)
        )
        return Image(name="a.tif", pixels=pixels, info=info)

    def test_good_pixels_pass(self):
        check_pixels(self.image(np.array([[[0.0, 1]], [[0, 0]]])))

    def test_nan_and_infinity_are_counted(self):
        pixels = np.array([[[np.nan, 1], [np.inf, -np.inf]]])
        assert sentence_of(check_pixels, self.image(pixels)) == (
            "'a.tif' holds 1 NaN and 2 infinite values among its 1 x 2 x 2 (C, Y, X). "
            "Replace them, for example by 0, and save the image again."
        )

    def test_a_constant_image_is_refused(self):
        assert sentence_of(check_pixels, self.image(np.full((2, 3, 4), 7))) == (
            "'a.tif' has the value 7 in every pixel, so nothing can be learned from "
            "it. Leave it out or export it again."
        )

    def test_all_blocks_of_a_large_image_are_seen(self, tmp_path):
        pixels = np.zeros((1, 70, 600, 5), np.float16)
        pixels[0, 69, 599, 4] = np.nan
        zarr.create_array(
            tmp_path / "a.zarr", data=pixels, chunks=(1, 33, 500, 5),
            dimension_names=["c", "z", "y", "x"],
        )  # fmt: skip
        sentence = sentence_of(check_pixels, open_image(tmp_path / "a.zarr"))
        assert sentence.startswith("'a.zarr' holds 1 NaN and 0 infinite values")


def test_images_of_a_folder_are_listed_in_order(tmp_path):
    for name in ["b.tif", "a.PNG", ".hidden.tif", "notes.txt", "c.nii.gz"]:
        (tmp_path / name).touch()
    (tmp_path / "folder").mkdir()
    ome_zarr(tmp_path, YX, "YX", [1, 1], name="d.zarr")
    series = dicom_series(tmp_path)
    names = [path.name for path in list_image_files(tmp_path)]
    assert names == ["a.PNG", "b.tif", "c.nii.gz", "d.zarr", "series"]
    assert list_image_files(series) == [series]
    assert not is_image_file(tmp_path / "missing.tif")


def test_the_fingerprint_of_a_file_is_the_hash_of_its_bytes(tmp_path):
    (tmp_path / "a.png").write_bytes(b"abc")
    assert content_fingerprint(tmp_path / "a.png") == (
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )


def test_the_fingerprint_of_a_folder_changes_with_names_and_bytes(tmp_path):
    folder = tmp_path / "a.zarr"
    (folder / "0").mkdir(parents=True)
    (folder / "0" / "x").write_bytes(b"1")
    first = content_fingerprint(folder)
    folder.rename(tmp_path / "b.zarr")
    assert content_fingerprint(tmp_path / "b.zarr") == first
    (tmp_path / "b.zarr" / "0" / "x").write_bytes(b"2")
    second = content_fingerprint(tmp_path / "b.zarr")
    (tmp_path / "b.zarr" / "0" / "x").rename(tmp_path / "b.zarr" / "0" / "y")
    assert len({first, second, content_fingerprint(tmp_path / "b.zarr")}) == 3


def test_the_fingerprint_of_an_mhd_covers_its_data_file(tmp_path):
    path = volume(tmp_path, YX, "a.mhd")
    first = content_fingerprint(path)
    raw = tmp_path / "a.raw"
    content = next(p for p in (raw, tmp_path / "a.zraw") if p.exists())
    content.write_bytes(content.read_bytes()[::-1])
    assert content_fingerprint(path) != first


def test_headers_alone_are_read_for_inspection(tmp_path, monkeypatch):
    path = tiff(tmp_path, YX, compression="zlib")

    def fail(*args, **options):
        raise AssertionError

    monkeypatch.setattr(tifffile.TiffPageSeries, "asarray", fail)
    assert inspect_image(path).shape == (1, 5, 6)


def test_importing_the_readers_loads_nothing_heavy():
    code = "import sys, napari_mtseg.storage.image_files; print(*sys.modules)"
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, text=True
    )
    heavy = {"torch", "pandas", "zarr", "SimpleITK", "skimage", "napari", "qtpy"}
    assert not heavy & set(found.stdout.split())
