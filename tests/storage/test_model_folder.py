import json
import math
import pickle
import zipfile
from pathlib import Path

import pytest
import torch

from napari_mtseg.domain.errors import ModelError
from napari_mtseg.domain.project import palette
from napari_mtseg.storage.model_folder import (
    load_model_folder,
    read_model_info,
    save_model,
)
from napari_mtseg.storage.model_info import ModelInfo, Provenance

INFO = ModelInfo(
    name="nuclei",
    method="baseline",
    settings={"levels": 2},
    classes=palette(("nucleus",)),
    n_channels=1,
    axes="CYX",
    spacing=(0.5, 0.5),
    unit="micrometer",
    provenance=Provenance(
        run="r", seed=3, created="2024-01-01", step=9, versions={}, metrics={}
    ),
)
TENSORS = {"a.weight": torch.arange(6.0).reshape(2, 3), "n": torch.tensor(4)}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    save_model(tmp_path / "nuclei", INFO, TENSORS, card="# nuclei\n")
    return tmp_path / "nuclei"


def rewrite(model: Path, **values: object) -> None:
    file = model / "model.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **values}))


@pytest.mark.parametrize("name", ["nuclei", "nuclei.zip"])
def test_saved_then_loaded_is_the_same(tmp_path: Path, name: str):
    written = save_model(tmp_path / name, INFO, TENSORS, card="# nuclei\n")
    info, tensors = load_model_folder(tmp_path / name)
    assert info == written
    assert info.changed({"weights_sha256": ""}) == INFO
    assert tensors.keys() == TENSORS.keys()
    assert all(torch.equal(tensors[k], TENSORS[k]) for k in TENSORS)


def test_a_folder_holds_weights_facts_and_a_card_and_no_leftovers(model: Path):
    assert {f.name for f in model.iterdir()} == {
        "weights.safetensors",
        "model.json",
        "README.md",
    }
    assert [f.name for f in model.parent.iterdir()] == ["nuclei"]


def test_the_same_model_gives_the_same_zip(tmp_path: Path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        save_model(tmp_path / name / "m.zip", INFO, TENSORS, card="")
    one, two = (tmp_path / name / "m.zip" for name in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()


def test_a_zip_without_a_folder_inside_is_read(model: Path, tmp_path: Path):
    with zipfile.ZipFile(tmp_path / "flat.zip", "w") as archive:
        for file in model.iterdir():
            archive.write(file, file.name)
    assert load_model_folder(tmp_path / "flat.zip")[0].name == "nuclei"


def test_what_exists_is_not_written_over(model: Path):
    with pytest.raises(ModelError, match=r"exists already. Choose another name"):
        save_model(model, INFO, TENSORS, card="")
    assert load_model_folder(model)[0].name == "nuclei"


def test_an_empty_folder_may_be_filled(tmp_path: Path):
    (tmp_path / "m").mkdir()
    save_model(tmp_path / "m", INFO, TENSORS, card="")
    assert load_model_folder(tmp_path / "m")[0].name == "nuclei"


def test_a_failed_write_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def broken(path: Path, data: bytes) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(
        "napari_mtseg.storage.model_folder.write_bytes_atomically", broken
    )
    with pytest.raises(KeyboardInterrupt):
        save_model(tmp_path / "m", INFO, TENSORS, card="")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["weights.safetensors", "model.json"])
def test_a_missing_file_is_named(model: Path, name: str):
    (model / name).unlink()
    with pytest.raises(ModelError, match=f"is not a whole model: it has no {name}"):
        load_model_folder(model)


def test_a_missing_model_is_named(tmp_path: Path):
    with pytest.raises(ModelError, match=r"There is no model '.*nowhere'"):
        load_model_folder(tmp_path / "nowhere")


def test_a_file_that_is_no_zip_is_refused(tmp_path: Path):
    (tmp_path / "m.zip").write_text("hello")
    with pytest.raises(ModelError, match="neither a folder nor a zip file"):
        load_model_folder(tmp_path / "m.zip")


@pytest.mark.parametrize("checked", [True, False])
def test_cut_off_weights_are_called_damaged(model: Path, checked: bool):
    weights = model / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-3])
    if not checked:
        rewrite(model, weights_sha256="")
    with pytest.raises(ModelError, match=r"'weights.safetensors' of .* is damaged"):
        load_model_folder(model)


