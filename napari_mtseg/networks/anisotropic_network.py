"""Task decomposition of volumes: classes, scene and segmentation at once.

METHODS.md section 1, 3D.
"""

from torch import Tensor, nn

from napari_mtseg.domain.training_settings import DropoutPlace
from napari_mtseg.networks.anisotropic_trunk import (
    HALF,
    LAST,
    POOLS,
    WHOLE,
    AnisotropicTrunk,
    ScoresDecoder,
    Wanted,
)
from napari_mtseg.networks.blocks import (
    RELU,
    ConvNormAct,
    DecoderLevel,
    Norm,
    draw_weights,
    pointwise_heads,
)
from napari_mtseg.networks.context_ensemble import DilatedCascade
from napari_mtseg.networks.dropout import dropouts
from napari_mtseg.networks.high_resolution_pathway import draw_xavier
from napari_mtseg.networks.pooling_grid import cropped, size_multiple, upsampling
from napari_mtseg.networks.receptive_field import (
    Interval,
    radii_over_grid,
    read_by_upsampling,
    widened,
)
from napari_mtseg.networks.task_pairs import DecoderKind, DecomposedBase

_PLAIN_FACTORS = size_multiple(POOLS)
"""Upsampling of the plain decoder"""


class AnisotropicNetwork(DecomposedBase):
    """Anisotropic trunk, context, pairs of tasks, a head per task; any volume.

    Only rows and columns are pooled, and context is wide inside planes: a volume of
    thick planes, even of one, is answered.

    Parameters
    ----------
    in_channels : int
        Channels of the image.
    n_classes_out : int
        Classes of the segmentation, background included.
    n_scenes : int
        Answers of the image head "scenes"; 0 for no such head.
    classes : bool
        Whether there is an image head "classes", with as many answers as classes.
    base : int
        Channels of all maps of the trunk.
    width : int
        Channels of the context and of each pair.
    hidden : int
        Outputs of the first linear layer of an image head.
    context : bool
        Whether there is a context ensemble; without it there are no pairs and no image
        heads, and the decoder is that of Wang et al.
    separate_context : bool
        Whether each pair has a cascade of dilated convolutions of its own.
    decoder : {"plain", "unet"}
        The paper's without skips, or one with those of the trunk.
    low_memory : bool
        Whether the plain decoder convolves once before it upsamples: half the channels
        at full resolution, and not the same answers.
    norm : {"batch", "instance", "none"}
        Normalisation; without it convolutions outside the U-Net decoder have a bias.
    decoder_widths : (int, int)
        Channels after the plain decoder's first convolution and after its others.
    dropout, dropout_place
        As in :class:`~napari_mtseg.networks.decomposed_network.DecomposedNetwork`; the
        scores of Wang et al., side by side, are a single level.

    Raises
    ------
    ValueError
        If the parts make no network or ``dropout`` is out of range.

    References
    ----------
    .. [1] METHODS.md section 1, 3D. "Wnet+Unet" is ``context=False, decoder="unet"``,
       "Wnet+CE+Unet" ``decoder="unet"`` and "Wnet+CE+ASPP" the default. The paper
       gives neither the 3D context nor its decoders: ours are the 64 channels of the
       context, its dilation inside planes only, decoders of 3x3x3 convolutions, and in
       "Wnet+CE+Unet" the trunk's channels at each level. Xavier weights in the trunk,
       which keep the scale of maps without norm, and He's elsewhere are ours too.
    """

    def __init__(  # noqa: PLR0913 - one argument per property of the network
        self,
        in_channels: int,
        n_classes_out: int,
        n_scenes: int = 0,
        *,
        classes: bool = True,
        base: int = 32,
        width: int = 64,
        hidden: int = 128,
        context: bool = True,
        separate_context: bool = False,
        decoder: DecoderKind = "plain",
        low_memory: bool = False,
        norm: Norm = "batch",
        decoder_widths: tuple[int, int] = (64, 32),
        dropout: float = 0.0,
        dropout_place: DropoutPlace = "decoder",
    ) -> None:
        super().__init__()
        self.pools = POOLS
        self.norm = norm
        self.encoder: AnisotropicTrunk = AnisotropicTrunk(in_channels, base, norm=norm)
        self._part(
            base,
            width=width,
            ndim=3,
            norm=norm,
            answers=(n_classes_out, n_scenes),
            classes=classes,
            hidden=hidden,
            context=context,
            decoder=decoder,
        )
        n_latents = self._n_latents(separate=separate_context)
        self.context: PlaneContext | None = (
            PlaneContext(base, width, norm=norm, n_latents=n_latents)
            if context
            else None
        )
        n_seen = self.pairs.width_for_segmentation
        self.decoder: PlainPlaneDecoder | PlaneUNetDecoder | ScoresDecoder
        if decoder == "plain":
            self.decoder = PlainPlaneDecoder(
                n_seen, decoder_widths, norm=norm, low_memory=low_memory
            )
        elif context:
            self.decoder = PlaneUNetDecoder(n_seen, base, norm=norm)
        else:
            self.decoder = ScoresDecoder(base, n_classes_out, norm=norm)
        n = 1 if isinstance(self.decoder, ScoresDecoder) else self.decoder.n_levels
        self.drop = dropouts(1 + n, rate=dropout, place=dropout_place, ndim=3)
        draw_xavier(self)
        draw_weights(self, slope=RELU)
        self.heads = (
            self.decoder.heads(self.head_channels)
            if isinstance(self.decoder, ScoresDecoder)
            else pointwise_heads(self.decoder.width, self.head_channels, ndim=3)
        )

    @property
    def halo(self) -> tuple[int, ...]:
        """Receptive radius of the segmentation in voxels per axis."""
        return radii_over_grid(self._read, self.size_multiple)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Return the answers of all heads before their activation.

        Parameters
        ----------
        x : (N, in_channels, Z, Y, X) float
            Normalised image. A size that is no multiple of ``size_multiple`` is
            padded at its end by repetition, and the segmentation cropped.

        Returns
        -------
        dict
            (N, n_classes_out, Z, Y, X) of "segmentation", then (N, answers) by image
            head.
        """
        size = x.shape[2:]
        maps = self.encoder(self.padded(x), self.decoder.stages)
        latents = [maps[LAST]] if self.context is None else self.context(maps[LAST])
        deepest, *between, last = self.drop
        seen, answers = self.pairs(*latents)
        maps[LAST] = deepest(seen)
        del latents, seen
        finest = last(self.decoder(maps, *between))
        segmentation = cropped(self.heads["segmentation"](finest), size)
        return {"segmentation": segmentation, **answers}

    def _read(self, position: int, *, axis: int) -> Interval:
        """Return the voxels read for one voxel of the segmentation, along an axis."""
        wanted = self.decoder.read((position, position), axis=axis)
        further = self.pairs.reach
        if self.context is not None:
            further += self.context.reach[axis]
        wanted[LAST] = widened(wanted[LAST], further)
        return self.encoder.read(wanted, axis=axis)


class PlaneContext(nn.Module):
    """The trunk's maps with more channels, and their context inside planes.

    ``n_latents`` cascades run side by side, all on the same widened maps.
    """

    def __init__(self, n_in: int, width: int, *, norm: Norm, n_latents: int) -> None:
        super().__init__()
        self.enter = _convolution(n_in, width, norm=norm, size=1)
        cascades = [
            DilatedCascade(width, ndim=3, norm=norm, in_plane=True)
            for _ in range(n_latents)
        ]
        self.cascades = nn.ModuleList(cascades)
        self.reach = cascades[0].reach
        """voxels per axis by which the context widens the support"""

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return each cascade's ``(N, width, Z, Y, X)`` for ``(N, n_in, Z, Y, X)``."""
        entered = self.enter(x)
        return [cascade(entered) for cascade in self.cascades]


