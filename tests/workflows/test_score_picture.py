import numpy as np
import pytest
from PIL import Image

from napari_mtseg.domain.errors import StorageError
from napari_mtseg.storage.score_checks import CheckedImage, ScoreCheck
from napari_mtseg.storage.score_figures import (
    Reliability,
    ReliabilityBin,
    RiskCurve,
    ScoreFigures,
)
from napari_mtseg.workflows.score_picture import save_score_picture


def check_of(n: int, scores: tuple[str, ...]) -> ScoreCheck:
    curve = RiskCurve(coverage=(0.5, 1.0), risk=(0.1, 0.2), area=0.15)
    reliability = Reliability(
        expected_error=0.1,
        largest_error=0.2,
        bins=(ReliabilityBin(n=9, confidence=0.9, right=0.8),),
    )
    return ScoreCheck(
        run="run-1",
        split="test",
        truth="masks",
        when="2026-01-02T03:04:05+00:00",
        failure_below=0.8,
        images=tuple(
            CheckedImage(
                id=f"i{k}",
                name=f"i{k}.tif",
                dice=(k + 1) / n,
                scores=dict.fromkeys(scores, 1 - k / n),
            )
            for k in range(n)
        ),
        scores={
            name: ScoreFigures(
                spearman=-0.5,
                spearman_low=None,
                spearman_high=None,
                auroc=None,
                auroc_low=None,
                auroc_high=None,
                found=(None,) * 4,
                curve=curve,
            )
            for name in scores
        },
        found_best=(None,) * 4,
        found_chance=(0.0,) * 4,
        best=curve if n else None,
        chance=0.2 if n else None,
        pixels=reliability if n else None,
        object_pixels=reliability if n else None,
    )


def pixels_of(file) -> np.ndarray:
    with Image.open(file) as picture:
        return np.asarray(picture.convert("RGB"))


@pytest.mark.parametrize(
    ("n", "scores"), [(5, ("boundary_entropy", "doubt")), (5, ("doubt",)), (0, ())]
)
def test_the_picture_has_something_in_each_of_its_three_panels(tmp_path, n, scores):
    save_score_picture(tmp_path / "new" / "scores.png", check_of(n, scores))
    pixels = pixels_of(tmp_path / "new" / "scores.png")
    third = pixels.shape[1] // 3
    assert pixels.shape[1] > 1500
    for panel in range(3):
        assert (pixels[:, panel * third : (panel + 1) * third] != 255).any()


def test_more_scores_than_colours_are_drawn(tmp_path):
    names = tuple(f"score_{k}" for k in range(20))
    save_score_picture(tmp_path / "scores.png", check_of(3, names))
    assert (tmp_path / "scores.png").exists()


def test_a_folder_that_is_a_file_is_one_sentence(tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(StorageError, match="is a file, not a folder"):
        save_score_picture(tmp_path / "out" / "scores.png", check_of(1, ()))
