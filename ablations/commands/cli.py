"""The command line: parses, delegates, prints. Every slow import is inside its command."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ablations.commands import completion, defaults_file, options
from ablations.commands.store_cli import store_app
from ablations.errors import UsageError

if TYPE_CHECKING:
    from ablations.study import Request

app = typer.Typer(
    name="ablate",
    help="Runs ablation studies of SimCLR and judges their claims: records, verdicts, reports.",
    no_args_is_help=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


app.add_typer(store_app, name="store")


def _say_version(wanted: bool) -> None:  # noqa: FBT001 -- typer's callbacks take the value alone
    if wanted:
        from sweeps.provenance import version_of

        typer.echo(f"ablate {version_of('simclr-ablations') or '(not installed)'}")
        raise typer.Exit


Version = Annotated[
    bool,
    typer.Option("--version", callback=_say_version, is_eager=True, help="Show the version."),
]


@app.callback(invoke_without_command=True)
def _begin(context: typer.Context, *, version: Version = False) -> None:
    del version  # its callback has said it
    given = defaults_file.defaults(Path.cwd())
    if given:
        context.default_map = defaults_file.by_command(context.command, given)
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command("list")
def list_studies(*, store: options.StorePath = Path("runs"), as_json: options.Json = False) -> None:
    """List the studies that come with the package, and those on record in a store."""
    from ablations.commands.output import list_shipped

    list_shipped(store, as_json=as_json)


@app.command()
def show(
    study: options.StudyName,
    *,
    resolved: options.Resolved = False,
    scale: options.Scale = "laptop",
    only: options.Only = None,
    set: options.Settings = None,  # noqa: A002 -- the option's name
    data: options.Data = None,
    device: options.Device = "auto",
    as_json: options.Json = False,
) -> None:
    """Print a study's file to start your own from, or the configuration of each of its cells."""
    if not resolved:
        if as_json or only is not None:
            raise UsageError("show: --only and --json need --resolved; add that option")
        from ablations.commands.output import show_file

        show_file(study)
        return
    request = _request(study, scale, only, set, None, data, Path("runs"), device)
    from ablations.commands.resolved_cells import show_resolved

    show_resolved(request, as_json=as_json)


@app.command()
def plan(
    study: options.StudyName,
    *,
    scale: options.Scale = "laptop",
    only: options.Only = None,
    again: options.Again = False,
    failed: options.Failed = False,
    set: options.Settings = None,  # noqa: A002 -- the option's name
    seeds: options.Seeds = None,
    data: options.Data = None,
    store: options.StorePath = Path("runs"),
    device: options.Device = "auto",
    keep: options.Keep = "last",
    slots: options.Slots = None,
    budget: options.Budget = None,
    as_json: options.Json = False,
) -> None:
    """Show what would run, why and at what cost, without running anything."""
    given = options.together(
        request=lambda: _request(
            study, scale, only, set, seeds, data, store, device, again, failed
        ),
        how=lambda: options.how(keep, slots, budget),
    )
    from ablations.commands.plan import show_plan

    show_plan(given["request"], **given["how"], as_json=as_json)


@app.command()
def run(
    study: options.StudyName,
    *,
    scale: options.Scale = "laptop",
    only: options.Only = None,
    again: options.Again = False,
    failed: options.Failed = False,
    set: options.Settings = None,  # noqa: A002 -- the option's name
    seeds: options.Seeds = None,
    data: options.Data = None,
    store: options.StorePath = Path("runs"),
    device: options.Device = "auto",
    tracking: options.Tracking = None,
    keep: options.Keep = "last",
    recompute: options.Recompute = False,
    slots: options.Slots = None,
    budget: options.Budget = None,
) -> None:
    """Run the missing trials, judge the claims and write the reports."""
    given = options.together(
        request=lambda: _request(
            study, scale, only, set, seeds, data, store, device, again, failed, recompute
        ),
        how=lambda: options.how(keep, slots, budget),
    )
    from ablations.commands.run import run_study

    raise typer.Exit(run_study(given["request"], tracking=tracking, **given["how"]))


@app.command()
def status(
    study: options.OnRecord = None,
    *,
    scale: Annotated[
        str | None, typer.Option("--scale", metavar="SCALE", autocompletion=completion.scales)
    ] = None,
    store: options.StorePath = Path("runs"),
    trials: Annotated[
        bool, typer.Option("--trials", help="Also each trial with its key, for diff and export.")
    ] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Refresh every two seconds.")] = False,
    as_json: options.Json = False,
) -> None:
    """Show what has been run in a store and what is running now."""
    from ablations.commands.status import show_status

    chosen = None if scale is None else options.scale_of(scale)
    raise typer.Exit(show_status(store, study, chosen, trials=trials, watch=watch, as_json=as_json))


@app.command()
def report(
    study: options.StudyName,
    *,
    scale: options.Scale = "laptop",
    only: options.Only = None,
    set: options.Settings = None,  # noqa: A002 -- the option's name
    seeds: options.Seeds = None,
    data: options.Data = None,
    store: options.StorePath = Path("runs"),
    device: options.Device = "auto",
    watch: Annotated[
        bool,
        typer.Option("--watch", help="Rewrite the page, which reloads itself, as records come."),
    ] = False,
) -> None:
    """Judge the claims again and rewrite the reports, using only the records."""
    request = _request(study, scale, only, set, seeds, data, store, device)
    if watch:
        from ablations.commands.watch import watch_report

        raise typer.Exit(watch_report(request))
    from ablations.commands.report import report_study

    raise typer.Exit(report_study(request))


