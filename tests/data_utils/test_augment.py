"""Flips, turns and warps move image and target together, with all that belongs to them, and keep the target binary."""

from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from data_utils.augment import elastic_deformation, random_flips, random_quarter_turns, warp


def batch(*, samples: int = 5, height: int = 12, width: int = 12, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    image_N1HW = torch.randn((samples, 1, height, width), generator=torch.Generator().manual_seed(seed))
    return image_N1HW, (image_N1HW > 0).float()


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@given(seed=st.integers(min_value=0, max_value=2**31), flips=st.booleans(), turns=st.booleans())
@settings(max_examples=40, deadline=None)
def test_image_and_target_move_together(seed: int, flips: bool, turns: bool) -> None:
    image_N1HW, target_N1HW = batch(seed=seed)
    before = image_N1HW.clone()
    others = [2 * image_N1HW, (image_N1HW > 1).float()]
    if flips:
        random_flips(image_N1HW, target_N1HW, others, generator=generator(seed))
    if turns:
        random_quarter_turns(image_N1HW, target_N1HW, others, generator=generator(seed))
    assert torch.equal(target_N1HW, (image_N1HW > 0).float())
    assert torch.equal(others[0], 2 * image_N1HW)
    assert torch.equal(others[1], (image_N1HW > 1).float())
    # every sample is one of the eight ways to lay a square down
    for old_HW, new_HW in zip(before[:, 0], image_N1HW[:, 0], strict=True):
        ways = [face.rot90(turn) for face in (old_HW, old_HW.flip(0)) for turn in range(4)]
        assert sum(torch.equal(new_HW, way) for way in ways) == 1


@pytest.mark.parametrize("augment", [random_flips, random_quarter_turns])
def test_samples_are_drawn_one_by_one_and_every_way_occurs(augment) -> None:
    image_N1HW = torch.arange(4.0).reshape(1, 1, 2, 2).repeat(400, 1, 1, 1)
    augment(image_N1HW, torch.zeros_like(image_N1HW), generator=generator())
    ways, counts = np.unique(image_N1HW.reshape(400, 4).numpy(), axis=0, return_counts=True)
    # four ways, each with probability 1/4: 100 +- 8.7
    assert len(ways) == 4
    assert counts.min() > 60


def test_flips_take_sections_that_are_not_square_but_turns_refuse_them() -> None:
    image_N1HW, target_N1HW = batch(height=8, width=12)
    random_flips(image_N1HW, target_N1HW, generator=generator())
    with pytest.raises(ValueError, match="quarter turns need square crops, got 8 x 12 px"):
        random_quarter_turns(image_N1HW, target_N1HW, generator=generator())


def test_a_warp_agrees_with_scipy() -> None:
    image_N1HW, target_N1HW = batch(samples=2, height=20, width=28)
    shift_N2HW = 4 * torch.randn((2, 2, 20, 28), generator=generator(1))
    expected = []
    for image_HW, shift_2HW in zip(image_N1HW[:, 0].numpy(), shift_N2HW.numpy(), strict=True):
        places_2HW = np.mgrid[0:20, 0:28] + shift_2HW
        expected.append(ndimage.map_coordinates(image_HW, places_2HW, order=1, mode="reflect"))
    warp(image_N1HW, target_N1HW, shift_N2HW)
    # float32 coordinates of 28 px: 1e-6 of the width, times the difference between neighbours
    np.testing.assert_allclose(image_N1HW[:, 0].numpy(), np.stack(expected), atol=2e-4)


@given(seed=st.integers(min_value=0, max_value=2**31), magnitude_px=st.floats(min_value=0, max_value=20))
@settings(max_examples=25, deadline=None)
def test_the_target_stays_binary_and_follows_the_image(seed: int, magnitude_px: float) -> None:
    _, target_N1HW = batch(samples=2, height=40, width=40, seed=seed)
    image_N1HW = target_N1HW.clone()
    elastic_deformation(image_N1HW, target_N1HW, magnitude_px=magnitude_px, generator=generator(seed))
    assert set(target_N1HW.unique().tolist()) <= {0.0, 1.0}
    assert torch.equal(target_N1HW, (image_N1HW > 0.5).float())


def test_more_that_moves_changes_no_draw() -> None:
    for augment in (random_flips, random_quarter_turns):
        alone, beside = batch(), batch()
        augment(*alone, generator=generator(3))
        augment(*beside, [torch.zeros_like(beside[0]), torch.ones_like(beside[0])], generator=generator(3))
        assert torch.equal(alone[0], beside[0])


@pytest.mark.parametrize("seed", range(4))
def test_a_warped_pixel_counts_where_all_of_it_came_from_counted_pixels(seed: int) -> None:
    """The unknown region carries a value that the image has nowhere else: no pixel that counts may hold any of it."""
    image_N1HW, target_N1HW = batch(samples=3, height=40, width=48, seed=seed)
    mask_N1HW = (torch.rand(image_N1HW.shape, generator=generator(seed)) < 0.9).float()
    image_N1HW.clamp_(-1, 1)[mask_N1HW == 0] = 1e4
    alone = image_N1HW.clone(), target_N1HW.clone()
    elastic_deformation(image_N1HW, target_N1HW, mask_N1HW, magnitude_px=3.0, sigma_px=16.0, generator=generator(seed))
    assert set(mask_N1HW.unique().tolist()) == {0.0, 1.0}
    # a weight of 1/1000 is let through
    assert image_N1HW[mask_N1HW == 1].abs().max() <= 1 + 1e4 * 0.001
    assert (image_N1HW[mask_N1HW == 0].abs() > 1).float().mean() > 0.99
    elastic_deformation(*alone, magnitude_px=3.0, sigma_px=16.0, generator=generator(seed))
    assert torch.equal(alone[0], image_N1HW)
    assert torch.equal(alone[1] * mask_N1HW, target_N1HW)


def test_a_mask_of_ones_stays_so_however_far_it_is_warped() -> None:
    image_N1HW, target_N1HW = batch(samples=4, height=33, width=57)
    mask_N1HW = torch.ones_like(image_N1HW)
    elastic_deformation(image_N1HW, target_N1HW, mask_N1HW, magnitude_px=20.0, sigma_px=8.0, generator=generator())
    assert mask_N1HW.all()


def test_no_magnitude_changes_nothing_and_empty_targets_stay_empty() -> None:
    image_N1HW, target_N1HW = batch()
    before = image_N1HW.clone()
    elastic_deformation(image_N1HW, target_N1HW, magnitude_px=0, generator=generator())
    assert torch.equal(image_N1HW, before)
    nothing = torch.zeros_like(target_N1HW)
    elastic_deformation(image_N1HW, nothing, magnitude_px=5, generator=generator())
    assert not nothing.any()
    assert not torch.equal(image_N1HW, before)


def test_the_displacement_is_smooth_and_as_large_as_asked() -> None:
    rows = torch.arange(256.0).reshape(1, 1, 256, 1).expand(8, 1, 256, 256).clone()
    elastic_deformation(rows, torch.zeros_like(rows), magnitude_px=6.0, sigma_px=64.0, generator=generator())
    shift = rows[:, 0, 40:-40] - torch.arange(40.0, 216.0).reshape(1, -1, 1)
    # between its points the bicubic surface is flatter than at them, so somewhat less than 6 px
    assert 3.5 < shift.std() < 6.5
    # it never folds: what was below stays below
    assert rows[:, 0, 40:-40].diff(dim=1).min() > 0


def test_the_same_generator_gives_the_same_bits() -> None:
    for augment in (random_flips, random_quarter_turns, partial(elastic_deformation, magnitude_px=4.0)):
        first, second = batch(), batch()
        augment(*first, generator=generator(7))
        augment(*second, generator=generator(7))
        assert all(torch.equal(one, other) for one, other in zip(first, second, strict=True))


@pytest.mark.parametrize("numbers", [{"magnitude_px": -1.0}, {"magnitude_px": 1.0, "sigma_px": 0.0}])
def test_numbers_out_of_range_are_refused(numbers: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="`magnitude_px >= 0` and `sigma_px > 0` must hold, got"):
        elastic_deformation(*batch(), generator=generator(), **numbers)
