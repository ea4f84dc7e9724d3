"""Where the uncertainty of the next predictions comes from."""

from typing import Literal

from qtpy.QtGui import QStandardItemModel
from qtpy.QtWidgets import (
    QComboBox,
    QFormLayout,
    QLabel,
    QSizePolicy,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from napari_mtseg.domain.errors import MtsegError
from napari_mtseg.gui.sentence_label import SentenceLabel
from napari_mtseg.storage.run_folder import RunFolder

Source = Literal["one-pass", "dropout", "ensemble"]

PASSES = (2, 100)
"""fewest and most passes with dropout"""
DEFAULT_PASSES = 20

_SOURCES: tuple[Source, ...] = ("one-pass", "dropout", "ensemble")
_TIPS: dict[Source, str] = {
    "one-pass": "The network answers once: fast, but it cannot tell what it never saw",
    "dropout": "The network answers several times, each time with other feature maps "
    "dropped at random; takes longer with each pass",
    "ensemble": "The best weights and the checkpoints that were kept towards the end "
    "of the training answer in turn; takes longer with each of them",
}


class UncertaintyChoice(QWidget):
    """One pass, Monte Carlo dropout, or an ensemble, as far as the run allows them.

    What the user chose is remembered: a run that does not allow it takes one pass, and
    the next one that does takes it up again.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("uncertainty_choice")
        self._wanted: Source = "one-pass"
        self._source = QComboBox(self)
        self._source.setObjectName("uncertainty_source")
        self._source.setAccessibleName("Where the uncertainty comes from")
        shrinks = QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        self._source.setSizeAdjustPolicy(shrinks)
        self._source.setMinimumContentsLength(12)
        policy = QSizePolicy.Policy
        self._source.setSizePolicy(policy.Expanding, policy.Fixed)
        for source in _SOURCES:
            self._source.addItem("", source)
        self._passes = QSpinBox(self)
        self._passes.setObjectName("uncertainty_passes")
        self._passes.setRange(*PASSES)
        self._passes.setValue(DEFAULT_PASSES)
        self._passes.setToolTip(
            "How often the network answers; more passes are steadier and take longer"
        )
        self._passes_label = QLabel("Passes", self)
        self._passes_label.setBuddy(self._passes)
        self._why = SentenceLabel("", "plain", self)
        self._why.setObjectName("uncertainty_why")
        self._lay_out()
        self._source.activated.connect(self._choose)
        self.set_run(None)

    def set_run(self, run: RunFolder | None) -> None:
        """Offer what a run allows; None for no run."""
        n_kept = 0 if run is None else len(run.kept_checkpoints())
        dropout = 0.0 if run is None else dropout_of(run)
        allowed = {"one-pass": True, "dropout": dropout > 0, "ensemble": n_kept > 0}
        kept = f" with {_kept_in_words(n_kept)}" if n_kept else ""
        texts: dict[Source, str] = {
            "one-pass": "One pass (fast)",
            "dropout": "Monte Carlo dropout",
            "ensemble": f"Ensemble{kept}",
        }
        model = self._source.model()
        for place, source in enumerate(_SOURCES):
            self._source.setItemText(place, texts[source])
            item = model.item(place) if isinstance(model, QStandardItemModel) else None
            if item is not None:
                item.setEnabled(allowed[source])
                item.setToolTip(_TIPS[source])
        chosen = self._wanted if allowed[self._wanted] else "one-pass"
        self._source.setCurrentIndex(_SOURCES.index(chosen))
        self._why.say("" if run is None else _why_not(dropout, n_kept))
        self.setEnabled(run is not None)
        self._show_passes()

    def options(self) -> list[str]:
        """Return the options of `mtseg predict` that ask for it; [] for one pass."""
        source = self._chosen
        if source == "one-pass":
            return []
        passes = ["--passes", str(self._passes.value())] if source == "dropout" else []
        return ["--uncertainty", source, *passes]

    @property
    def _chosen(self) -> Source:
        return _SOURCES[max(self._source.currentIndex(), 0)]

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.setContentsMargins(0, 0, 0, 0)
        label = QLabel("Uncertainty", self)
        label.setBuddy(self._source)
        form.addRow(label, self._source)
        form.addRow(self._passes_label, self._passes)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(form)
        column.addWidget(self._why)

    def _choose(self) -> None:
        self._wanted = self._chosen
        self._show_passes()

    def _show_passes(self) -> None:
        for widget in (self._passes, self._passes_label):
            widget.setVisible(self._chosen == "dropout")
        self._source.setToolTip(_TIPS[self._chosen])


def dropout_of(run: RunFolder) -> float:
    """Return the share of feature maps that a run dropped; 0 where it is not known."""
    try:
        return float(run.info.settings.get("dropout", 0))
    except (MtsegError, OSError, TypeError, ValueError):
        return 0.0


def _why_not(dropout: float, n_kept: int) -> str:
    """Return what a run does not allow, and what to do instead; '' if it allows all."""
    if dropout > 0 and n_kept:
        return ""
    if n_kept:
        return (
            "This run was trained without dropout, so it has no Monte Carlo "
            f"uncertainty. Choose the ensemble with its {_kept_in_words(n_kept)}, or "
            "train with dropout above 0."
        )
    if dropout > 0:
        return (
            "This run kept no checkpoints, so it is no ensemble. Choose Monte Carlo "
            "dropout, or train with kept_checkpoints above 0."
        )
    return (
        "This run has neither dropout nor kept checkpoints, so its uncertainty comes "
        "from one pass. For more, train with dropout or kept_checkpoints above 0."
    )


def _kept_in_words(n_kept: int) -> str:
    return f"{n_kept} kept checkpoint{'' if n_kept == 1 else 's'}"
