from pathlib import Path

import pytest
import zarr

from napari_mtseg.domain.errors import ImageError, SettingsError
from napari_mtseg.workflows.prediction_paths import (
    check_out,
    input_files,
    output_names,
)
from tests.tiny_run import write_image


def test_a_folder_without_images_is_named(tmp_path: Path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ImageError, match="holds no image"):
        input_files([tmp_path / "empty"])


def test_folders_of_folders_are_searched_where_it_is_asked_for(tmp_path: Path):
    top, deep = tmp_path / "in", tmp_path / "in" / "plate" / "well"
    files = [top / "b.tif", deep / "a.tif"]
    for file in (*files, top / "out" / "a_classes.tif", top / ".hidden" / "c.tif"):
        write_image(file)
    (top / "series.ome.zarr").mkdir()
    (top / "series.ome.zarr" / "inside.tif").write_text("")
    found = input_files([top], recursive=True, out=top / "out")
    assert found == [top / "b.tif", top / "series.ome.zarr", deep / "a.tif"]
    assert input_files([top]) == found[:2]
    with pytest.raises(ImageError) as caught:
        input_files([top / "plate"])
    assert str(caught.value) == (
        f"The folder '{top / 'plate'}' holds no image. Give a folder with images, "
        "--recursive if they lie in folders of it, or the image files."
    )


def test_links_to_folders_are_not_followed(tmp_path: Path):
    file = write_image(tmp_path / "in" / "a.tif")
    (tmp_path / "in" / "loop").symlink_to(tmp_path / "in")
    assert input_files([tmp_path / "in"], recursive=True) == [file]


def test_patterns_are_searched_where_the_shell_did_not(tmp_path: Path):
    one, two = (write_image(tmp_path / f"{name}.tif") for name in ("a1", "a2"))
    deep = write_image(tmp_path / "well" / "a3.tif")
    (tmp_path / "a4.txt").write_text("no image")
    assert input_files([tmp_path / "a*"]) == [one, two]
    assert input_files([tmp_path / "**" / "a*.tif"]) == [one, two, deep]
    assert input_files([tmp_path / "**" / "a*"], out=deep.parent) == [one, two]
    assert input_files([tmp_path / "a[2]*", one]) == [two, one]
    with pytest.raises(ImageError) as caught:
        input_files([tmp_path / "b*.tif"])
    assert str(caught.value) == (
        f"No image fits '{tmp_path / 'b*.tif'}'. Check the pattern."
    )


def zarr_image(path: Path) -> Path:
    """Write an OME-Zarr image of two levels."""
    group = zarr.open_group(path, mode="w", zarr_format=2)
    for level in "01":
        group.create_array(level, shape=(8, 8), dtype="u1")
    group.attrs["multiscales"] = [
        {"axes": ["y", "x"], "datasets": [{"path": "0"}, {"path": "1"}]}
    ]
    return path


def test_patterns_do_not_look_into_images(tmp_path: Path):
    image = zarr_image(tmp_path / "in" / "plate" / "cell.ome.zarr")
    plain = write_image(tmp_path / "in" / "plate" / "a.tif")
    series = tmp_path / "in" / "series"
    series.mkdir()
    for name in ("1.dcm", "2.dcm"):
        (series / name).write_bytes(bytes(128) + b"DICM")
    write_image(tmp_path / "in" / ".hidden" / "b.tif")
    every = [plain, image, series]
    assert input_files([tmp_path / "in" / "**"]) == every
    assert input_files([tmp_path / "in" / "**" / "*"]) == every
    assert input_files([tmp_path / "in" / "*" / "*"])[:2] == [plain, image]
    with pytest.raises(ImageError, match="No image fits"):
        input_files([tmp_path / "in" / "*" / "*" / "*"])
    slices = [series / "1.dcm", series / "2.dcm"]
    assert input_files([tmp_path / "in" / "**" / "*.dcm"]) == slices
    assert input_files([image / "*"]) == [image / "0", image / "1"]


