"""What a doubt about equal spreads would change: the pairs called different, each by its own differences alone.

The test that losses stray alike refuses at .01 only, since a larger bound would refuse good sweeps (`sweeps.verdict.blocks`). Where its p
lies between that and .10 the reader is told what the other choice would have given.
"""

from collections.abc import Mapping

from sweeps.report.overview import Overview
from sweeps.report.wording import bare, clean, dig, listed, short
from sweeps.verdict.blocks import ALIKE
from sweeps.verdict.contenders import finite, gather
from sweeps.verdict.paired import Replicate, differences, estimate

_DOUBTFUL = 0.10
_MOST = 5


def doubted(overview: Overview) -> str:
    """Return the sentence; nothing where there is no doubt or no pair was called different."""
    test = dig(overview.verdict, "test", {})
    p = finite(test.get("alike_p"))
    if test.get("spread") != "blocks" or p is None or not ALIKE <= p < _DOUBTFUL:
        return ""
    called = [pair for pair in dig(overview.verdict, "pairs", ()) if isinstance(pair, Mapping) and pair.get("winner")]
    values = _values(overview)
    told = []
    for pair in called:
        winner = str(pair["winner"])
        loser = str(pair["b"] if pair["winner"] == pair["a"] else pair["a"])
        found = estimate(differences(values.get(winner, {}), values.get(loser, {})), by_fold=test.get("unit") == "fold")
        if found.p is not None:
            told.append((found.p, f"{short(clean(winner), 30)} over {short(clean(loser), 30)} has p {bare(f'{found.p:.1g}')}"))
    if not told:
        return ""
    told.sort(reverse=True)
    shown, rest = [words for _, words in told[:_MOST]], len(told) - _MOST
    more = f", and the other {rest} less" if rest > 0 else ""
    return f"That p is small enough to doubt it: by its own differences alone, uncorrected, {listed(shown)}{more}."


def _values(overview: Overview) -> dict[str, dict[Replicate, float]]:
    return {contender.loss: contender.values(overview.metric) for contender in gather(overview.record, overview.metric).contenders}
