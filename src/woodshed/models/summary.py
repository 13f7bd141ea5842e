"""The layers of a model as a table: what each makes, and how many parameters it has."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn


class Layer(NamedTuple):
    """One row of the table."""

    name: str
    kind: str
    shape: tuple[int, ...]
    """What comes out, the batch left out; () if that was not seen."""
    parameters: int
    """Of all that stand in this row."""
    times: int = 1
    """So many alike stand in this row."""


def layers_of(model: nn.Module, run: Callable[[], Any]) -> list[Layer]:
    """The layers of a model: as its ``layer_table()`` lists them, else all modules with parameters of their own.

    ``run`` passes one batch through the model, so that shapes can be seen. Modules that differ only in a number in
    their name, such as the blocks of a transformer, share a row. Shared weights count once.

    >>> [row.parameters for row in layers_of(nn.Sequential(nn.Linear(2, 3), nn.ReLU()), lambda: None)]
    [9]
    """
    if hasattr(model, "layer_table"):
        own: list[Layer] = model.layer_table()  # type: ignore[operator]
        return own
    shapes = _shapes(model, run)
    rows: dict[tuple[Any, ...], Layer] = {}
    seen: set[int] = set()
    for name, module in model.named_modules():
        fresh = [weight for weight in module.parameters(recurse=False) if id(weight) not in seen]
        seen |= {id(weight) for weight in fresh}
        size = sum(weight.numel() for weight in fresh)
        if not size:
            continue
        kind, common = type(module).__name__, re.sub(r"\.\d+(?=\.|$)", ".*", name) or "model"
        key = (common, kind, shapes.get(name, ()), size)
        before = rows.get(key, Layer(name or "model", kind, shapes.get(name, ()), 0, 0))
        label = common if before.times else before.name
        rows[key] = Layer(label, kind, before.shape, before.parameters + size, before.times + 1)
    return list(rows.values())


def _shapes(model: nn.Module, run: Callable[[], Any]) -> dict[str, tuple[int, ...]]:
    """Module name -> shape of the first tensor that it makes, the batch left out."""
    shapes: dict[str, tuple[int, ...]] = {}

    def watch(name: str) -> Any:
        def hook(module: nn.Module, given: Any, made: Any) -> None:
            while isinstance(made, tuple | list) and made:
                made = made[0]
            if isinstance(made, Tensor):
                shapes.setdefault(name, tuple(made.shape[1:]))

        return hook

    handles = [module.register_forward_hook(watch(name)) for name, module in model.named_modules()]
    try:
        with torch.no_grad():
            run()
    finally:
        for handle in handles:
            handle.remove()
    return shapes
