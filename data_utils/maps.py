"""Maps of a target that some losses want beside it: distances to the border, skeletons, gaps between cells.

    maps_of(target_N1HW, ["distance"])["distance"]     # float32, of the target's shape, on its device

A map is computed on the CPU once for a whole section, so that the border of a crop plays no part, and then follows the crop through
flips and quarter turns, which change no distance. A warp does: after it the map is computed again, of the warped crop.

H rows, W columns, N the batch; distances in px between the centres of pixels. A map is of the positive class, g = 1, but for "cell_gap",
which is of the cells, whichever class is positive. A pixel whose label is unknown is of neither class: it is no border and no cell.
"""

import hashlib
import math
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import torch
from scipy import ndimage

from data_utils.gaps import CAP_PX, cell_gap


@dataclass(frozen=True, kw_only=True)
class MapSpec:
    """One map: what it holds, and how it is made."""

    name: str
    """What losses ask for it by."""
    unit: str
    """px, or 0/1."""
    meaning: str
    """The values, with sign and edges."""
    source: str
    """Paper and equation."""
    of: str
    """The class that `function` is given first: positive, or cell."""
    function: Callable[[np.ndarray, np.ndarray], np.ndarray]
    """class_HW, other_HW (bool, the known pixels of `of` and those of the other class) -> map_HW (float32)."""


def signed_distance(positive_HW: np.ndarray, other_HW: np.ndarray | None = None) -> np.ndarray:
    """To the nearest known pixel of the other class: negative where g = 1, positive where g = 0, so that every |value| is at least 1.

    `other_HW` is where g is known to be 0; None: wherever it is not 1. What is in neither is unknown, and has the distance to g = 1, so
    that the map is negative where g = 1 only; no loss counts it. The edge of what is unknown is no border.

    Where the other class has no known pixel the distance is the diagonal hypot(H, W), which none within the section exceeds. Kervadec's
    published code (Kervadec et al. 2019, arXiv 1812.07032) takes 1 px off inside, where ours goes from 1 to -1 across the border without
    a 0, and makes a map of zeros where the class is absent, so that nothing is too far away.
    """
    inside_HW = _distance_to(~positive_HW if other_HW is None else other_HW)
    return np.where(positive_HW, -inside_HW, _distance_to(positive_HW)).astype(np.float32)


def _distance_to(class_HW: np.ndarray) -> np.ndarray:
    if not class_HW.any():
        return np.full(class_HW.shape, math.hypot(*class_HW.shape))
    return np.asarray(ndimage.distance_transform_edt(~class_HW))


def skeleton(positive_HW: np.ndarray) -> np.ndarray:
    """1 on the one pixel wide skeleton of g = 1, 0 elsewhere; without a positive pixel 0 everywhere.

    Of known pixels: where labels are unknown it may end, and near their edge bend, though the structure goes on.
    """
    from skimage.morphology import skeletonize  # its import takes longer than that of all else here

    return skeletonize(positive_HW).astype(np.float32)


MAPS: Mapping[str, MapSpec] = MappingProxyType(
    {
        spec.name: spec
        for spec in (
            MapSpec(
                name="distance",
                unit="px",
                meaning="signed distance to the nearest known pixel of the other class: negative where g = 1, positive where g = 0, at"
                " least 1 either way; the section's diagonal, with the same signs, where there is one class only",
                source="Kervadec et al. 2019 (arXiv 1812.07032), the level set phi_G; without the 1 px that their code takes off inside",
                of="positive",
                function=signed_distance,
            ),
            MapSpec(
                name="skeleton",
                unit="0/1",
                meaning="1 on the one pixel wide skeleton of g = 1; 0 everywhere without a positive pixel",
                source="thinning of Zhang and Suen 1984 (doi 10.1145/357994.358023)",
                of="positive",
                function=lambda positive_HW, _: skeleton(positive_HW),
            ),
            MapSpec(
                name="cell_gap",
                unit="px",
                meaning="d1 + d2, the distances to the nearest and the second nearest cell, 4-connected components of what is known to be"
                f" cell; d1 is 0 inside a cell, each is at most {CAP_PX}; the section's diagonal where there are fewer than two cells",
                source="Ronneberger et al. 2015 (arXiv 1505.04597), eq. 2",
                of="cell",
                function=lambda cell_HW, _: cell_gap(cell_HW),
            ),
        )
    }
)

