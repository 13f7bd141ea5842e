"""A note model as it lies on disk: its tensors as numpy arrays, and the torch module only where somebody needs it.

The compiled player wants arrays and starts in a tenth of the time that torch takes to be imported; training and
likelihood want the module. `StoredModel` is both: asked for anything that a module has, it builds one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from woodshed.models.note_sizes import NoteModelConfig, shapes_of


class StoredModel:
    """A `NoteModel` that is built when it is needed."""

    name: ClassVar[str] = "note-model"

    def __init__(self, config: NoteModelConfig, tensors: dict[str, NDArray[np.float32]]) -> None:
        self.config, self.tensors = config, tensors
        self._module: Any = None

    @property
    def module(self) -> Any:
        """The torch module, in evaluation mode; the same each time."""
        if self._module is None:
            import torch

            from woodshed.models.note_model import NoteModel

            self._module = NoteModel(self.config)
            self._module.load_state_dict({name: torch.from_numpy(array) for name, array in self.tensors.items()})
            self._module.eval()
        return self._module

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # so that copying does not build it
            raise AttributeError(name)
        return getattr(self.module, name)


def kept(model: Any) -> dict[str, Any]:
    """The tensors of a torch module, in the precision in which a file keeps them."""
    kept_in = getattr(model, "kept_in", None)
    tensors = {name: tensor.detach().cpu() for name, tensor in model.state_dict().items()}
    return {name: tensor.to(kept_in or tensor.dtype).contiguous() for name, tensor in tensors.items()}


def read_stored(path: Path, config: dict[str, Any]) -> StoredModel:
    """Read the tensors of a note model, and hold them to the shapes that ``config`` asks for.

    Raises:
        ValueError: for sizes that no model can have, or tensors that do not fit.
        FileNotFoundError, SafetensorError: if there is no file, or it is damaged.
    """
    from safetensors.numpy import load_file

    sizes = {key: value for key, value in config.items() if key != "name"}
    known = NoteModelConfig.__dataclass_fields__
    if strange := [key for key in sizes if key not in known]:
        raise ValueError(f"model note-model has no size {strange[0]!r}; it has {', '.join(known)}")
    built = NoteModelConfig(**sizes)
    tensors = load_file(path)
    expected = shapes_of(built)
    for name in expected.keys() - tensors.keys():
        if name.startswith("vote_"):  # of a model that was trained before there were votes: they are worth nothing
            tensors[name] = np.zeros(expected[name], np.float32)
    if wrong := sorted(expected.keys() ^ tensors.keys()):
        raise ValueError(f"tensor {wrong[0]} is {'missing' if wrong[0] in expected else 'unknown'}")
    for name, shape in expected.items():
        if tensors[name].shape != shape:
            raise ValueError(f"tensor {name} is {tensors[name].shape}, not {shape}")
        if not np.isfinite(tensors[name]).all():
            raise ValueError(f"tensor {name} holds numbers that are none")
    return StoredModel(built, {name: np.ascontiguousarray(array, np.float32) for name, array in tensors.items()})
