"""The U-Net of joint shape learning (METHODS.md section 2, Network)."""

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from napari_mtseg.domain.training_settings import DropoutPlace
from napari_mtseg.geometry.pooling import pool_factors
from napari_mtseg.networks.blocks import (
    RELU,
    DecoderLevel,
    Encoder,
    Norm,
    convolution,
    draw_weights,
    level_widths,
)
from napari_mtseg.networks.dropout import dropouts
from napari_mtseg.networks.high_resolution_pathway import SkipPathways
from napari_mtseg.networks.pooled_network import Activation, PooledNetwork
from napari_mtseg.networks.pooling_grid import cropped, pool_rows, receptive_radius


def joint_pools(spacing: Sequence[float], levels: int) -> tuple[tuple[int, ...], ...]:
    """Return the paper's pooling factors: 2 per level, 4 before the bottleneck.

    Parameters
    ----------
    spacing : sequence of float
        Voxel size along ([Z,] Y, X), any unit, > 0. Thick axes are pooled later, as
        by :func:`~napari_mtseg.geometry.pooling.pool_factors`.
    levels : int
        Resolutions of the network, 2 or more.

    Returns
    -------
    tuple of tuple of int
        1, 2 or, in the last pooling, 4 for each pooling and axis.

    Raises
    ------
    ValueError
        If there are fewer than two levels, or a voxel size is not positive.

    References
    ----------
    .. [1] METHODS.md section 2; the rule for thick axes is ours.

    Examples
    --------
    >>> joint_pools((1.0, 1.0), 5)
    ((2, 2), (2, 2), (2, 2), (4, 4))
    >>> joint_pools((5.0, 1.0, 1.0), 4)
    ((1, 2, 2), (1, 2, 2), (4, 4, 4))
    """
    if levels < 2:
        raise ValueError(f"levels must be 2 or more, not {levels}")
    *before, last = pool_factors(spacing, levels)
    return (*before, tuple(2 * factor if factor > 1 else 1 for factor in last))


class JointDecoder(nn.Module):
    """The expanding path: nearest upsampling and a double convolution per level.

    ``widths`` and ``pools`` are those of the encoder, ``skips`` the channels of what
    it hands over, finest level first. ``drop`` follows the deepest maps and each level.
    """

    def __init__(
        self,
        widths: Sequence[int],
        skips: Sequence[int],
        pools: Sequence[Sequence[int]],
        *,
        norm: Norm,
        affine: bool,
        drop: nn.ModuleList,
    ) -> None:
        super().__init__()
        self.drop = drop
        self.levels = nn.ModuleList(
            DecoderLevel(
                widths[level + 1],
                skips[level],
                n_out=widths[level],
                factors=pools[level],
                norm=norm,
                slope=RELU,
                affine=affine,
                up="nearest",
            )
            for level in reversed(range(len(pools)))
        )

    def forward(self, maps: list[Tensor]) -> Tensor:
        """Return the finest maps; the list is emptied, so that memory is freed."""
        deepest, *further = self.drop
        deep = deepest(maps.pop())
        for level, drop in zip(self.levels, further, strict=True):
            deep = drop(level(deep, maps.pop()))
        return deep


