"""Everything that Woodshed raises on purpose, in one tree.

    WoodshedError
    ├── UsageError              the request is wrong; exit code 2
    │   ├── OutOfRange          a value outside its allowed range, which the message states
    │   ├── UnknownName         a name that is not known; the message lists those that are
    │   └── OutputExists        would overwrite something; --force allows it
    ├── FileError               a file or folder cannot be read or written; exit code 1
    │   ├── FormatError         not music, or damaged beyond repair
    │   └── LimitExceeded       a named hard cap was hit; the message names the setting
    ├── CorpusError             no usable music, too few songs, a damaged corpus; exit code 1
    ├── CodecError              ids that are out of turn or out of the vocabulary; exit code 1
    ├── BundleError             a bundle that is missing, damaged or of the wrong kind; exit code 1
    │   └── BundleTooNew        made by a newer Woodshed
    ├── InfeasibleCanvas        constraints that no music can satisfy; exit code 1
    ├── DownloadError           an address that does not answer, or a wrong checksum; exit code 1
    └── MissingDependency       a library, program or SoundFont that is not installed; exit code 1

Every message names the thing, the place, the allowed range and the remedy, on one line.
"""

from __future__ import annotations


class WoodshedError(Exception):
    """The root: ``except WoodshedError`` catches all that is raised on purpose."""

    exit_code = 1


class UsageError(WoodshedError):
    """The request itself is wrong."""

    exit_code = 2


class OutOfRange(UsageError, ValueError):
    """A value lies outside its allowed range."""


class UnknownName(UsageError, ValueError):
    """A name is not among those known."""


class OutputExists(UsageError):
    """The output is already there and nobody said that it may be replaced."""


class FileError(WoodshedError):
    """A file or folder cannot be read or written."""


class FormatError(FileError):
    """The bytes are not music in the format they claim, or are damaged beyond repair."""


class LimitExceeded(FileError):
    """A named hard cap on time or memory was hit."""


class CorpusError(WoodshedError):
    """A corpus is empty, too small or damaged."""


class CodecError(WoodshedError):
    """Integer rows that no song can have."""


class BundleError(WoodshedError):
    """A bundle is missing, damaged or of the wrong kind."""


class BundleTooNew(BundleError):
    """A bundle was written by a newer Woodshed."""


class InfeasibleCanvas(WoodshedError):
    """Constraints that no music can satisfy together."""


class DownloadError(WoodshedError):
    """An address does not answer, or what came has the wrong checksum."""


class MissingDependency(WoodshedError):
    """A library, program or SoundFont is not installed."""
