"""Flips, quarter turns and elastic deformation of whole batches, on the device that holds them.

N is the batch, H and W are rows and columns of a crop: `image_N1HW` is float32, `target_N1HW` float32 with values 0 and 1.
Random numbers come from an explicit generator on the CPU, so the same draw is made whatever device holds the batch, and
asking for one never waits for a GPU.
"""

import torch
from torch.nn import functional

Batch = tuple[torch.Tensor, torch.Tensor]


def random_flips(image_N1HW: torch.Tensor, target_N1HW: torch.Tensor, *, generator: torch.Generator) -> Batch:
    """Mirrors each sample top to bottom and left to right, each with probability 1/2. Changes the batch in place."""
    flips_N2 = torch.randint(2, (len(image_N1HW), 2), generator=generator).tolist()
    for sample, (vertical, horizontal) in enumerate(flips_N2):
        dims = [dim for dim, flipped in ((-2, vertical), (-1, horizontal)) if flipped]
        if dims:
            image_N1HW[sample] = image_N1HW[sample].flip(dims)
            target_N1HW[sample] = target_N1HW[sample].flip(dims)
    return image_N1HW, target_N1HW


def random_quarter_turns(image_N1HW: torch.Tensor, target_N1HW: torch.Tensor, *, generator: torch.Generator) -> Batch:
    """Turns each sample by 0, 90, 180 or 270 degrees, with equal probability. Changes the batch in place.

    Raises:
        ValueError: the crops are not square, so a turned one does not fit into its batch.
    """
    height, width = image_N1HW.shape[-2:]
    if height != width:
        raise ValueError(f"quarter turns need square crops, got {height} x {width} px: choose one crop_px or switch quarter_turns off")
    for sample, turns in enumerate(torch.randint(4, (len(image_N1HW),), generator=generator).tolist()):
        if turns:
            # rot90 by an odd count is a view of a transpose: clone before writing over what it looks at
            image_N1HW[sample] = image_N1HW[sample].rot90(turns, (-2, -1)).clone()
            target_N1HW[sample] = target_N1HW[sample].rot90(turns, (-2, -1)).clone()
    return image_N1HW, target_N1HW


def elastic_deformation(
    image_N1HW: torch.Tensor, target_N1HW: torch.Tensor, *, magnitude_px: float, sigma_px: float = 64.0, generator: torch.Generator
) -> Batch:
    """Warps each sample by its own smooth random displacement, image and target alike, with one grid_sample.

    Displacements are normal with standard deviation `magnitude_px` on a coarse grid `sigma_px` apart, made smooth by bicubic
    interpolation (Ronneberger et al. 2015, "U-Net", section 3.1, with a 3 x 3 grid and 10 px). Beyond the border the crop is
    mirrored. The target is interpolated and cut at 1/2, so it stays binary; an empty target stays empty. Changes the batch in place.

    Args:
        image_N1HW: images, float32.
        target_N1HW: targets, float32 in {0, 1}.
        magnitude_px: standard deviation of the displacement in each direction; 0 changes nothing.
        sigma_px: distance of the grid's points: the larger, the smoother. Below 8 times the magnitude the sheet may fold.
        generator: on the CPU.

    Raises:
        ValueError: a negative magnitude or a sigma that is not positive.
    """
    if magnitude_px < 0 or sigma_px <= 0:
        raise ValueError(f"`magnitude_px >= 0` and `sigma_px > 0` must hold, got {magnitude_px=}, {sigma_px=}")
    if magnitude_px == 0:
        return image_N1HW, target_N1HW
    num_samples, _, height, width = image_N1HW.shape
    coarse = (num_samples, 2, max(3, round(height / sigma_px) + 1), max(3, round(width / sigma_px) + 1))
    coarse_N2hw = torch.randn(coarse, generator=generator).to(image_N1HW.device)
    shift_N2HW = functional.interpolate(coarse_N2hw, size=(height, width), mode="bicubic", align_corners=True) * magnitude_px
    return warp(image_N1HW, target_N1HW, shift_N2HW)


def warp(image_N1HW: torch.Tensor, target_N1HW: torch.Tensor, shift_N2HW: torch.Tensor) -> Batch:
    """Each pixel becomes what lies at its own place plus `shift_N2HW` (rows, columns; px). Changes the batch in place.

    Image and target are interpolated linearly in one grid_sample, the target is cut at 1/2; beyond the border both are mirrored.
    """
    num_samples, _, height, width = image_N1HW.shape
    # grid_sample measures from -1 to 1 across the crop, columns before rows
    shift_NHW2 = torch.stack((shift_N2HW[:, 1] * (2 / width), shift_N2HW[:, 0] * (2 / height)), dim=-1)
    identity_N23 = torch.eye(2, 3, device=image_N1HW.device).expand(num_samples, 2, 3)
    grid_NHW2 = functional.affine_grid(identity_N23, [num_samples, 1, height, width], align_corners=False) + shift_NHW2
    both_N2HW = torch.cat((image_N1HW, target_N1HW), dim=1)
    warped_N2HW = functional.grid_sample(both_N2HW, grid_NHW2, mode="bilinear", padding_mode="reflection", align_corners=False)
    image_N1HW.copy_(warped_N2HW[:, :1])
    target_N1HW.copy_(warped_N2HW[:, 1:] > 0.5)
    return image_N1HW, target_N1HW