def test_a_flipped_bit_of_the_weights_is_noticed(model: Path):
    weights = model / "weights.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(ModelError, match=r"its content is not what model.json says"):
        load_model_folder(model)


class Bomb:
    def __reduce__(self):
        return (pytest.fail, ("code of a model file ran",))


@pytest.mark.parametrize("checked", [True, False])
@pytest.mark.parametrize("writer", ["pickle", "torch"])
def test_a_pickle_is_refused_and_never_run(model: Path, checked: bool, writer: str):
    weights = model / "weights.safetensors"
    if writer == "pickle":
        weights.write_bytes(pickle.dumps(Bomb()))
    else:
        torch.save(Bomb(), weights)
    if not checked:
        rewrite(model, weights_sha256="")
    with pytest.raises(ModelError, match="is a pickle, which can run code"):
        load_model_folder(model)


def test_a_newer_format_asks_for_an_update(model: Path):
    rewrite(model, format_version=99, what_is_this=1)
    with pytest.raises(ModelError, match=r"has format 99 .* Update napari-mtseg\."):
        load_model_folder(model)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"n_channels": 0}, "Setting 'n_channels' is 0 but must be"),
        ({"colour": "sepia"}, "Setting 'colour' is 'sepia'"),
        ({"surprise": 1}, "There is no setting 'surprise'"),
        ({"spacing": [1, 1, 1]}, "does not fit its axes CYX"),
        (
            {"spacing": [math.nan, 1]},
            r"spacing \[nan, 1.0\] is not of positive numbers",
        ),
        (
            {"spacing": [1, math.inf]},
            r"spacing \[1.0, inf\] is not of positive numbers",
        ),
        ({"format_version": None}, "has no format_version"),
    ],
)
def test_wrong_facts_are_named(model: Path, values: dict[str, object], sentence: str):
    rewrite(model, **values)
    with pytest.raises(ModelError, match=sentence):
        load_model_folder(model)


@pytest.mark.parametrize("text", ["{", "[]", "\x00", "[" * 100_000])
def test_a_model_json_that_is_no_object_is_damaged(model: Path, text: str):
    (model / "model.json").write_text(text)
    with pytest.raises(ModelError, match=r"model.json of the model .* is damaged"):
        load_model_folder(model)


def test_a_damaged_zip_is_called_damaged(tmp_path: Path):
    save_model(tmp_path / "m.zip", INFO, TENSORS, card="")
    content = bytearray((tmp_path / "m.zip").read_bytes())
    content[60:100] = bytes(40)
    (tmp_path / "m.zip").write_bytes(content)
    with pytest.raises(ModelError, match=r"is damaged. Copy the model again"):
        load_model_folder(tmp_path / "m.zip")


def test_a_zip_with_a_huge_model_json_is_refused(tmp_path: Path):
    with zipfile.ZipFile(tmp_path / "m.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model.json", bytes(2**26 + 1))
        archive.writestr("weights.safetensors", b"")
    with pytest.raises(ModelError, match="it is far too large"):
        load_model_folder(tmp_path / "m.zip")


@pytest.mark.parametrize("name", ["nuclei", "nuclei.zip"])
def test_facts_are_read_without_the_weights(tmp_path: Path, monkeypatch, name: str):
    written = save_model(tmp_path / name, INFO, TENSORS, card="")
    read: list[str] = []
    really, really_of_zip = Path.read_bytes, zipfile.ZipFile.read

    def noted(path):
        read.append(path.name)
        return really(path)

    def noted_of_zip(archive, entry):
        read.append(Path(entry.filename).name)
        return really_of_zip(archive, entry)

    monkeypatch.setattr(Path, "read_bytes", noted)
    monkeypatch.setattr(zipfile.ZipFile, "read", noted_of_zip)
    assert read_model_info(tmp_path / name) == written
    assert read == ["model.json"]


def test_facts_of_a_model_without_weights_are_refused(model: Path):
    (model / "weights.safetensors").unlink()
    with pytest.raises(ModelError, match=r"it has no weights.safetensors"):
        read_model_info(model)


def test_a_small_zip_that_holds_huge_weights_is_refused(model: Path, tmp_path: Path):
    bomb = tmp_path / "bomb.zip"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(model / "model.json", "model.json")
        archive.writestr("weights.safetensors", bytes(2**23))
    for read in (read_model_info, load_model_folder):
        with pytest.raises(ModelError, match=r"damaged: it is far too large"):
            read(bomb)
