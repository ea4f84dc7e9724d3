from pathlib import Path

import pytest

from napari_mtseg.domain.errors import ImageError, SettingsError
from napari_mtseg.workflows.prediction_paths import (
    check_out,
    input_files,
    output_names,
)


def test_a_folder_without_images_is_named(tmp_path: Path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ImageError, match="holds no image"):
        input_files([tmp_path / "empty"])


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