def test_a_pattern_finds_the_images_of_a_plate(tmp_path: Path):
    plate = tmp_path / "plate.zarr"
    zarr.open_group(plate, mode="w", zarr_format=2).create_group("A/1")
    fields = [zarr_image(plate / "A" / "1" / name) for name in "01"]
    assert input_files([plate / "**" / "0"]) == fields[:1]
    assert input_files([plate / "A" / "*" / "*"]) == fields
    assert input_files([tmp_path / "*.zarr" / "*" / "*" / "*"]) == fields


def test_a_file_whose_name_looks_like_a_pattern_is_a_file(tmp_path: Path):
    file = write_image(tmp_path / "a[1].tif")
    assert input_files([file]) == [file]


def test_a_file_that_is_named_twice_is_predicted_once(tmp_path: Path):
    file = write_image(tmp_path / "in" / "a.tif")
    again = tmp_path / "in" / ".." / "in" / "a.tif"
    assert input_files([again, tmp_path / "in", file]) == [again]


def test_an_image_keeps_the_name_of_its_results(tmp_path: Path):
    known = {f"{tmp_path}/x/a.tif": "a", f"{tmp_path}/y/a.tif": "y-a_tif"}
    files = [tmp_path / folder / "a.tif" for folder in "zyx"]
    assert output_names(files, known) == ["a_tif", "y-a_tif", "a"]
    other = {f"{tmp_path}/x/A.tif": "A", f"{tmp_path}/q/a.tif": "a_tif"}
    assert output_names(files[:1], other) == ["z-a_tif"]


def test_names_of_results_can_be_printed_whatever_the_bytes_of_the_image_s_are():
    file = Path("/x") / "b\udcff.tif"
    assert output_names([file]) == ["b\\udcff"]
    assert output_names([file], {"/x/b\\udcff.tif": "old"}) == ["old"]


def test_results_of_files_of_one_name_do_not_overwrite_each_other():
    files = [
        "x/a.tif",
        "x/a.png",
        "y/b.tif",
        "z/b.tif",
        "c.ome.tif",
        "C.nii.gz",
        "d.tif",
    ]
    assert output_names([Path(f) for f in files]) == [
        "a_tif",
        "a_png",
        "y-b_tif",
        "z-b_tif",
        "c_ome_tif",
        "C_nii_gz",
        "d",
    ]
    names = output_names([Path("y/b.tif"), Path("q/y/b.tif")])
    assert names == ["y-b_tif", "y-b_tif-2"]


def test_the_folder_of_an_image_takes_no_results(tmp_path: Path):
    check_out(tmp_path / "results", [tmp_path / "a.tif"])
    with pytest.raises(SettingsError) as caught:
        check_out(tmp_path, [tmp_path / "a.tif"])
    assert str(caught.value) == (
        f"--out '{tmp_path}' is the folder of the images: the next time, the results "
        "would be taken for images. Choose another folder."
    )
    (tmp_path / "links").mkdir()
    link = tmp_path / "links" / "a.tif"
    link.symlink_to(write_image(tmp_path / "a.tif"))
    with pytest.raises(SettingsError, match="is the folder of the images"):
        check_out(tmp_path / "links", [link])


@pytest.mark.parametrize("inside", ["", "results", "0/deep"])
def test_an_image_that_is_a_folder_takes_no_results(tmp_path: Path, inside: str):
    image = tmp_path / "in" / "a.ome.zarr"
    with pytest.raises(SettingsError) as caught:
        check_out(image / inside, [tmp_path / "b.tif", image])
    assert str(caught.value) == (
        f"--out '{image / inside}' lies in the image 'a.ome.zarr', which the results "
        "would damage. Choose another folder."
    )


def test_a_path_that_is_missing_is_refused_at_once_if_no_other_is_there(
    tmp_path: Path,
):
    here, gone = write_image(tmp_path / "a.tif"), tmp_path / "gone.tif"
    assert input_files([here, gone]) == [here, gone]
    with pytest.raises(ImageError) as one:
        input_files([gone])
    assert str(one.value) == f"There is no file or folder '{gone}'. Check the path."
    with pytest.raises(ImageError) as several:
        input_files([gone, tmp_path / "lost.tif"])
    assert str(several.value) == (
        f"None of the 2 images exists; the first is '{gone}'. Check the paths."
    )
