"""Print an index of torch builds if this machine is of use to it and it answers; else print nothing.

Only Linux needs the CPU index: elsewhere the plain build of torch is a CPU build already.
"""

from __future__ import annotations

import sys
import urllib.request

TIMEOUT_SECONDS = 5


def answers(address: str) -> bool:
    """Whether the index lists torch within the time allowed."""
    try:
        request = urllib.request.Request(address.rstrip("/") + "/torch/", method="HEAD")
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS):
            return True
    except (OSError, ValueError):  # refused, unknown host, too slow, a 404, not an address
        return False


def main(address: str) -> None:
    if not address or not sys.platform.startswith("linux"):
        return
    if answers(address):
        print(address)
    else:
        print(f"{address} does not answer: torch comes from the usual place, perhaps with CUDA", file=sys.stderr)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "")
