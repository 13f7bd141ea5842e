"""Print the exact version of everything that Woodshed needs, found by walking from its own requirements.

Run through ``make constraints``. Packages that merely happen to be in the environment are not pinned. A
local version (torch's ``2.13.0+cpu``) is cut, so that one pin fits every build of that version.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, distribution

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOTS = ("woodshed[demo,dev]", "hatchling", "editables")
HEADER = """\
# Every version that the tests were run with. Written by `make constraints`; used by `make setup`.
# Fits Python 3.11 and newer; one pin serves the CPU and the CUDA build of torch alike.
"""


def wanted(requirement: Requirement, extras: set[str]) -> bool:
    """Whether a requirement's marker holds on this machine, for any of these extras."""
    return requirement.marker is None or any(requirement.marker.evaluate({"extra": extra}) for extra in extras | {""})


def pins() -> dict[str, str]:
    """Name -> version of all that is installed and reachable from the roots."""
    found: dict[str, str] = {}
    seen: set[tuple[str, frozenset[str]]] = set()
    waiting = [Requirement(root) for root in ROOTS]
    while waiting:
        requirement = waiting.pop()
        name, extras = canonicalize_name(requirement.name), frozenset(requirement.extras)
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        try:
            package = distribution(name)
        except PackageNotFoundError:
            raise SystemExit(f"{name} is needed and not installed; run `make setup` first") from None
        found[name] = package.version.partition("+")[0]
        needs = [Requirement(line) for line in package.requires or ()]
        waiting += [need for need in needs if wanted(need, set(extras))]
    del found["woodshed"]
    return found


if __name__ == "__main__":
    print(HEADER + "\n".join(f"{name}=={version}" for name, version in sorted(pins().items())))
