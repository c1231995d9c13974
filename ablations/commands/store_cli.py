"""The commands `ablate store ...`: parse and delegate."""

from pathlib import Path
from typing import Annotated

import typer

from ablations.commands import completion, options

store_app = typer.Typer(
    help="Share, check and tidy a store.",
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"max_content_width": 100},
)


@store_app.command("export")
def export_store(
    studies: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[STUDY]...",
            help="As `ablate status` names them; default: all.",
            autocompletion=completion.labels,
        ),
    ] = None,
    *,
    to: Annotated[
        Path | None, typer.Option("--to", metavar="FILE", help="Default: STORE.tar.gz.")
    ] = None,
    encoders: Annotated[
        bool, typer.Option("--encoders", help="Also the weights of the trained encoders.")
    ] = False,
    store: options.StorePath = Path("runs"),
) -> None:
    """Write records and reports to one file, with the hash of each."""
    from ablations.commands.store_commands import export_to

    export_to(store, tuple(studies or ()), to, encoders=encoders)


@store_app.command("import")
def import_store(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file of `ablate store export`.")],
    *,
    store: options.StorePath = Path("runs"),
) -> None:
    """Add the content of FILE to a store; what is there stays as it is."""
    from ablations.commands.store_commands import import_from

    import_from(store, file)


@store_app.command("check")
def check_store(*, store: options.StorePath = Path("runs"), as_json: options.Json = False) -> None:
    """Check every record and artifact against its checksum."""
    from ablations.commands.store_commands import check

    raise typer.Exit(check(store, as_json=as_json))


@store_app.command("gc")
def clean_store(
    *,
    encoders: Annotated[
        bool,
        typer.Option("--encoders", help="Also all weights; a new evaluation trains them again."),
    ] = False,
    store: options.StorePath = Path("runs"),
) -> None:
    """Remove leftovers, used checkpoints and the cache; records stay."""
    from ablations.commands.store_commands import clean

    clean(store, encoders=encoders)
