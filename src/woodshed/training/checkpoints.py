"""Checkpoints that survive kill -9: safetensors, written beside and renamed, the newest two and the best only.

A checkpoint is some four fifths the size of its model, so that a run's folder stays below three times the model: the
weights in half precision, how far their average lags behind in eight bits, and the optimiser's mean square gradients as
the means of their rows and columns (Adafactor; Shazeer & Stern 2018). A resumed run finds its momentum anew, in some
ten steps.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from woodshed.bundle.bundle import write_atomically
from woodshed.errors import BundleError

KEPT = 2
_LARGEST_EIGHTH = 57344.0
"""The largest number of `torch.float8_e5m2`, whose range is 32 octaves."""


@dataclass
class Progress:
    """Where a run stands; all of it is in the checkpoint."""

    step: int = 0
    seconds: float = 0.0
    """Training time so far, evaluation left out."""
    notes: int = 0
    """Notes trained on, repeats counted."""
    best: float | None = None
    """Held-out loss of the weights that are kept, nats per note."""
    aim: float | None = None
    """The lowest of what a run makes low on held-out songs: that loss, unless beta weighs a part of it."""
    best_step: int = 0
    best_seconds: float = 0.0
    """Training time at which the best was reached."""
    since_best: int = 0
    """Evaluations since then."""


def save_checkpoint(
    folder: Path,
    model: nn.Module,
    average: nn.Module,
    optimiser: torch.optim.Optimizer,
    progress: Progress,
    chance: dict[str, Any],
) -> Path:
    """Write ``step-N.safetensors``: weights, their average, gradient scales, the state of all chance.

    ``chance`` holds "numpy_rng", the state of a bit generator; torch's own state is added. Then older ones go, except
    the newest two.
    """
    from safetensors.torch import save

    slow = average.state_dict()
    tensors: dict[str, Tensor] = {}
    for name, weights in model.state_dict().items():
        kept = weights.detach().cpu()
        tensors[f"weights.{name}"] = kept.half()
        tensors |= _in_eighths(f"lag.{name}", slow[name].detach().cpu() - kept)
    for index, parameter in enumerate(_parameters(optimiser)):
        if parameter in optimiser.state:  # there is nothing before the first step
            tensors |= _means(index, optimiser.state[parameter]["exp_avg_sq"].detach().cpu())
    tensors["torch_rng"] = torch.get_rng_state()
    if torch.cuda.is_available():
        tensors["cuda_rng"] = torch.cuda.get_rng_state()
    metadata = {"progress": json.dumps(vars(progress)), "numpy_rng": json.dumps(chance["numpy_rng"])}
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"step-{progress.step:08d}.safetensors"
    write_atomically(path, save(tensors, metadata=metadata))
    for old in sorted(folder.glob("step-*.safetensors"))[:-KEPT]:
        old.unlink()
    return path


def _in_eighths(name: str, tensor: Tensor) -> dict[str, Tensor]:
    """A tensor in eight bits a number, and what the largest of them stands for."""
    largest = tensor.abs().max().clamp(min=1e-30)
    eighths = (tensor * (_LARGEST_EIGHTH / largest)).clamp(-_LARGEST_EIGHTH, _LARGEST_EIGHTH)
    return {name: eighths.to(torch.float8_e5m2), f"largest.{name}": largest.reshape(1)}


def _from_eighths(name: str, tensors: dict[str, Tensor]) -> Tensor:
    """Back to what `_in_eighths` was given, to two bits."""
    return tensors[name].float() * (tensors[f"largest.{name}"] / _LARGEST_EIGHTH)


def _means(index: int, squares: Tensor) -> dict[str, Tensor]:
    """Mean square gradients: of a matrix the means of its rows and columns, else as they are."""
    if squares.ndim != 2:
        return {f"squares.{index}": squares}
    return {f"rows.{index}": squares.mean(1), f"columns.{index}": squares.mean(0)}


def _from_means(index: int, tensors: dict[str, Tensor]) -> Tensor:
    """The mean square gradients, of a matrix as near as a product of two vectors comes."""
    if f"squares.{index}" in tensors:
        return tensors[f"squares.{index}"]
    rows, columns = tensors[f"rows.{index}"], tensors[f"columns.{index}"]
    return torch.outer(rows, columns) / rows.mean().clamp(min=1e-30)


def latest_checkpoint(folder: Path) -> Path | None:
    """The newest checkpoint that is whole; a half-written one cannot exist, a damaged one is passed over."""
    from safetensors import SafetensorError, safe_open

    for path in sorted(folder.glob("step-*.safetensors"), reverse=True):
        try:
            with safe_open(path, "pt") as file:
                file.metadata()
        except (SafetensorError, OSError):
            continue
        return path
    return None


def load_checkpoint(
    path: Path, model: nn.Module, average: nn.Module, optimiser: torch.optim.Optimizer
) -> tuple[Progress, dict[str, Any]]:
    """Put weights and gradient scales back; returns the progress and the state of all chance.

    Raises:
        BundleError: if the checkpoint belongs to another model.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            tensors: dict[str, Tensor] = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        weights = {n.removeprefix("weights."): t.float() for n, t in tensors.items() if n.startswith("weights.")}
        model.load_state_dict(weights)
        average.load_state_dict({n: t + _from_eighths(f"lag.{n}", tensors) for n, t in weights.items()})
        progress = Progress(**json.loads(metadata["progress"]))
        chance = {"numpy_rng": json.loads(metadata["numpy_rng"]), "torch_rng": tensors["torch_rng"]}
        chance["cuda_rng"] = tensors.get("cuda_rng")
        _restore_scales(optimiser, tensors, progress.step)
    except (SafetensorError, RuntimeError, KeyError, TypeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise BundleError(f"{path} does not fit this run ({reason}); train without --resume") from None
    return progress, chance


def remove_unfinished(folder: Path) -> None:
    """Remove what a killed run was writing in ``folder`` when it died: it has a hidden name and was never read."""
    for path in folder.glob(".*.tmp"):
        path.unlink(missing_ok=True)


def _parameters(optimiser: torch.optim.Optimizer) -> list[Tensor]:
    """In the optimiser's order."""
    return [parameter for group in optimiser.param_groups for parameter in group["params"]]


def _restore_scales(optimiser: torch.optim.Optimizer, tensors: dict[str, Tensor], step: int) -> None:
    if step == 0:
        return
    for index, parameter in enumerate(_parameters(optimiser)):
        squares = _from_means(index, tensors).to(parameter.device, parameter.dtype)
        optimiser.state[parameter] = {
            "step": torch.tensor(float(step)),
            "exp_avg": torch.zeros_like(parameter),
            "exp_avg_sq": squares.reshape(parameter.shape),
        }
