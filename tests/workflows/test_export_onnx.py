import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from napari_mtseg.domain.errors import ModelError
from napari_mtseg.storage.run_folder import find_run
from napari_mtseg.workflows import export, export_onnx
from napari_mtseg.workflows.export import Exported, export_as
from napari_mtseg.workflows.export_checks import Check
from napari_mtseg.workflows.export_credits import Credits
from tests.tiny_run import tiny_project, tiny_run


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    folder = tmp_path_factory.mktemp("project")
    project = tiny_project(folder)
    tiny_run(project)
    said = Credits(authors=("Ann", "Bob"), license="MIT")
    run = find_run(project.path, None)
    return export_as(run, folder / "nuclei.onnx", said=said)


def test_it_answers_images_of_any_number_and_size_of_the_grid(written: Exported):
    session = onnxruntime.InferenceSession(written.path)
    for shape in ((1, 1, 4, 4), (3, 1, 6, 50)):
        (answer,) = session.run(None, {"image": np.zeros(shape, np.float32)})
        assert answer.shape == (shape[0], 2, *shape[2:])
        np.testing.assert_allclose(answer.sum(axis=1), 1, atol=1e-6)


def test_it_is_one_file_that_says_what_it_is(written: Exported):
    assert [f.name for f in written.path.parent.glob("nuclei*")] == ["nuclei.onnx"]
    facts = onnxruntime.InferenceSession(written.path).get_modelmeta()
    told = facts.custom_metadata_map
    assert json.loads(told["classes"]) == ["nucleus"]
    assert json.loads(told["heads"]) == {
        "segmentation": {
            "channels": ["background", "nucleus"],
            "activation": "softmax",
            "of": "pixel",
        }
    }
    assert told["sizes"] == "a multiple of 2 along y and x, at least 4"
    assert told["normalisation"].startswith("float32; of each channel of the whole")
    assert json.loads(told["spacing"]) == [1.0, 1.0]
    assert json.loads(told["napari_mtseg.model"])["method"] == "baseline"
    assert (told["author"], told["license"]) == ("Ann, Bob", "MIT")
    assert "cite" not in told
    assert 'session.run(None, {"image": images})' in facts.description
    assert "- Made by: Ann, Bob" in facts.description


def test_what_was_checked_is_told_with_its_figure(written: Exported):
    valid, *compared = written.checks
    assert (valid.what, valid.passed) == ("The file is valid ONNX", True)
    assert [check.what for check in compared] == [
        "onnxruntime answers like the network on 1 image of 16 x 32 pixels",
        "onnxruntime answers like the network on 2 images of 40 x 16 pixels",
    ]
    assert all(check.passed for check in compared)
    figures = [check.figure for check in compared]
    assert all(figure is not None and figure <= 1e-4 for figure in figures)


def test_a_file_that_answers_otherwise_is_not_left_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    project = tiny_project(tmp_path)
    tiny_run(project)
    wrong = Check(what="It answers", passed=False, figure=0.5, wanted=1e-4)
    written = []

    def checked(path: Path, *_: object) -> tuple[Check, ...]:
        written.append(path)
        return (wrong,)

    def write(path: Path, *_: object, card: str) -> None:
        path.write_text(card)

    monkeypatch.setattr(export, "write_program", write)
    monkeypatch.setattr(export, "program_checks", checked)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(ModelError) as refusal:
        export_as(find_run(project.path, None), tmp_path / "m.pt2")
    assert str(refusal.value) == (
        f"'{tmp_path / 'm.pt2'}' was not written, since a check of it failed: It "
        "answers (largest difference 0.5, at most 0.0001 wanted). Choose another "
        "format with --format, and report this as a bug."
    )
    assert written
    assert sorted(tmp_path.iterdir()) == before


def test_weights_beside_it_are_not_written_over(tmp_path: Path):
    (tmp_path / "m.onnx.data").write_bytes(b"weights of another model")
    with pytest.raises(ModelError, match=r"m\.onnx\.data' exists already"):
        export_as(tmp_path / "missing", tmp_path / "m.onnx")


def test_a_network_that_onnx_cannot_hold_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    project = tiny_project(tmp_path)
    tiny_run(project)

    def refuse(*_: object, **__: object) -> None:
        raise torch.onnx.OnnxExporterError("No operator for it.\nDetails")

    monkeypatch.setattr(export_onnx, "traced", lambda *_: None)
    monkeypatch.setattr(torch.onnx, "export", refuse)
    with pytest.raises(ModelError) as refusal:
        export_as(find_run(project.path, None), tmp_path / "m.onnx")
    assert str(refusal.value) == (
        "The network of the model 'm' cannot be written as ONNX (No operator for it.). "
        "Choose the format torch or folder, and report this as a bug."
    )
