import csv
import math

import numpy as np
import pytest
import tifffile
import zarr
from scipy import ndimage

from napari_mtseg.domain.errors import (
    ImageError,
    MemoryShortageError,
    SettingsError,
    StorageError,
)
from napari_mtseg.geometry.measurements import measurements
from napari_mtseg.geometry.object_sums import object_sums
from napari_mtseg.instances.components import separate_objects
from napari_mtseg.storage.block_store import BlockStore
from napari_mtseg.storage.image_files import open_image
from napari_mtseg.storage.zarr_results import partial_folder
from napari_mtseg.workflows import block_request
from napari_mtseg.workflows.block_request import is_too_large
from napari_mtseg.workflows.block_tasks import predicted_block
from napari_mtseg.workflows.map_choice import maps_of
from napari_mtseg.workflows.network_input import NetworkPixels
from napari_mtseg.workflows.predict import load_model
from napari_mtseg.workflows.predict_blocks import predict_in_blocks
from napari_mtseg.workflows.task_runner import InThisProcess, ModelSource
from napari_mtseg.workflows.uncertainty_source import UncertaintySource
from tests.tiny_run import tiny_project, tiny_run

SHAPES = {2: (120, 110), 3: (8, 40, 36)}
SMALLER = {2: (64, 60), 3: (6, 28, 24)}
PATHWAY = {"pathway": 1, "levels": 3, "dropout": 0}
NUCLEI = {**PATHWAY, "nuclei": True}
EXACT = [
    ("baseline", 2, 4, {}),
    ("baseline", 2, 0, {"norm": "instance", "min_size": 3}),
    ("baseline", 3, 2, {"min_size": 4}),
    ("cross_task", 2, 0, {"largest": True, "min_size": 2}),
    ("joint_shape", 2, 0, {}),
    ("joint_shape", 3, 0, {"min_size": 2}),
    ("task_decomposition", 2, 1, {"levels": 6, "norm": "batch", "base_channels": 4}),
    ("high_resolution", 2, 0, PATHWAY),
]
WITH_MARGIN = [
    ("recursive_approximation", 2, 0, {"separation": "on", "min_size": 3}),
    ("recursive_approximation", 3, 5, {"separation": "on"}),
    ("high_resolution", 2, 4, NUCLEI),
    ("high_resolution", 2, 0, {**PATHWAY, "fill_islands": True}),
]
CONFIDENT = ("boundary_entropy", "inside_entropy", "low_confidence")


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch):
    monkeypatch.setattr(block_request, "MOST_PIXELS", 2**12)
    monkeypatch.setattr(block_request, "LEAST_PIXELS", 2**11)


def write_texture(path, shape):
    """Write a smooth random image, which random weights see many objects in."""
    noise = np.random.default_rng(0).random(shape)
    smooth = ndimage.gaussian_filter(noise, 1.5)
    pixels = (smooth - smooth.min()) / np.ptp(smooth) * 255
    metadata = {"axes": "ZYX"[-len(shape) :]}
    tifffile.imwrite(path, pixels.astype(np.uint8), ome=True, metadata=metadata)
    return path


class Case:
    """A model, an image, and the source that others load the model from."""

    def __init__(self, folder, method, ndim, seed, settings, *, shapes=SHAPES, **how):
        shape = (24, 20) if ndim == 2 else (8, 24, 20)
        project = tiny_project(folder, shape=shape, classes=("a", "b"))
        run = tiny_run(project, method=method, seed=seed, settings=settings)
        self.image_path = write_texture(folder / "texture.ome.tif", shapes[ndim])
        self.image = open_image(self.image_path)
        self.stem = folder / "out" / "texture"
        memory = 0.05
        while True:
            self.model = load_model(run, memory=memory, **how)
            pixels = NetworkPixels(self.image.pixels, "as_is")
            if self.model.predictor.grid(pixels).n_windows >= 4:
                break
            memory /= 1.4
        self.run = run
        self.source = ModelSource(path=run.path, is_run=True, memory=memory, **how)

    @property
    def maps(self):
        without = ("distance", "difficulty")
        return [name for name in maps_of(self.model) if name not in without]

    def in_blocks(self, maps=None, runner=None, **further):
        return predict_in_blocks(
            self.source,
            self.image_path,
            self.stem,
            maps=maps or self.maps,
            runner=runner or InThisProcess(self.model),
            **further,
        )

    def read(self, name):
        group = zarr.open(self.stem.with_name("texture.ome.zarr"), mode="r")
        places = (f"labels/{name}/0", f"{name}/0")
        return next(group[place] for place in places if place in group)[...]


