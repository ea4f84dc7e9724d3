"""Published classification networks as encoders (METHODS.md section 3, T7)."""

from typing import Literal

from torch import Tensor, nn

EncoderName = Literal["resnet34", "resnet50", "resnet101", "densenet121"]
"""A published classification network without its classifier."""

_RESNET_BLOCKS: dict[str, tuple[str, list[int]]] = {
    "resnet34": ("basic", [3, 4, 6, 3]),
    "resnet50": ("bottleneck", [3, 4, 6, 3]),
    "resnet101": ("bottleneck", [3, 4, 23, 3]),
}
SHORTCUT = "downsample"
"""Name of the parts that run beside the convolutions of a ResNet's block"""


class NamedEncoder(nn.Module):
    """Five stages of a published network, each of half the resolution before it.

    Parameters
    ----------
    in_channels : int
        Channels of the image.
    encoder : {"resnet34", "resnet50", "resnet101", "densenet121"}
        Which network.
    ndim : int
        2 or 3.
    base : int
        Channels of the first stage, even; 64 as published, all others in proportion.

    Raises
    ------
    ValueError
        If there is no encoder of that name.

    References
    ----------
    .. [1] He et al., "Deep residual learning for image recognition", CVPR 2016; with
       the projection shortcuts (B) that most implementations have.
    .. [2] Huang et al., "Densely connected convolutional networks", CVPR 2017. Maps
       are handed on normalised and rectified, in front of each transition's 1x1
       convolution. MONAI's layers and first weights in both.
    """

    def __init__(
        self, in_channels: int, encoder: EncoderName, *, ndim: int, base: int = 64
    ) -> None:
        super().__init__()
        if encoder in _RESNET_BLOCKS:
            stages, widths = _resnet(in_channels, encoder, ndim=ndim, base=base)
        elif encoder == "densenet121":
            stages, widths = _densenet121(in_channels, ndim=ndim, base=base)
        else:
            known = ", ".join((*_RESNET_BLOCKS, "densenet121"))
            raise ValueError(f"no encoder is named {encoder!r}; known are {known}")
        self.stages = nn.ModuleList(stages)
        self.widths = widths
        """channels of each stage, finest first"""

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return the maps of all stages, at a half to a 32nd of the resolution."""
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps


def _resnet(
    in_channels: int, encoder: str, *, ndim: int, base: int
) -> tuple[list[nn.Module], tuple[int, ...]]:
    """Return the stages and their channels."""
    from monai.networks.nets.resnet import ResNet

    block, depths = _RESNET_BLOCKS[encoder]
    # MONAI's own resnet34 has shortcuts without weights that stop the gradient
    whole = ResNet(
        block,
        depths,
        [base, 2 * base, 4 * base, 8 * base],
        spatial_dims=ndim,
        n_input_channels=in_channels,
        conv1_t_stride=2,
        shortcut_type="B",
        feed_forward=False,
        bias_downsample=False,
    )
    stages: list[nn.Module] = [
        nn.Sequential(whole.conv1, whole.bn1, whole.act),
        nn.Sequential(whole.maxpool, whole.layer1),
        whole.layer2,
        whole.layer3,
        whole.layer4,
    ]
    expansion = 4 if block == "bottleneck" else 1
    return stages, (base, *(base * 2**i * expansion for i in range(4)))


def _densenet121(
    in_channels: int, *, ndim: int, base: int
) -> tuple[list[nn.Module], tuple[int, ...]]:
    """Return the stages and their channels."""
    from monai.networks.nets.densenet import DenseNet

    whole = DenseNet(
        spatial_dims=ndim,
        in_channels=in_channels,
        out_channels=1,
        init_features=base,
        growth_rate=base // 2,
        block_config=(6, 12, 24, 16),
    )
    parts = dict(whole.features.named_children())
    stages: list[nn.Module] = [
        nn.Sequential(parts["conv0"], parts["norm0"], parts["relu0"])
    ]
    shrinking = [parts["pool0"]]
    for number in (1, 2, 3):
        after = dict(parts[f"transition{number}"].named_children())
        stages.append(
            nn.Sequential(
                *shrinking, parts[f"denseblock{number}"], after["norm"], after["relu"]
            )
        )
        shrinking = [after["conv"], after["pool"]]
    last = (parts["denseblock4"], parts["norm5"], nn.ReLU(inplace=True))
    stages.append(nn.Sequential(*shrinking, *last))
    return stages, (base, 4 * base, 8 * base, 16 * base, 16 * base)
