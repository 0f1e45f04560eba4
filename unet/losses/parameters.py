"""Parameters that several losses share, stated once."""

from dataclasses import replace

from unet.losses.spec import ParameterSpec

SMOOTH = ParameterSpec(
    default=1.0,
    low=1e-8,
    high=1e6,
    search_low=1e-5,
    search_high=100.0,
    log=True,
    meaning="added to numerator and denominator, in pixels; more softens the loss of images with few positive pixels",
    source="1 in the thesis, eq. 5; 1e-5 in MONAI and nnU-Net",
)
# Where a loss has a question of its own (Tversky's alpha against beta), smooth stays put unless a recipe asks.
FIXED_SMOOTH = replace(SMOOTH, search_low=None, search_high=None, log=False)
BATCH_REDUCE = ParameterSpec(
    default="image",
    choices=("image", "batch"),
    meaning="image: sums are taken over each image, and the images averaged; batch: over the whole batch",
    source="image in MONAI, batch in segmentation_models_pytorch; both in nnU-Net",
)
EMPTY = ParameterSpec(
    default="smooth",
    choices=("smooth", "skip", "penalise"),
    meaning="what a set with no positive pixel costs; smooth: the formula as it stands, skip: nothing, penalise: its mean probability",
    source="smooth as in the thesis and MONAI, skip as in segmentation_models_pytorch; see Tilborghs et al. 2022 (arXiv 2207.09521)",
)


def share_of(what: str, source: str, *, default: float = 0.5, low: float = 0.1, high: float = 0.9) -> ParameterSpec:
    """A weight w of one of two terms, the other's being 1 - w; searched from `low` to `high`."""
    meaning = f"share of {what}; 0 leaves it out, 1 leaves nothing else"
    return ParameterSpec(default=default, low=0.0, high=1.0, search_low=low, search_high=high, meaning=meaning, source=source)


def factor_of(what: str, source: str, *, default: float = 1.0) -> ParameterSpec:
    """The factor of a term that is added to another; searched over two decades around 1."""
    meaning = f"factor of {what}; 0 leaves it out"
    return ParameterSpec(default=default, low=0.0, high=1e3, search_low=0.1, search_high=10.0, log=True, meaning=meaning, source=source)
