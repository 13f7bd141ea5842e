"""Saving and loading bundles. Loading checks everything and never unpickles."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from woodshed.bundle.card import card_text
from woodshed.bundle.stored import StoredModel, kept, read_stored
from woodshed.bundle.style import check_style
from woodshed.codecs import codec_from_config
from woodshed.errors import BundleError, BundleTooNew, FileError
from woodshed.version import __version__

FORMAT = 1
"""Version of the folder's layout; a bundle with a higher one is refused."""
MODEL_FILE, CONFIG_FILE, CARD_FILE = "model.safetensors", "config.json", "README.md"
LARGEST_CONFIG_BYTES = 4 << 20
SHIPPED = Path(__file__).parent.parent / "weights"
SHIPPED_NAMES = ("base",)
"""Bundles that come with Woodshed, and may be named instead of a folder."""
CAPABILITIES = {
    "note-step": ("generate", "continue", "infill", "accompany", "solo", "harmonise", "vary", "humanise"),
    **dict.fromkeys(("melody", "pitch-names", "pitch-step-duration"), ("generate", "continue", "solo")),
    "chorale": ("generate", "harmonise"),
    "chord-roll": ("generate",),
    **dict.fromkeys(("clip-melody", "clip-drums", "clip-trio", "clip-band"), ("generate", "interpolate", "vary")),
}
"""Name of a codec -> the verbs that its bundles can answer, if these are not `USUAL_CAPABILITIES`."""
USUAL_CAPABILITIES = ("generate", "continue")


def capabilities_of(codec_name: str) -> tuple[str, ...]:
    """The verbs that bundles with this codec can answer."""
    return CAPABILITIES.get(codec_name, USUAL_CAPABILITIES)


@dataclass(frozen=True)
class Bundle:
    """A model with all that is needed to play it."""

    model: Any
    """A module of `woodshed.models`, with its ``name`` and ``config``."""
    codec: Any
    """A codec of `woodshed.codecs`."""
    recipe: str = "band"
    """Name of the recipe that trained it."""
    style: dict[str, Any] = field(default_factory=dict)
    """What the training songs were like: tempo, meters, keys, instruments, arrangements; see `training.style`."""
    training: dict[str, Any] = field(default_factory=dict)
    """How it was trained, and the held-out loss."""
    folder: Path | None = None

    @property
    def name(self) -> str:
        """What its folder is called; of a blend, all of theirs with their shares; else the recipe."""
        if self.folder is not None:
            return self.folder.resolve().name
        blended = self.training.get("blend", ())
        return ",".join(f"{one['bundle']}:{one['share']:.4g}" for one in blended) or self.recipe

    @property
    def capabilities(self) -> tuple[str, ...]:
        """The verbs that this bundle can answer."""
        return capabilities_of(self.codec.name)

    @property
    def config(self) -> dict[str, Any]:
        """The content of config.json."""
        return {
            "format": FORMAT,
            "woodshed_version": __version__,
            "recipe": self.recipe,
            "capabilities": list(self.capabilities),
            "codec": self.codec.config(),
            "vocabulary": self.codec.field_sizes(),
            "model": {"name": self.model.name, **self.model.config.as_dict()},
            "style": self.style,
            "training": self.training,
        }


