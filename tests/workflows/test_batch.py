import csv
import json
import os
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from napari_mtseg.domain.errors import (
    ClusterError,
    LostTaskError,
    ProjectError,
    SettingsError,
    StorageError,
)
from napari_mtseg.storage.batch_ledger import BatchLedger, read_ledger
from napari_mtseg.storage.image_files import content_fingerprint, open_image
from napari_mtseg.storage.run_folder import RunFolder
from napari_mtseg.workflows import batch as batch_module
from napari_mtseg.workflows import batch_file as batch_file_module
from napari_mtseg.workflows.batch import Workers, predict_files
from napari_mtseg.workflows.batch_file import MAPS_ONLY, NO_PLACE, BatchChoices
from napari_mtseg.workflows.image_outcome import ImageOutcome
from napari_mtseg.workflows.predict import Model, load_model
from napari_mtseg.workflows.task_runner import ModelSource
from tests.tiny_run import tiny_project, tiny_run, write_image

PLAIN = BatchChoices(maps=("classes",), overview=False)


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return tiny_run(tiny_project(tmp_path))


@pytest.fixture
def model(run: RunFolder) -> Model:
    return load_model(run)


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    return [write_image(tmp_path / "in" / f"{n}.tif", seed=n) for n in range(3)]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def predicted(
    model: Model, files: list[Path], out: Path, **choices
) -> list[ImageOutcome]:
    return list(predict_files(model, files, out, choices=replace(PLAIN, **choices)))


def newly(outcomes: list[ImageOutcome]) -> list[str]:
    return [o.name for o in outcomes if not o.was_done_before]


def rows_of(out: Path) -> dict[str, dict[str, str]]:
    with (out / "images.csv").open(newline="") as file:
        return {row["image"]: row for row in csv.DictReader(file)}


def test_what_is_done_is_not_done_again(model: Model, files: list[Path], out: Path):
    first = predicted(model, files, out)
    assert newly(first) == ["0.tif", "1.tif", "2.tif"]
    second = predicted(model, files, out)
    assert newly(second) == []
    assert [o.n_objects for o in second] == [o.n_objects for o in first]
    assert [o.scores for o in second] == [o.scores for o in first]
    progress = read_ledger(out)
    assert progress is not None
    assert (progress.n_skipped, progress.has_ended) == (3, True)
    assert progress.report == out / "report.html"
    assert newly(predicted(model, files, out, again=True)) == newly(first)


def test_an_image_that_changed_is_done_again(
    model: Model, files: list[Path], out: Path
):
    predicted(model, files, out)
    write_image(files[1], seed=9)
    later = files[1].stat().st_mtime + 1
    os.utime(files[1], (later, later))
    assert newly(predicted(model, files, out)) == ["1.tif"]


def test_a_result_whose_files_are_gone_or_empty_is_done_again(
    model: Model, files: list[Path], out: Path
):
    predicted(model, files, out)
    (out / "1_classes.tif").write_bytes(b"")
    (out / "2_classes.tif").unlink()
    assert newly(predicted(model, files, out)) == ["1.tif", "2.tif"]
    assert (out / "2_classes.tif").exists()


def test_another_model_does_all_again(
    model: Model, files: list[Path], out: Path, tmp_path: Path
):
    predicted(model, files, out)
    other = load_model(tiny_run(tiny_project(tmp_path / "other"), seed=5))
    assert len(newly(predicted(other, files, out))) == 3
    assert other.fingerprint != model.fingerprint


def test_what_another_model_wrote_before_does_not_stay_beside_the_new_result(
    model: Model, files: list[Path], out: Path, tmp_path: Path
):
    predicted(model, files[:1], out, maps=("classes", "distance"))
    predicted(model, files[1:2], out, blocks="always")
    own = [out / "0_notes.txt", tmp_path / "precious.tif"]
    for path in own:
        path.write_text("not ours")
    ledger = (out / "batch.jsonl").read_text()
    escaping = ledger.replace('["0_classes.tif"', '["../precious.tif", "0_classes.tif"')
    assert escaping != ledger
    (out / "batch.jsonl").write_text(escaping)
    other = load_model(tiny_run(tiny_project(tmp_path / "other"), seed=5))
    predicted(other, files[:2], out)
    assert sorted(f.name for f in out.glob("*_*")) == [
        "0_classes.tif",
        "0_notes.txt",
        "1_classes.tif",
    ]
    assert list(out.glob("*.zarr")) == []
    assert all(path.exists() for path in own)


