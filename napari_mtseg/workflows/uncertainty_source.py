"""What the uncertainty of a prediction is computed from, as whoever predicts asks."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from napari_mtseg.domain.errors import SettingsError
from napari_mtseg.storage.run_folder import RunFolder

SourceKind = Literal["one-pass", "dropout", "ensemble"]

DEFAULT_PASSES = 20
"""answers with dropout for each image (ours)"""

MAX_PASSES = 1000
"""beyond it, only time is spent (ours)"""


@dataclass(frozen=True)
class UncertaintySource:
    """One answer of the network, many with dropout, or those of several networks.

    Raises
    ------
    SettingsError
        If there is no such kind, or a number or the members do not fit it.
    """

    kind: SourceKind = "one-pass"
    """'one-pass': how evenly one answer is spread over the classes. 'dropout': Monte
    Carlo dropout, for networks that were trained with dropout. 'ensemble': checkpoints
    of a run, or several runs or models"""
    passes: int = DEFAULT_PASSES
    """answers with dropout, 2..MAX_PASSES"""
    seed: int = 0
    """of what is dropped; the same seed gives the same answers"""
    members: tuple[Path | str | RunFolder, ...] = ()
    """further members of the ensemble: runs, or paths of model folders or zips.
    Without any they are the checkpoints that the run kept"""

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        kinds = get_args(SourceKind)
        if self.kind not in kinds:
            raise SettingsError(
                f"There is no uncertainty from '{self.kind}'. Choose one of: "
                f"{', '.join(kinds)}."
            )
        if not 2 <= self.passes <= MAX_PASSES:
            raise SettingsError(
                f"The number of passes is {self.passes} but must be 2 to {MAX_PASSES}. "
                "Choose another one with --passes."
            )
        if self.seed < 0:
            raise SettingsError(
                f"The seed {self.seed} is below 0. Choose another one with --seed."
            )
        if self.members and self.kind != "ensemble":
            raise SettingsError(
                "Further runs or models with --with are members of an ensemble. Add "
                "--uncertainty ensemble, or leave them out."
            )


FROM_ONE_PASS = UncertaintySource()
"""the network answers once"""
