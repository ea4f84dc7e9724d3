"""Segmentation, object classes and scene of an image at once (METHODS.md section 1)."""

from typing import Literal, cast

from torch import Tensor

from napari_mtseg.domain.training_settings import DropoutPlace
from napari_mtseg.networks.blocks import (
    RELU,
    Norm,
    draw_weights,
    pointwise_heads,
)
from napari_mtseg.networks.context_ensemble import ContextEnsemble, DilatedCascade
from napari_mtseg.networks.decomposed_decoders import (
    LEVELS,
    PlainDecoder,
    UNetDecoder,
)
from napari_mtseg.networks.dropout import dropouts
from napari_mtseg.networks.named_encoders import SHORTCUT, NamedEncoder
from napari_mtseg.networks.pooling_grid import cropped, pool_rows
from napari_mtseg.networks.receptive_field import (
    Interval,
    hull,
    radius_over_grid,
    read_by_layers,
    widened,
    windowed_layers,
)
from napari_mtseg.networks.task_pairs import DecoderKind, DecomposedBase
from napari_mtseg.networks.vgg import VGG16

DecomposedEncoder = Literal["vgg16", "resnet34", "resnet50"]
"""A published classification network without its classifier"""


class DecomposedNetwork(DecomposedBase):
    """Encoder, context, pairs of tasks, and a head per task; 2D images of any size.

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
    encoder : {"vgg16", "resnet34", "resnet50"}
        The contracting path.
    base : int
        Channels of the encoder's first stage; 64 as published.
    width : int
        Channels of the context and of each pair.
    hidden : int
        Outputs of the first linear layer of an image head.
    context : bool
        Whether there is a context ensemble; without it there are no pairs and no image
        heads, and the U-Net decoder starts from the deepest maps.
    separate_context : bool
        Whether each pair has a cascade of dilated convolutions of its own.
    decoder : {"plain", "unet"}
        The paper's without skips, or one with those of all stages of the encoder.
    low_memory : bool
        Whether the plain decoder convolves once before it upsamples: an eighth of the
        channels at full resolution, and not the same answers.
    norm : {"batch", "instance", "none"}
        Normalisation after each convolution; that of a ResNet is always "batch".
    decoder_base : int
        Channels of the U-Net decoder at full resolution; each level below has twice
        as many, up to ``LARGEST_WIDTH``.
    decoder_widths : (int, int)
        Channels after the plain decoder's first convolution and after its others.
    dropout, dropout_place
        As in :class:`~napari_mtseg.networks.unet.UNet`: the deepest maps are those
        that the segmentation starts from, after the pairs; a convolution of the plain
        decoder counts as a level.

    Raises
    ------
    ValueError
        If the parts make no network or ``dropout`` is out of range.

    References
    ----------
    .. [1] METHODS.md section 1. With ``norm="none"``, VGG16 and the plain decoder it
       has the 22,122,331 parameters of the authors' code (3 channels, 12 classes, 3
       scenes). Normalisation other than "none" is ours, and so are the channels of
       the U-Net decoder. That begins at a 16th of the resolution: the pairs are
       joined there by the skip of their own size, while the deepest maps, without a
       context, are upsampled to it.
    """

    def __init__(  # noqa: PLR0913 - one argument per property of the network
        self,
        in_channels: int,
        n_classes_out: int,
        n_scenes: int = 0,
        *,
        classes: bool = True,
        encoder: DecomposedEncoder = "vgg16",
        base: int = 64,
        width: int = 256,
        hidden: int = 256,
        context: bool = True,
        separate_context: bool = False,
        decoder: DecoderKind = "plain",
        low_memory: bool = False,
        norm: Norm = "none",
        decoder_base: int = 32,
        decoder_widths: tuple[int, int] = (64, 32),
        dropout: float = 0.0,
        dropout_place: DropoutPlace = "decoder",
    ) -> None:
        super().__init__()
        self.pools = pool_rows(None, ndim=2, levels=LEVELS)
        self.encoder: VGG16 | NamedEncoder
        if encoder == "vgg16":
            self.encoder = VGG16(in_channels, base=base, norm=norm)
        else:
            self.encoder = NamedEncoder(in_channels, encoder, ndim=2, base=base)
        # batch norm in the encoder alone makes answers depend on the tile as well
        self.norm = "batch" if encoder != "vgg16" and norm == "none" else norm
        *skips, deepest = self.encoder.widths
        self._part(
            deepest,
            width=width,
            ndim=2,
            norm=norm,
            answers=(n_classes_out, n_scenes),
            classes=classes,
            hidden=hidden,
            context=context,
            decoder=decoder,
        )
        n_latents = self._n_latents(separate=separate_context)
        self.context: ContextEnsemble | None = (
            ContextEnsemble(deepest, width, norm=norm, n_latents=n_latents)
            if context
            else None
        )
        n_seen = self.pairs.width_for_segmentation
        self.decoder: PlainDecoder | UNetDecoder
        if decoder == "plain":
            self.decoder = PlainDecoder(
                n_seen, decoder_widths, norm=norm, low_memory=low_memory
            )
        else:
            first = 1 if context else 2
            self.decoder = UNetDecoder(
                n_seen, skips, base=decoder_base, norm=norm, first_factor=first
            )
        n_levels = 1 + self.decoder.n_levels
        self.drop = dropouts(n_levels, rate=dropout, place=dropout_place, ndim=2)
        self.heads = pointwise_heads(self.decoder.width, self.head_channels, ndim=2)
        draw_weights(self, slope=RELU)

    @property
    def context_receptive_fields(self) -> tuple[int, ...]:
        """Pixels of a 16th of the resolution that each range of the context reads."""
        if self.context is None:
            return ()
        return cast("DilatedCascade", self.context.cascades[0]).receptive_fields

    @property
    def halo(self) -> tuple[int, ...]:
        """Receptive radius of the segmentation in pixels per axis."""
        grid = self.size_multiple
        return (radius_over_grid(self._read, grid[0]),) * len(grid)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Return the answers of all heads before their activation.

        Parameters
        ----------
        x : (N, in_channels, Y, X) float
            Normalised image. A size that is no multiple of ``size_multiple`` is
            padded at its end by repetition, and the segmentation cropped.

        Returns
        -------
        dict
            (N, n_classes_out, Y, X) of "segmentation", then (N, answers) by image head.
        """
        size = x.shape[2:]
        *skips, deep = self.encoder(self.padded(x))
        if isinstance(self.decoder, PlainDecoder):
            skips.clear()  # at full resolution they would only take memory
        latents = [deep] if self.context is None else self.context(deep)
        seen, answers = self.pairs(*latents)
        deepest, *between, last = self.drop
        finest = last(self.decoder(deepest(seen), skips, between))
        segmentation = cropped(self.heads["segmentation"](finest), size)
        return {"segmentation": segmentation, **answers}

    def _read(self, position: int) -> Interval:
        """Return the pixels read for one pixel of the segmentation, along an axis."""
        wanted, skips = self.decoder.read((position, position))
        wanted = widened(wanted, self.pairs.reach)
        if self.context is not None:
            wanted = self.context.read(wanted)
        for stage in reversed(self.encoder.stages):
            layers = windowed_layers(stage, without=SHORTCUT)
            wanted = read_by_layers(wanted, layers)
            if skips:
                wanted = hull([wanted, skips.pop()])
        return wanted
