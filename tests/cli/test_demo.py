from dataclasses import dataclass

import pytest
from typer.testing import CliRunner

from napari_mtseg.cli.main import app
from napari_mtseg.domain.errors import StorageError
from napari_mtseg.storage.run_folder import RunFolder
from napari_mtseg.workflows import demo
from napari_mtseg.workflows.predict import load_model

TINY = {
    "iterations": 2,
    "first_steps": 2,
    "steps_per_iteration": 2,
    "base_channels": 2,
    "levels": 2,
    "patch": 32,
    "batch_size": 2,
}


def run_demo(out):
    return CliRunner().invoke(
        app, ["demo", "--headless", "--out", str(out), "--device", "cpu"]
    )


@dataclass
class Score:
    mean: float = 0.875
    low: float = 0.5
    high: float = 1.0
    n: int = 4


@pytest.fixture
def done_at_once(monkeypatch, tmp_path):
    """Let the demo say what it does without doing it."""

    class Evaluation:
        def summary(self):
            return {"epithelium": {"dice": Score()}}

    result = demo.DemoResult(
        project=tmp_path / "glands.mtseg",
        picture=tmp_path / "growth.png",
        model=tmp_path / "glands-model",
        evaluation=Evaluation(),
    )
    run = RunFolder(tmp_path / "run")
    at_once = (tmp_path / "nuclei.png", 38)
    monkeypatch.setattr(demo, "segment_at_once", lambda _out, **_kind: at_once)
    monkeypatch.setattr(demo, "make_sample_project", lambda _out, **_kind: (None, None))
    monkeypatch.setattr(demo, "train_sample", lambda _project, **_kind: (run, iter(())))
    monkeypatch.setattr(demo, "finish_demo", lambda *_parts, **_kind: result)


def test_the_demo_says_what_it_does_and_where_the_results_are(done_at_once, tmp_path):
    result = run_demo(tmp_path)
    assert result.exit_code == 0, result.output
    assert [line for line in result.stderr.splitlines() if line] == [
        "1/5 segmenting a picture with the example model 'nuclei', trained before",
        f"    38 nuclei in {tmp_path / 'nuclei.png'}",
        "2/5 making a project from the embedded sample, painted by a simulated hand",
        "3/5 training: the partial masks grow to the boundaries",
        "4/5 predicting all tiles and scoring the 4 that were held out",
        "5/5 done: test Dice 0.875 (95 % interval 0.500 to 1.000, 4 tiles)",
        f"    picture  {tmp_path / 'growth.png'}",
        f"    model    {tmp_path / 'glands-model'}",
        f"    project  {tmp_path / 'glands.mtseg'}",
        "Use the model on your images: mtseg predict "
        f"{tmp_path / 'glands-model'} FOLDER --out OUT",
        "More trained models, to use or to start a training from: mtseg models",
    ]


def test_a_picture_is_segmented_before_anything_is_trained(tmp_path):
    picture, n_nuclei = demo.segment_at_once(tmp_path / "out", device="cpu")
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert 30 <= n_nuclei <= 45


def test_an_earlier_demo_is_not_written_over(tmp_path):
    (tmp_path / "glands.mtseg").mkdir()
    result = run_demo(tmp_path)
    assert isinstance(result.exception, StorageError)
    assert str(result.exception) == (
        f"'{tmp_path}' holds an earlier demo. Delete it, or choose another folder with "
        "--out."
    )


def test_the_sample_project_is_painted_as_the_help_page_says(tmp_path):
    project, _ = demo.make_sample_project(tmp_path, seed=0)
    held_out = [e for e in project.images if e.split == "test"]
    paint = [project.annotation(e) for e in project.images if e.split == "train"]
    assert len(held_out) == 4
    assert all(project.annotation(e).is_empty for e in held_out)
    assert sum(a.has_full for a in paint) == 2
    assert sum(a.has_partial for a in paint) == 8


@pytest.mark.slow
def test_the_whole_demo_leaves_a_picture_a_score_and_a_model(tmp_path):
    project, sample = demo.make_sample_project(tmp_path, seed=0)
    run, events = demo.train_sample(project, seed=0, device="cpu", settings=TINY)
    assert run.info.settings["patch"] == 32
    list(events)
    result = demo.finish_demo(project, run, sample, tmp_path, device="cpu")
    assert result.picture.read_bytes().startswith(b"\x89PNG")
    assert result.evaluation.summary()["epithelium"]["dice"].n == 4
    assert load_model(result.model, device="cpu").info.method == demo.METHOD