@app.command()
def trial(
    study: options.StudyName,
    key: options.PlannedKey,
    *,
    scale: options.Scale = "laptop",
    only: options.Only = None,
    set: options.Settings = None,  # noqa: A002 -- the option's name
    seeds: options.Seeds = None,
    data: options.Data = None,
    store: options.StorePath = Path("runs"),
    device: options.Device = "auto",
    keep: options.Keep = "last",
    recompute: options.Recompute = False,
) -> None:
    """Run one trial in this process, with all its output."""
    given = options.together(
        request=lambda: _request(
            study,
            scale,
            only,
            set,
            seeds,
            data,
            store,
            device,
            again=True,
            failed=True,
            recompute=recompute,
        ),
        keep=lambda: options.keep_of(keep),
    )
    from ablations.commands.run import run_one

    raise typer.Exit(run_one(given["request"], key, keep=given["keep"]))


@app.command()
def export(
    trial: options.RecordedKey,
    *,
    to: options.ToFile = None,
    mlflow: options.ToMlflow = False,
    tracking: options.Tracking = None,
    store: options.StorePath = Path("runs"),
) -> None:
    """Write a trial's encoder as a state dict that torchvision's ResNet loads, or log it to MLflow."""
    from ablations.commands.mlflow_model import export_to

    export_to(store, trial, to, mlflow=mlflow, tracking=tracking)


@app.command()
def diff(
    first: options.OneTrial,
    second: options.OtherTrial,
    *,
    store: options.StorePath = Path("runs"),
    as_json: options.Json = False,
) -> None:
    """Show what differs between two trials, and their values side by side."""
    from ablations.commands.trial_diff import show_diff

    show_diff(store, first, second, as_json=as_json)


@app.command()
def compare(
    names: options.Sides,
    *,
    store: options.StorePath = Path("runs"),
) -> None:
    """Write a report of studies, variations or stores side by side."""
    from ablations.commands.comparison import show_comparison

    raise typer.Exit(show_comparison(store, names))


@app.command()
def conform(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="Python file that defines loss, views or both; the command executes it.",
        ),
    ],
    *,
    as_json: options.Json = False,
) -> None:
    """Execute FILE and check its loss or views against the paper's definition."""
    from ablations.commands.conformance import conform as examine

    raise typer.Exit(examine(file, as_json=as_json))


@app.command()
def ui(
    key: options.PageOf = None,
    *,
    store: options.StorePath = Path("runs"),
    tracking: options.Tracking = None,
    port: Annotated[int, typer.Option("--port", min=1, max=65535)] = 5000,
) -> None:
    """Serve MLflow's pages and print the address of the runs."""
    from ablations.commands.ui import serve

    raise typer.Exit(serve(store, key, port=port, tracking=tracking))


@app.command()
def doctor(
    *,
    store: options.StorePath = Path("runs"),
    data: options.Data = None,
    save: Annotated[
        bool, typer.Option("--save", help="Save the timing in the store, for `plan`.")
    ] = False,
    as_json: options.Json = False,
) -> None:
    """Describe this machine, its measured speed and what is missing."""
    from ablations.commands.doctor import examine

    examine(store, data, save=save, as_json=as_json)


@app.command()
def fields(
    prefix: Annotated[
        str | None,
        typer.Argument(metavar="[PREFIX]", help="A dotted name, such as views.operations."),
    ] = None,
    *,
    as_json: options.Json = False,
    schema: Annotated[
        bool, typer.Option("--schema", help="Print a JSON schema of study files, for editors.")
    ] = False,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print all fields as a page of markdown.")
    ] = False,
) -> None:
    """Describe the fields of a study file and of the configuration."""
    from ablations.commands.fields import show_fields

    show_fields(prefix, as_json=as_json, as_schema=schema, as_markdown=markdown)


@app.command()
def explain(
    term: options.Term = None,
) -> None:
    """Explain a term of the glossary, a kind or a field; without TERM, list them."""
    from ablations.commands.explain import explain_term, list_terms

    if not term:
        list_terms()
    else:
        explain_term(" ".join(term))


@app.command()
def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The study's name.")],
    *,
    template: options.Template = "levels",
) -> None:
    """Write a commented study to start from into the current folder."""
    from ablations.commands.new import new_study

    new_study(name, template)


def _request(
    study: str,
    scale: str,
    only: str | None,
    settings: list[str] | None,
    seeds: str | None,
    data: Path | None,
    store: Path,
    device: str,
    again: bool = False,  # noqa: FBT001, FBT002 -- handed on from the options
    failed: bool = False,  # noqa: FBT001, FBT002
    recompute: bool = False,  # noqa: FBT001, FBT002
) -> "Request":
    from ablations.study import Request, one_of, parse_seeds

    values = options.together(
        scale=lambda: options.scale_of(scale),
        only=lambda: options.cells_of(only),
        seeds=lambda: None if seeds is None else parse_seeds(seeds),
        set=lambda: options.settings_of(settings or ()),
        device=lambda: one_of("--device", device, options.DEVICES),
    )
    return Request(
        study=study,
        data=data,
        store=store,
        again=again,
        failed=failed,
        recompute=recompute,
        **values,
    )
