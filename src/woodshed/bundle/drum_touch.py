"""The touch of drummers that a bundle may carry: nets that say when and how loud a score of drums is played.

One file beside the others of a bundle, `drum-touch.safetensors`: the tensors of one or several nets of one size
(`0.begin.weight`, ..., `1.begin.weight`, ...) whose mean is played, and as its metadata a JSON object of their sizes
and of how much the hits of a take have in common. ``base`` has one; who trains a style keeps a touch of their own.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from woodshed.bundle.bundle import write_atomically
from woodshed.errors import BundleError
from woodshed.models.drum_touch_sizes import FIELDS, DrumTouchConfig

TOUCH_FILE = "drum-touch.safetensors"
IN_COMMON = ("take", "kind", "bar", "step")
"""What hits have in common by more than chance: their take, their kind of drum in it, their bar, their sixteenth."""
LARGEST_BYTES, MOST_NETS = 32 << 20, 16
Tensors = dict[str, NDArray[np.float32]]


@dataclass(frozen=True)
class StoredTouch:
    """Nets as numpy arrays."""

    config: DrumTouchConfig
    nets: tuple[Tensors, ...]
    in_common: tuple[tuple[float, ...], ...]
    """Of lateness and of velocity, the shares of their variance around what is foretold that `IN_COMMON` explain."""

    def __post_init__(self) -> None:
        shares = np.asarray(self.in_common, float)
        if shares.shape != (FIELDS, len(IN_COMMON)) or not (shares >= 0).all() or not (shares.sum(1) <= 1).all():
            raise ValueError(f"shares in common are {FIELDS} times {len(IN_COMMON)} numbers, 0-1, and 1 in all at most")
        if not 1 <= len(self.nets) <= MOST_NETS:
            raise ValueError(f"{len(self.nets)} nets are outside 1-{MOST_NETS}")
        for number, net in enumerate(self.nets):
            expected = self.config.shapes()
            if wrong := sorted(expected.keys() ^ net.keys()):
                raise ValueError(f"tensor {number}.{wrong[0]} is {'missing' if wrong[0] in expected else 'unknown'}")
            for name, shape in expected.items():
                if net[name].shape != shape:
                    raise ValueError(f"tensor {number}.{name} is {net[name].shape}, not {shape}")
                if not np.isfinite(net[name]).all():
                    raise ValueError(f"tensor {number}.{name} holds numbers that are none")


def read_touch(folder: Path | None) -> StoredTouch | None:
    """The touch that the bundle in a folder carries, if it does.

    Raises:
        BundleError: if the file is damaged, naming it.
    """
    if folder is None or not (path := folder / TOUCH_FILE).exists():
        return None
    from safetensors import SafetensorError, safe_open

    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise ValueError(f"it is larger than {LARGEST_BYTES >> 20} MiB")
        with safe_open(path, "numpy") as file:
            told = json.loads((file.metadata() or {}).get("touch", "null"))
            tensors = {name: np.asarray(file.get_tensor(name), np.float32) for name in file.keys()}  # noqa: SIM118
        if not isinstance(told, dict):
            raise ValueError("it does not say its sizes")
        return _stored(told, tensors)
    except (OSError, SafetensorError, ValueError, TypeError, KeyError) as error:
        raise BundleError(f"{path} is no touch of drums ({error}); take it away, or copy the bundle again") from None


def _stored(told: dict[str, Any], tensors: Tensors) -> StoredTouch:
    config = DrumTouchConfig(tuple(map(int, told["pitches"])), int(told["width"]))
    nets: dict[str, Tensors] = {}
    for name, tensor in tensors.items():
        number, _, rest = name.partition(".")
        nets.setdefault(number, {})[rest] = tensor
    shares = tuple(tuple(map(float, row)) for row in told["in_common"])
    return StoredTouch(config, tuple(nets[number] for number in sorted(nets)), shares)


def write_touch(touch: StoredTouch, path: Path) -> None:
    """Write it, in half precision, in one stroke."""
    from safetensors.numpy import save

    told = {"pitches": list(touch.config.pitches), "width": touch.config.width, "in_common": touch.in_common}
    tensors = {
        f"{number}.{name}": np.ascontiguousarray(tensor, np.float16)
        for number, net in enumerate(touch.nets)
        for name, tensor in net.items()
    }
    write_atomically(path, save(tensors, metadata={"touch": json.dumps(told)}))
