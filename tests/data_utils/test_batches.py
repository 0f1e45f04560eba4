"""Crops come from where they say, and an epoch depends on (seed, epoch) alone."""

import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from data_utils.batches import CropConfig, Crops, Normalisation
from data_utils.errors import DataError
from data_utils.gaps import cell_gap
from data_utils.maps import MAPS, signed_distance, skeleton

AS_STORED = Normalisation(mean=0.0, std=1.0)
PLAIN = CropConfig(crop_px=8, batch_size=3, flips=False, quarter_turns=False)


def numbered(sections: int = 5, height: int = 12, width: int = 15) -> tuple[np.ndarray, np.ndarray]:
    """A stack whose every pixel is its own index, so that a crop tells where it came from; odd pixels are membrane."""
    raw_ZHW = np.arange(sections * height * width, dtype=np.float32).reshape(sections, height, width)
    return raw_ZHW, raw_ZHW % 2 == 1


def crops(config: CropConfig = PLAIN, *, sections: tuple[int, ...] = (0, 1, 3), seed: int = 0, **options) -> Crops:
    raw_ZHW, membrane_ZHW = numbered()
    return Crops(raw_ZHW, membrane_ZHW, sections, config=config, normalisation=AS_STORED, device="cpu", seed=seed, **options)


def all_of(made: Crops, epoch: int) -> tuple[torch.Tensor, torch.Tensor]:
    batches = list(made.epoch(epoch))
    return torch.cat([batch.image_N1HW for batch in batches]), torch.cat([batch.target_N1HW for batch in batches])


@given(
    crop_px=st.integers(min_value=1, max_value=12),
    crops_per_section=st.integers(min_value=1, max_value=4),
    batch_size=st.integers(min_value=1, max_value=7),
    flips=st.booleans(),
    quarter_turns=st.booleans(),
    seed=st.integers(min_value=0, max_value=2**63),
    epoch=st.integers(min_value=0, max_value=10**6),
)
@settings(max_examples=60, deadline=None)
def test_an_epoch_has_the_right_crops(
    crop_px: int, crops_per_section: int, batch_size: int, flips: bool, quarter_turns: bool, seed: int, epoch: int
) -> None:
    config = CropConfig(
        crop_px=crop_px, crops_per_section=crops_per_section, batch_size=batch_size, flips=flips, quarter_turns=quarter_turns
    )
    made = crops(config, seed=seed)
    batches = list(made.epoch(epoch))
    assert len(batches) == made.steps_per_epoch
    sizes = [len(batch.image_N1HW) for batch in batches]
    assert sum(sizes) == made.crops_per_epoch == 3 * crops_per_section
    assert all(size == batch_size for size in sizes[:-1])
    assert 1 <= sizes[-1] <= batch_size
    raw_ZHW, _ = numbered()
    came_from = []
    for batch in batches:
        image_N1HW, target_N1HW = batch.image_N1HW, batch.target_N1HW
        assert batch.mask_N1HW is None and not batch.aux
        assert image_N1HW.shape == target_N1HW.shape == (len(image_N1HW), 1, crop_px, crop_px)
        assert image_N1HW.dtype == target_N1HW.dtype == torch.float32
        assert torch.equal(target_N1HW, image_N1HW % 2)
        for crop_HW in image_N1HW[:, 0]:
            # the smallest index is the corner, however the crop was laid down
            section, top, left = np.unravel_index(int(crop_HW.min()), raw_ZHW.shape)
            came_from.append(int(section))
            expected = torch.from_numpy(raw_ZHW[section, top : top + crop_px, left : left + crop_px])
            ways = [face.rot90(turn) for face in (expected, expected.flip(0)) for turn in range(4)]
            assert any(torch.equal(crop_HW, way) for way in ways)
            if not flips and not quarter_turns:
                assert torch.equal(crop_HW, expected)
    assert sorted(came_from) == sorted((0, 1, 3) * crops_per_section)


