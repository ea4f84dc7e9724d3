import csv
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch

from napari_mtseg.batches.normalisation import normalisation_of
from napari_mtseg.domain.errors import (
    ImageError,
    MemoryShortageError,
    ModelError,
    RunError,
    SettingsError,
    StorageError,
)
from napari_mtseg.domain.prediction import Prediction
from napari_mtseg.methods.catalog import load_method, settings_model
from napari_mtseg.storage.image_files import inspect_image, open_image
from napari_mtseg.storage.model_folder import load_model_folder, save_model
from napari_mtseg.storage.prediction_files import load_prediction
from napari_mtseg.storage.project import Project
from napari_mtseg.workflows import predict as predict_module
from napari_mtseg.workflows.batch import predict_files
from napari_mtseg.workflows.batch_file import BatchChoices
from napari_mtseg.workflows.export import export_model
from napari_mtseg.workflows.image_outcome import ImageOutcome
from napari_mtseg.workflows.map_choice import MAPS, maps_of
from napari_mtseg.workflows.network_outputs import Predictor
from napari_mtseg.workflows.predict import Model, load_model
from napari_mtseg.workflows.predict_images import images_of_split, predict_project
from napari_mtseg.workflows.prediction_paths import input_files
from napari_mtseg.workflows.runs import task_of
from tests.tiny_run import SETTINGS, tiny_project, tiny_run, write_image

METHODS = ["baseline", "recursive_approximation"]

