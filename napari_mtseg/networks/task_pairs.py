"""What segmentation, object classes and scene share in pairs (METHODS.md section 1)."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

import torch
from torch import Tensor, nn

from napari_mtseg.networks.blocks import RELU, ConvNormAct, Norm
from napari_mtseg.networks.pooled_network import Activation, PooledNetwork
from napari_mtseg.networks.summary import n_parameters

IMAGE_ACTIVATIONS: Mapping[str, Activation] = MappingProxyType({"classes": "sigmoid"})
"""Of the image heads: an image holds several classes, and is of one scene"""

_MEMBERS: dict[str, tuple[str, str]] = {
    "segmentation_class": ("segmentation", "classes"),
    "segmentation_scene": ("segmentation", "scenes"),
    "class_scene": ("classes", "scenes"),
}

DecoderKind = Literal["plain", "unet"]
"""Without skips, or with those of the encoder"""

_HEAD_NAMES = {"classes": "class", "scenes": "scene"}

_AVERAGES: dict[int, type[nn.AdaptiveAvgPool2d | nn.AdaptiveAvgPool3d]] = {
    2: nn.AdaptiveAvgPool2d,
    3: nn.AdaptiveAvgPool3d,
}


class TaskPairs(nn.Module):
    """A 3x3 (3x3x3) convolution per pair of tasks, and the heads of whole images.

    A pair exists where both of its tasks are on; segmentation always is. An image head
    averages the maps of its pairs over the image, followed by two linear layers.

    Parameters
    ----------
    n_in : int
        Channels of the latent maps.
    width : int
        Channels of each pair.
    ndim : int
        2 or 3.
    norm : {"batch", "instance", "none"}
        Normalisation after each convolution; without it the convolution has a bias.
    n_classes_out : int
        Answers of the head "classes", background included; 0 for no such head.
    n_scenes : int
        Answers of the head "scenes"; 0 for no such head.
    hidden : int
        Outputs of the first linear layer of a head.

    References
    ----------
    .. [1] METHODS.md section 1, items 3 and 4. The ReLU between the two linear layers
       is ours: without it they are one.
    """

    def __init__(  # noqa: PLR0913 - one argument per property of the pairs
        self,
        n_in: int,
        *,
        width: int,
        ndim: int,
        norm: Norm,
        n_classes_out: int,
        n_scenes: int,
        hidden: int = 256,
    ) -> None:
        super().__init__()
        answers = {"classes": n_classes_out, "scenes": n_scenes}
        self.image_heads = {name: n for name, n in answers.items() if n > 0}
        """channels of each image head that is on"""
        on = {"segmentation", *self.image_heads}
        self.pairs = nn.ModuleDict(
            {
                name: ConvNormAct(
                    n_in, width, ndim=ndim, norm=norm, slope=RELU, bias=norm == "none"
                )
                for name, tasks in _MEMBERS.items()
                if on.issuperset(tasks)
            }
        )
        self.average = _AVERAGES[ndim](1)
        self.heads = nn.ModuleDict(
            {
                name: _image_head(len(self._pairs_of(name)) * width, hidden, n)
                for name, n in self.image_heads.items()
            }
        )
        n_seen = len(self._pairs_of("segmentation"))
        self.width_for_segmentation = n_seen * width if n_seen else n_in
        """channels of the maps that segmentation starts from"""

    @property
    def reach(self) -> int:
        """Pixels by which the pairs widen the support along every axis."""
        return 1 if self.pairs else 0

    def forward(self, *latents: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return what segmentation starts from, and the answers of the image heads.

        Parameters
        ----------
        *latents : (N, n_in, [Z,] Y, X)
            One that all pairs share, or one per pair in the order of ``pairs``.

        Returns
        -------
        (N, width_for_segmentation, [Z,] Y, X)
            The pairs of segmentation, concatenated; the latent itself without pairs.
        dict
            (N, answers) logits by image head.

        Raises
        ------
        ValueError
            If there is neither one latent nor one per pair.
        """
        n_pairs = len(self.pairs)
        if len(latents) not in {1, n_pairs}:
            raise ValueError(f"{len(latents)} latents, but 1 or {n_pairs} are needed")
        own = latents * n_pairs if len(latents) == 1 else latents
        maps = {
            name: pair(latent)
            for (name, pair), latent in zip(self.pairs.items(), own, strict=True)
        }
        means = {name: self.average(each).flatten(1) for name, each in maps.items()}
        answers = {
            name: head(torch.cat([means[pair] for pair in self._pairs_of(name)], 1))
            for name, head in self.heads.items()
        }
        seen = [maps[pair] for pair in self._pairs_of("segmentation")]
        return (torch.cat(seen, 1) if seen else latents[0]), answers

    def _pairs_of(self, task: str) -> list[str]:
        return [name for name in self.pairs if task in _MEMBERS[name]]


class DecomposedBase(PooledNetwork):
    """What the networks of several tasks have in common, in 2D and in 3D."""

    encoder: nn.Module
    """the contracting path"""
    context: nn.Module | None
    """context ensemble; None without one"""
    pairs: TaskPairs
    decoder: nn.Module
    """the segmentation's way back to full resolution"""
    heads: nn.ModuleDict
    """of pixels"""

    def _part(  # noqa: PLR0913 - one argument per property of the network
        self,
        n_deep: int,
        *,
        width: int,
        ndim: int,
        norm: Norm,
        answers: tuple[int, int],
        classes: bool,
        hidden: int,
        context: bool,
        decoder: DecoderKind,
    ) -> None:
        """Make the pairs, for deepest maps of ``n_deep`` channels, and name the heads.

        ``answers`` are the classes, background included, and the scenes.

        Raises
        ------
        ValueError
            If the parts make no network.
        """
        n_classes_out, n_scenes = answers
        if not context and (classes or n_scenes or decoder == "plain"):
            raise ValueError(
                "without a context there are neither heads for classes and scenes nor "
                "a plain decoder"
            )
        self.pairs = TaskPairs(
            width if context else n_deep,
            width=width,
            ndim=ndim,
            norm=norm,
            n_classes_out=n_classes_out if classes else 0,
            n_scenes=n_scenes,
            hidden=hidden,
        )
        heads = {"segmentation": n_classes_out}
        self._name_heads(heads, IMAGE_ACTIVATIONS, image_heads=self.pairs.image_heads)

    def _n_latents(self, *, separate: bool) -> int:
        """Return how many cascades the context has: one, or one per pair."""
        return max(len(self.pairs.pairs), 1) if separate else 1

    @property
    def part_parameters(self) -> dict[str, int]:
        """Parameters by part; the pairs' convolutions count to the context.

        As METHODS.md section 1 counts them.
        """
        image_heads = {
            f"{_HEAD_NAMES[name]} head": n_parameters(head)
            for name, head in self.pairs.heads.items()
        }
        counts = {
            "encoder": n_parameters(self.encoder),
            "context ensemble": n_parameters(self.context, self.pairs.pairs),
            **image_heads,
            "decoder": n_parameters(self.decoder, self.heads),
        }
        return {name: n for name, n in counts.items() if n}


def _image_head(n_in: int, hidden: int, n_answers: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(n_in, hidden), nn.ReLU(inplace=True), nn.Linear(hidden, n_answers)
    )
