"""Mixtures of Gaussians over colours, for GrabCut."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

REGULARISATION = 1e-3
"""Variance added to every Gaussian, share of the image's variance; ours."""

MAX_SAMPLE = 2000
"""Most pixels that k-means looks at; ours."""

KMEANS_ROUNDS = 5
"""Rounds of k-means; ours. The cuts refit the Gaussians anyway."""


@dataclass(frozen=True, eq=False, kw_only=True)
class ColourMixture:
    """Gaussians over colours."""

    weights: NDArray[np.float64]
    """(K,) sums to 1"""
    means: NDArray[np.float64]
    """(K, C)"""
    precisions: NDArray[np.float64]
    """(K, C, C) inverse covariances"""

    @classmethod
    def clustered(
        cls, points: NDArray[np.float64], n_colours: int, rng: np.random.Generator
    ) -> "ColourMixture":
        """Fit to (N, C) points by k-means with well-spread starts (k-means++)."""
        sample = points[rng.permutation(len(points))[:MAX_SAMPLE]]
        centres = sample[:1]
        for _ in range(min(n_colours, len(sample)) - 1):
            distance = _squared_distances(sample, centres).min(axis=1)
            if distance.sum() == 0:
                break
            pick = rng.choice(len(sample), p=distance / distance.sum())
            centres = np.vstack([centres, sample[pick]])
        for _ in range(KMEANS_ROUNDS):
            labels = _squared_distances(sample, centres).argmin(axis=1)
            used = np.unique(labels)
            centres = np.array([sample[labels == k].mean(axis=0) for k in used])
        return cls._fitted(points, _squared_distances(points, centres).argmin(axis=1))

    @classmethod
    def _fitted(
        cls, points: NDArray[np.float64], labels: NDArray[np.intp]
    ) -> "ColourMixture":
        """Fit one Gaussian to the points of each label that occurs."""
        groups = [points[labels == k] for k in np.unique(labels)]
        ridge = REGULARISATION * np.eye(points.shape[1])
        means = np.array([group.mean(axis=0) for group in groups])
        spread = [g - m for g, m in zip(groups, means, strict=True)]
        covariances = np.array([d.T @ d / len(d) + ridge for d in spread])
        return cls(
            weights=np.array([len(group) / len(points) for group in groups]),
            means=means,
            precisions=np.linalg.inv(covariances),
        )

    def refitted(self, points: NDArray[np.float64]) -> "ColourMixture":
        """Fit again, each of the (N, C) points to the Gaussian that fits it best."""
        return self._fitted(points, self._costs(points).argmin(axis=-1))

    def cost(self, colours: NDArray[np.float64]) -> NDArray[np.float64]:
        """Negative logarithm of the density, ``(..., C)`` to ``(...)``."""
        return -logsumexp(-self._costs(colours), axis=-1)

    def _costs(self, colours: NDArray[np.float64]) -> NDArray[np.float64]:
        """Negative log of each weighted Gaussian, up to one constant, (..., K)."""
        away = colours[..., None, :] - self.means
        exponent = np.einsum("...kc,kcd,...kd->...k", away, self.precisions, away)
        log_det = np.linalg.slogdet(self.precisions)[1]
        return 0.5 * (exponent - log_det) - np.log(self.weights)


def _squared_distances(
    points: NDArray[np.float64], centres: NDArray[np.float64]
) -> NDArray[np.float64]:
    return ((points[:, None] - centres) ** 2).sum(axis=-1)
