import csv
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_mtseg.storage.batch_ledger import ImageRecord
from napari_mtseg.workflows.batch_report import most_doubtful, write_batch_report


def record(name: str, **facts: object) -> ImageRecord:
    given: dict[str, object] = {"input": f"/in/{name}.tif", "name": name}
    given["status"] = "done"
    given |= {"objects": {"nucleus": 2}, "model": "m", "run": "r"}
    return ImageRecord.checked({**given, **facts})


def overview(out: Path, name: str) -> str:
    file = f"{name}_overview.png"
    Image.fromarray(np.zeros((8, 2000, 3), np.uint8)).save(out / file)
    return file


def page_of(out: Path, *newest: ImageRecord, before: tuple[ImageRecord, ...] = ()):
    return write_batch_report(out, newest, {r.input: r for r in before}).read_text()


def test_what_failed_is_listed_with_its_sentence(tmp_path: Path):
    failed = record("b", status="failed", error="'b.tif' is <empty>.", objects={})
    page = page_of(tmp_path, record("a"), failed)
    assert "<td>/in/b.tif</td><td>&#x27;b.tif&#x27; is &lt;empty&gt;.</td>" in page
    assert '<div class="tile"><b>1</b>predicted</div>' in page
    assert '<div class="tile"><b>1</b>failed</div>' in page
    assert '<div class="tile"><b>2</b>nucleus</div>' in page


def test_pictures_of_the_most_doubtful_come_first_and_need_no_other_file(
    tmp_path: Path,
):
    records = [
        record(
            name, scores={"inside_entropy": doubt}, files=(overview(tmp_path, name),)
        )
        for name, doubt in (("sure", 0.1), ("unsure", 0.9), ("between", 0.5))
    ]
    page = page_of(tmp_path, *records, record("unknown"))
    captions = re.findall(r"<figcaption><strong>(\w+)</strong>", page)
    assert captions == ["unsure", "between", "sure"]
    assert page.count('src="data:image/jpeg;base64,') == 3
    assert "http" not in page
    assert 'src="' not in page.replace('src="data:', "")


def test_a_picture_that_is_gone_is_left_out(tmp_path: Path):
    page = page_of(
        tmp_path, record("a", scores={"inside_entropy": 0.5}, files=("a_overview.png",))
    )
    assert "<figure>" not in page
    assert "<td>a</td>" in page


def test_the_table_has_the_columns_of_all_images(tmp_path: Path):
    flat = record("a", areas={"nucleus": 12.5}, area_name="area_um2", seconds=1.25)
    solid = record("b", areas={"nucleus": 3.0}, area_name="volume_um3")
    page_of(tmp_path, solid, before=(flat,))
    with (tmp_path / "images.csv").open(newline="") as file:
        first, second = csv.DictReader(file)
    assert (first["image"], first["area_um2 nucleus"]) == ("a", "12.5")
    assert first["seconds"] == "1.25"
    assert (second["image"], second["volume_um3 nucleus"]) == ("b", "3")
    assert second["area_um2 nucleus"] == ""


def test_columns_of_one_kind_stand_together(tmp_path: Path):
    flat = record("a", areas={"nucleus": 1.0}, area_name="area_um2")
    told = record("b", areas={"nucleus": 1.0}, area_name="area_px2", scenes={"x": 1.0})
    page_of(tmp_path, flat, told, record("c", scores={"inside_entropy": 0.5}))
    columns = (tmp_path / "images.csv").read_text().splitlines()[0]
    assert columns == (
        "image,file,status,error,objects nucleus,area_um2 nucleus,area_px2 nucleus,"
        "inside_entropy,scene,scene x,seconds,model,run"
    )


def test_an_image_that_failed_now_is_no_longer_called_done(tmp_path: Path):
    failed = record("a", status="failed", error="It is damaged.")
    page_of(tmp_path, failed, before=(record("a"),))
    with (tmp_path / "images.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["status"], row["error"]) == ("failed", "It is damaged.")


@pytest.mark.parametrize("n", [1, 3])
def test_notes_are_counted(tmp_path: Path, n: int):
    noted = [record(str(i), notices=("The voxel size differs.",)) for i in range(n)]
    assert "<td>The voxel size differs.</td><td" in page_of(tmp_path, *noted)
    assert f'<td class="n">{n}</td>' in page_of(tmp_path, *noted)


def test_images_without_known_doubt_are_not_ordered_by_it():
    known = record("b", scores={"inside_entropy": 0.2})
    assert most_doubtful([record("a", doubt=0.9), known]) == [known]


def test_the_time_is_told_as_universal_once(tmp_path: Path):
    (told,) = re.findall(
        r"Written (\S+) by napari-mtseg", page_of(tmp_path, record("a"))
    )
    assert told.endswith("+00:00")