def whole_maps(found):
    return {
        "classes": found.classes,
        "instances": found.instances,
        "probabilities": found.probabilities,
        **found.maps,
    }


@pytest.mark.parametrize(("method", "ndim", "seed", "settings"), EXACT)
def test_blocks_give_what_the_whole_image_gives(tmp_path, method, ndim, seed, settings):
    case = Case(tmp_path, method, ndim, seed, settings)
    whole = case.model.predict_image(case.image)
    assert whole.class_of
    done = case.in_blocks()
    for name in case.maps:
        expected = whole_maps(whole)[name]
        found = case.read(name)
        np.testing.assert_array_equal(found, expected.astype(found.dtype), name)
    assert sum(done.n_objects.values()) == len(whole.class_of)
    assert done.notices == ()
    for name in CONFIDENT:
        assert done.scores[name] == pytest.approx(whole.scores[name], rel=1e-6)
    names = case.model.class_names
    present = {names[c]: p for c, p in whole.present.items()}
    assert done.whole.present == present
    if present:
        assert done.whole.disagreement == whole.scores["disagreement"]


@pytest.mark.parametrize(("method", "ndim", "seed", "settings"), WITH_MARGIN)
def test_objects_smaller_than_the_margin_are_those_of_the_whole_image(
    tmp_path, method, ndim, seed, settings
):
    case = Case(tmp_path, method, ndim, seed, settings, shapes=SMALLER)
    whole = case.model.predict_image(case.image)
    assert len(whole.class_of) > 5
    done = case.in_blocks()
    margin = max(case.model.method.block_rule().margin)
    assert margin >= 32
    classes, contours = case.read("classes"), case.read("contours")
    np.testing.assert_array_equal(classes, whole.classes)
    np.testing.assert_array_equal(contours, whole.maps["contours"])
    pairs = {*zip(case.read("instances").flat, whole.instances.flat, strict=True)}
    assert len(pairs) == len(whole.class_of) + 1
    assert f"blocks that overlap by {margin} x " in done.notices[0] or ndim == 3


def test_the_table_of_blocks_is_that_of_the_whole_image(tmp_path):
    case = Case(tmp_path, "baseline", 2, 0, {"norm": "instance"})
    whole = case.model.predict_image(case.image)
    done = case.in_blocks()
    expected = measurements(
        object_sums(
            whole.instances,
            intensities=np.asarray(case.image.pixels),
            uncertainty=whole.maps["uncertainty"],
        ),
        class_of=whole.class_of,
        class_names=case.model.class_names,
        spacing=case.image.info.spacing,
        unit=case.image.info.unit,
    )
    (table,) = (path for path in done.files if path.suffix == ".csv")
    with table.open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == list(expected)
    for name, column in expected.items():
        found = [row[name] for row in rows]
        if column.dtype.kind == "U":
            assert found == column.tolist()
        else:
            np.testing.assert_allclose(np.array(found, float), column, rtol=1e-5)
    assert done.areas["a"] == pytest.approx((whole.classes == 1).sum())


def test_several_answers_are_those_of_the_whole_image(tmp_path):
    how = {"uncertainty": UncertaintySource("dropout", passes=3)}
    case = Case(tmp_path, "baseline", 2, 0, {"norm": "instance", "dropout": 0.5}, **how)
    whole = case.model.predict_image(case.image)
    done = case.in_blocks()
    for name in ("uncertainty", "expected_entropy", "mutual_information", "variance"):
        np.testing.assert_array_equal(case.read(name), whole.maps[name], name)
    for name in (*CONFIDENT, "sample_disagreement", "volume_variation"):
        assert done.scores[name] == pytest.approx(whole.scores[name], rel=1e-6)
    assert done.whole.doubt == pytest.approx(whole.scores["doubt"], rel=1e-5)
    assert done.uncertainty_from == "3 passes with dropout"


