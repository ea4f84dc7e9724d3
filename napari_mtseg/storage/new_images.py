"""What an image file must be to join a project, and its entry there."""

import re
from collections.abc import Collection, Sequence
from pathlib import Path

from napari_mtseg.domain.errors import ImageError, ProjectError
from napari_mtseg.domain.image import Image
from napari_mtseg.domain.project import Colour, ImageEntry
from napari_mtseg.storage.image_files import content_fingerprint, open_image
from napari_mtseg.storage.stored_array import size_text

N_COLOUR_CHANNELS = 3

_LONGEST_ID = 100


def new_entry(
    file: Path,
    *,
    key: str,
    channels: Sequence[int] | None = None,
    axes: str | None = None,
) -> tuple[ImageEntry, Image]:
    """Describe an image file that is to join a project.

    Parameters
    ----------
    file : Path
        The image file or folder.
    key : str
        Id that it gets; also its group, until it gets another one.
    channels : sequence of int, optional
        Channels used, from 0; all by default.
    axes : str, optional
        Axes of the file, where the file does not say.

    Returns
    -------
    ImageEntry and Image
        The entry, and the image with the channels used.

    Raises
    ------
    ImageError
        If the file is missing or damaged, or has no such channel.
    """
    in_file = used = open_image(file, axes=axes)
    if channels is not None:
        used = open_image(file, channels=channels, axes=axes)
    entry = ImageEntry(
        id=key,
        name=file.name,
        source=file.as_posix(),
        axes=in_file.info.axes,
        file_axes=axes,
        shape=in_file.info.shape,
        channels=None if channels is None else tuple(channels),
        rgb=used.info.rgb,
        dtype=in_file.info.dtype,
        spacing=in_file.info.spacing,
        unit=in_file.info.unit,
        fingerprint=content_fingerprint(file),
        group=key,
    )
    return entry, used


def check_joins(
    entry: ImageEntry, others: Sequence[ImageEntry], colour: Colour
) -> None:
    """Refuse an image that is in the project already or of another kind.

    Raises
    ------
    ProjectError
        If the project has an image of the same content.
    ImageError
        If it cannot be read in the project's colour mode, or differs from the
        project's images in dimensions or channels.
    """
    for other in others:
        if other.fingerprint == entry.fingerprint:
            raise ProjectError(
                f"'{entry.name}' is in the project already, as '{other.name}'. "
                "Leave it out."
            )
    _check_colour(entry, colour)
    if others:
        _check_fits(entry, others[0], colour)


def n_channels_read(entry: ImageEntry, colour: Colour) -> int:
    """Return how many channels an image has when it is read in a colour mode."""
    if colour == "as_is":
        return _n_used(entry.shape[0], entry.channels)
    return 1 if colour == "grey" else N_COLOUR_CHANNELS


def check_unchanged(entry: ImageEntry, shape: tuple[int, ...]) -> None:
    """Refuse a file that is no longer the image that was added.

    Parameters
    ----------
    entry : ImageEntry
        The image when it was added.
    shape : tuple of int
        (C, [Z,] Y, X) of the file now, channels used.

    Raises
    ------
    ImageError
        If the shapes differ.
    """
    expected = (_n_used(entry.shape[0], entry.channels), *entry.spatial_shape)
    if shape != expected:
        raise ImageError(
            f"'{entry.name}' is {size_text(shape)} (C, {', '.join(entry.axes[1:])}) "
            f"now but was {size_text(expected)} when it was added. Put the first file "
            "back, or add this one as a new image."
        )


def new_id(file: Path, taken: Collection[str]) -> str:
    """Return an id for a file: its name in plain letters, with a number if taken.

    Parameters
    ----------
    file : Path
        The image file.
    taken : collection of str
        Ids that are in use; upper and lower case are the same.
    """
    stem = file.name.split(".")[0] or file.name
    slug = re.sub(r"[^A-Za-z0-9_-]+", "_", stem)[:_LONGEST_ID].strip("_") or "image"
    used = {key.lower() for key in taken}
    key, n = slug, 2
    while key.lower() in used:
        key, n = f"{slug}-{n}", n + 1
    return key


def _check_colour(entry: ImageEntry, colour: Colour) -> None:
    """Refuse an image that cannot be read in the project's colour mode."""
    n_used = _n_used(entry.shape[0], entry.channels)
    if colour != "as_is" and n_used not in {1, N_COLOUR_CHANNELS}:
        raise ImageError(
            f"'{entry.name}' has {_channels(n_used)} but a project read as {colour} "
            "takes 1 or 3. Choose its channels with --channels."
        )


def _check_fits(entry: ImageEntry, other: ImageEntry, colour: Colour) -> None:
    """Refuse an image that differs in kind from one that is in the project."""
    if len(entry.shape) != len(other.shape):
        raise ImageError(
            f"'{entry.name}' is {len(entry.shape) - 1}D but the project's images are "
            f"{len(other.shape) - 1}D. Put it into a project of its own."
        )
    found, expected = n_channels_read(entry, colour), n_channels_read(other, colour)
    if found != expected:
        raise ImageError(
            f"'{entry.name}' has {_channels(found)} but the project's images have "
            f"{expected}. Choose channels with --channels, or make the project with "
            "--colour grey or --colour rgb."
        )


def _n_used(n_in_file: int, channels: Sequence[int] | None) -> int:
    return n_in_file if channels is None else len(channels)


def _channels(n: int) -> str:
    return f"{n} channel" + ("" if n == 1 else "s")
