"""What is checked of an exported model before it gets its name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from napari_mtseg.domain.errors import ModelError
from napari_mtseg.storage.model_folder import load_model_folder

MAX_DIFFERENCE = 1e-4
"""largest difference of a probability that is taken for rounding (ours)"""


@dataclass(frozen=True, kw_only=True)
class Check:
    """Something that was checked of an exported model."""

    what: str
    """what holds, or should, a sentence"""
    passed: bool
    """whether it holds"""
    figure: float | None = None
    """what was measured; None where there is nothing to measure"""
    wanted: float | None = None
    """largest figure that passes; None where there is no figure"""

    @property
    def result(self) -> str:
        """What was found, in a few words.

        Examples
        --------
        >>> Check(what="a", passed=True, figure=6e-8, wanted=1e-4).result
        'largest difference 6e-08, at most 0.0001 wanted'
        """
        if self.figure is None or self.wanted is None:
            return "passed" if self.passed else "failed"
        if self.figure == 0:
            return "no difference"
        return f"largest difference {self.figure:.2g}, at most {self.wanted:g} wanted"


def difference_check(
    what: str,
    answers: Sequence[NDArray[np.float32]],
    expected: Sequence[NDArray[np.float32]],
    *,
    wanted: float = MAX_DIFFERENCE,
) -> Check:
    """Check that answers are those expected, but for rounding.

    Parameters
    ----------
    what : str
        What holds if they are, a sentence.
    answers, expected : sequence of arrays
        Of one network, a head each.
    wanted : float
        Largest difference of two values that passes.
    """
    figure = largest_difference(answers, expected)
    return Check(what=what, passed=figure <= wanted, figure=figure, wanted=wanted)


def largest_difference(
    answers: Sequence[NDArray[np.float32]], expected: Sequence[NDArray[np.float32]]
) -> float:
    """Return the largest difference of two values; infinite where shapes differ.

    Examples
    --------
    >>> largest_difference([np.array([0.5, 1.0])], [np.array([0.5, 0.75])])
    0.25
    """
    if [a.shape for a in answers] != [e.shape for e in expected]:
        return float("inf")
    pairs = zip(answers, expected, strict=True)
    largest = max((float(np.abs(a - e).max(initial=0)) for a, e in pairs), default=0)
    return largest if np.isfinite(largest) else float("inf")


def folder_check(path: Path, tensors: Mapping[str, Tensor]) -> Check:
    """Read a model folder or zip again, and compare its weights with those given."""
    _, found = load_model_folder(path)
    return difference_check(
        "Read again, the model has the weights that were written",
        [_exact_numbers(found[name]) for name in sorted(found)],
        [_exact_numbers(tensors[name]) for name in sorted(tensors)],
        wanted=0.0,
    )


def _exact_numbers(weights: Tensor) -> NDArray[Any]:
    """Return weights in a kind of number that NumPy knows, such as bfloat16 is not."""
    plain = weights.detach().cpu()
    return (plain.double() if plain.is_floating_point() else plain).numpy()


def refuse_failed(out: Path, checks: Sequence[Check]) -> None:
    """Refuse an export of which a check failed.

    Raises
    ------
    ModelError
        If one failed; nothing is to be left of the export.
    """
    for check in checks:
        if not check.passed:
            raise ModelError(
                f"'{out}' was not written, since a check of it failed: {check.what} "
                f"({check.result}). Choose another format with --format, and report "
                "this as a bug."
            )
