import sys
from pathlib import Path

import pytest

from benchmarks.batch import (
    N_BAD,
    killed_and_started_again,
    write_images,
    write_model,
)
from napari_mtseg.storage.batch_ledger import read_ledger

N_FILES = 200


@pytest.mark.skipif(sys.platform == "win32", reason="a kill there is another thing")
def test_of_200_files_with_5_corrupt_ones_killed_midway_the_rest_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    images, out = tmp_path / "in", tmp_path / "out"
    bad = write_images(images, N_FILES, side=64)
    model = write_model(tmp_path / "model", base=2, levels=2)
    options = ("--maps", "instances", "--no-overview")
    found = killed_and_started_again(model, images, out, options=options, kill_after=60)
    assert 0 < found.n_before < N_FILES
    assert found.n_results == N_FILES - N_BAD
    assert found.n_failed == found.n_named == N_BAD
    assert found.exit_code == 1
    # What the ledger has is kept; one more result may lie there that it has not.
    n_done = N_FILES - N_BAD - found.n_predicted
    assert n_done <= found.n_before
    assert found.n_kept == n_done
    progress = read_ledger(out)
    assert progress is not None
    assert {Path(file).name for file, _ in progress.errors} == bad
    assert {file.name for file in out.glob(".*")} <= {".lock"}
