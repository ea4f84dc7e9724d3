from typing import Any

import pytest

from napari_mtseg.domain.errors import SettingsError
from napari_mtseg.workflows.uncertainty_source import UncertaintySource


@pytest.mark.parametrize(
    ("choice", "sentence"),
    [
        (
            {"kind": "magic"},
            "There is no uncertainty from 'magic'. Choose one of: one-pass, dropout, "
            "ensemble.",
        ),
        (
            {"kind": "dropout", "passes": 1},
            "The number of passes is 1 but must be 2 to 1000. Choose another one with "
            "--passes.",
        ),
        (
            {"kind": "dropout", "seed": -1},
            "The seed -1 is below 0. Choose another one with --seed.",
        ),
        (
            {"kind": "dropout", "members": ("other",)},
            "Further runs or models with --with are members of an ensemble. Add "
            "--uncertainty ensemble, or leave them out.",
        ),
    ],
)
def test_what_cannot_be_meant_gets_a_sentence(choice: dict[str, Any], sentence: str):
    with pytest.raises(SettingsError) as caught:
        UncertaintySource(**choice)
    assert str(caught.value) == sentence