@pytest.mark.parametrize("elastic_px", [0.0, 3.0])
def test_an_epoch_can_be_made_again_at_any_time_by_anyone(elastic_px: float) -> None:
    config = CropConfig(crop_px=8, batch_size=2, crops_per_section=2, elastic_px=elastic_px)
    first, second = crops(config, seed=5), crops(config, seed=5)
    ahead = all_of(first, 3)
    for epoch in (0, 1, 2):
        all_of(second, epoch)
    next(iter(second.epoch(3)))  # an epoch left half way leaves nothing behind
    again = all_of(second, 3)
    assert all(torch.equal(one, other) for one, other in zip(ahead, again, strict=True))


def test_other_seeds_and_epochs_give_other_crops() -> None:
    seen = [all_of(crops(seed=seed), epoch)[0] for seed, epoch in ((0, 0), (0, 1), (1, 0), (1, 2), (2, 1))]
    assert all(not torch.equal(one, other) for i, one in enumerate(seen) for other in seen[i + 1 :])


def test_every_place_can_be_drawn_to_the_last_row_and_column() -> None:
    made = crops(CropConfig(crop_px=11, crops_per_section=100, flips=False, quarter_turns=False), sections=(2,))
    corners = {int(crop_HW.min()) - 2 * 12 * 15 for crop_HW in all_of(made, 0)[0][:, 0]}
    assert corners == {top * 15 + left for top in range(2) for left in range(5)}


def test_the_positive_class_can_be_the_cell() -> None:
    membrane, cell = (all_of(crops(positive=positive), 0) for positive in ("membrane", "cell"))
    assert torch.equal(membrane[0], cell[0])
    assert torch.equal(membrane[1], 1 - cell[1])


