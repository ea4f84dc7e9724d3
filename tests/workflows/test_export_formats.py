from pathlib import Path

import pytest

from napari_mtseg.domain.errors import ModelError
from napari_mtseg.workflows import export_formats
from napari_mtseg.workflows.export_formats import (
    check_libraries,
    format_meant,
    format_of,
    model_name,
    named_as,
)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("m", "folder"),
        ("m.v2", "folder"),
        ("m.ZIP", "zip"),
        ("m.bioimageio.zip", "bioimageio"),
        ("m.onnx", "onnx"),
        ("m.pt2", "torch"),
    ],
)
def test_a_name_tells_the_format(name: str, kind: str):
    assert format_of(Path(name)) == kind


def test_suffixes_are_added_where_they_are_missing():
    assert named_as(Path("a/m.v2"), "torch") == Path("a/m.v2.pt2")
    assert named_as(Path("m"), "bioimageio").name == "m.bioimageio.zip"
    assert named_as(Path("m.zip"), "bioimageio").name == "m.zip"
    assert named_as(Path("m"), "folder").name == "m"


def test_a_name_of_another_format_is_refused():
    with pytest.raises(ModelError) as refusal:
        named_as(Path("m.onnx"), "folder")
    assert str(refusal.value) == (
        "The name 'm.onnx' is that of the format onnx, but folder is to be written. "
        "Choose another name, or --format onnx."
    )


def test_an_unknown_format_is_refused_with_those_there_are():
    with pytest.raises(ModelError) as refusal:
        named_as(Path("m"), "keras")
    assert str(refusal.value) == (
        "There is no format 'keras'. Choose one of: folder, zip, bioimageio, onnx, "
        "torch."
    )


def test_a_model_is_named_without_the_suffix_of_its_format():
    names = ("m.v2", "m.zip", "m.bioimageio.zip", "m.onnx", "m.pt2")
    assert [model_name(Path(n)) for n in names] == ["m.v2", "m", "m", "m", "m"]


def test_a_missing_library_is_named_with_what_installs_it(monkeypatch):
    missing = {"onnxscript", "bioimageio.core"}
    monkeypatch.setattr(export_formats, "_is_installed", lambda n: n not in missing)
    check_libraries("folder")
    check_libraries("torch")
    with pytest.raises(ModelError) as refusal:
        check_libraries("onnx")
    assert str(refusal.value) == (
        "The format onnx needs onnxscript, which is not installed. Run pip install "
        "'napari-mtseg[export]'."
    )
    with pytest.raises(ModelError, match=r"needs onnxscript, bioimageio.core, which"):
        check_libraries("bioimageio")


@pytest.mark.parametrize("name", ["m", "model-1.2", "m.v2", "m.2026", "m."])
def test_a_folder_may_have_a_version_in_its_name(name: str):
    assert format_meant(Path(name)) == "folder"


@pytest.mark.parametrize("name", ["ex.tflite", "m.H5", "m.pt", "m.onnx.gz"])
def test_an_ending_that_is_no_formats_is_refused(name: str):
    with pytest.raises(ModelError) as refusal:
        format_meant(Path(name))
    assert str(refusal.value) == (
        f"The ending '{Path(name).suffix}' of '{name}' is not that of a format. End "
        "the name in one of .zip, .bioimageio.zip, .onnx, .pt2, or say --format; "
        "folder takes any name."
    )
