"""The papers that a sweep may have to cite, in full: by the short form that texts cite them with, or by the number in a loss's source."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Reference:
    """One paper."""

    text: str
    link: str = ""


def _doi(number: str, text: str) -> Reference:
    return Reference(text=text, link=f"https://doi.org/{number}")


def _arxiv(number: str, text: str) -> Reference:
    return Reference(text=text, link=f"https://arxiv.org/abs/{number}")


UNET = _doi(
    "10.1007/978-3-319-24574-4_28",
    "Ronneberger O, Fischer P, Brox T (2015). U-Net: convolutional networks for biomedical image segmentation. MICCAI, LNCS 9351:234-241.",
)

#: (what it is for, how texts cite it, the paper), in the order of the Methods paragraph
CITED: tuple[tuple[str, str, Reference], ...] = (
    (
        "The sections",
        "Cardona et al. 2010",
        _doi(
            "10.1371/journal.pbio.1000502",
            "Cardona A, Saalfeld S, Preibisch S, et al. (2010). An integrated micro- and macroarchitectural analysis of the Drosophila "
            "brain by computer-assisted serial section electron microscopy. PLoS Biology 8(10):e1000502.",
        ),
    ),
    (
        "The scores V_rand and V_info, and the challenge",
        "Arganda-Carreras et al. 2015",
        _doi(
            "10.3389/fnana.2015.00142",
            "Arganda-Carreras I, Turaga SC, Berger DR, et al. (2015). Crowdsourcing the creation of image segmentation algorithms for "
            "connectomics. Frontiers in Neuroanatomy 9:142.",
        ),
    ),
    ("The network", "Ronneberger et al. 2015", UNET),
    (
        "Batch normalisation",
        "Ioffe and Szegedy 2015",
        _arxiv(
            "1502.03167",
            "Ioffe S, Szegedy C (2015). Batch normalization: accelerating deep network training by reducing internal covariate shift. "
            "ICML, PMLR 37:448-456.",
        ),
    ),
    ("Adam", "Kingma and Ba 2015", _arxiv("1412.6980", "Kingma DP, Ba J (2015). Adam: a method for stochastic optimization. ICLR.")),
    (
        "AdamW",
        "Loshchilov and Hutter 2019",
        _arxiv("1711.05101", "Loshchilov I, Hutter F (2019). Decoupled weight decay regularization. ICLR."),
    ),
    (
        "The cosine schedule",
        "Loshchilov and Hutter 2017",
        _arxiv("1608.03983", "Loshchilov I, Hutter F (2017). SGDR: stochastic gradient descent with warm restarts. ICLR."),
    ),
    (
        "Optuna",
        "Akiba et al. 2019",
        _doi(
            "10.1145/3292500.3330701",
            "Akiba T, Sano S, Yanase T, Ohta T, Koyama M (2019). Optuna: a next-generation hyperparameter optimization framework. KDD, "
            "2623-2631.",
        ),
    ),
    (
        "The sampler (TPE)",
        "Bergstra et al. 2011",
        Reference(
            text="Bergstra J, Bardenet R, Bengio Y, Kegl B (2011). Algorithms for hyper-parameter optimization. NeurIPS 24:2546-2554."
        ),
    ),
    (
        "The sampler (scrambled Halton sequence)",
        "Owen 2017",
        _arxiv("1706.02808", "Owen AB (2017). A randomized Halton algorithm in R. Preprint."),
    ),
    (
        "The shared budget (Threshold Ascent)",
        "Streeter and Smith 2006",
        _doi(
            "10.1007/11889205_40",
            "Streeter MJ, Smith SF (2006). A simple distribution-free approach to the max k-armed bandit problem. CP, LNCS 4204:560-574.",
        ),
    ),
    (
        "Ray Tune",
        "Liaw et al. 2018",
        _arxiv(
            "1807.05118",
            "Liaw R, Liang E, Nishihara R, et al. (2018). Tune: a research platform for distributed model selection and training. ICML "
            "AutoML workshop.",
        ),
    ),
    (
        "Early stopping (ASHA)",
        "Li et al. 2020",
        _arxiv(
            "1810.05934",
            "Li L, Jamieson K, Rostamizadeh A, et al. (2020). A system for massively parallel hyperparameter tuning. MLSys 2:230-246.",
        ),
    ),
    (
        "Randomised blocks",
        "Fisher 1935",
        Reference(text="Fisher RA (1935). The design of experiments. Oliver and Boyd, Edinburgh."),
    ),
    (
        "The test of equal spreads",
        "Levene 1960",
        Reference(
            text="Levene H (1960). Robust tests for equality of variances. In: Contributions to Probability and Statistics, Stanford "
            "University Press, 278-292."
        ),
    ),
    (
        "Correction for many comparisons",
        "Holm 1979",
        Reference(
            text="Holm S (1979). A simple sequentially rejective multiple test procedure. Scandinavian Journal of Statistics 6(2):65-70."
        ),
    ),
    (
        "PyTorch",
        "Paszke et al. 2019",
        _arxiv(
            "1912.01703",
            "Paszke A, Gross S, Massa F, et al. (2019). PyTorch: an imperative style, high-performance deep learning library. NeurIPS 32.",
        ),
    ),
)

RANKS = Reference(
    text="Demsar J (2006). Statistical comparisons of classifiers over multiple data sets. Journal of Machine Learning Research 7:1-30."
)
IMPORTANCE = _arxiv(
    "2304.10255",
    "Watanabe S, Bansal A, Hutter F (2023). PED-ANOVA: efficiently quantifying hyperparameter importance in arbitrary subspaces. IJCAI, "
    "4389-4396.",
)
WANDB = Reference(text="Biewald L (2020). Experiment tracking with Weights and Biases. Software.", link="https://www.wandb.com/")
COLOURS = _doi("10.1038/nmeth.1618", "Wong B (2011). Points of view: color blindness. Nature Methods 8:441.")
