from typing import Literal, get_args

import pytest
from pydantic import model_validator

from napari_mtseg.domain.errors import SettingsError
from napari_mtseg.domain.settings import (
    Settings,
    describe,
    from_assignments,
    setting,
)
from napari_mtseg.domain.training_settings import TrainingSettings


class Example(Settings):
    """Settings of a test."""

    steps: int = setting(
        100, ge=1, le=1000, step=10, source="ours", unit="steps", simple=True
    )
    """How long."""
    rate: float = setting(0.1, gt=0, lt=1, step=0.01, source="paper")
    """How fast."""
    norm: Literal["batch", "none"] = setting("batch", source="code")
    """Which one."""
    flip: bool = setting(True, source="ours")
    """Whether."""
    seed: int = 0
    """Any number."""
    width: int = setting(0, ge=0, le=9, step=1, source="ours", zero="automatic")
    """How wide."""

    @model_validator(mode="after")
    def _check(self) -> "Example":
        if self.steps == 13:
            raise ValueError("steps must not be 13.")
        return self


class Needy(Settings):
    """Settings without a default."""

    name: str
    """Must be given."""


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (
            {"stepz": 5},
            "There is no setting 'stepz'. Did you mean 'steps'? Known settings: "
            "flip, norm, rate, seed, steps, width.",
        ),
        (
            {"steps": 0},
            "Setting 'steps' is 0 but must be a whole number at least 1 and at most "
            "1,000. Change it and try again.",
        ),
        (
            {"steps": "many"},
            "Setting 'steps' is 'many' but must be a whole number at least 1 and at "
            "most 1,000. Change it and try again.",
        ),
        (
            {"steps": 1.5},
            "Setting 'steps' is 1.5 but must be a whole number at least 1 and at most "
            "1,000. Change it and try again.",
        ),
        (
            {"rate": 1},
            "Setting 'rate' is 1 but must be a number above 0 and below 1. Change it "
            "and try again.",
        ),
        (
            {"rate": float("nan")},
            "Setting 'rate' is nan but must be a number above 0 and below 1. Change it "
            "and try again.",
        ),
        (
            {"norm": "layer"},
            "Setting 'norm' is 'layer' but must be one of batch, none. Change it and "
            "try again.",
        ),
        (
            {"flip": "perhaps"},
            "Setting 'flip' is 'perhaps' but must be one of true, false. Change it "
            "and try again.",
        ),
        (
            {"seed": "x"},
            "Setting 'seed' is 'x' but must be a valid integer, unable to parse "
            "string as an integer. Change it and try again.",
        ),
        (
            {"seed": [0] * 100},
            f"Setting 'seed' is {str([0] * 100)[:60]}... but must be a valid integer. "
            "Change it and try again.",
        ),
        ({"steps": 13}, "steps must not be 13."),
    ],
)
def test_a_wrong_setting_is_one_sentence(values, sentence):
    with pytest.raises(SettingsError) as caught:
        Example.checked(values)
    assert str(caught.value) == sentence


def test_a_missing_setting_is_one_sentence():
    with pytest.raises(SettingsError) as caught:
        Needy.checked({})
    assert str(caught.value) == (
        "Setting 'name' is missing. Give it a value and try again."
    )


@pytest.mark.parametrize("values", [3, None, ["steps"], "steps"])
def test_what_is_no_mapping_is_refused(values):
    with pytest.raises(SettingsError, match="must be names with values"):
        Example.checked(values)


def test_changed_settings_are_checked_and_the_first_stay():
    first = Example()
    assert first.changed({"steps": 7}) == Example(steps=7)
    assert first.steps == 100
    with pytest.raises(SettingsError, match="'steps' is 0"):
        first.changed({"steps": 0})


def test_assignments_become_values_of_their_kind():
    found = from_assignments(["steps=400", "norm = batch", "flip=false", "a=b=c"])
    assert found == {"steps": 400, "norm": "batch", "flip": False, "a": "b=c"}


@pytest.mark.parametrize("text", ["steps", "=400", " =400"])
def test_an_assignment_without_name_or_value_is_one_sentence(text):
    with pytest.raises(SettingsError) as caught:
        from_assignments([text])
    assert str(caught.value) == (
        f"--set got '{text}' but expects NAME=VALUE, for example "
        "--set learning_rate=0.001."
    )


def test_a_description_says_what_a_form_must_know():
    steps, rate, norm, flip, seed, width = describe(Example)
    assert (steps.name, steps.text, steps.unit) == ("steps", "How long.", "steps")
    assert (steps.range, steps.default, steps.step) == ("1..1,000", 100, 10)
    assert (steps.source, steps.simple) == ("ours", True)
    assert (rate.range, rate.source, rate.simple) == (">0..<1", "paper", False)
    assert (norm.range, norm.choices) == ("batch | none", ("batch", "none"))
    assert (flip.range, flip.choices) == ("true | false", (True, False))
    assert (seed.range, seed.choices, seed.step) == ("any", (), None)
    kinds = [found.kind for found in (steps, rate, norm, flip, seed)]
    assert kinds == ["whole number", "number", "choice", "switch", "whole number"]
    assert steps.limits == {"ge": 1, "le": 1000}
    assert rate.limits == {"gt": 0, "lt": 1}
    assert norm.limits == seed.limits == {}
    assert (width.zero, steps.zero) == ("automatic", "")


@pytest.mark.parametrize("found", describe(TrainingSettings), ids=lambda d: d.name)
def test_every_training_setting_can_be_shown_in_a_form(found):
    assert found.text.endswith(".")
    assert found.source in {"paper", "code", "derived", "ours"}
    if not found.choices:
        assert found.step is not None
        assert found.range != "any"


def test_the_defaults_of_training_are_allowed():
    assert TrainingSettings.checked({}) == TrainingSettings()
    norms = get_args(TrainingSettings.model_fields["norm"].annotation)
    assert norms == ("batch", "instance", "none")
