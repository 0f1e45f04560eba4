"""What a paper that uses a sweep should cite: each paper once, in full, and beside it what it was used for."""

from collections.abc import Mapping
from dataclasses import dataclass

from sweeps.report.canvas import NothingToShow
from sweeps.report.importance import with_importance
from sweeps.report.loss_references import papers_in
from sweeps.report.methods import methods
from sweeps.report.overview import Overview
from sweeps.report.references import CITED, COLOURS, IMPORTANCE, RANKS, WANDB, Reference
from sweeps.report.wording import clean, dig, listed


@dataclass(frozen=True, kw_only=True)
class Citation:
    """One reference."""

    about: str
    text: str
    link: str = ""


def citations(overview: Overview) -> list[Citation]:
    """Return the references: what the Methods paragraph cites, the papers of the losses, and what figures rest on; none twice."""
    text = " ".join(methods(overview))
    used: dict[Reference, list[str]] = {paper: [about] for about, short, paper in CITED if short in text}
    for name, source in loss_sources(overview).items():
        for paper in papers_in(clean(source, 400)):
            used.setdefault(paper, []).append(f"loss {clean(name, 60)}")
    sometimes = (
        ("Mean ranks and their critical difference", RANKS, bool(dig(overview.verdict, "critical_difference"))),
        ("Importance of parameters (PED-ANOVA)", IMPORTANCE, _importance_shown(overview)),
        ("Weights & Biases", WANDB, dig(overview.record.recipe, "wandb.mode", "offline") != "disabled"),
        ("The colours of this report", COLOURS, True),
    )
    for about, paper, is_used in sometimes:
        if is_used:
            used.setdefault(paper, []).append(about)
    return [Citation(about=_begun(listed(abouts)), text=paper.text, link=paper.link) for paper, abouts in used.items()]


def _begun(text: str) -> str:
    return text[:1].upper() + text[1:]


def _importance_shown(overview: Overview) -> bool:
    try:
        return bool(with_importance(overview))
    except NothingToShow:
        return False


def taken(overview: Overview) -> list[tuple[str, str]]:
    """Return, for each loss, what was taken from its paper, as the registry notes it."""
    return [(clean(name, 60), clean(source, 400)) for name, source in loss_sources(overview).items()]


def loss_sources(overview: Overview) -> Mapping[str, str]:
    """Return registry name -> paper and equation, for the losses of the sweep that the registry knows; a sum names its terms."""
    from unet.losses import LOSSES
    from unet.losses.composition import SIGN

    functions = dict.fromkeys(term for loss in overview.losses for term in loss.function.split(SIGN))
    return {name: LOSSES[name].source for name in functions if name in LOSSES}
