"""Which maps a model can write for an image, and which of them are wanted."""

from collections.abc import Collection

from napari_mtseg.domain.errors import SettingsError
from napari_mtseg.storage.prediction_files import OWN_MAPS
from napari_mtseg.workflows.derived_maps import DERIVED_MAPS, SAMPLED_MAPS
from napari_mtseg.workflows.predict import Model
from napari_mtseg.workflows.trained_model import trained_method

MAPS = (*OWN_MAPS, *DERIVED_MAPS)
"""what can be written for an image, whatever the method"""

DEFAULT_MAPS = ("instances", "classes", "contours")
"""what is written where nothing is chosen"""


def maps_of(model: Model) -> tuple[str, ...]:
    """Return what a model can write for an image: MAPS, its method's own, and more.

    A model that answers several times also has SAMPLED_MAPS.
    """
    return (*OWN_MAPS, *model.derived_maps, *trained_method(model.info).own_maps)


def checked_maps(maps: Collection[str], model: Model) -> tuple[str, ...]:
    """Return the chosen maps in the order of :func:`maps_of`; nothing is predicted.

    Raises
    ------
    SettingsError
        If the model has no such map, or none is chosen.
    """
    known = maps_of(model)
    unknown = [name for name in maps if name not in known]
    if unknown and unknown[0] in SAMPLED_MAPS:
        raise SettingsError(
            f"The map '{unknown[0]}' compares several answers for an image, but only "
            "one was asked for. Add --uncertainty dropout or --uncertainty ensemble."
        )
    if unknown or not maps:
        what = (
            f"This model has no map '{unknown[0]}'" if unknown else "No map was chosen"
        )
        raise SettingsError(f"{what}. Choose from: {', '.join(known)}.")
    return tuple(name for name in known if name in maps)
