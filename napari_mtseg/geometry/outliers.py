"""Objects and images whose size or shape is unlike that of the others."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Columns = Mapping[str, NDArray[Any]]
"""a table of objects: arrays of equal length by name"""

LEAST_SPREAD: Mapping[str, float] = {
    "log_size": 0.1,
    "log_elongation": 0.05,
    "fill": 0.02,
}
"""standard deviations that a population has at least (ours), so that objects that are
almost equal are no outliers of each other"""

_KEYS = (
    "n",
    *(f"{name}_{what}" for name in LEAST_SPREAD for what in ("mean", "variance")),
)
_SHAPE = ("log_elongation", "fill")


def object_statistics(columns: Columns) -> dict[str, float]:
    """Return what is typical of the objects of one image.

    Parameters
    ----------
    columns : mapping of str to (n,) array
        'elongation' and 'fill', and 'physical_size', for which 'size' stands in if it
        is missing.

    Returns
    -------
    dict of str to float
        'n', and mean and variance (of the population) of 'log_size',
        'log_elongation' and 'fill' as 'log_size_mean' and so on. Without any object
        'n' is 0 and so are all others.
    """
    facts = _facts_of(columns)
    n = len(facts["log_size"])
    found = {"n": float(n)}
    for name, values in facts.items():
        found[f"{name}_mean"] = float(values.mean()) if n else 0.0
        found[f"{name}_variance"] = float(values.var()) if n else 0.0
    return found


@dataclass(frozen=True, kw_only=True)
class Population:
    """What is typical of the objects of many images taken together."""

    n: int
    """objects"""
    means: Mapping[str, float]
    """of 'log_size', 'log_elongation' and 'fill'; 0 where there is no object"""
    spreads: Mapping[str, float]
    """their standard deviations over all objects, LEAST_SPREAD or more"""

    @classmethod
    def of(cls, statistics: Iterable[Mapping[str, float]]) -> "Population":
        """Pool images: every object counts once, wherever it lies.

        Parameters
        ----------
        statistics : iterable of mapping
            Of :func:`object_statistics`, one per image; those without objects, and
            those where something is missing or not finite, do not count.
        """
        counted = [one for one in statistics if _is_whole(one) and one["n"] > 0]
        share = np.array([one["n"] for one in counted])
        n = int(share.sum())
        share = share / max(n, 1)
        means, spreads = {}, {}
        for name, least in LEAST_SPREAD.items():
            centre = np.array([one[f"{name}_mean"] for one in counted])
            within = np.array([one[f"{name}_variance"] for one in counted])
            mean = float(share @ centre)
            variance = float(share @ (within + np.square(centre - mean)))
            means[name], spreads[name] = mean, max(math.sqrt(variance), least)
        return cls(n=n, means=means, spreads=spreads)

    def size_outlier(self, statistics: Mapping[str, float]) -> float:
        """Return how far the size of an image's mean object is from the usual one.

        Parameters
        ----------
        statistics : mapping of str to float
            Of :func:`object_statistics`.

        Returns
        -------
        float
            Of the logarithm of the size: the distance of the image's mean to that of
            the population, in standard deviations of the population's objects, >= 0.
            Infinite for an image without objects, or without whole statistics; 0
            where there is no population.

        Examples
        --------
        >>> round_ones = {"elongation": np.ones(1), "fill": np.ones(1)}
        >>> sizes = (np.array([n]) for n in (10, 1000))
        >>> images = [object_statistics({"size": n, **round_ones}) for n in sizes]
        >>> round(Population.of(images).size_outlier(images[1]), 6)
        1.0
        """
        return self._outlier(statistics, ("log_size",))

    def shape_outlier(self, statistics: Mapping[str, float]) -> float:
        """Return how far the shape of an image's mean object is from the usual one.

        As :meth:`size_outlier`, of the logarithm of the elongation or of the fill,
        whichever is farther (ours).
        """
        return self._outlier(statistics, _SHAPE)

    def of_objects(self, columns: Columns) -> dict[str, NDArray[np.float64]]:
        """Return how unusual each object of an image is.

        Parameters
        ----------
        columns : mapping of str to (n,) array
            As of :func:`object_statistics`.

        Returns
        -------
        dict of str to (n,) float64
            'size_outlier' and 'shape_outlier': distances as of an image, of the
            object itself; 0 where there is no population.
        """
        facts = _facts_of(columns)
        if not self.n:
            facts = {
                name: np.full_like(facts[name], self.means[name]) for name in facts
            }
        far = {
            name: np.abs(values - self.means[name]) / self.spreads[name]
            for name, values in facts.items()
        }
        shape = np.maximum(*(far[name] for name in _SHAPE))
        return {"size_outlier": far["log_size"], "shape_outlier": shape}

    def _outlier(
        self, statistics: Mapping[str, float], names: tuple[str, ...]
    ) -> float:
        if not (_is_whole(statistics) and statistics["n"] > 0):
            return math.inf
        if not self.n:
            return 0.0
        return max(
            abs(statistics[f"{name}_mean"] - self.means[name]) / self.spreads[name]
            for name in names
        )


def _is_whole(statistics: Mapping[str, float]) -> bool:
    return all(math.isfinite(statistics.get(name, math.nan)) for name in _KEYS)


def _facts_of(columns: Columns) -> dict[str, NDArray[np.float64]]:
    size = columns["physical_size"] if "physical_size" in columns else columns["size"]
    return {
        "log_size": np.log(np.asarray(size, np.float64)),
        "log_elongation": np.log(np.asarray(columns["elongation"], np.float64)),
        "fill": np.asarray(columns["fill"], np.float64),
    }