def test_channels_last_changes_the_layout_and_no_value() -> None:
    plain, laid_out = crops(), crops(channels_last=True)
    assert torch.equal(all_of(plain, 0)[0], all_of(laid_out, 0)[0])
    batch = next(iter(laid_out.epoch(0)))
    assert batch.image_N1HW.stride() == batch.target_N1HW.stride() == (64, 1, 8, 1)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_grey_values_are_normalised_by_the_training_sections(dtype) -> None:
    raw_ZHW = np.random.default_rng(0).integers(0, 200, (4, 16, 16)).astype(dtype)
    raw_ZHW[3] = 255  # not a training section: must not count
    normalisation = Normalisation.of(raw_ZHW, (0, 1, 2))
    assert normalisation.mean == pytest.approx(raw_ZHW[:3].mean())
    assert normalisation.std == pytest.approx(raw_ZHW[:3].std())
    whole = CropConfig(crop_px=16, batch_size=3)
    made = Crops(raw_ZHW, raw_ZHW > 100, (0, 1, 2), config=whole, normalisation=normalisation, device="cpu", seed=0)
    image_N1HW, _ = all_of(made, 0)
    assert image_N1HW.mean().item() == pytest.approx(0, abs=1e-5)
    assert image_N1HW.std(correction=0).item() == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose(np.sort(normalisation.apply(raw_ZHW[:3]).ravel()), image_N1HW.ravel().sort().values, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("value", [0, 7, 65535])
def test_a_constant_image_is_not_divided_by_zero(value: int) -> None:
    raw_ZHW = np.full((2, 16, 16), value, np.uint16)
    normalisation = Normalisation.of(raw_ZHW, (0, 1))
    assert (normalisation.mean, normalisation.std) == (value, 1.0)
    made = Crops(raw_ZHW, raw_ZHW > 0, (0,), config=PLAIN, normalisation=normalisation, device="cpu", seed=0)
    assert not all_of(made, 0)[0].any()


def patchy(sections: int = 4, size: int = 40) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Smooth cells, as raw the index of each pixel, and a stripe of unknown labels in each section."""
    field_ZHW = ndimage.gaussian_filter(np.random.default_rng(0).standard_normal((sections, size, size)), (0, 3, 3))
    raw_ZHW = np.arange(field_ZHW.size, dtype=np.float32).reshape(field_ZHW.shape)
    counted_ZHW = np.ones(field_ZHW.shape, bool)
    for section in range(sections):
        counted_ZHW[section, 5 * section : 5 * section + 9] = False
    return raw_ZHW, np.abs(field_ZHW) < 0.3 * field_ZHW.std(), counted_ZHW


def patchy_crops(
    *, seed: int = 0, sections: tuple[int, ...] = (0, 2, 3), known: bool = False, maps=(), positive="membrane", **config
) -> Crops:
    raw_ZHW, membrane_ZHW, counted_ZHW = patchy()
    return Crops(
        raw_ZHW,
        membrane_ZHW,
        sections,
        config=CropConfig(**{"crop_px": 16, "crops_per_section": 4, "batch_size": 5} | config),
        normalisation=AS_STORED,
        device="cpu",
        seed=seed,
        positive=positive,
        counted_ZHW=None if known else counted_ZHW,
        maps=maps,
    )


@pytest.mark.parametrize("positive", ["membrane", "cell"])
@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("seed", range(3))
def test_maps_and_mask_follow_the_crop_and_are_of_the_whole_section(positive: str, known: bool, seed: int) -> None:
    """Every raw pixel is its own index, so each pixel of the batch tells what the map of its section must hold there."""
    _, membrane_ZHW, counted_ZHW = patchy()
    target_ZHW = (membrane_ZHW == (positive == "membrane")) & (counted_ZHW | known)
    pairs = [(target_HW, ~target_HW & known_HW) for target_HW, known_HW in zip(target_ZHW, counted_ZHW | known, strict=True)]
    cells = pairs if positive == "cell" else [pair[::-1] for pair in pairs]
    expected = {
        "distance": np.stack([signed_distance(*pair) for pair in pairs]),
        "skeleton": np.stack([skeleton(target_HW) for target_HW in target_ZHW]),
        "cell_gap": np.stack([cell_gap(cell_HW) for cell_HW, _ in cells]),
    }
    for batch in patchy_crops(seed=seed, known=known, maps=list(MAPS), positive=positive).epoch(seed):
        places = batch.image_N1HW.long().numpy()
        assert list(batch.aux) == list(MAPS)
        for name, tensor in batch.aux.items():
            assert tensor.dtype == torch.float32
            np.testing.assert_array_equal(tensor, expected[name].ravel()[places])
        np.testing.assert_array_equal(batch.target_N1HW, target_ZHW.ravel()[places])
        if known:
            assert batch.mask_N1HW is None
        else:
            assert batch.mask_N1HW.dtype == torch.float32
            np.testing.assert_array_equal(batch.mask_N1HW, counted_ZHW.ravel()[places])
            assert not batch.target_N1HW[batch.mask_N1HW == 0].any()


@pytest.mark.parametrize("positive", ["membrane", "cell"])
def test_after_a_warp_maps_are_of_the_warped_target(positive: str) -> None:
    for batch in patchy_crops(maps=["cell_gap", "distance"], elastic_px=3.0, positive=positive).epoch(0):
        assert list(batch.aux) == ["cell_gap", "distance"]
        known_NHW = batch.mask_N1HW[:, 0].numpy() == 1
        for sample, target_HW in enumerate(batch.target_N1HW[:, 0].numpy() == 1):
            other_HW = ~target_HW & known_NHW[sample]
            np.testing.assert_array_equal(batch.aux["distance"][sample, 0], signed_distance(target_HW, other_HW))
            np.testing.assert_array_equal(batch.aux["cell_gap"][sample, 0], cell_gap(target_HW if positive == "cell" else other_HW))
        assert ((batch.aux["distance"] < 0) == (batch.target_N1HW == 1)).all()
        assert 0 < batch.mask_N1HW.mean() < 1


@pytest.mark.parametrize("elastic_px", [0.0, 3.0])
def test_what_is_asked_beside_the_images_changes_no_image(elastic_px: float) -> None:
    plain = all_of(patchy_crops(known=True, elastic_px=elastic_px), 1)
    mapped = all_of(patchy_crops(known=True, elastic_px=elastic_px, maps=list(MAPS)), 1)
    masked = all_of(patchy_crops(elastic_px=elastic_px, maps=["skeleton"]), 1)
    assert torch.equal(plain[0], mapped[0]) and torch.equal(plain[1], mapped[1])
    assert torch.equal(plain[0], masked[0])


def test_a_map_asked_twice_comes_once_in_the_images_layout() -> None:
    made = crops(maps=["distance", "distance"], channels_last=True, counted_ZHW=numbered()[1])
    assert made.maps == ("distance",)
    batch = next(iter(made.epoch(0)))
    assert batch.aux["distance"].stride() == batch.mask_N1HW.stride() == batch.image_N1HW.stride()


def test_maps_of_sections_not_trained_on_are_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    monkeypatch.setattr("data_utils.batches.section_map", lambda target_HW, name, **_: (made.append(name), np.zeros(target_HW.shape))[1])
    patchy_crops(maps=["distance", "skeleton"], sections=(1, 2))
    patchy_crops(maps=["distance", "skeleton"], sections=(1, 2), elastic_px=2.0)  # of crops, later
    assert made == ["distance"] * 2 + ["skeleton"] * 2


def test_the_stack_is_not_changed() -> None:
    raw_ZHW, membrane_ZHW = numbered()
    before = raw_ZHW.copy(), membrane_ZHW.copy()
    config = CropConfig(crop_px=12, elastic_px=4.0)
    list(Crops(raw_ZHW, membrane_ZHW, range(5), config=config, normalisation=AS_STORED, device="cpu", seed=0).epoch(0))
    assert np.array_equal(before[0], raw_ZHW)
    assert np.array_equal(before[1], membrane_ZHW)


def test_data_that_do_not_fit_are_refused() -> None:
    with pytest.raises(DataError, match="crops of 13 x 13 px do not fit into sections of 12 x 15 px: choose crop_px <= 12"):
        crops(CropConfig(crop_px=13))
    with pytest.raises(DataError, match=re.escape("the stack has sections 0 to 4, but crops were asked of [5]")):
        crops(sections=(0, 5))
    with pytest.raises(DataError, match="no sections to crop from"):
        crops(sections=())
    raw_ZHW, membrane_ZHW = numbered()
    with pytest.raises(DataError, match=re.escape("one shape (Z, H, W), got (5, 12, 15) and (4, 12, 15)")):
        Crops(raw_ZHW, membrane_ZHW[:4], (0,), config=PLAIN, normalisation=AS_STORED, device="cpu", seed=0)
    with pytest.raises(DataError, match=re.escape("counted_ZHW must be bool (5, 12, 15), as the sections, got bool (4, 12, 15)")):
        crops(counted_ZHW=membrane_ZHW[:4])
    with pytest.raises(DataError, match=re.escape("as the sections, got float32 (5, 12, 15)")):
        crops(counted_ZHW=raw_ZHW)


def test_numbers_out_of_range_are_refused_all_at_once() -> None:
    with pytest.raises(ValueError, match=r"`crop_px >= 1` must hold, got crop_px=0; `batch_size >= 1`.*; `elastic_px >= 0`"):
        CropConfig(crop_px=0, batch_size=-1, elastic_px=-0.5)
    with pytest.raises(ValueError, match="positive must be 'membrane' or 'cell', got 'membranes'"):
        crops(positive="membranes")
    with pytest.raises(ValueError, match="no map is called 'progress'; there are distance, skeleton, cell_gap"):
        crops(maps=["distance", "progress"])
    with pytest.raises(ValueError, match="`seed >= 0` must hold, got seed=-1"):
        crops(seed=-1)
    with pytest.raises(ValueError, match="`std > 0` and finite numbers must hold"):
        Normalisation(mean=0.0, std=0.0)