def save_bundle(bundle: Bundle, folder: Path) -> None:
    """Write the three files into ``folder``, each replaced in one stroke.

    Raises:
        FileError: when the disk is full or the folder cannot be written; older files stay whole.
    """
    from safetensors.torch import save

    contents = {
        MODEL_FILE: save(kept(bundle.model), metadata={"format": "pt"}),
        CONFIG_FILE: (json.dumps(bundle.config, indent=1, ensure_ascii=False) + "\n").encode(),
        CARD_FILE: card_text(bundle.config, bundle.capabilities).encode(),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in contents.items():
            write_atomically(folder / name, content)
    except OSError as error:
        raise FileError(f"{folder}: {error.strerror or error}; free some space or choose another --output") from error


def write_atomically(path: Path, content: bytes) -> None:
    """Write beside ``path`` and rename, so that a reader sees the old file or the new, never half of one."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def bundle_folder(name: Path | str) -> Path:
    """Where a bundle lies: ``base`` is the one that is shipped, unless there is a bundle of that name here.

    Some other folder of that name, such as one with clips of the base, does not hide it.
    """
    path = Path(name)
    return SHIPPED / path.name if str(name) in SHIPPED_NAMES and not (path / CONFIG_FILE).exists() else path


def read_config(folder: Path | str) -> dict[str, Any]:
    """A bundle's config.json, checked as far as that goes without the model. Loads no torch.

    Raises:
        BundleError: if the folder is no bundle or its config is damaged.
        BundleTooNew: if a newer Woodshed wrote it.
    """
    folder = bundle_folder(folder)
    path = folder / CONFIG_FILE
    try:
        if path.stat().st_size > LARGEST_CONFIG_BYTES:
            raise BundleError(f"{path} is larger than {LARGEST_CONFIG_BYTES} bytes; this is no bundle's config")
        config = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise BundleError(
            f"{folder} is not a bundle: it has no {CONFIG_FILE}; make one with `woodshed train`"
        ) from None
    except NotADirectoryError:
        raise BundleError(
            f"{folder} is a file, and a bundle is a folder that `woodshed train` writes; name that folder first"
        ) from None
    except (OSError, ValueError) as error:
        raise BundleError(f"{path} cannot be read ({error}); train or copy the bundle again") from None
    if not isinstance(config, dict) or not isinstance(config.get("format"), int):
        raise BundleError(f"{path} names no bundle format; train or copy the bundle again")
    if config["format"] > FORMAT:
        version = config.get("woodshed_version", "a newer version")
        raise BundleTooNew(
            f"{folder} was made by Woodshed {version} (bundle format {config['format']}; {FORMAT} is known here); "
            "upgrade with `pip install --upgrade woodshed`"
        )
    return config


def load_bundle(folder: Path | str) -> Bundle:
    """Read and check a bundle; the model is in evaluation mode, on the CPU.

    Raises:
        BundleError: if anything is missing, damaged, or does not fit together.
        BundleTooNew: if a newer Woodshed wrote it.
    """
    folder = bundle_folder(folder)
    config = read_config(folder)
    sections = {name: config.get(name) for name in ("codec", "model", "style", "training")}
    for name, section in sections.items():
        if not isinstance(section, dict):
            raise BundleError(f"{folder / CONFIG_FILE} has no section {name!r}; train or copy the bundle again")
    check_style(config["style"], str(folder / CONFIG_FILE))
    codec = codec_from_config(config["codec"])
    if config.get("vocabulary") != codec.field_sizes():
        raise BundleError(f"{folder / CONFIG_FILE}: its vocabulary is not that of the codec; train the bundle again")
    model = _load_model(folder, config["model"])
    recipe = str(config.get("recipe", "band"))
    return Bundle(model, codec, recipe, config["style"], config["training"], folder)


def _load_model(folder: Path, config: dict[str, Any]) -> Any:
    from safetensors import SafetensorError

    path = folder / MODEL_FILE
    try:
        return read_stored(path, config) if config.get("name") == StoredModel.name else _load_module(path, config)
    except _Strange as error:
        raise BundleError(f"{folder / CONFIG_FILE}: {error}; the config is damaged, or from a newer Woodshed") from None
    except FileNotFoundError:
        raise BundleError(f"{folder} has no {MODEL_FILE}; the copy is incomplete, copy the whole folder") from None
    except SafetensorError as error:
        raise BundleError(f"{path} is truncated or damaged ({error}); copy or train the bundle again") from None
    except (RuntimeError, TypeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise BundleError(f"{path} does not fit {CONFIG_FILE} ({reason}); copy or train the bundle again") from None


class _Strange(ValueError):
    """A config that names no model that there is."""


def _load_module(path: Path, config: dict[str, Any]) -> Any:
    from safetensors.torch import load_file

    from woodshed.models import build_model

    try:
        model = build_model(config)
    except ValueError as error:
        raise _Strange(str(error)) from None
    model.load_state_dict(load_file(path))
    return model.eval()
