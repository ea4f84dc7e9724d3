"""Ids of objects on the canvas, chosen so that an id says the class and its colour.

A Labels layer colours an id by its remainder. Objects of class k get the ids k,
k + 254, k + 508 ..., so one colour table of 254 colours serves any number of objects
and a new object costs no new colours. Objects whose stored id does not fit get
another id on the canvas; the stored one never changes, since runs refer to it.
"""

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from napari_mtseg.domain.annotation import UNPAINTED

N_COLOURS = 254
"""Colours of the table; with the transparent one, 8 bits on the graphics card do."""

_FLAGS_PER_PIXEL = 8


class ObjectIds:
    """Which canvas id stands for which stored object, and of what class it is.

    Parameters
    ----------
    class_of : mapping
        Stored object id -> class, 1..n_classes.
    """

    def __init__(self, class_of: Mapping[int, int]) -> None:
        self._stored: dict[int, int] = {}
        self._class: dict[int, int] = {}
        self._taken: set[int] = set(class_of)
        self._next: dict[int, int] = {}
        self._are_stored = True
        misfits = []
        for stored, n_class in class_of.items():
            if class_by_colour(stored) == n_class:
                self._add(stored, stored, n_class)
            else:
                misfits.append((stored, n_class))
        for stored, n_class in misfits:
            self._add(self._free_id(n_class), stored, n_class)

    @property
    def are_stored_ids(self) -> bool:
        """True if every canvas id is the stored id itself."""
        return self._are_stored

    def next_id(self, n_class: int) -> int:
        """Return the id that the next new object of a class will have."""
        return self._free_id(n_class)

    def add_object(self, n_class: int) -> int:
        """Return the canvas id of a new object; it is its stored id, too."""
        shown = self._free_id(n_class)
        self._add(shown, shown, n_class)
        return shown

    def class_of(self, shown: int) -> int:
        """Return the class of a canvas id; by its colour if nobody registered it."""
        return self._class.get(shown, class_by_colour(shown))

    def register(self, shown: Iterable[int], *, n_classes: int) -> None:
        """Take in ids that somebody else put on the canvas, by their colours.

        Parameters
        ----------
        shown : iterable of int
            Canvas ids; those that are known stay as they are.
        n_classes : int
            Colours beyond the classes look like the last class and are of it.
        """
        for key in shown:
            if key in self._class:
                continue
            n_class = min(class_by_colour(key), n_classes)
            is_free = key not in self._taken
            self._add(key, key if is_free else self._free_id(n_class), n_class)

    def stored_classes(self, shown: Iterable[int]) -> dict[int, int]:
        """Return stored id -> class of objects on the canvas, all of them known."""
        return {self._stored[key]: self._class[key] for key in shown}

    def all_classes(self) -> dict[int, int]:
        """Return stored id -> class of all objects that exist or existed."""
        return {
            stored: self._class[shown] for shown, stored in tuple(self._stored.items())
        }

    def shown(self, stored: NDArray[np.uint32]) -> NDArray[np.uint32]:
        """Return stored object ids as canvas ids, of the same shape.

        The array itself where they are the same.
        """
        if self.are_stored_ids:
            return stored
        return _replaced(stored, {s: key for key, s in self._stored.items()})

    def stored(self, shown: NDArray[np.uint32]) -> NDArray[np.uint32]:
        """Return canvas ids as stored object ids, of the same shape.

        The array itself where they are the same.
        """
        if self.are_stored_ids:
            return shown
        return _replaced(shown, dict(self._stored))

    def adopt(self, labels: NDArray[np.uint32], n_class: int) -> NDArray[np.uint32]:
        """Return labels in which ids that nobody knows became objects of a class."""
        unknown = [i for i in ids_in(labels).tolist() if i not in self._class]
        return _replaced(labels, {i: self.add_object(n_class) for i in unknown})

    def _add(self, shown: int, stored: int, n_class: int) -> None:
        # The class first: a thread that saves must never meet an id without one.
        self._class[shown] = n_class
        self._stored[shown] = stored
        self._taken.update((shown, stored))
        self._are_stored = self._are_stored and shown == stored

    def _free_id(self, n_class: int) -> int:
        shown = self._next.get(n_class, n_class)
        while shown in self._taken:
            shown += N_COLOURS
        self._next[n_class] = shown
        return shown


def class_by_colour(shown: int) -> int:
    """Return the class whose colour a canvas id is drawn in.

    Examples
    --------
    >>> [class_by_colour(i) for i in (1, 2, 254, 255, 256)]
    [1, 2, 254, 1, 2]
    """
    return (shown - 1) % N_COLOURS + 1


def ids_in(labels: NDArray[np.uint32]) -> NDArray[np.integer]:
    """Return the ids that occur, sorted, without UNPAINTED."""
    top = int(labels.max(initial=UNPAINTED))
    if top == UNPAINTED:
        return np.zeros(0, np.uint32)
    if top > max(_FLAGS_PER_PIXEL * labels.size, 2**20):
        found: NDArray[np.integer] = np.unique(labels)
        return found[found != UNPAINTED]
    occurs = np.zeros(top + 1, np.bool_)
    occurs[labels] = True
    occurs[UNPAINTED] = False
    return np.flatnonzero(occurs)


def _replaced(
    labels: NDArray[np.uint32], new_of: Mapping[int, int]
) -> NDArray[np.uint32]:
    """Return a copy with ids replaced; ids that are not named stay."""
    changed = {old: new for old, new in new_of.items() if old != new}
    if not changed:
        return labels.copy()
    top = int(labels.max(initial=UNPAINTED))
    if top > max(_FLAGS_PER_PIXEL * labels.size, 2**20):
        ids, places = np.unique(labels, return_inverse=True)
        new = np.array([changed.get(int(i), int(i)) for i in ids], np.uint32)
        return new[places].reshape(labels.shape)
    table = np.arange(top + 1, dtype=np.uint32)
    for old, new_id in changed.items():
        if old <= top:
            table[old] = new_id
    return table[labels]
