"""How far the answer of a network reaches in its image, measured by gradients."""

import torch
from torch import nn

_AVERAGES = {nn.MaxPool2d: nn.AvgPool2d, nn.MaxPool3d: nn.AvgPool3d}


def support_radius(network, length, *, axis=0, head="segmentation"):
    """Return how far the gradient of one output reaches along an axis.

    The largest over the pooling grid, for a network of one input channel. Positive
    weights and average pooling keep gradients from cancelling and maxima from hiding
    what they compared.
    """
    network = network.eval().double()
    for parameter in network.parameters():
        if parameter.ndim > 1:
            nn.init.constant_(parameter, 1 / parameter[0].numel())
    for module in list(network.modules()):
        for name, part in list(module.named_children()):
            if type(part) in _AVERAGES:
                average = _AVERAGES[type(part)]
                window = (part.kernel_size, part.stride, part.padding)
                setattr(module, name, average(*window))
    size = list(network.size_multiple)
    grid, size[axis] = size[axis], length
    image = torch.ones(1, 1, *size, dtype=torch.double, requires_grad=True)
    output = network(image)[head][0, 0]
    along = output.movedim(axis, 0).flatten(1).sum(1)
    middle = length // 2 // grid * grid
    radius = 0
    for position in range(middle, middle + grid):
        (gradient,) = torch.autograd.grad(along[position], image, retain_graph=True)
        reached = gradient[0, 0].movedim(axis, 0).flatten(1).sum(1).nonzero().ravel()
        radius = max(radius, position - int(reached[0]), int(reached[-1]) - position)
    return radius
