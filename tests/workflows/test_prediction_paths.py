from pathlib import Path

import pytest

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


def test_a_file_whose_name_looks_like_a_pattern_is_a_file(tmp_path: Path):
    file = write_image(tmp_path / "a[1].tif")
    assert input_files([file]) == [file]


def test_a_file_that_is_named_twice_is_predicted_once(tmp_path: Path):
    file = write_image(tmp_path / "in" / "a.tif")
    again = tmp_path / "in" / ".." / "in" / "a.tif"
    assert input_files([again, tmp_path / "in", file]) == [again]


def test_an_image_keeps_the_name_of_its_results(tmp_path: Path):
    known = {tmp_path / "x" / "a.tif": "a", tmp_path / "y" / "a.tif": "y-a_tif"}
    files = [tmp_path / folder / "a.tif" for folder in "zyx"]
    assert output_names(files, known) == ["a_tif", "y-a_tif", "a"]
    other = {tmp_path / "x" / "A.tif": "A", tmp_path / "q" / "a.tif": "a_tif"}
    assert output_names(files[:1], other) == ["z-a_tif"]


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
