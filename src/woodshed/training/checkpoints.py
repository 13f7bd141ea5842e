"""Checkpoints that survive kill -9: safetensors, written beside and renamed, the newest two and the best only."""

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
MOMENTS = ("exp_avg", "exp_avg_sq")
"""What AdamW remembers of each parameter."""


@dataclass
class Progress:
    """Where a run stands; all of it is in the checkpoint."""

    step: int = 0
    seconds: float = 0.0
    """Training time so far, evaluation left out."""
    notes: int = 0
    """Notes trained on, repeats counted."""
    best: float | None = None
    """Lowest held-out loss, nats per note."""
    best_step: int = 0
    best_seconds: float = 0.0
    """Training time at which the best was reached."""


def save_checkpoint(
    folder: Path,
    model: nn.Module,
    average: nn.Module,
    optimiser: torch.optim.Optimizer,
    progress: Progress,
    chance: dict[str, Any],
) -> Path:
    """Write ``step-N.safetensors``: weights, their average, optimiser moments (bfloat16), the state of all chance.

    ``chance`` holds "numpy_rng", the state of a bit generator; torch's own state is added. Then older ones go, except
    the newest two.
    """
    from safetensors.torch import save

    weights = {"model": model.state_dict(), "average": average.state_dict()}
    tensors = {
        f"{which}.{name}": tensor.detach().cpu() for which, state in weights.items() for name, tensor in state.items()
    }
    for index, parameter in enumerate(_parameters(optimiser)):
        for name in MOMENTS if parameter in optimiser.state else ():  # there are none before the first step
            moment = optimiser.state[parameter][name]
            tensors[f"optimiser.{index}.{name}"] = moment.detach().cpu().to(torch.bfloat16).contiguous()
    tensors["torch_rng"] = torch.get_rng_state()
    metadata = {"progress": json.dumps(vars(progress)), "numpy_rng": json.dumps(chance["numpy_rng"])}
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"step-{progress.step:08d}.safetensors"
    write_atomically(path, save(tensors, metadata=metadata))
    for old in sorted(folder.glob("step-*.safetensors"))[:-KEPT]:
        old.unlink()
    return path


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
    """Put weights, their average and moments back; returns the progress and the state of all chance.

    Raises:
        BundleError: if the checkpoint belongs to another model.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            tensors: dict[str, Tensor] = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        for prefix, module in (("model.", model), ("average.", average)):
            module.load_state_dict({n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)})
        progress = Progress(**json.loads(metadata["progress"]))
        chance = {"numpy_rng": json.loads(metadata["numpy_rng"]), "torch_rng": tensors["torch_rng"]}
        _restore_moments(optimiser, tensors, progress.step)
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


def _restore_moments(optimiser: torch.optim.Optimizer, tensors: dict[str, Tensor], step: int) -> None:
    if step == 0:
        return
    for index, parameter in enumerate(_parameters(optimiser)):
        moments = {
            name: tensors[f"optimiser.{index}.{name}"].to(parameter.device, parameter.dtype).clone() for name in MOMENTS
        }
        optimiser.state[parameter] = {"step": torch.tensor(float(step)), **moments}