def test_smaller_copies_are_there_and_nothing_else_is_left(tmp_path):
    case = Case(tmp_path, "baseline", 2, 4, {})
    shares = []
    done = case.in_blocks(["instances", "uncertainty"], between=shares.append)
    assert sorted(path.name for path in case.stem.parent.iterdir()) == [
        "texture.ome.zarr",
        "texture_objects.csv",
    ]
    assert {path.name for path in done.files} == {
        "texture.ome.zarr",
        "texture_objects.csv",
    }
    assert shares == sorted(shares)
    assert shares[-1] == 1
    assert open_image(done.files[0] / "labels" / "instances").info.shape == (
        1,
        120,
        110,
    )


class Interrupted:
    """Ends after so many blocks were predicted; does each task twice."""

    def __init__(self, model, n_blocks):
        self._inner = InThisProcess(model)
        self._left = n_blocks
        self.n_predicted = 0

    def run(self, work, tasks, source):
        for task, result in self._inner.run(work, tasks, source):
            if work is predicted_block:
                if self.n_predicted == self._left:
                    raise KeyboardInterrupt
                self.n_predicted += 1
                work(self._inner._model, task)
            yield task, result


def test_an_ended_prediction_goes_on_with_the_blocks_that_are_left(tmp_path):
    case = Case(tmp_path, "baseline", 2, 4, {})
    whole = case.model.predict_image(case.image)
    with pytest.raises(KeyboardInterrupt):
        case.in_blocks(["instances"], runner=Interrupted(case.model, 2))
    assert not case.stem.with_name("texture.ome.zarr").exists()
    rest = Interrupted(case.model, math.inf)
    case.in_blocks(["instances"], runner=rest)
    n_blocks = case.image.info.shape
    assert 0 < rest.n_predicted < math.prod(n_blocks)
    np.testing.assert_array_equal(case.read("instances"), whole.instances)
    every = Interrupted(case.model, math.inf)
    case.in_blocks(["instances"], runner=every)
    assert every.n_predicted == rest.n_predicted + 3


def test_other_maps_or_another_image_begin_anew(tmp_path):
    case = Case(tmp_path, "baseline", 2, 4, {})
    with pytest.raises(KeyboardInterrupt):
        case.in_blocks(["instances"], runner=Interrupted(case.model, 2))
    every = Interrupted(case.model, math.inf)
    case.in_blocks(["classes"], runner=every)
    with pytest.raises(KeyboardInterrupt):
        case.in_blocks(["classes"], runner=Interrupted(case.model, 2))
    pixels = tifffile.imread(case.image_path)
    tifffile.imwrite(case.image_path, 255 - pixels, ome=True, metadata={"axes": "YX"})
    again = Interrupted(case.model, math.inf)
    case.in_blocks(["classes"], runner=again)
    assert again.n_predicted == every.n_predicted
    whole = case.model.predict_image(open_image(case.image_path))
    np.testing.assert_array_equal(case.read("classes"), whole.classes)


def test_a_folder_whose_files_changed_begins_anew(tmp_path):
    case = Case(tmp_path, "baseline", 2, 4, {})
    folder = tmp_path / "texture.ome.zarr"
    pixels = tifffile.imread(case.image_path)
    group = zarr.open_group(folder, mode="w", zarr_format=2)
    array = group.create_array("0", data=pixels, chunks=(30, 30))
    axes = [{"name": name, "type": "space"} for name in "yx"]
    scale = [{"type": "scale", "scale": [1.0, 1.0]}]
    datasets = [{"path": "0", "coordinateTransformations": scale}]
    group.attrs["multiscales"] = [
        {"version": "0.4", "axes": axes, "datasets": datasets}
    ]
    case.image_path = folder
    with pytest.raises(KeyboardInterrupt):
        case.in_blocks(["classes"], runner=Interrupted(case.model, 2))
    array[...] = 255 - pixels
    case.in_blocks(["classes"])
    whole = case.model.predict_image(open_image(folder))
    np.testing.assert_array_equal(case.read("classes"), whole.classes)


def test_an_image_without_contrast_leaves_nothing_behind(tmp_path):
    case = Case(tmp_path, "baseline", 2, 4, {})
    tifffile.imwrite(case.image_path, np.full((120, 110), 7, np.uint8))
    with pytest.raises(ImageError, match=r"has the value 7 in every pixel"):
        case.in_blocks(["classes"])
    assert list(case.stem.parent.iterdir()) == []


