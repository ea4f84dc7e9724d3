"""`mtseg project export` for other programs."""

import json
from pathlib import Path

import numpy as np
import roifile
from typer.testing import CliRunner

from napari_mtseg.cli.project import app
from tests.tiny_projects import disc_project


def export(*args: object):
    return CliRunner().invoke(app, ["export", *map(str, args)])


def test_full_masks_are_exported_as_roi_sets(tmp_path: Path):
    project = disc_project(tmp_path, full=2)
    done = export(project.path, tmp_path / "rois", "--format", "rois")
    assert done.exit_code == 0
    assert f"labels of 2 images written to {tmp_path / 'rois'}" in done.output
    full = [e for e in project.images if project.annotation(e).has_full]
    files = sorted(file.name for file in (tmp_path / "rois").iterdir())
    assert files == [f"{entry.id}_rois.zip" for entry in full]
    rois = roifile.roiread(tmp_path / "rois" / files[0])
    assert isinstance(rois, list)
    (roi,) = rois
    assert roi.name.startswith("disc 0")
    assert roi.hexcolor(roi.stroke_color) == project.info.classes[0].colour


def test_full_masks_are_exported_as_one_coco_file(tmp_path: Path):
    project = disc_project(tmp_path, full=2)
    done = export(project.path, tmp_path / "out", "--format", "coco", "--json")
    ids = [e.id for e in project.images if project.annotation(e).has_full]
    assert json.loads(done.stdout)["exported"] == ids
    content = json.loads((tmp_path / "out" / "coco.json").read_text())
    names = [image["file_name"] for image in content["images"]]
    assert names == ["disc_0.tif", "disc_1.tif"]
    areas = [
        int(np.count_nonzero(project.annotation(project.image(i)).full.objects))
        for i in ids
    ]
    assert [one["area"] for one in content["annotations"]] == areas
    assert [one["image_id"] for one in content["annotations"]] == [1, 2]


def test_without_full_masks_there_is_nothing_exact_to_export(tmp_path: Path):
    project = disc_project(tmp_path, full=0)
    done = export(project.path, tmp_path / "out", "--format", "coco")
    assert done.exit_code != 0
    assert str(done.exception) == (
        "No image of the project 'discs' has a full mask, and only these hold exact "
        "objects. Draw some, or export with --format masks."
    )
    assert not (tmp_path / "out").exists()


def test_masks_are_what_is_exported_by_default(tmp_path: Path):
    project = disc_project(tmp_path)
    assert export(project.path, tmp_path / "out").exit_code == 0
    assert (tmp_path / "out" / "labels.json").is_file()
