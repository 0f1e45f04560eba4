"""The loss as the training loop sees it: checked once when built, safe in any precision when called.

    loss = build_loss("tversky", alpha=0.3, beta=0.7)
    loss(logits_N1HW, target_N1HW).backward()
    loss.parameters    # {"alpha": 0.3, "beta": 0.7, "smooth": 1.0, ...}: the very values the arithmetic is called with

Shapes: N images, one channel, H rows, W columns.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from types import MappingProxyType
from typing import final

import torch
from torch import Tensor

from unet.losses.spec import LossSpec, Value


@final
@dataclass(frozen=True, eq=False)
class Loss:
    """A loss with its parameters fixed. Build it with `build_loss`."""

    spec: LossSpec = field(repr=False)
    parameters: Mapping[str, Value]
    """Every parameter, defaults filled in. A call passes exactly this mapping to the arithmetic, so reading it back proves what trained."""

    @property
    def name(self) -> str:
        """Name in the registry."""
        return self.spec.name

    @property
    def needs(self) -> tuple[str, ...]:
        """The maps of the target that a call must be given in `aux`; see `data_utils.maps`."""
        return self.spec.needs

    def __call__(
        self,
        logits_N1HW: Tensor,
        target_N1HW: Tensor,
        mask_N1HW: Tensor | None = None,
        *,
        aux: Mapping[str, Tensor] | None = None,
        progress: float | None = None,
    ) -> Tensor:
        """The scalar loss of a batch.

        Args:
            logits_N1HW: any float type. Half types are computed in fp32, float64 stays float64; autocast is off inside.
            target_N1HW: 0 or 1 (bool, integer or float), 1 = the positive class.
            mask_N1HW: 1 where a pixel counts, 0 where it does not. Masked pixels have no value and no gradient; a mask of zeros gives the
                value of a perfect prediction (overlap losses see an image with no positive pixel and no prediction).
            aux: maps of the target, of its shape, for losses whose `needs` names them; others are ignored.
            progress: 0 to 1, the part of the training that is done; for losses whose weights move.

        Value and gradient are finite for all logits up to 1e30 in size. A NaN logit gives NaN, a masked one too: hiding it would hide a
        dead run. The gradient is the logits' alone and of first order, one loss at a time: no vmap. In fp32 a pixel that is wrong for
        certain has no gradient from |z| = 17 on in losses of p; losses of ln p keep it.

        Raises ValueError for an empty batch, for shapes that differ, and for a map that is missing.
        """
        if logits_N1HW.shape != target_N1HW.shape:
            raise ValueError(
                f"loss {self.name!r} needs a target of the logits' shape {list(logits_N1HW.shape)}, got {list(target_N1HW.shape)}; "
                "broadcasting would average over the wrong pairs of pixels"
            )
        if logits_N1HW.numel() == 0:
            raise ValueError(f"loss {self.name!r} needs at least one pixel, got logits of shape {list(logits_N1HW.shape)}")
        if mask_N1HW is not None and mask_N1HW.shape != logits_N1HW.shape:
            raise ValueError(f"loss {self.name!r} needs a mask of shape {list(logits_N1HW.shape)}, got {list(mask_N1HW.shape)}")
        maps = self._maps(aux, logits_N1HW.shape)
        moving = {"progress": progress} if self.spec.uses_progress else {}
        with torch.autocast(device_type=logits_N1HW.device.type, enabled=False):
            dtype = torch.float64 if logits_N1HW.dtype == torch.float64 else torch.float32
            logits_N1HW = logits_N1HW.to(dtype)
            target_N1HW = target_N1HW.detach().to(dtype)
            mask_N1HW = None if mask_N1HW is None else mask_N1HW.detach().to(dtype)
            maps = {name: tensor.detach().to(dtype) for name, tensor in maps.items()}
            return self.spec.function(logits_N1HW, target_N1HW, mask_N1HW, **self.parameters, **maps, **moving)

    def __reduce__(self) -> tuple:
        return _rebuild, (self.name, dict(self.parameters))

    def _maps(self, aux: Mapping[str, Tensor] | None, shape: torch.Size) -> dict[str, Tensor]:
        aux = aux or {}
        missing = [need for need in self.spec.needs if need not in aux]
        if missing:
            raise ValueError(
                f"loss {self.name!r} needs the map {' and '.join(missing)} of its target, got {', '.join(aux) or 'none'}: "
                f"pass aux=maps_of(target, {list(self.spec.needs)}) of data_utils.maps, with mask_N1HW= where labels are partial"
            )
        for need in self.spec.needs:
            if aux[need].shape != shape:
                raise ValueError(f"loss {self.name!r} needs a map {need!r} of shape {list(shape)}, got {list(aux[need].shape)}")
        return {need: aux[need] for need in self.spec.needs}


def known_spec(registry: Mapping[str, LossSpec], name: str) -> LossSpec:
    """The entry `name` of `registry`. Raises ValueError with the nearest name and all there are."""
    if name in registry:
        return registry[name]
    near = get_close_matches(name, registry, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise ValueError(f"no loss is called {name!r}; {hint}there are {', '.join(registry)}")


def make_loss(spec: LossSpec, parameters: Mapping[str, Value]) -> Loss:
    """The loss of `spec` with `parameters`; every problem at once in one ValueError."""
    problems = [_unknown(spec, key) for key in parameters if key not in spec.parameters]
    values = {key: parameters.get(key, parameter.default) for key, parameter in spec.parameters.items()}
    for key, value in values.items():
        problem = spec.parameters[key].problem_with(value)
        if problem:
            problems.append(f"{key} {problem} ({spec.parameters[key].meaning})")
    if problems:
        raise ValueError(f"loss {spec.name!r}: " + "; ".join(problems))
    return Loss(spec, MappingProxyType(values))


def _unknown(spec: LossSpec, key: str) -> str:
    near = get_close_matches(key, spec.parameters, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"it has no parameter {key!r}; {hint}it has {', '.join(spec.parameters)}"


def _rebuild(name: str, parameters: dict[str, Value]) -> Loss:
    from unet.losses import build_loss  # the registry imports this module

    return build_loss(name, **parameters)
