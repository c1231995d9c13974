"""Entry point: `ablate ...` and `python -m ablations ...`. Turns errors into exit codes."""

import sys
from collections.abc import Sequence
from typing import Any

DONE, FAILED, WRONG, STOPPED = 0, 1, 2, 130
"""All well; some trials failed; the input was wrong; stopped by the user."""

_REPAIRABLE = {
    "ablations.errors": "AblationError",
    "sweeps.errors": "SweepError",
    "simclr_core.errors": "SimclrError",
    "reports.errors": "ReportError",
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs one command and exits with its code."""
    from ablations.commands import Output

    output = Output()
    code = run(arguments)
    sys.exit(max(code, FAILED) if output.refused() else code)


def run(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; each mistake that a user can fix is one message on stderr."""
    from ablations.commands import app, searched_again

    try:
        code: Any = app(args=None if arguments is None else list(arguments), standalone_mode=False)
    except KeyboardInterrupt:
        return STOPPED
    except BrokenPipeError:
        # The reader (such as `head`) has seen enough; Python's own flush at the end must not fail.
        sys.stdout = None  # type: ignore[assignment]
        return DONE
    except Exception as error:
        sentences = _sentences(error)
        if sentences is None:
            raise
        from ablations.commands import say

        for sentence in sentences:
            say(sentence)
        return WRONG
    finally:
        searched_again()
    return code if isinstance(code, int) else DONE


def _sentences(error: Exception) -> Sequence[str] | None:
    """The messages of an error that a user can fix; None for a defect."""
    if type(error).__name__ == "Abort":
        return ["stopped"]
    if type(error).__name__ == "NoSuchOption":
        return [_unknown_option(error)]
    shown = getattr(error, "format_message", None)
    if shown is not None:  # what typer raises about the command line
        message = " ".join(str(shown()).split()).rstrip(".")
        return [f"{message[:1].lower()}{message[1:]}; `ablate --help` lists the commands"]
    for module, name in _REPAIRABLE.items():
        # Only a module that is loaded can have raised: nothing heavy is imported to find out.
        kind = getattr(sys.modules.get(module), name, None)
        if kind is not None and isinstance(error, kind):
            given = getattr(error, "sentences", None)
            return list(given) if given else str(error).splitlines()
    return None


def _unknown_option(error: Any) -> str:
    from sweeps.suggest import did_you_mean

    known = ["--help"] + [
        option
        for parameter in (error.ctx.command.params if error.ctx else [])
        for option in parameter.opts
        if option.startswith("--")
    ]
    command = error.ctx.info_name if error.ctx else "ablate"
    return f"{command} has no option {error.option_name}{did_you_mean(error.option_name, known)}"


if __name__ == "__main__":
    main()