def test_maps_are_added_without_losing_those_that_are_there(
    model: Model, files: list[Path], out: Path
):
    predicted(model, files, out)
    assert len(newly(predicted(model, files, out, maps=("distance",)))) == 3
    assert newly(predicted(model, files, out)) == []
    assert newly(predicted(model, files, out, maps=("classes", "distance"))) == []
    (out / "0_distance.tif").unlink()
    assert newly(predicted(model, files, out)) == ["0.tif"]


def test_other_channels_or_axes_are_another_result(
    model: Model, files: list[Path], out: Path
):
    predicted(model, files, out)
    assert len(newly(predicted(model, files, out, channels=(0,)))) == 3


def test_what_failed_is_tried_again_and_succeeds_when_it_is_mended(
    model: Model, files: list[Path], out: Path
):
    content = files[1].read_bytes()
    files[1].write_text("no image")
    (failed,) = (o for o in predicted(model, files, out) if o.error)
    assert failed.name == "1.tif"
    assert rows_of(out)["1"]["status"] == "failed"
    assert rows_of(out)["1"]["error"] == failed.error
    assert newly(predicted(model, files, out)) == ["1.tif"]
    files[1].write_bytes(content)
    assert all(o.error is None for o in predicted(model, files, out))
    assert rows_of(out)["1"]["status"] == "done"


def test_images_of_one_name_never_overwrite_each_other_in_later_batches(
    model: Model, tmp_path: Path, out: Path
):
    one = write_image(tmp_path / "x" / "a.tif", seed=1)
    two = write_image(tmp_path / "y" / "a.tif", seed=2)
    predicted(model, [one], out)
    before = (out / "a_classes.tif").read_bytes()
    predicted(model, [two], out)
    assert (out / "a_classes.tif").read_bytes() == before
    assert (out / "a_tif_classes.tif").exists()
    assert newly(predicted(model, [one, two], out)) == []
    assert set(rows_of(out)) == {"a", "a_tif"}


def test_the_table_has_a_row_per_image_of_all_batches(
    model: Model, files: list[Path], out: Path
):
    (first,) = predicted(model, files[:1], out)
    predicted(model, files[1:], out)
    rows = rows_of(out)
    assert list(rows) == ["0", "1", "2"]
    assert rows["0"]["objects nucleus"] == str(first.n_objects["nucleus"])
    assert rows["0"]["file"] == str(files[0])
    assert rows["0"]["inside_entropy"] == f"{first.scores['inside_entropy']:.4f}"
    assert rows["0"]["model"] == model.info.name


def test_what_a_killed_process_left_half_written_is_removed(
    model: Model, files: list[Path], out: Path
):
    predicted(model, files, out)
    half = [out / ".0123456789ab.0_classes.tif", out / ".images.csv.0123456789ab.tmp"]
    mine = out / ".notes.txt"
    for file in (*half, mine):
        file.write_bytes(b"half")
    predicted(model, files, out)
    assert [file.exists() for file in (*half, mine)] == [False, False, True]


def test_a_result_counts_only_when_all_its_files_are_written(
    model: Model, files: list[Path], out: Path, monkeypatch: pytest.MonkeyPatch
):
    class KilledError(Exception):
        pass

    def killed(*_args: object) -> None:
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(BatchLedger, "add", killed)
        with pytest.raises(KilledError):
            predicted(model, files, out)
    assert (out / "0_classes.tif").exists()
    assert len(newly(predicted(model, files, out))) == 3


def test_a_full_disk_keeps_what_was_done(
    model: Model, files: list[Path], out: Path, monkeypatch: pytest.MonkeyPatch
):
    real = batch_file_module.predicted_file

    def full_at_the_second(model, task):
        if task.file == files[1]:
            raise StorageError("The disk is full.")
        return real(model, task)

    with monkeypatch.context() as patch:
        patch.setattr(batch_module, "predicted_file", full_at_the_second)
        with pytest.raises(StorageError, match="The disk is full"):
            predicted(model, files, out)
    assert newly(predicted(model, files, out)) == ["1.tif", "2.tif"]


def test_another_batch_into_the_same_folder_is_refused(
    model: Model, files: list[Path], out: Path
):
    with (
        BatchLedger(out),
        pytest.raises(ProjectError, match="is already being written"),
    ):
        predicted(model, files, out)


