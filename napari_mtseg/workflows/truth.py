"""What predictions are scored against: held-out masks, or full masks of a person."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_mtseg.domain.annotation import ObjectMasks
from napari_mtseg.domain.errors import AnnotationError
from napari_mtseg.domain.project import ImageEntry
from napari_mtseg.storage.project import Project
from napari_mtseg.storage.whole_annotation import check_labels_fit, whole_annotation
from napari_mtseg.workflows.mask_files import (
    MaskValues,
    match_masks,
    missing_mask_sentence,
    read_object_masks,
)


class FileTruth:
    """Truth from held-out masks in a folder."""

    def __init__(
        self,
        project: Project,
        entries: Sequence[ImageEntry],
        masks: Path,
        values: MaskValues,
    ) -> None:
        self._project, self._values = project, values
        self._files = match_masks(masks, entries)
        missing = [e for e in entries if e.id not in self._files]
        self.entries = [e for e in entries if e.id in self._files]
        self.description = f"masks in '{masks}'"
        self.notices: tuple[str, ...] = ()
        if not self.entries:
            raise AnnotationError(missing_mask_sentence(missing, len(entries), masks))
        if missing:
            sentence = missing_mask_sentence(missing, len(entries), masks)
            self.notices = (f"{sentence} Images without a mask are not scored.",)

    def of(self, entry: ImageEntry) -> tuple[ObjectMasks, NDArray[np.bool_] | None]:
        """Return the exact objects of an image, known everywhere."""
        check_labels_fit(entry)
        file = self._files[entry.id]
        info = self._project.info
        return read_object_masks(file, entry, info, values=self._values), None


class PaintedTruth:
    """Truth from the project's own full masks, inside complete regions."""

    def __init__(
        self, project: Project, entries: Sequence[ImageEntry], split: str
    ) -> None:
        self._project = project
        self.entries = [entry for entry in entries if self._scores(entry)]
        self.description = "full masks of the project"
        self.notices: tuple[str, ...] = ()
        n_left_out = len(entries) - len(self.entries)
        if not self.entries:
            raise AnnotationError(
                f"None of the {len(entries)} images ({split}) has a full mask with a "
                "complete region, which predictions could be scored against. Give held-"
                "out masks with --masks FOLDER, or import full masks for these images."
            )
        if n_left_out:
            self.notices = (
                f"{n_left_out} of {len(entries)} images have no full mask of a person "
                "and are not scored.",
            )

    def of(self, entry: ImageEntry) -> tuple[ObjectMasks, NDArray[np.bool_]]:
        """Return the full masks of an image and where they are complete."""
        annotation = whole_annotation(self._project, entry)
        return annotation.full, annotation.complete.mask(annotation.shape)

    def _scores(self, entry: ImageEntry) -> bool:
        annotation = whole_annotation(self._project, entry)
        return annotation.has_full and not annotation.is_accepted_prediction
