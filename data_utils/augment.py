"""Flips, quarter turns and elastic deformation of whole batches, on the device that holds them.

N is the batch, H and W are rows and columns of a crop: `image_N1HW` is float32, `target_N1HW` float32 with values 0 and 1; what
else belongs to the crop (its mask, its maps) moves with them. All of it is changed in place, by one draw a sample however much moves.
Random numbers come from an explicit generator on the CPU, so the same draw is made whatever device holds the batch, and
asking for one never waits for a GPU.
"""

from collections.abc import Sequence

import torch
from torch.nn import functional

# The four weights of a pixel sum to 1 but for rounding, and what weighs less than a thousandth decides nothing.
_ALL_COUNTED = 0.999


def random_flips(
    image_N1HW: torch.Tensor, target_N1HW: torch.Tensor, others: Sequence[torch.Tensor] = (), *, generator: torch.Generator
) -> None:
    """Mirrors each sample top to bottom and left to right, each with probability 1/2; `others` [N, 1, H, W] likewise."""
    flips_N2 = torch.randint(2, (len(image_N1HW), 2), generator=generator).tolist()
    for sample, (vertical, horizontal) in enumerate(flips_N2):
        dims = [dim for dim, flipped in ((-2, vertical), (-1, horizontal)) if flipped]
        if dims:
            for moving_N1HW in (image_N1HW, target_N1HW, *others):
                moving_N1HW[sample] = moving_N1HW[sample].flip(dims)


def random_quarter_turns(
    image_N1HW: torch.Tensor, target_N1HW: torch.Tensor, others: Sequence[torch.Tensor] = (), *, generator: torch.Generator
) -> None:
    """Turns each sample by 0, 90, 180 or 270 degrees, with equal probability; `others` [N, 1, H, W] likewise.

    Raises:
        ValueError: the crops are not square, so a turned one does not fit into its batch.
    """
    height, width = image_N1HW.shape[-2:]
    if height != width:
        raise ValueError(f"quarter turns need square crops, got {height} x {width} px: choose one crop_px or switch quarter_turns off")
    for sample, turns in enumerate(torch.randint(4, (len(image_N1HW),), generator=generator).tolist()):
        if turns:
            for moving_N1HW in (image_N1HW, target_N1HW, *others):
                # rot90 by an odd count is a view of a transpose: clone before writing over what it looks at
                moving_N1HW[sample] = moving_N1HW[sample].rot90(turns, (-2, -1)).clone()


def elastic_deformation(
    image_N1HW: torch.Tensor,
    target_N1HW: torch.Tensor,
    mask_N1HW: torch.Tensor | None = None,
    *,
    magnitude_px: float,
    sigma_px: float = 64.0,
    generator: torch.Generator,
) -> None:
    """Warps each sample by its own smooth random displacement, image, target and mask alike, with one grid_sample.

    Displacements are normal with standard deviation `magnitude_px` on a coarse grid `sigma_px` apart, made smooth by bicubic
    interpolation (Ronneberger et al. 2015, "U-Net", section 3.1, with a 3 x 3 grid and 10 px). Beyond the border the crop is
    mirrored. The target is interpolated and cut at 1/2, so it stays binary; an empty target stays empty. A pixel of the mask stays 1 where
    all that was interpolated into it was 1. Maps cannot be warped, since a warp changes distances: they are made again of the new target.

    Args:
        image_N1HW: images, float32.
        target_N1HW: targets, float32 in {0, 1}.
        mask_N1HW: float32, 1 where the label is known and 0 elsewhere; None where it is known everywhere.
        magnitude_px: standard deviation of the displacement in each direction; 0 changes nothing.
        sigma_px: distance of the grid's points: the larger, the smoother. Below 8 times the magnitude the sheet may fold.
        generator: on the CPU.

    Raises:
        ValueError: a negative magnitude or a sigma that is not positive.
    """
    if magnitude_px < 0 or sigma_px <= 0:
        raise ValueError(f"`magnitude_px >= 0` and `sigma_px > 0` must hold, got {magnitude_px=}, {sigma_px=}")
    if magnitude_px == 0:
        return
    num_samples, _, height, width = image_N1HW.shape
    coarse = (num_samples, 2, max(3, round(height / sigma_px) + 1), max(3, round(width / sigma_px) + 1))
    coarse_N2hw = torch.randn(coarse, generator=generator).to(image_N1HW.device)
    shift_N2HW = functional.interpolate(coarse_N2hw, size=(height, width), mode="bicubic", align_corners=True) * magnitude_px
    warp(image_N1HW, target_N1HW, shift_N2HW, mask_N1HW)


def warp(image_N1HW: torch.Tensor, target_N1HW: torch.Tensor, shift_N2HW: torch.Tensor, mask_N1HW: torch.Tensor | None = None) -> None:
    """Each pixel becomes what lies at its own place plus `shift_N2HW` (rows, columns; px).

    All are interpolated linearly in one grid_sample; beyond the border they are mirrored. The target is cut at 1/2, the mask at nearly 1,
    and the target is 0 where the mask is.
    """
    num_samples, _, height, width = image_N1HW.shape
    # grid_sample measures from -1 to 1 across the crop, columns before rows
    shift_NHW2 = torch.stack((shift_N2HW[:, 1] * (2 / width), shift_N2HW[:, 0] * (2 / height)), dim=-1)
    identity_N23 = torch.eye(2, 3, device=image_N1HW.device).expand(num_samples, 2, 3)
    grid_NHW2 = functional.affine_grid(identity_N23, [num_samples, 1, height, width], align_corners=False) + shift_NHW2
    all_NCHW = torch.cat((image_N1HW, target_N1HW) if mask_N1HW is None else (image_N1HW, target_N1HW, mask_N1HW), dim=1)
    warped_NCHW = functional.grid_sample(all_NCHW, grid_NHW2, mode="bilinear", padding_mode="reflection", align_corners=False)
    image_N1HW.copy_(warped_NCHW[:, :1])
    target_N1HW.copy_(warped_NCHW[:, 1:2] > 0.5)
    if mask_N1HW is not None:
        mask_N1HW.copy_(warped_NCHW[:, 2:] > _ALL_COUNTED)
        target_N1HW.mul_(mask_N1HW)
