"""A trained network without its batch normalisations, for prediction alone: the same function in fewer passes over memory.

In evaluation a batch normalisation is y = gamma (x - mean) / sqrt(var + eps) + beta, with constants for a channel (Ioffe & Szegedy 2015,
arXiv 1502.03167, algorithm 2, line 11). After a convolution x = W * u + b that is a convolution again, with s = gamma / sqrt(var + eps):

    y = (s W) * u + s (b - mean) + beta
"""

import copy
from typing import TypeVar

import torch
from torch import nn

from unet.model import ConvBNReLU

Network = TypeVar("Network", bound=nn.Module)


def folded(model: Network) -> Network:
    """Return a copy in evaluation mode whose convolutions do what their batch normalisation did as well.

    A network without batch normalisation, such as one that is folded already, comes back itself. The model is left as it is, and what
    is trained afterwards does not show in the copy.
    """
    blocks = [module for module in model.modules() if isinstance(module, ConvBNReLU) and isinstance(module.bn, nn.BatchNorm2d)]
    if not blocks:
        return model
    with torch.no_grad():
        # Put the replacements where deepcopy looks for what it has copied already, so that the old weights are never copied.
        memo = {id(block): _folded_block(block) for block in blocks}
        copied = copy.deepcopy(model, memo)
    return copied.eval()


def _folded_block(block: ConvBNReLU) -> nn.Sequential:
    """Return a block's convolution, its batch normalisation folded in, and ReLU. Computed in float64, rounded once."""
    conv, bn = block.conv, block.bn
    assert isinstance(bn, nn.BatchNorm2d) and bn.running_mean is not None and bn.running_var is not None
    scale = bn.weight.double() / (bn.running_var.double() + bn.eps).sqrt()
    bias = bn.bias.double() - bn.running_mean.double() * scale
    if conv.bias is not None:
        bias += conv.bias.double() * scale
    plain = nn.Conv2d(conv.in_channels, conv.out_channels, kernel_size=3, padding=1, device="meta")
    plain.weight = nn.Parameter((conv.weight.double() * scale[:, None, None, None]).to(conv.weight.dtype), requires_grad=False)
    plain.bias = nn.Parameter(bias.to(conv.weight.dtype), requires_grad=False)
    return nn.Sequential(plain, nn.ReLU(inplace=True))