class PlainPlaneDecoder(nn.Module):
    """Upsampling by (1, 4, 4), three 3x3x3 convolutions, one before it on request."""

    stages = (LAST,)
    """numbers of the stages that are read"""
    n_levels = 3
    """convolutions, each of which dropout may follow"""

    def __init__(
        self, n_in: int, widths: tuple[int, int], *, norm: Norm, low_memory: bool
    ) -> None:
        """``widths`` are the channels after the first and after the others."""
        super().__init__()
        first, self.width = widths
        self.low_memory = low_memory
        self.first = _convolution(n_in, first, norm=norm)
        self.up = upsampling(_PLAIN_FACTORS)
        self.others = nn.Sequential(
            _convolution(first, self.width, norm=norm),
            _convolution(self.width, self.width, norm=norm),
        )

    def forward(
        self, maps: dict[int, Tensor], after_first: nn.Module, after_second: nn.Module
    ) -> Tensor:
        """Return ``(N, width, Z, Y, X)`` at full resolution; ``maps`` are emptied.

        ``after_first`` and ``after_second`` follow the first two convolutions.
        """
        if self.low_memory:
            deep = self.up(after_first(self.first(maps.pop(LAST))))
        else:
            deep = after_first(self.first(self.up(maps.pop(LAST))))
        second, third = self.others
        return third(after_second(second(deep)))

    def read(self, wanted: Interval, *, axis: int) -> Wanted:
        """Return the voxels of the last stage that the voxels ``wanted`` need."""
        before, after = (1, 2) if self.low_memory else (0, 3)
        coarse = read_by_upsampling(widened(wanted, after), _PLAIN_FACTORS[axis])
        return {LAST: widened(coarse, before)}


class PlaneUNetDecoder(nn.Module):
    """Two levels with the skips of the trunk at half and at full resolution."""

    stages = (WHOLE, HALF, LAST)
    """numbers of the stages that are read"""
    n_levels = 2

    def __init__(self, n_deep: int, width: int, *, norm: Norm) -> None:
        """``width`` are the channels of both skips and of the maps that leave."""
        super().__init__()
        self.width = width
        self.levels = nn.ModuleList(
            DecoderLevel(n_in, width, factors=factors, norm=norm, slope=RELU)
            for n_in, factors in zip((n_deep, width), POOLS, strict=True)
        )

    def forward(self, maps: dict[int, Tensor], between: nn.Module) -> Tensor:
        """Return ``(N, width, Z, Y, X)`` at full resolution; ``maps`` are emptied.

        ``between`` follows the first level.
        """
        first, second = self.levels
        deep = between(first(maps.pop(LAST), maps.pop(HALF)))
        return second(deep, maps.pop(WHOLE))

    def read(self, wanted: Interval, *, axis: int) -> Wanted:
        """Return the voxels of each stage that the voxels ``wanted`` need."""
        double_conv = 2
        whole = widened(wanted, double_conv)
        half = widened(read_by_upsampling(whole, POOLS[1][axis]), double_conv)
        deep = read_by_upsampling(half, POOLS[0][axis])
        return {WHOLE: whole, HALF: half, LAST: deep}


def _convolution(n_in: int, n_out: int, *, norm: Norm, size: int = 3) -> ConvNormAct:
    bias = norm == "none"
    return ConvNormAct(n_in, n_out, ndim=3, norm=norm, slope=RELU, size=size, bias=bias)
