"""The smooth surface against functions that are known, and the plane that is cut out of it."""

from typing import Any

import numpy as np
import pytest
from scipy.optimize import check_grad

from sweeps.search.plane import plane
from sweeps.search.surface import MOST_TRIALS, Settings, Surface, _minus_evidence, raise_outliers, spread_over
from sweeps.search.unit import from_unit, to_unit
from sweeps.space import Choice, Domain, Float

SPACE: dict[str, Domain] = {
    "loss.alpha": Float(low=0.05, high=0.95),
    "loss.gamma": Float(low=0, high=5),
    "train.lr": Float(low=1e-5, high=1e-2, log=True),
}


def drawn(trials: int, seed: int = 0, space: dict[str, Domain] = SPACE) -> list[dict[str, Any]]:
    rng = np.random.default_rng(seed)
    return [{name: from_unit(domain, rng.uniform()) for name, domain in space.items()} for _ in range(trials)]


def quadratic(told: dict[str, Any]) -> float:
    """The top, .8, is at alpha .35, gamma 2, learning rate 1e-3."""
    rate = np.log10(told["train.lr"]) + 3
    return 0.8 - 0.3 * (told["loss.alpha"] - 0.35) ** 2 - 0.005 * (told["loss.gamma"] - 2) ** 2 - 0.01 * rate**2


def test_a_quadratic_is_found_again() -> None:
    chosen = drawn(60)
    rng = np.random.default_rng(1)
    surface = Surface(SPACE, chosen, [quadratic(told) + 0.001 * rng.normal() for told in chosen])
    fresh = drawn(200, seed=2)
    height, _ = surface.at(fresh)
    truth = np.maximum([quadratic(told) for told in fresh], surface.floor)
    assert np.sqrt(np.mean((height - truth) ** 2)) < 0.006
    assert surface.explained > 0.9
    # the error that leaving out tells is the error on fresh points, and the noise in the scores
    assert surface.left_out_error == pytest.approx(np.sqrt(np.mean((height - truth) ** 2) + 0.001**2), rel=0.6)


def test_leaving_out_is_what_its_formula_says() -> None:
    chosen = drawn(15, seed=3)
    scores = [quadratic(told) for told in chosen]
    whole = Surface(SPACE, chosen, scores)
    errors = []
    for left in range(len(chosen)):
        kept = [number for number in range(len(chosen)) if number != left]
        less = Surface(SPACE, [chosen[number] for number in kept], [scores[number] for number in kept], whole.settings)
        less.mean, less.sd, less.floor = whole.mean, whole.sd, whole.floor
        raised = np.maximum(scores, whole.floor)
        less._y_N = (raised[kept] - whole.mean) / whole.sd
        from scipy.linalg import cho_solve

        less._weight_N = cho_solve((less._root_NN, True), less._y_N)
        errors.append(less.at([chosen[left]])[0][0] - raised[left])
    assert whole.left_out_error == pytest.approx(np.sqrt(np.mean(np.square(errors))), rel=1e-3)


def test_noise_alone_explains_nothing() -> None:
    rng = np.random.default_rng(4)
    assert Surface(SPACE, drawn(60, seed=4), rng.normal(size=60).tolist()).explained < 0.15


def test_settings_give_the_surface_again_whatever_the_order_of_names() -> None:
    chosen = drawn(30)
    scores = [quadratic(told) for told in chosen]
    first = Surface(SPACE, chosen, scores)
    turned = dict(reversed(SPACE.items()))
    settings = Settings(lengths=tuple(reversed(first.settings.lengths)), signal=first.settings.signal, noise=first.settings.noise)
    second = Surface(turned, chosen, scores, settings)
    fresh = drawn(20, seed=5)
    np.testing.assert_allclose(first.at(fresh), second.at(fresh), atol=1e-9)


def test_a_choice_has_a_column_a_value() -> None:
    space = SPACE | {"loss.kind": Choice(choices=("image", "batch", "none"))}
    chosen = drawn(60, 6, space)
    worse = {"image": 0.0, "batch": 0.05, "none": 0.02}
    surface = Surface(space, chosen, [quadratic(told) - worse[told["loss.kind"]] for told in chosen])
    at = {"loss.alpha": 0.35, "loss.gamma": 2.0, "train.lr": 1e-3}
    heights = surface.at([at | {"loss.kind": kind} for kind in worse])[0]
    assert heights[0] > heights[2] > heights[1]


def test_the_gradient_is_right() -> None:
    rng = np.random.default_rng(7)
    x_ND, y_N = rng.random((20, 2)), rng.normal(size=20)
    square_PNN = np.stack([(x_ND[:, None, at] - x_ND[None, :, at]) ** 2 for at in range(2)])
    at = np.array([-0.5, 0.3, 0.1, -1.0])
    error = check_grad(lambda p: _minus_evidence(p, square_PNN, y_N)[0], lambda p: _minus_evidence(p, square_PNN, y_N)[1], at)
    assert error < 1e-4


def test_far_from_every_trial_nothing_is_known() -> None:
    corner = [told for told in drawn(300, seed=8) if told["loss.alpha"] < 0.4 and told["loss.gamma"] < 2]
    rng = np.random.default_rng(8)
    wavy = [np.sin(12 * told["loss.alpha"]) * np.cos(3 * told["loss.gamma"]) + 0.01 * rng.normal() for told in corner]
    made = plane(Surface(SPACE, corner, wavy), "loss.alpha", "loss.gamma")
    assert made.known_YX[2, 2] and not made.known_YX[-1, -1] and not made.known_YX[-1, 0] and not made.known_YX[0, -1]


def test_the_plane_has_x_across_and_y_down_the_rows_and_the_rate_at_its_best() -> None:
    chosen = drawn(80)
    made = plane(Surface(SPACE, chosen, [quadratic(told) for told in chosen]), "loss.alpha", "loss.gamma")
    row, column = np.unravel_index(made.height_YX.argmax(), made.height_YX.shape)
    assert made.at[column] == pytest.approx(to_unit(SPACE["loss.alpha"], 0.35), abs=0.11)
    assert made.at[row] == pytest.approx(to_unit(SPACE["loss.gamma"], 2.0), abs=0.11)
    assert made.height_YX.max() == pytest.approx(0.8, abs=0.01)


def test_what_never_learnt_is_raised_and_the_order_above_stays() -> None:
    scores = np.array([*np.linspace(0.7, 0.78, 20), 0.1, 0.2])
    raised, floor = raise_outliers(scores)
    assert (raised[-2:] == floor).all() and 0.6 < floor < 0.72
    np.testing.assert_array_equal(raised[10:20], scores[10:20])


def test_of_many_trials_some_are_taken_and_the_best_is_among_them() -> None:
    scores = np.random.default_rng(0).random(3000)
    kept = spread_over(scores, MOST_TRIALS)
    assert len(kept) == MOST_TRIALS and scores.argmax() in kept and scores.argmin() in kept
    np.testing.assert_array_equal(spread_over(scores[:30], MOST_TRIALS), np.arange(30))