class JointUNet(PooledNetwork):
    """U-Net with parallel heads for the mask and its shape, 2D and 3D, any image size.

    No convolution has a bias, and neither upsampling nor, by default, normalisation
    has parameters, so that a shape costs no more than its 3x3 head.

    Parameters
    ----------
    in_channels : int
        Channels of the image.
    heads : mapping of str to int
        Channels of each answer by name, in order; the segmentation first.
    activations : mapping of str to {"softmax", "sigmoid", "none"}, optional
        Of heads that do not classify; heads that the network lacks are passed over.
    two_decoders : bool
        Whether all heads but the first read a second decoder, with weights of its
        own, as in the networks that the paper compares with. A single head has a
        single decoder.
    ndim, base, levels, norm
        As in :class:`~napari_mtseg.networks.unet.UNet`.
    affine : bool
        Whether the normalisation learns a scale and a shift per map; that of a
        high-resolution pathway always does.
    pools : sequence of sequence of int, optional
        Pooling factors per level and axis; :func:`joint_pools` of cubic voxels if not
        given.
    high_resolution, high_resolution_width
        As in :class:`~napari_mtseg.networks.unet.UNet`; two decoders share the
        pathway.
    dropout, dropout_place
        As in :class:`~napari_mtseg.networks.unet.UNet`; two decoders drop maps
        independently of each other.

    Raises
    ------
    ValueError
        If there is no head or no such stage, the pooling factors do not fit ``ndim``
        and ``levels``, or ``dropout`` is out of range.

    References
    ----------
    .. [1] B. Murugesan et al., "Joint shape learning and segmentation for medical
       images using a minimalistic deep network", arXiv:1901.08824. The paper names no
       normalisation and no first weights; both are ours.
    """

    def __init__(  # noqa: PLR0913 - one argument per property of the network
        self,
        in_channels: int,
        heads: Mapping[str, int],
        *,
        activations: Mapping[str, Activation] | None = None,
        two_decoders: bool = False,
        ndim: int = 2,
        base: int = 32,
        levels: int = 5,
        norm: Norm = "batch",
        affine: bool = False,
        pools: Sequence[Sequence[int]] | None = None,
        high_resolution: int = 0,
        high_resolution_width: int | None = None,
        dropout: float = 0.0,
        dropout_place: DropoutPlace = "decoder",
    ) -> None:
        super().__init__()
        self._name_heads(heads, activations)
        rows = pools if pools is not None else joint_pools((1.0,) * ndim, levels)
        self.pools = pool_rows(rows, ndim=ndim, levels=levels)
        self.norm: Norm = norm
        names = tuple(heads)
        separate = two_decoders and len(names) > 1
        self._heads_of = (names[:1], names[1:]) if separate else (names,)
        widths = level_widths(base, levels)
        self.encoder = Encoder(
            (in_channels, *widths), self.pools, norm=norm, slope=RELU, affine=affine
        )
        self.skips = SkipPathways(
            widths[:-1],
            self.pools,
            stage=high_resolution,
            width=high_resolution_width,
            norm=norm,
        )
        self.decoders = nn.ModuleList(
            JointDecoder(
                widths,
                self.skips.widths,
                self.pools,
                norm=norm,
                affine=affine,
                drop=dropouts(levels, rate=dropout, place=dropout_place, ndim=ndim),
            )
            for _ in self._heads_of
        )
        self.heads = nn.ModuleDict(
            {
                name: convolution(base, n, ndim=ndim, size=3, bias=False)
                for name, n in heads.items()
            }
        )
        draw_weights(self.encoder, self.decoders, slope=RELU)

    @property
    def halo(self) -> tuple[int, ...]:
        """Receptive radius in pixels per axis."""
        head = 1
        further = (head, *(0,) * (len(self.pools) - 1))
        return receptive_radius(
            self.pools,
            after_decoder=further,
            up="nearest",
            on_skips=self.skips.reach,
        )

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Return the answers of all heads before their activation.

        Parameters
        ----------
        x : (N, in_channels, [Z,] Y, X) float
            Normalised image. A size that is no multiple of ``size_multiple`` is
            padded at its end by repetition, and the answers cropped.

        Returns
        -------
        dict
            (N, channels, [Z,] Y, X) by head, in the order of the heads.
        """
        size = x.shape[2:]
        maps = self.skips(self.encoder(self.padded(x)))
        answers: dict[str, Tensor] = {}
        last = len(self.decoders) - 1
        for number in range(len(self.decoders)):
            answers |= self._answers(number, maps if number == last else list(maps))
        return {name: cropped(answer, size) for name, answer in answers.items()}

    def _answers(self, number: int, maps: list[Tensor]) -> dict[str, Tensor]:
        """Return the answers of the heads of one decoder."""
        finest = self.decoders[number](maps)
        return {name: self.heads[name](finest) for name in self._heads_of[number]}
