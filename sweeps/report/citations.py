"""What a paper that uses a sweep should cite."""

import re
from dataclasses import dataclass

from sweeps.report.overview import Overview
from sweeps.report.wording import clean, dig

_DOI = re.compile(r"doi (10\.\d+/[^\s),;]+)")
_ARXIV = re.compile(r"arXiv (\d{4}\.\d{4,5})")


@dataclass(frozen=True, kw_only=True)
class Citation:
    """One reference."""

    about: str
    text: str
    link: str = ""


_NETWORK = Citation(
    about="The network",
    text="Ronneberger O, Fischer P, Brox T (2015). U-Net: convolutional networks for biomedical image segmentation. MICCAI, "
    "LNCS 9351:234-241.",
    link="https://doi.org/10.1007/978-3-319-24574-4_28",
)
_SECTIONS = Citation(
    about="The sections",
    text="Cardona A, Saalfeld S, Preibisch S, et al. (2010). An integrated micro- and macroarchitectural analysis of the Drosophila "
    "brain by computer-assisted serial section electron microscopy. PLoS Biology 8(10):e1000502.",
    link="https://doi.org/10.1371/journal.pbio.1000502",
)
_SCORES = Citation(
    about="The scores V_rand and V_info, and the challenge",
    text="Arganda-Carreras I, Turaga SC, Berger DR, et al. (2015). Crowdsourcing the creation of image segmentation algorithms for "
    "connectomics. Frontiers in Neuroanatomy 9:142.",
    link="https://doi.org/10.3389/fnana.2015.00142",
)
_TOOLS = (
    Citation(
        about="Ray Tune",
        text="Liaw R, Liang E, Nishihara R, et al. (2018). Tune: a research platform for distributed model selection and training. "
        "arXiv:1807.05118.",
        link="https://arxiv.org/abs/1807.05118",
    ),
    Citation(
        about="Optuna",
        text="Akiba T, Sano S, Yanase T, Ohta T, Koyama M (2019). Optuna: a next-generation hyperparameter optimization "
        "framework. KDD, 2623-2631.",
        link="https://doi.org/10.1145/3292500.3330701",
    ),
    Citation(
        about="Weights & Biases",
        text="Biewald L (2020). Experiment tracking with Weights and Biases. Software.",
        link="https://www.wandb.com/",
    ),
    Citation(
        about="PyTorch",
        text="Paszke A, Gross S, Massa F, et al. (2019). PyTorch: an imperative style, high-performance deep learning library. NeurIPS 32.",
        link="https://arxiv.org/abs/1912.01703",
    ),
)
_PRUNER = Citation(
    about="Early stopping (ASHA)",
    text="Li L, Jamieson K, Rostamizadeh A, et al. (2020). A system for massively parallel hyperparameter tuning. MLSys 2:230-246.",
    link="https://arxiv.org/abs/1810.05934",
)
_SAMPLER = Citation(
    about="The sampler (TPE)",
    text="Bergstra J, Bardenet R, Bengio Y, Kegl B (2011). Algorithms for hyper-parameter optimization. NeurIPS 24.",
)
_HOLM = Citation(
    about="Correction for many comparisons",
    text="Holm S (1979). A simple sequentially rejective multiple test procedure. Scandinavian Journal of Statistics 6(2):65-70.",
)
_RANKS = Citation(
    about="Mean ranks and their critical difference",
    text="Demsar J (2006). Statistical comparisons of classifiers over multiple data sets. Journal of Machine Learning Research 7:1-30.",
)
_IMPORTANCE = Citation(
    about="Importance of parameters (PED-ANOVA)",
    text="Watanabe S, Bansal A, Hutter F (2023). PED-ANOVA: efficiently quantifying hyperparameter importance in arbitrary subspaces. "
    "IJCAI, 4389-4396.",
    link="https://arxiv.org/abs/2304.10255",
)
_COLOURS = Citation(
    about="The colours of this report",
    text="Wong B (2011). Points of view: color blindness. Nature Methods 8:441.",
    link="https://doi.org/10.1038/nmeth.1618",
)


def citations(overview: Overview) -> list[Citation]:
    """Return the references in the order of the Methods paragraph; each loss of the sweep with its source from the registry."""
    recipe = overview.record.recipe
    is_isbi = "isbi2012" in str(dig(recipe, "data.source", "")) or "isbi2012" in str(overview.record.data.get("name", ""))
    sometimes = (
        (_SAMPLER, dig(recipe, "search.sampler") == "tpe"),
        (_PRUNER, dig(recipe, "search.early_stop") is not None),
        (_HOLM, bool(dig(overview.verdict, "pairs", ()))),
        (_RANKS, bool(dig(overview.verdict, "critical_difference"))),
        (_IMPORTANCE, bool(dig(overview.verdict, "parameters"))),
    )
    losses = [
        Citation(about=f"Loss {clean(name, 60)}", text=clean(source, 400), link=link_in(source))
        for name, source in loss_sources(overview).items()
    ]
    first = [_NETWORK, *([_SECTIONS] if is_isbi else []), _SCORES]
    return [*first, *losses, *_TOOLS, *(citation for citation, used in sometimes if used), _COLOURS]


def link_in(source: str) -> str:
    """Return the address of the first DOI or arXiv number in a source; empty where there is none."""
    if found := _DOI.search(source):
        return f"https://doi.org/{found[1]}"
    found = _ARXIV.search(source)
    return f"https://arxiv.org/abs/{found[1]}" if found else ""


def loss_sources(overview: Overview) -> dict[str, str]:
    """Return registry name -> paper and equation, for the losses of the sweep that the registry knows; a sum names its terms."""
    from unet.losses import LOSSES
    from unet.losses.composition import SIGN

    functions = dict.fromkeys(term for loss in overview.losses for term in loss.function.split(SIGN))
    return {name: LOSSES[name].source for name in functions if name in LOSSES}
