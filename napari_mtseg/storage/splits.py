"""What an image is used for, decided by the name of its group."""

import hashlib

from napari_mtseg.domain.project import Split


def split_of(group: str, *, validate: float, test: float, seed: int = 0) -> Split:
    """Return a split that depends on the group's name alone.

    Adding images later never moves an image that is already there.

    Parameters
    ----------
    group : str
        Name of the patient, slide or video.
    validate, test : float
        Wanted shares of groups, 0..1.
    seed : int
        Another seed gives another split.
    """
    digest = hashlib.sha256(f"{seed}:{group}".encode()).digest()
    place = int.from_bytes(digest[:8], "big") / 2**64
    if place < test:
        return "test"
    return "validate" if place < test + validate else "train"