def test_an_image_that_memory_does_not_hold_is_predicted_in_blocks(
    model: Model, files: list[Path], out: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(
        batch_file_module, "is_too_large", lambda _, image: image.name == "0.tif"
    )
    maps, told = ("classes", "instances"), []
    done = list(
        predict_files(
            model,
            files,
            out,
            choices=replace(PLAIN, maps=maps, overview=True, also=("coco",)),
            progress=lambda name, share: told.append((name, share)),
        )
    )
    assert [o.name for o in done] == ["1.tif", "2.tif", "0.tif"]
    assert told[-1] == ("0.tif", 1)
    assert {f.name for f in done[2].files} == {"0.ome.zarr", "0_objects.csv"}
    assert MAPS_ONLY in done[2].notices
    assert MAPS_ONLY not in done[0].notices
    at_once = predicted(model, files[:1], out.parent / "whole", blocks="never")
    assert done[2].n_objects == at_once[0].n_objects
    assert rows_of(out)["0"]["objects nucleus"] == str(done[2].n_objects["nucleus"])
    assert newly(predicted(model, files, out, maps=maps)) == []
    again = {"maps": maps, "overview": True, "also": ("coco",)}
    assert newly(predicted(model, files, out, **again)) == []


def test_the_ledger_claims_no_file_that_blocks_do_not_write(
    model: Model, files: list[Path], out: Path
):
    choices = {"overview": True, "also": ("rois", "coco")}
    predicted(model, files[:1], out, blocks="always", **choices)
    (record,) = BatchLedger(out).done_before().values()
    assert (record.in_blocks, record.written) == (True, ("classes",))


def test_all_images_are_predicted_in_blocks_where_it_is_asked_for(
    model: Model, files: list[Path], out: Path
):
    predicted(model, files[:1], out)
    (done,) = predicted(model, files[:1], out, blocks="always")
    assert [f.name for f in done.files] == ["0.ome.zarr"]
    assert newly(predicted(model, files[:1], out, blocks="always")) == []


def test_a_map_that_blocks_do_not_have_fails_with_its_sentence(
    model: Model, files: list[Path], out: Path
):
    (done,) = predicted(model, files[:1], out, blocks="always", maps=("distance",))
    assert "blocks" in str(done.error)


def test_what_is_wanted_beside_the_maps_is_written(
    model: Model, files: list[Path], out: Path
):
    choices = {"maps": ("instances",), "overview": True, "also": ("rois", "coco")}
    (done, *_) = predicted(model, files, out, **choices)
    assert {f.name for f in done.files} == {
        "0_instances.tif",
        "0_objects.csv",
        "0_rois.zip",
        "0_coco.json",
        "0_overview.png",
    }
    found = json.loads((out / "coco.json").read_text())
    assert {one["file_name"] for one in found["images"]} == {f.name for f in files}
    page = (out / "report.html").read_text()
    assert page.count("data:image/jpeg") == 3
    with (out / "0_objects.csv").open(newline="") as file:
        area = sum(float(row["area_px2"]) for row in csv.DictReader(file))
    assert float(rows_of(out)["0"]["area_px2 nucleus"]) == area
    assert newly(predicted(model, files, out, **choices)) == []


def test_what_all_images_lack_is_told_before_any_is_predicted(
    model: Model, files: list[Path], out: Path
):
    with pytest.raises(SettingsError, match="'svg' cannot be written beside the maps"):
        predicted(model, files, out, also=("svg",))
    assert not out.exists()


class Backwards:
    """Does the last task first, after each was sent as bytes, as a cluster does."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self.source: ModelSource | None = None

    def run(self, work, tasks, source):
        self.source = source
        for task in reversed(list(tasks)):
            sent = pickle.loads(pickle.dumps((work, task)))
            result = sent[0](self._model, sent[1])
            yield task, pickle.loads(pickle.dumps(result))


def test_workers_may_do_the_files_in_any_order(
    model: Model, run: RunFolder, files: list[Path], out: Path
):
    runner, source = Backwards(model), ModelSource(path=run.path, is_run=True)
    workers = Workers(runner=runner, source=source)
    (files[0].parent / "bad.tif").write_text("no image")
    given = [*files, files[0].parent / "bad.tif"]
    done = list(predict_files(model, given, out, choices=PLAIN, workers=workers))
    assert [o.name for o in done] == ["bad.tif", "2.tif", "1.tif", "0.tif"]
    assert runner.source == source
    assert done[0].error is not None
    assert list(rows_of(out)) == ["0", "1", "2", "bad"]
    assert newly(predicted(model, files, out)) == []


def test_names_that_are_no_utf_8_are_predicted_told_and_known_again(
    model: Model, files: list[Path], out: Path
):
    good = files[0].with_name("good\udcff.tif")
    bad = files[0].with_name("bad\udcff.tif")
    try:
        files[0].rename(good)
        bad.write_text("no image")
    except OSError:
        pytest.skip("file names are UTF-8 here")
    choices = {"overview": True, "also": ("coco",)}
    done = predicted(model, [good, bad], out, **choices)
    assert [o.error is None for o in done] == [True, False]
    assert r"bad\udcff.tif" in rows_of(out)[r"bad\udcff"]["error"]
    content = json.loads((out / "coco.json").read_text())
    assert [one["file_name"] for one in content["images"]] == [r"good\udcff.tif"]
    assert newly(predicted(model, [good], out, **choices)) == []


def test_where_the_memory_ends_anywhere_the_image_is_predicted_in_blocks(
    model: Model, files: list[Path], out: Path, monkeypatch: pytest.MonkeyPatch
):
    def full(*_args, **_kwargs):
        raise MemoryError

    monkeypatch.setattr(batch_file_module, "measured_objects", full)
    (done,) = predicted(model, files[:1], out)
    assert [f.name for f in done.files] == ["0.ome.zarr"]
    (done,) = predicted(model, files[:1], out, blocks="never", again=True)
    assert done.error == (
        "The memory ran out while '0.tif' was predicted. Close other programs, or cut "
        "the image into parts."
    )


def zarr_image(path: Path, *, seed: int = 0, **transform: Any) -> Path:
    """Write noise as an OME-Zarr image."""
    path.mkdir(parents=True)
    group = zarr.open_group(path, mode="w", zarr_format=2)
    pixels = np.random.default_rng(seed).integers(0, 255, (24, 20)).astype(np.uint8)
    group.create_array("0", data=pixels)
    steps = [{"type": kind, kind: values} for kind, values in transform.items()]
    level: dict[str, Any] = {"path": "0", "coordinateTransformations": steps}
    group.attrs["multiscales"] = [{"axes": ["y", "x"], "datasets": [level]}]
    return path


def test_maps_are_added_to_an_ome_zarr_that_is_written_as_a_whole(
    model: Model, tmp_path: Path, out: Path
):
    files = [zarr_image(tmp_path / "in" / "a.ome.zarr")]
    predicted(model, files, out, maps=("classes", "distance"), overview=True)
    assert newly(predicted(model, files, out, maps=("contours",))) == ["a.ome.zarr"]
    labels = zarr.open_group(out / "a.ome.zarr" / "labels", mode="r")
    assert sorted(labels) == ["classes", "contours"]
    assert (out / "a.ome.zarr" / "distance").is_dir()
    maps = ("classes", "contours", "distance")
    assert newly(predicted(model, files, out, maps=maps, overview=True)) == []
    predicted(model, files, out, again=True)
    assert "distance" in zarr.open_group(out / "a.ome.zarr", mode="r")
    (files[0] / "0" / "0.0").touch()
    predicted(model, files, out)
    assert "distance" not in zarr.open_group(out / "a.ome.zarr", mode="r")
    assert newly(predicted(model, files, out, maps=maps)) == ["a.ome.zarr"]


def test_images_in_the_place_of_results_are_not_replaced(
    model: Model, tmp_path: Path, out: Path
):
    file = zarr_image(tmp_path / "in" / "a.ome.zarr")
    other = zarr_image(out / "a.ome.zarr", seed=5)
    before = content_fingerprint(other)
    with pytest.raises(StorageError, match="is no result of this program, so it is"):
        predicted(model, [write_image(tmp_path / "in" / "0.tif"), file], out)
    assert content_fingerprint(other) == before
    assert {path.name for path in out.iterdir()} == {"a.ome.zarr", ".lock"}
    in_blocks = write_image(tmp_path / "more" / "a.tif")
    with pytest.raises(StorageError, match="Choose another folder for the results"):
        predicted(model, [in_blocks], out, blocks="always")
    assert newly(predicted(model, [in_blocks], out)) == ["a.tif"]
    assert content_fingerprint(other) == before


@pytest.mark.parametrize("blocks", ["never", "always"])
def test_maps_of_an_ome_zarr_lie_where_it_lies(
    model: Model, tmp_path: Path, out: Path, blocks
):
    path = tmp_path / "in" / "a.ome.zarr"
    file = zarr_image(path, scale=[0.5, 0.5], translation=[40, -2.5])
    predicted(model, [file], out, blocks=blocks, maps=("classes", "uncertainty"))
    for place in ("labels/classes", "uncertainty"):
        info = open_image(out / "a.ome.zarr" / place).info
        assert (info.spacing, info.translation) == ((0.5, 0.5), (40, -2.5))


def test_a_medical_image_in_blocks_is_told_to_lose_its_place(
    model: Model, tmp_path: Path, files: list[Path], out: Path
):
    sitk = pytest.importorskip("SimpleITK")
    path = tmp_path / "in" / "a.nii.gz"
    noise = np.random.default_rng(0).integers(0, 255, (24, 20)).astype(np.uint8)
    sitk.WriteImage(sitk.GetImageFromArray(noise), path)
    in_blocks = predicted(model, [path, files[0]], out, blocks="always")
    assert [NO_PLACE in done.notices for done in in_blocks] == [True, False]
    (at_once,) = predicted(model, [path], out, blocks="never")
    assert NO_PLACE not in at_once.notices


def test_what_is_left_of_blocks_goes_unless_a_batch_can_go_on_with_it(
    model: Model, files: list[Path], out: Path
):
    files[1].write_text("no image")
    left = [
        out / f".{name}.ome.zarr.{kind}"
        for name in "01x"
        for kind in ("blocks", "partial", "old")
    ]
    for folder in left:
        (folder / "0").mkdir(parents=True)
    mine = out / ".x.ome.zarr"
    mine.mkdir()
    predicted(model, files[:2], out)
    assert [folder.exists() for folder in left] == [False] * 3 + [True] * 3 + [
        False
    ] * 3
    assert mine.exists()


class Deadly:
    """Loses its workers at some images; others it does first, as a cluster does."""

    def __init__(self, model: Model, *lost: str, error: type[Exception]) -> None:
        self._model = model
        self._lost = lost
        self._error = error

    def run(self, work, tasks, source):
        tasks = list(tasks)
        deadly = [task for task in tasks if any(n in str(task) for n in self._lost)]
        for task in tasks:
            if task not in deadly:
                yield task, work(self._model, task)
        for task in deadly:
            about = (task,) if self._error is LostTaskError else ()
            raise self._error("Workers were lost.", *about)


@pytest.mark.parametrize("blocks", ["auto", "always"])
def test_images_that_end_their_workers_fail_and_all_others_are_done(
    model: Model, run: RunFolder, files: list[Path], out: Path, blocks
):
    runner = Deadly(model, "0.tif", "1.tif", error=LostTaskError)
    workers = Workers(
        runner=runner, source=ModelSource(path=run.path, is_run=True, device="cpu")
    )
    choices = replace(PLAIN, blocks=blocks)
    done = predict_files(model, files, out, choices=choices, workers=workers)
    errors = {o.name: o.error for o in done}
    lost = "Workers were lost."
    assert errors == {"0.tif": lost, "1.tif": lost, "2.tif": None}
    progress = read_ledger(out)
    assert progress is not None
    assert (progress.n_failed, progress.has_ended) == (2, True)


@pytest.mark.parametrize("blocks", ["auto", "always"])
def test_a_lost_connection_ends_the_batch_and_fails_no_image(
    model: Model, run: RunFolder, files: list[Path], out: Path, blocks
):
    runner = Deadly(model, "0.tif", error=ClusterError)
    workers = Workers(
        runner=runner, source=ModelSource(path=run.path, is_run=True, device="cpu")
    )
    choices = replace(PLAIN, blocks=blocks)
    with pytest.raises(ClusterError, match="Workers were lost"):
        list(predict_files(model, files, out, choices=choices, workers=workers))
    progress = read_ledger(out)
    assert progress is not None
    assert (progress.n_failed, progress.has_ended) == (0, False)


def test_the_fingerprint_is_that_of_weights_and_settings(run: RunFolder, model: Model):
    assert load_model(run).fingerprint == model.fingerprint
    changed = model.info.changed({"settings": {**model.info.settings, "min_size": 3}})
    weights = model._network.state_dict()
    assert Model(changed, weights).fingerprint != model.fingerprint
    renamed = model.info.changed({"name": "other"})
    assert Model(renamed, weights).fingerprint == model.fingerprint
