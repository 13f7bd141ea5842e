"""How precisely the products of a step are worked out: in float32, or faster in bfloat16 with float32 weights."""

from __future__ import annotations

import torch

PRECISIONS = ("auto", "float32", "bfloat16")
_INSTRUCTIONS = ("avx512_bf16", "amx_bf16")
"""What a processor's own products of bfloat16 are called."""


def lower_precision(name: str, device: torch.device) -> torch.autocast:
    """A context in which products are worked out as ``name``, one of `PRECISIONS`, says.

    ``auto`` is bfloat16 on CUDA and float32 elsewhere. ``bfloat16`` is so on a processor too, if it has instructions
    for it; without them it would be slower, so that float32 is used. Weights, gradients and losses are always float32.
    """
    lower = device.type == "cuda" if name != "bfloat16" else device.type != "cpu" or _has_instructions()
    return torch.autocast(device.type, torch.bfloat16, enabled=lower and name != "float32")


def _has_instructions() -> bool:
    found = torch.cpu.get_capabilities()
    return any(found.get(name, False) for name in _INSTRUCTIONS)