SMALL_WINDOWS = 0.0005
"""GiB for the tiny network: some 60 pixels across"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return tiny_project(tmp_path)


@pytest.fixture
def model(project: Project) -> Model:
    return load_model(tiny_run(project))


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 255, shape).astype(np.uint8)


def distance(found: Prediction) -> np.ndarray:
    return np.asarray(found.maps["distance"], np.float32)


def same(one: Prediction, other: Prediction) -> bool:
    return all(
        np.array_equal(getattr(one, name), getattr(other, name))
        for name in ("classes", "probabilities", "instances")
    )


def outcomes(
    model: Model, files: list[Path], out: Path, **choices
) -> list[ImageOutcome]:
    return list(predict_files(model, files, out, choices=BatchChoices(**choices)))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", ["model", "model.zip"])
def test_a_saved_then_loaded_model_predicts_the_same(
    project: Project, tmp_path: Path, method: str, name: str
):
    run = tiny_run(project, method=method)
    export_model(project, None, tmp_path / name)
    pixels = noise(24, 20)
    before, after = load_model(run), load_model(tmp_path / name)
    assert same(before.predict(pixels), after.predict(pixels))
    assert before.info.spacing == after.info.spacing


def test_a_model_predicts_what_the_trained_network_answers(project: Project):
    run = tiny_run(project)
    settings = settings_model("baseline").checked(SETTINGS)
    method = load_method("baseline")(settings, task_of(project, project.images))
    network = method.network()
    model = load_model(run)
    network.load_state_dict(model._network.state_dict())
    pixels = project.read_pixels(project.images[0])
    normalised = normalisation_of(pixels, "percentile")(pixels)
    predictor = Predictor(network, device=torch.device("cpu"), memory=1)
    expected = method.interpret(predictor(normalised))
    assert same(model.predict(pixels), expected)


@pytest.mark.parametrize("method", METHODS)
def test_volumes_are_predicted_in_three_dimensions(tmp_path: Path, method: str):
    project = tiny_project(tmp_path, shape=(6, 20, 16))
    found = load_model(tiny_run(project, method=method)).predict(noise(6, 20, 16))
    assert found.classes.shape == found.maps["distance"].shape == (6, 20, 16)
    assert found.probabilities.shape == (2, 6, 20, 16)


@pytest.mark.parametrize("method", METHODS)
def test_outlines_and_doubt_come_with_a_prediction(project: Project, method: str):
    found = load_model(tiny_run(project, method=method)).predict(noise(24, 20))
    inside = found.instances > 0
    assert found.maps["contours"].dtype == np.bool_
    assert not found.maps["contours"][~inside].any()
    np.testing.assert_array_equal(np.signbit(distance(found)), inside)
    doubt = found.maps["uncertainty"]
    assert doubt.min() >= 0
    assert doubt.max() <= 1
    assert {"contours", "distance", "uncertainty"}.isdisjoint(
        load_model(tiny_run(project)).predict(noise(24, 20), maps=()).maps
    )


def test_distance_is_in_units_of_the_spacing(model: Model):
    pixels = noise(24, 20)
    one = distance(model.predict(pixels, spacing=(1, 1)))
    two = distance(model.predict(pixels, spacing=(2, 2)))
    np.testing.assert_allclose(two, 2 * one, rtol=1e-6)


def test_small_windows_give_the_same_answer_as_the_whole_image(project: Project):
    run = tiny_run(project)
    pixels = noise(150, 140)
    whole, tiled = load_model(run), load_model(run, memory=SMALL_WINDOWS)
    one, other = whole.predict(pixels), tiled.predict(pixels)
    assert tiled._predictor.info is not None
    assert tiled._predictor.info.n_windows > 1
    np.testing.assert_allclose(one.probabilities, other.probabilities, atol=2e-3)


def test_a_lazy_array_is_read_in_windows_and_never_as_a_whole(
    project: Project, monkeypatch: pytest.MonkeyPatch
):
    class Watched:
        shape, dtype = (400, 300), np.dtype(np.uint8)
        largest = 0

        def __getitem__(self, index):
            part = noise(400, 300)[index]
            self.largest = max(self.largest, part.size)
            return part

    monkeypatch.setattr("napari_mtseg.batches.normalisation.MAX_SAMPLES", 10_000)
    model = load_model(tiny_run(project), memory=SMALL_WINDOWS)
    pixels = Watched()
    found = model.predict(pixels, maps=())
    assert pixels.largest < 400 * 300 / 4
    assert same(found, model.predict(noise(400, 300), maps=()))


@pytest.mark.parametrize(
    ("shape", "axes"),
    [
        ((3, 24, 20), None),
        ((24, 20, 3), None),
        ((24, 20, 4), None),
        ((24, 3, 20), "YCX"),
    ],
)
def test_channels_are_found_wherever_they_are(
    tmp_path: Path, shape: tuple[int, ...], axes: str | None
):
    project = tiny_project(tmp_path, shape=(3, 24, 20), metadata={"axes": "CYX"})
    model = load_model(tiny_run(project))
    assert model.info.n_channels == 3
    assert model.predict(noise(*shape), axes=axes).classes.shape == (24, 20)


def test_channels_first_and_last_give_the_same_answer(tmp_path: Path):
    project = tiny_project(tmp_path, shape=(3, 24, 20), metadata={"axes": "CYX"})
    model = load_model(tiny_run(project))
    pixels = noise(3, 24, 20)
    assert same(model.predict(pixels), model.predict(np.moveaxis(pixels, 0, -1)))


def test_a_model_that_reads_grey_takes_colour(tmp_path: Path):
    project = tiny_project(tmp_path, colour="grey")
    model = load_model(tiny_run(project))
    grey = noise(24, 20)
    coloured = np.repeat(grey[..., None], 3, axis=-1)
    one, other = model.predict(grey), model.predict(coloured)
    np.testing.assert_allclose(one.probabilities, other.probabilities, atol=2e-3)


@pytest.mark.parametrize(
    ("pixels", "error", "sentence"),
    [
        (
            noise(24, 20, 3),
            ModelError,
            "The model expects 1 channel but 'the array' has 3. Choose channels of the "
            "image with --channels, or a model for such images.",
        ),
        (
            noise(2, 6, 24, 20),
            ModelError,
            "The model expects 2D images with 1 channel, but the array is 2 x 6 x 24 x "
            "20. Predict its 2D parts one by one.",
        ),
        (
            np.full((24, 20), 7.0),
            ImageError,
            "'the array' has the value 7 in every pixel, so there is nothing to "
            "segment. Leave it out or export it again.",
        ),
        (
            np.where(np.arange(480).reshape(24, 20) == 5, np.nan, 1.0),
            ImageError,
            "'the array' holds NaN or infinite values. Replace them, for example by 0, "
            "and save the image again.",
        ),
        (
            np.where(np.arange(480).reshape(24, 20) == 5, np.inf, 1.0),
            ImageError,
            "'the array' holds NaN or infinite values. Replace them, for example by 0, "
            "and save the image again.",
        ),
        (
            np.zeros((0, 20)),
            ImageError,
            "'the array' is empty: its size is 0 x 20. Leave it out or export it "
            "again.",
        ),
        (
            np.zeros((24, 20), complex),
            ImageError,
            "'the array' holds complex128 values, which are no intensities. Save it as "
            "integers or as float32.",
        ),
    ],
    ids=["channels", "dimensions", "constant", "nan", "inf", "empty", "complex"],
)
def test_an_array_that_does_not_fit_gets_a_sentence(
    model: Model, pixels: np.ndarray, error: type[Exception], sentence: str
):
    with pytest.raises(error) as caught:
        model.predict(pixels)
    assert str(caught.value) == sentence


def test_a_single_nan_that_no_sample_meets_is_found(
    model: Model, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("napari_mtseg.batches.normalisation.MAX_SAMPLES", 100)
    pixels = noise(24, 20).astype(np.float32)
    pixels[1, 1] = np.nan
    with pytest.raises(ImageError, match="holds NaN or infinite values"):
        model.predict(pixels)


def test_a_volume_is_too_much_for_a_model_of_planes(model: Model, tmp_path: Path):
    image = open_image(write_image(tmp_path / "v.tif", (7, 24, 20)))
    with pytest.raises(
        ModelError, match=r"expects 2D images but 'v.tif' is 3D \(7 x 24"
    ):
        model.predict_image(image)


def test_a_result_larger_than_memory_is_refused_before_it_is_begun(
    model: Model, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(predict_module, "BYTES_PER_PIXEL", 2**40)
    with pytest.raises(MemoryShortageError, match="The result of 'the array' needs"):
        model.predict(noise(24, 20))


def test_when_memory_runs_out_the_windows_shrink(
    model: Model, monkeypatch: pytest.MonkeyPatch
):
    expected = model.predict(noise(24, 20))
    budgets = []

    def scarce(predictor, pixels, *, normalise):
        budgets.append(predictor._budget)
        if len(budgets) < 3:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return original(predictor, pixels, normalise=normalise)

    original = Predictor.__call__
    monkeypatch.setattr(Predictor, "__call__", scarce)
    assert same(model.predict(noise(24, 20)), expected)
    assert budgets[1] == budgets[0] // 2
    assert budgets[2] == budgets[0] // 4


def test_other_voxels_than_in_training_are_noticed_and_no_error(tmp_path: Path):
    facts: dict[str, object] = {"axes": "YX"}
    for axis in "XY":
        facts |= {f"PhysicalSize{axis}": 0.5, f"PhysicalSize{axis}Unit": "µm"}
    model = load_model(tiny_run(tiny_project(tmp_path, ome=True, metadata=facts)))
    with pytest.warns(UserWarning, match=r"1 x 1 micrometer but .* 0.5 x 0.5"):
        model.predict(noise(24, 20), spacing=(1.0, 1.0))
    model.predict(noise(24, 20), spacing=(0.52, 0.48))
    unknown = write_image(tmp_path / "unknown.tif")
    assert model.notices(inspect_image(unknown)) == ()


def test_a_method_of_a_later_version_asks_for_an_update(
    project: Project, tmp_path: Path
):
    tiny_run(project)
    info, tensors = load_model_folder(export_model(project, None, tmp_path / "m"))
    save_model(tmp_path / "n", info.changed({"method": "magic"}), tensors, card="")
    with pytest.raises(ModelError, match=r"is of method 'magic', which .* Update"):
        load_model(tmp_path / "n")
    odd = {**info.settings, "swirl": 1}
    save_model(tmp_path / "o", info.changed({"settings": odd}), tensors, card="")
    with pytest.raises(ModelError, match="There is no setting 'swirl'"):
        load_model(tmp_path / "o")


def test_weights_of_another_network_or_not_finite_are_refused(
    project: Project, tmp_path: Path
):
    tiny_run(project)
    info, tensors = load_model_folder(export_model(project, None, tmp_path / "m"))
    # Weights for a network of many GiB would be noticed before it is made.
    huge = info.changed(
        {"settings": {**info.settings, "base_channels": 512, "levels": 8}}
    )
    save_model(tmp_path / "n", huge, tensors, card="")
    with pytest.raises(ModelError, match="do not fit its settings"):
        load_model(tmp_path / "n")
    name = next(k for k, t in tensors.items() if t.is_floating_point())
    tensors[name][...] = torch.nan
    save_model(tmp_path / "o", info, tensors, card="")
    with pytest.raises(ModelError, match="are not all finite"):
        load_model(tmp_path / "o")


def test_a_run_without_weights_is_named(project: Project):
    run = tiny_run(project)
    run.checkpoint("best").unlink()
    with pytest.raises(RunError, match=f"Run '{run.path.name}' has no weights yet"):
        load_model(run)


def test_files_and_folders_are_predicted_each_once(model: Model, tmp_path: Path):
    folder = tmp_path / "images"
    one, two = (write_image(folder / f"{n}.tif", seed=n) for n in (1, 2))
    files = input_files([folder, two])
    assert files == [one, two]
    done = outcomes(model, files, tmp_path / "out", maps=MAPS)
    assert [o.name for o in done] == ["1.tif", "2.tif"]
    of_all = {"batch.jsonl", "images.csv", "report.html", ".lock"}
    written = {f.name for f in (tmp_path / "out").iterdir()} - of_all
    assert written == {f.name for o in done for f in o.files}
    names = [*(f"{m}.tif" for m in MAPS), "objects.csv", "overview.png"]
    assert written == {f"{n}_{name}" for n in (1, 2) for name in names}


@pytest.mark.parametrize(
    ("method", "settings", "own"),
    [
        ("joint_shape", {}, {"shape_distance"}),
        (
            "joint_shape",
            {"variant": "mask+contour+distance"},
            {"contour_probability", "shape_distance"},
        ),
        (
            "high_resolution",
            {"nuclei": True, "pathway": 1},
            {"boundary", "difficulty", "marker", "border"},
        ),
        ("recursive_approximation", {}, {"approximation", "segmentation"}),
        ("baseline", {}, set()),
    ],
    ids=["distance", "contour", "nuclei", "recursive", "baseline"],
)
def test_the_maps_of_a_method_are_written_by_their_names(
    project: Project, tmp_path: Path, method: str, settings: dict, own: set[str]
):
    model = load_model(tiny_run(project, method=method, settings=settings))
    assert set(maps_of(model)) == {*MAPS, *own}
    file = tmp_path / "train.tif"
    (done,) = outcomes(model, [file], tmp_path / "out", maps=maps_of(model))
    assert done.error is None
    found = model.predict_image(open_image(file), maps=own)
    assert set(found.maps) == own
    for name in own:
        written = tifffile.imread(tmp_path / "out" / f"train_{name}.tif")
        np.testing.assert_array_equal(written, found.maps[name])


def test_the_files_hold_what_the_model_answers(tmp_path: Path):
    project = tiny_project(tmp_path, classes=("nucleus", "debris"))
    model = load_model(tiny_run(project, seed=3))
    file = tmp_path / "train.tif"
    found = model.predict_image(open_image(file))
    (done,) = outcomes(model, [file], tmp_path / "out", maps=MAPS)
    read = {m: tifffile.imread(tmp_path / "out" / f"train_{m}.tif") for m in MAPS}
    np.testing.assert_array_equal(read["classes"], found.classes)
    np.testing.assert_array_equal(read["instances"], found.instances)
    np.testing.assert_array_equal(read["distance"], found.maps["distance"])
    np.testing.assert_array_equal(read["contours"], found.maps["contours"] * 255)
    np.testing.assert_allclose(read["probabilities"], found.probabilities)
    rows = list(csv.DictReader((tmp_path / "out" / "train_objects.csv").open()))
    assert {int(r["object"]): int(r["class"]) for r in rows} == found.class_of
    assert sum(int(r["pixels"]) for r in rows) == (found.instances > 0).sum()
    assert sum(done.n_objects.values()) == len(rows)


def test_results_carry_the_voxel_size(tmp_path: Path):
    facts: dict[str, object] = {"axes": "ZYX"}
    for axis, size in zip("ZYX", (2.0, 0.5, 0.25), strict=True):
        facts |= {f"PhysicalSize{axis}": size, f"PhysicalSize{axis}Unit": "µm"}
    project = tiny_project(tmp_path, shape=(4, 20, 16), ome=True, metadata=facts)
    model = load_model(tiny_run(project))
    outcomes(model, [tmp_path / "test.tif"], tmp_path / "out", maps=MAPS)
    for name in MAPS:
        info = inspect_image(tmp_path / "out" / f"test_{name}.tif")
        assert info.spacing == (2.0, 0.5, 0.25)
        assert info.unit == "micrometer"
        assert info.shape == (2 if name == "probabilities" else 1, 4, 20, 16)


def test_a_bad_file_does_not_stop_the_others(model: Model, tmp_path: Path):
    folder = tmp_path / "images"
    write_image(folder / "a.tif")
    (folder / "b.tif").write_text("no image")
    write_image(folder / "c.tif", (24, 20, 3), photometric="rgb")
    write_image(folder / "d.tif", seed=4)
    files = [*input_files([folder]), folder / "gone.tif"]
    done = outcomes(model, files, tmp_path / "out")
    assert [o.error is None for o in done] == [True, False, False, True, False]
    assert "'b.tif' cannot be read" in str(done[1].error)
    assert "expects 1 channel but 'c.tif' has 3" in str(done[2].error)
    assert "There is no file or folder" in str(done[4].error)


def test_channels_of_the_files_can_be_chosen(model: Model, tmp_path: Path):
    file = write_image(tmp_path / "c.tif", (24, 20, 3), photometric="rgb")
    (done,) = outcomes(model, [file], tmp_path / "out", channels=(1,))
    assert done.error is None


def test_a_full_disk_stops_at_once(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def full(*args: object, **kwargs: object) -> None:
        raise StorageError("The disk is full.")

    monkeypatch.setattr("napari_mtseg.workflows.batch_file.write_results", full)
    with pytest.raises(StorageError):
        outcomes(model, [tmp_path / "train.tif"] * 2, tmp_path / "out")


def test_results_never_go_among_the_images(model: Model, tmp_path: Path):
    with pytest.raises(SettingsError, match="would be taken for images"):
        outcomes(model, [tmp_path / "train.tif"], tmp_path)


def test_an_unknown_map_is_named_before_anything_is_predicted(
    project: Project, tmp_path: Path
):
    model = load_model(tiny_run(project, method="recursive_approximation"))
    with pytest.raises(SettingsError) as caught:
        outcomes(model, [tmp_path / "train.tif"], tmp_path / "out", maps=("colours",))
    assert str(caught.value) == (
        "This model has no map 'colours'. Choose from: classes, instances, "
        "probabilities, contours, distance, uncertainty, approximation, segmentation."
    )
    assert not (tmp_path / "out").exists()
    with pytest.raises(SettingsError, match=r"No map was chosen. Choose from: classes"):
        outcomes(model, [], tmp_path / "out", maps=())


def test_the_map_of_another_method_is_an_error_of_the_caller(model: Model):
    with pytest.raises(ValueError, match=r"'boundary'. are none of"):
        model.predict(noise(24, 20), maps=["boundary"])


def test_the_images_of_a_project_are_predicted_into_it(project: Project):
    run = tiny_run(project, method="recursive_approximation")
    model = load_model(run)
    done = list(predict_project(project, model, images=project.images))
    assert [o.name for o in done] == [e.name for e in project.images]
    for entry in project.images:
        folder = project.path / "predictions" / run.path.name / entry.id
        saved = load_prediction(folder)
        assert same(saved, model.predict(project.read_pixels(entry)))
        assert {"contours", "distance", "uncertainty"} <= saved.maps.keys()


def test_a_missing_image_of_a_project_does_not_stop_the_others(
    project: Project, tmp_path: Path
):
    (tmp_path / "test.tif").unlink()
    model = load_model(tiny_run(project))
    done = list(predict_project(project, model, images=project.images))
    assert [o.error is None for o in done] == [False, True, True]
    assert "'test.tif' is missing" in str(done[0].error)


def test_a_split_is_chosen_by_name(project: Project):
    assert [e.name for e in images_of_split(project, "test")] == ["test.tif"]
    assert len(images_of_split(project, "all")) == 3
    with pytest.raises(SettingsError, match="There is no split 'exam'"):
        images_of_split(project, "exam")
    empty = Project(project.path, project.info, ())
    with pytest.raises(ImageError, match="has no image in the split 'test'"):
        images_of_split(empty, "test")
