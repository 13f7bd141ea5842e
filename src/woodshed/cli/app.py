"""The verbs, put together; and what becomes of errors: one line, and an exit code."""

from __future__ import annotations

import errno
import logging
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated, Any

import typer
import typer.core

from woodshed.errors import UsageError as WrongUsage
from woodshed.errors import WoodshedError
from woodshed.version import __version__

VERBS = (
    "demo", "doctor", "corpus", "data", "recipes", "train", "generate", "continue", "infill", "accompany", "solo",
    "harmonise", "vary", "humanise", "interpolate", "radio", "evaluate", "report", "novelty", "listen-test",
    "render",
)  # fmt: skip
"""In the order in which a newcomer meets them. Each is a module ``woodshed.cli.VERB`` (``continue_`` for the one
that is a Python keyword, ``_`` for ``-``) with a function ``command``, or a group of commands ``app``."""

DEBUG = "WOODSHED_DEBUG"
DONE, COULD_NOT, WRONG_USAGE = 0, 1, 2
INTERRUPTED = 130
"""What typer answers when Ctrl-C ends a command; older ones raise Abort."""
UsageError = typer.BadParameter.__base__ or Exception
"""Typer brings its own copy of click or uses the installed one, depending on its version: this is either's."""


class InOrder(typer.core.TyperGroup):
    """Lists the commands in the order of `VERBS`, groups among them."""

    def list_commands(self, ctx: Any) -> list[str]:
        """The verbs that there are."""
        return [verb for verb in VERBS if verb in self.commands]


class Playing(typer.core.TyperCommand):
    """A command that can be given ``--style`` instead of its first argument, BUNDLE."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """With a style, the first argument is what would be the second. That must be known before the arguments are
        told apart, for each takes the first that is left; a bundle beside a style comes last, and is refused.
        """
        options = args[: args.index("--")] if "--" in args else args
        if any(word == "--style" or word.startswith("--style=") for word in options):
            bundle = next((one for one in self.params if one.name == "bundle"), None)
            if bundle is not None:
                self.params.remove(bundle)
                self.params.append(bundle)
                bundle.required = False
        rest = super().parse_args(ctx, args)
        if ctx.params.get("style") is not None and ctx.params.get("bundle") is not None:
            raise WrongUsage("give either BUNDLE or --style: a style names all bundles that are to be blended")
        return rest


def build_app(verbs: Sequence[str] = VERBS) -> typer.Typer:
    """The command line, or so much of it."""
    app = typer.Typer(
        name="woodshed", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
        rich_markup_mode=None,  # importing rich's Markdown would double the time that help takes
        cls=InOrder,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )  # fmt: skip
    app.callback()(start)
    for verb in verbs:
        module = import_module(f"woodshed.cli.{'continue_' if verb == 'continue' else verb.replace('-', '_')}")
        if hasattr(module, "app"):
            app.add_typer(module.app, name=verb, help=module.HELP)
        else:
            app.command(verb, cls=Playing)(module.command)
    return app


def start(
    version: Annotated[bool, typer.Option("--version", help="Print the version and leave.")] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help=f"Show a traceback for every error. So does {DEBUG}=1.")
    ] = False,
) -> None:
    """Give it a few MIDI files; it practises them and plays you something new, that you can edit."""
    if debug:
        os.environ[DEBUG] = "1"


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code: 0 done, 1 could not, 2 wrong usage."""
    if list(arguments) == ["--version"]:
        print(f"woodshed {__version__}")
        return DONE
    logging.basicConfig(format="%(message)s")
    logging.getLogger("woodshed").setLevel(logging.INFO)
    try:
        asked = [verb for verb in VERBS if verb in arguments[:1]]  # the others would only cost time
        code = build_app(asked or VERBS)(
            args=list(arguments), prog_name="woodshed", standalone_mode=False, obj=list(arguments)
        )
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except Exception as error:
        if os.environ.get(DEBUG, "0") not in ("", "0"):
            raise
        try:
            return _explain(error)
        except BrokenPipeError:
            return _silence()
    if code == INTERRUPTED:
        return _fail("interrupted; nothing was left half-written", COULD_NOT)
    return int(code) if isinstance(code, int) else DONE


def _explain(error: Exception) -> int:
    """One line on stderr, and the exit code."""
    if isinstance(error, WoodshedError):
        return _fail(str(error), error.exit_code)
    if isinstance(error, UsageError):
        return _usage(error)
    if isinstance(error, BrokenPipeError):
        return _silence()
    if isinstance(error, OSError):
        return _fail(_os_error(error), COULD_NOT)
    if isinstance(error, MemoryError):
        return _fail("out of memory; try less music, fewer bars or a smaller model", COULD_NOT)
    name = type(error).__name__
    return _fail(f"unexpected {name}: {error}; this is a mistake in Woodshed, {DEBUG}=1 shows where", COULD_NOT)


def _fail(message: str, code: int) -> int:
    print("error:", " ".join(message.split()), file=sys.stderr)
    return code


def _usage(error: Exception) -> int:
    """What was wrong with the command line, and where to read how it is right."""
    message = getattr(error, "format_message", lambda: str(error))()
    if type(error).__name__ == "NoArgsIsHelpError":
        print(message)
        return WRONG_USAGE
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "woodshed"
    return _fail(f"{message.rstrip('.')}; `{command} --help` shows how", WRONG_USAGE)


def _os_error(error: OSError) -> str:
    place = f"{error.filename}: " if error.filename else ""
    if error.errno == errno.ENOSPC:
        return f"{place}the disk is full; free some space or choose another place"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"{place}permission denied; change the permissions or choose another place"
    return f"{place}{error.strerror or error}"


def _silence() -> int:
    """The reader of our output has gone (``woodshed ... | head``): say no more, not even at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return COULD_NOT
