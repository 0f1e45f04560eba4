"""Which number format a run computes in, and the context that switches it on."""

import torch

PRECISIONS = ("auto", "fp32", "bf16")


def resolve_precision(precision: str, device: torch.device) -> str:
    """ "fp32" or "bf16" for a recipe's "auto", "fp32" or "bf16".

    auto takes bf16 where the hardware multiplies it (AVX-512 bf16, AMX, GPUs from Ampere on): elsewhere it is emulated and slower than
    fp32. Weights, the optimizer, the loss and the scores are fp32 either way.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"precision must be one of {', '.join(PRECISIONS)}, got {precision!r}")
    if precision != "auto":
        return precision
    return "bf16" if has_fast_bf16(device) else "fp32"


def has_fast_bf16(device: torch.device) -> bool:
    """Whether the device has instructions for bf16 matrix products."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type == "cpu":
        # Underscored in torch, but the only question it answers about the instructions rather than about what can be emulated.
        probes = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
        return any(getattr(torch.cpu, probe, bool)() for probe in probes)
    return False


def autocast(precision: str, device: torch.device) -> torch.autocast:
    """The autocast context of a resolved precision."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bf16")
