"""`sweeps bench verdict`: the simulated promises and the tests side by side, as lines for people and as rows for machines."""

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sweeps.bench.verdict import Design, Promises, count_promises, power_curve
from sweeps.bench.verdict_tests import Behaviour, compare_tests
from sweeps.verdict.components import Components

DESIGNS = (Design(seeds=3, folds=3), Design(seeds=5, folds=4), Design(seeds=10, folds=4))
RESTLESS = 3.0
"""How many times the others' spread one loss has, where losses stray unequally: its runs', or what folds do to it."""


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """A way in which sweeps are simulated."""

    name: str
    components: Components
    tails: int = 0


def scenarios(components: Components, losses: int = 6) -> tuple[Scenario, ...]:
    """Return the recorded spread with losses alike, as recorded by loss, one loss restless, one unsteady over folds, and heavy tails."""
    alike = replace(components, rest_by_loss=())
    restless = replace(alike, rest_by_loss=(components.rest,) * (losses - 1) + (RESTLESS * components.rest,))
    # where the recorded sweep shows none of it, a loss that is unsteady over folds strays from them as far as a single run does
    on_fold = components.loss_on_fold or components.rest
    unsteady = replace(alike, loss_on_fold=on_fold, on_fold_by_loss=(on_fold,) * (losses - 1) + (RESTLESS * on_fold,))
    return (
        Scenario(name="alike", components=alike),
        Scenario(name="as recorded, loss by loss", components=components),
        Scenario(name="one restless loss", components=restless),
        Scenario(name="one loss unsteady over folds", components=unsteady),
        Scenario(name="heavy tails (t, 4 df)", components=alike, tails=4),
    )


def promise_rows(components: Components, *, sweeps: int, designs: Sequence[Design] = DESIGNS) -> Iterator[tuple[str, Promises]]:
    """Yield the scenario's name and what was counted, for each scenario and design."""
    for scenario in scenarios(components):
        for design in designs:
            yield scenario.name, count_promises(design, scenario.components, sweeps=sweeps, tails=scenario.tails)


def test_rows(
    components: Components, *, sweeps: int, advantage: float, designs: Sequence[Design] = DESIGNS
) -> Iterator[tuple[str, Design, Behaviour]]:
    """Yield how each test behaves, for each scenario and design."""
    for scenario in scenarios(components):
        for design in designs:
            for found in compare_tests(design, scenario.components, sweeps=sweeps, advantage=advantage, tails=scenario.tails):
                yield scenario.name, design, found


def curve_rows(components: Components, *, sweeps: int, designs: Sequence[Design] = DESIGNS) -> dict[str, list[tuple[float, float]]]:
    """Return for each design how often a true difference is found, with losses alike: (difference, share of sweeps)."""
    alike = replace(components, rest_by_loss=())
    return {name_of(design): power_curve(design, alike, sweeps=sweeps) for design in designs}


def name_of(design: Design) -> str:
    """Return a design in words."""
    return f"{design.seeds} seeds x {design.folds} folds"


def lines(components: Components, *, sweeps: int, advantage: float) -> Iterator[str]:
    """Yield Markdown tables, as docs/statistics.md holds them."""
    parts = ("fold", "seed", "loss_on_fold", "rest")
    yield "spread: " + ", ".join(f"{part.replace('_', ' ')} {getattr(components, part):.4f}" for part in parts)
    yield "rest, loss by loss: " + ", ".join(f"{value:.4f}" for value in components.rest_by_loss)
    yield ""
    yield (
        "| spread | design | one loss twice ties | among six others | differences' intervals cover | means' intervals cover "
        "| a winner without a difference | any pair | stated difference is found | stated, median | together |"
    )
    yield "|---" * 11 + "|"
    for name, found in promise_rows(components, sweeps=sweeps):
        shares = (found.twice_ties, found.twice_among_others_ties, found.interval_covers, found.mean_covers)
        rest = (found.winner_without_difference, found.any_without_difference, found.stated_is_found)
        told = " | ".join(f"{share:.1%}" for share in (*shares, *rest))
        yield f"| {name} | {name_of(found.design)} | {told} | {found.stated:.4f} | {found.together:.0%} |"
    yield ""
    yield f"| spread | design | test | 95% intervals cover | a pair called without a difference | finds a lead of {advantage:.3f} |"
    yield "|---" * 6 + "|"
    for name, design, found in test_rows(components, sweeps=sweeps, advantage=advantage):
        yield f"| {name} | {name_of(design)} | {found.test} | {found.covers:.1%} | {found.any_called:.1%} | {found.finds:.1%} |"


def rows(components: Components, *, sweeps: int, advantage: float) -> Iterator[dict[str, Any]]:
    """Yield one object for each line of the tables."""
    for name, found in promise_rows(components, sweeps=sweeps):
        yield {"table": "promises", "spread": name} | dataclasses.asdict(found)
    for name, design, found in test_rows(components, sweeps=sweeps, advantage=advantage):
        yield {"table": "tests", "spread": name, "design": dataclasses.asdict(design)} | dataclasses.asdict(found)