def test_a_pixel_that_is_not_finite_is_found_in_its_block(tmp_path):
    case = Case(tmp_path, "baseline", 2, 4, {"normalisation": "none"})
    pixels = tifffile.imread(case.image_path).astype(np.float32)
    pixels[100, 100] = np.nan
    tifffile.imwrite(case.image_path, pixels)
    with pytest.raises(ImageError, match=r"'texture.ome.tif' holds NaN or infinite"):
        case.in_blocks(["classes"])


def test_maps_that_need_the_whole_image_are_refused(tmp_path):
    case = Case(tmp_path, "high_resolution", 2, 0, PATHWAY)
    for name in ("distance", "difficulty"):
        with pytest.raises(SettingsError, match=f"The map '{name}' needs the whole"):
            case.in_blocks(["classes", name])
    assert not case.stem.parent.exists()


def test_ellipses_are_refused(tmp_path):
    case = Case(tmp_path, "joint_shape", 2, 0, {"ellipses": True})
    with pytest.raises(SettingsError, match="one ellipse that fits the whole image"):
        case.in_blocks(["classes"])


def test_a_worker_that_does_not_see_the_results_says_so(tmp_path):
    case = Case(tmp_path, "baseline", 2, 4, {})

    class Elsewhere(InThisProcess):
        def run(self, work, tasks, source):
            if work is predicted_block:
                partial_folder(case.stem.with_name("texture.ome.zarr")).rename(
                    tmp_path / "away"
                )
            yield from super().run(work, tasks, source)

    with pytest.raises(StorageError, match="Every worker must see"):
        case.in_blocks(["classes"], runner=Elsewhere(case.model))


def test_memory_that_does_not_hold_a_window_is_told(tmp_path, monkeypatch):
    case = Case(tmp_path, "baseline", 2, 4, {})

    def fails(*_args, **_kwargs):
        raise MemoryError

    monkeypatch.setattr(case.model.predictor, "of_part", fails)
    with pytest.raises(MemoryShortageError, match="Predict again with less"):
        case.in_blocks(["classes"])


def test_an_image_is_too_large_where_its_result_takes_most_of_the_memory(
    tmp_path, monkeypatch
):
    case = Case(tmp_path, "baseline", 2, 4, {})
    needed = math.prod(SHAPES[2]) * case.model.bytes_per_pixel

    monkeypatch.setattr(block_request, "free_main_memory", lambda: needed * 2)
    assert not is_too_large(case.model, case.image)
    monkeypatch.setattr(block_request, "free_main_memory", lambda: needed)
    assert is_too_large(case.model, case.image)


def test_an_image_that_fits_into_one_window_is_one_block_without_objects(tmp_path):
    case = Case(tmp_path, "baseline", 2, 2, {})
    case.model = load_model(case.run, memory=0.5)
    every = Interrupted(case.model, math.inf)
    done = case.in_blocks(runner=every)
    assert every.n_predicted == 1
    assert done.n_objects == {"a": 0, "b": 0}
    assert done.scores["boundary_entropy"] == 1
    assert not case.read("instances").any()
    (table,) = (path for path in done.files if path.suffix == ".csv")
    assert len(table.read_text().splitlines()) == 1


def test_a_block_that_is_done_twice_changes_nothing(tmp_path):
    case = Case(tmp_path, "joint_shape", 2, 0, {})
    whole = case.model.predict_image(case.image)
    case.in_blocks(["instances", "classes"], runner=Interrupted(case.model, math.inf))
    np.testing.assert_array_equal(case.read("instances"), whole.instances)
    expected, _ = separate_objects(case.read("classes"))
    np.testing.assert_array_equal(case.read("instances"), expected)


def test_what_the_blocks_found_lies_beside_the_result(tmp_path):
    store = BlockStore.beside(tmp_path / "x.ome.zarr")
    assert not store.is_of({"maps": ("a",)})
    facts = {"maps": ("a",), "image": ["x", 3]}
    store.begin(facts, arrays={"ids": np.uint32}, shape=(5, 4), chunk=(2, 2))
    assert store.is_of(facts)
    assert not store.is_of({**facts, "maps": ("b",)})
    store.save("found", 3, {"n": np.arange(3)})
    assert [store.has("found", n) for n in (2, 3)] == [False, True]
    assert store.load("found", 3)["n"].tolist() == [0, 1, 2]
    store.array("ids")[2:4, 2:4] = 7
    assert int(np.asarray(store.array("ids")[...]).sum()) == 28
    store.remove()
    with pytest.raises(StorageError, match="Every worker must see it"):
        store.array("ids")
