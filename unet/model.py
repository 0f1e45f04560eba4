"""The U-Net of the thesis (after Ronneberger et al. 2015, arXiv 1505.04597), with batch normalisation and same-size convolutions.

Names follow the figure: `enc1_1` is the first convolution of the first (finest) level of the contracting path, `dec1_2` the last
convolution of the expanding path. Axes: N images, C channels, H rows, W columns; N1HW has one channel.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

ARCHITECTURES = ("unet",)


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """Which network a run trains."""

    architecture: str = "unet"
    """Name of the network. One exists: "unet"."""
    width: int = 64
    """Channels of the finest level; each level below has twice as many."""
    depth: int = 5
    """Number of levels. Image sides must divide by 2**(depth - 1)."""
    redundant_bias: bool = False
    """Give convolutions before batch normalisation a bias, as the thesis does. BN subtracts it again: it costs time and changes nothing."""

    def __post_init__(self) -> None:
        problems = []
        if self.architecture not in ARCHITECTURES:
            problems.append(f"architecture must be one of {', '.join(ARCHITECTURES)}, got {self.architecture!r}")
        if self.width < 1:
            problems.append(f"width must be at least 1, got {self.width}")
        if not 1 <= self.depth <= 8:
            problems.append(f"depth must be 1 to 8, got {self.depth}")
        if problems:
            raise ValueError("; ".join(problems))

    def build(self) -> "UNet":
        """The network itself, freshly initialised from torch's global generator."""
        return UNet(width=self.width, depth=self.depth, redundant_bias=self.redundant_bias)


class ConvBNReLU(nn.Sequential):
    """3x3 convolution, batch normalisation, ReLU: the thesis's CBR2d. Keeps H and W."""

    def __init__(self, in_channels: int, out_channels: int, *, bias: bool) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_size=3, padding=1, bias=bias)
        self.bn = nn.BatchNorm2d(out_channels)
        # In place: batch normalisation keeps its input for its gradient, not its output, so the output may be overwritten.
        self.relu = nn.ReLU(inplace=True)


class UNet(nn.Module):
    """Maps image_NCHW to logits_N1HW of the same height and width.

    Width 64 and depth 5 has 31,036,481 parameters, and 31,042,369 with `redundant_bias` (the thesis's own form).
    """

    def __init__(self, *, in_channels: int = 1, width: int = 64, depth: int = 5, redundant_bias: bool = False) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.width = width
        self.depth = depth
        self.redundant_bias = redundant_bias
        channels = [width * 2**level for level in range(depth)]
        for level, (inside, outside) in enumerate(zip([in_channels, *channels[:-1]], channels, strict=True), start=1):
            self.add_module(f"enc{level}_1", ConvBNReLU(inside, outside, bias=redundant_bias))
            self.add_module(f"enc{level}_2", ConvBNReLU(outside, outside, bias=redundant_bias))
        self.pool = nn.MaxPool2d(kernel_size=2)
        for level in range(depth - 1, 0, -1):
            coarse, fine = channels[level], channels[level - 1]
            self.add_module(f"up{level}", nn.ConvTranspose2d(coarse, fine, kernel_size=2, stride=2))
            self.add_module(f"dec{level}_1", ConvBNReLU(2 * fine, fine, bias=redundant_bias))
            self.add_module(f"dec{level}_2", ConvBNReLU(fine, fine, bias=redundant_bias))
        self.head = nn.Conv2d(width, 1, kernel_size=1)

    def forward(self, image_NCHW: Tensor) -> Tensor:
        """Logits of the positive class. ValueError when H or W does not divide by 2**(depth - 1)."""
        self._check(image_NCHW)
        features = image_NCHW
        skips = []
        for level in range(1, self.depth):
            features = self._pair("enc", level, features)
            skips.append(features)
            features = self.pool(features)
        features = self._pair("enc", self.depth, features)
        for level in range(self.depth - 1, 0, -1):
            features = torch.cat([skips.pop(), self.get_submodule(f"up{level}")(features)], dim=1)
            features = self._pair("dec", level, features)
        return self.head(features)

    def _pair(self, side: str, level: int, features: Tensor) -> Tensor:
        return self.get_submodule(f"{side}{level}_2")(self.get_submodule(f"{side}{level}_1")(features))

    def _check(self, image_NCHW: Tensor) -> None:
        divisor = 2 ** (self.depth - 1)
        if image_NCHW.ndim != 4 or image_NCHW.shape[1] != self.in_channels:
            raise ValueError(f"the U-Net takes [N, {self.in_channels}, H, W], got {list(image_NCHW.shape)}")
        height, width = image_NCHW.shape[2:]
        if height % divisor or width % divisor:
            raise ValueError(
                f"a U-Net of depth {self.depth} halves the image {self.depth - 1} times, so height and width must divide by {divisor}; "
                f"got {height} x {width}. Crop or pad to {-(-height // divisor) * divisor} x {-(-width // divisor) * divisor}"
            )