#: maps of whole sections that this process made last: trials that share a process share them
_CACHE_BYTES = 256 * 2**20
_cache: OrderedDict[tuple[str, bytes], np.ndarray] = OrderedDict()


def check_maps(names: Iterable[str], positive: str) -> None:
    """Raises ValueError for a map that there is none of, or an unknown class."""
    if positive not in ("membrane", "cell"):
        raise ValueError(f"positive must be 'membrane' or 'cell', got {positive!r}")
    unknown = [name for name in names if name not in MAPS]
    if unknown:
        raise ValueError(f"no map is called {', '.join(map(repr, unknown))}; there are {', '.join(MAPS)}")


def section_map(target_HW: np.ndarray, name: str, *, positive: str = "membrane", counted_HW: np.ndarray | None = None) -> np.ndarray:
    """The map of one whole section, float32 and read-only; made once in a process for a target, as long as 256 MiB hold it.

    Args:
        target_HW: bool, True = the positive class.
        name: a name of MAPS.
        positive: the class that is True, "membrane" or "cell".
        counted_HW: bool, True where the label is known; None: everywhere.
    """
    check_maps([name], positive)
    classes = _classes_of(target_HW, name, positive, counted_HW)
    digest = hashlib.sha256(repr(target_HW.shape).encode())
    for class_HW in classes:  # both: where labels are unknown, one does not tell the other
        digest.update(np.packbits(class_HW).data)
    key = (name, digest.digest())
    if key not in _cache:
        _cache[key] = MAPS[name].function(*classes)
        _cache[key].setflags(write=False)
        while sum(map_HW.nbytes for map_HW in _cache.values()) > _CACHE_BYTES and len(_cache) > 1:
            _cache.popitem(last=False)
    _cache.move_to_end(key)
    return _cache[key]


def maps_of(
    target_N1HW: torch.Tensor, names: Iterable[str], *, positive: str = "membrane", mask_N1HW: torch.Tensor | None = None
) -> dict[str, torch.Tensor]:
    """The maps of each target of a batch by name, float32, of its shape and on its device. Nothing is kept.

    Args:
        target_N1HW: 0 or 1, of any type; it is copied to the CPU, so a GPU is waited for.
        names: names of MAPS.
        positive: the class that is 1, "membrane" or "cell".
        mask_N1HW: 1 where the label is known, 0 elsewhere; None: it is known everywhere.

    Raises:
        ValueError: an unknown name or class, or a target or a mask of another shape.
    """
    names = list(names)
    check_maps(names, positive)
    if target_N1HW.ndim != 4 or target_N1HW.shape[1] != 1 or target_N1HW.numel() == 0:
        raise ValueError(
            f"maps need targets [N, 1, H, W], not empty, got {list(target_N1HW.shape)}; a single section is section[None, None]"
        )
    if mask_N1HW is not None and mask_N1HW.shape != target_N1HW.shape:
        raise ValueError(f"maps need a mask of the target's shape {list(target_N1HW.shape)}, got {list(mask_N1HW.shape)}")
    target_NHW = _on_cpu(target_N1HW)
    counted_NHW = [None] * len(target_NHW) if mask_N1HW is None else _on_cpu(mask_N1HW)
    maps = {}
    for name in names:
        samples = zip(target_NHW, counted_NHW, strict=True)
        map_NHW = np.stack([MAPS[name].function(*_classes_of(target_HW, name, positive, known)) for target_HW, known in samples])
        maps[name] = torch.from_numpy(map_NHW[:, None]).to(target_N1HW.device)
    return maps


def _on_cpu(binary_N1HW: torch.Tensor) -> np.ndarray:
    return (binary_N1HW.detach()[:, 0] > 0.5).cpu().numpy()


def _classes_of(target_HW: np.ndarray, name: str, positive: str, counted_HW: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """The known pixels of the class that the map is of, and those of the other."""
    one_HW, zero_HW = (target_HW, ~target_HW) if counted_HW is None else (target_HW & counted_HW, ~target_HW & counted_HW)
    return (zero_HW, one_HW) if MAPS[name].of == "cell" and positive == "membrane" else (one_HW, zero_HW)
