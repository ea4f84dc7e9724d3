import zipfile
from pathlib import Path

import pytest

from napari_mtseg.domain.errors import ModelError
from napari_mtseg.storage.bioimageio_package import BIOIMAGEIO_FILES
from napari_mtseg.storage.model_folder import load_model_folder

DESCRIPTION = """%YAML 1.2
---
name: NucleiSegmentation
authors:
  - name: Somebody
weights:
  pytorch_state_dict:
    architecture:
      callable: 'UNet2d'
"""


@pytest.mark.parametrize("name", BIOIMAGEIO_FILES)
@pytest.mark.parametrize("zipped", [True, False])
def test_a_package_of_another_program_is_named_and_refused(
    tmp_path: Path, name: str, *, zipped: bool
):
    path = tmp_path / ("other.zip" if zipped else "other")
    if zipped:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(name, DESCRIPTION)
            archive.writestr("weights.pt", b"\x80")
    else:
        path.mkdir()
        (path / name).write_text(DESCRIPTION)
    with pytest.raises(ModelError) as refusal:
        load_model_folder(path)
    assert str(refusal.value) == (
        f"'{path}' is the BioImage.IO model 'NucleiSegmentation' of the architecture "
        "'UNet2d', which another program made, but only those that napari-mtseg itself "
        "wrote can be read. Run it with bioimageio.core, or train a model here."
    )


def test_a_package_that_says_little_is_named_after_its_file(tmp_path: Path):
    path = tmp_path / "other.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("rdf.yaml", b"\xff\xfe{")
    with pytest.raises(ModelError, match=r"is the BioImage.IO model 'other', which"):
        load_model_folder(path)
