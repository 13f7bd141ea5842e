"""Where things are kept on this machine: every room may ask."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def cache_folder() -> Path:
    """Where things are kept that can be made again: XDG_CACHE_HOME, or the platform's place for a user's caches."""
    if chosen := os.environ.get("XDG_CACHE_HOME"):
        return Path(chosen) / "woodshed"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "woodshed"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "woodshed" / "cache"
    return Path.home() / ".cache" / "woodshed"
