"""The output of `plan`: what would run, why, and at what cost."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal

from ablations.commands.collector import unsearched
from ablations.commands.output import DATA_MISSING, plain_table, print_json, size
from ablations.commands.terminal import console, say
from ablations.study import Request, Study, cell_names
from sweeps.approximate_time import duration

if TYPE_CHECKING:
    from ablations.compose import Compute, Cost, Detectable, Executed, ResolvedStudy
    from ablations.machine_profile import Machine
    from sweeps.planning import Plan
    from sweeps.record import Summary


@unsearched()
def show_plan(
    request: Request,
    *,
    keep: Literal["none", "last"],
    slots: int | None = None,
    budget: float | None = None,
    as_json: bool,
) -> None:
    """Prints the plan: by cell for people, by trial as JSON."""
    from ablations.compose import (
        as_configured,
        compose,
        cost,
        detectable_effects,
        executed,
        planned,
        refuse_another_design,
    )
    from ablations.machine_profile import known as known_machine

    composed, store = compose(request)
    known = store.known()
    the_plan = planned(composed, known)
    refuse_another_design(composed, store, the_plan.label)
    timed = timed.with_slots(slots) if (timed := known_machine(store.machine)) else None
    price = cost(
        the_plan,
        known,
        timed,
        device=composed.device,
        slots=slots,
        keep=keep,
        recompute=request.recompute,
    )
    own = as_configured(composed, the_plan, known.summaries)
    notes = _notes(composed, the_plan, own, timed)
    claims = detectable_effects(composed, own)
    within = None if budget is None else fitting(the_plan, price, budget)
    files, excluded = executed(the_plan, known.artifacts), composed.sweep().excluded()
    for sentence in (*store.messages, *_without_glyph(composed.study, request)):
        say(sentence)
    if as_json:
        more: dict[str, Any] = {"excluded": excluded, "notes": notes, "budget": within}
        more["detectable"] = [one._asdict() for one in claims]
        print_json({**_planned(the_plan, price, files), **more})
        return
    out = console()
    out.print(f"{the_plan.label}: {composed.study.question}")
    out.print(plan_table(the_plan, excluded))
    for note in notes:
        out.print(f"note: {note}", soft_wrap=True)
    for line in (
        *cost_lines(the_plan, price, keep=keep),
        *(within["text"] for within in [within] if within),
        *detectable_lines(claims, composed.study.unit),
        *closing_lines(the_plan, request, keep=keep, slots=slots, within=within),
    ):
        out.print(line, soft_wrap=True)  # a command that breaks in two runs something else
    for file in files:
        out.print(f"a run executes {file}", soft_wrap=True)


def _notes(
    composed: "ResolvedStudy", the_plan: "Plan", own: "list[Summary]", timed: "Machine | None"
) -> list[str]:
    """What a reader should know before the plan runs."""
    from ablations.compose import foreseen, kernel_by_kernel, left_out, skipped
    from ablations.machine_profile import on_gpus

    notes = [*foreseen(composed, the_plan, own), *left_out(composed, the_plan, own)]
    notes += kernel_by_kernel(composed, the_plan)
    notes += skipped(composed.data.values(), composed.cache)
    if timed is not None and not timed.is_of_here(composed.device):
        notes.append(
            f"times are those of the machine that this store was timed on ({timed.cpu}, "
            f"{timed.cores} cores, {timed.device}, torch {timed.torch}); "
            "`ablate doctor --save` times this one"
        )
    if timed is not None and composed.device == "cuda":
        spread = on_gpus(timed.slots, timed.workers)
        notes += [] if spread is None else [spread]
    return notes


def _without_glyph(study: Study, request: Request) -> list[str]:
    """The characters that the PDF of this study cannot show; the HTML page shows them."""
    words = [study.title, study.question, study.source, str(request.store), request.study]
    words += [text for claim in study.claims for text in (claim.name, claim.statement)]
    words += cell_names(study, request.scale)
    if "".join(words).isascii():
        return []
    from reports.document import without_glyph

    lacking = without_glyph(" ".join(words))
    if not lacking:
        return []
    shown = " ".join(lacking[:10]) + (" ..." if len(lacking) > 10 else "")
    fonts = f"the fonts of report.pdf and of the figures lack {shown} and show □ instead"
    return [f"{fonts}; the text of report.html shows them"]


def plan_table(the_plan: "Plan", excluded: Mapping[str, str]) -> Any:
    """One row for each cell and reason, then one for each cell that the study excludes."""
    rows: dict[str, Counter[str]] = defaultdict(Counter)
    todo: Counter[str] = Counter()
    for trial in the_plan.trials:
        # If data are missing, all cells have the same long reason: it is printed once, below the table.
        missing = trial.reason.startswith(DATA_MISSING)
        rows[trial.cell][DATA_MISSING if missing else trial.reason] += 1
        todo[trial.cell] += trial.todo
    roles = {trial.cell: trial.role for trial in the_plan.trials}
    table = plain_table("cell", "role", "trials", "to run", "why", right=("trials", "to run"))
    for cell in dict.fromkeys(trial.cell for trial in the_plan.trials):
        reasons = rows[cell]
        why = "; ".join(
            reason if len(reasons) == 1 else f"{times} {reason}"
            for reason, times in reasons.items()
        )
        table.add_row(cell, roles[cell], str(sum(reasons.values())), str(todo[cell]), why)
    for cell, reason in excluded.items():
        table.add_row(cell, "arm", "0", "0", f"excluded: {reason}")
    return table


def cost_lines(the_plan: "Plan", price: "Cost", *, keep: str) -> Iterator[str]:
    """What the plan takes: time, memory, disk, download, energy, operations."""
    todo = len(the_plan.todo)
    yield f"{todo} of {len(the_plan.trials)} trials to run, {encoders(price.encoders)} to train"
    if todo:
        yield f"time: {time_text(price)}"
        if (memory := price.memory) is not None:
            yield (
                f"memory: {size(memory.num_bytes)} for a trial of {memory.cell}, which takes most; "
                f"{memory.source}"
            )
        yield disk_text(price, keep)
        yield "download: nothing; a study reads only images that are on this machine"
        if price.energy is not None:
            yield f"energy: about {price.energy.kilowatt_hours:.2g} kWh; {price.energy.source}"
    if price.compute is not None:
        yield compute_line(price.compute)


def encoders(num: int) -> str:
    """1 encoder, 2 encoders."""
    return f"{num} encoder{'' if num == 1 else 's'}"


def time_text(price: "Cost") -> str:
    """The duration with its 10 % and 90 % quantiles, and what it rests on."""
    if (whole := price.duration) is None:
        return (
            "unknown until a trial has finished on this machine, or `ablate doctor --save` has "
            "timed it"
        )
    slots = f", {price.slots} trials at a time" if price.slots > 1 else ""
    return (
        f"about {duration(whole.middle)}{slots} (10 %: {duration(whole.low)}, 90 %: "
        f"{duration(whole.high)}), based on {whole.source}"
    )


def disk_text(price: "Cost", keep: str) -> str:
    """What the store will hold in addition."""
    weights, records = price.disk
    others = f"{size(records)} for records, MLflow and reports"
    if keep == "none":
        return f"disk: {others}"
    if weights is None:
        return f"disk: {others}; the encoders' weights are unknown before their file is executed"
    theirs = f"{size(weights)} for the encoders' weights (none with --keep none)"
    return f"disk: {size(weights + records)}, of which {theirs}"


def detectable_lines(claims: "list[Detectable]", unit: str) -> Iterator[str]:
    """The smallest difference that each primary claim can detect."""
    from reports.spec import difference_unit

    points = difference_unit(unit)
    alike: dict[Detectable, list[str]] = defaultdict(list)
    for one in claims:
        alike[one._replace(claim="")].append(repr(one.claim))
    for one, names in alike.items():
        named = f"claim{'s' if len(names) > 1 else ''} {', '.join(names)}"
        if not one.sizes:
            yield f"{named}: {one.source}"
            continue
        what = "smallest margin shown" if one.equivalence else "smallest detectable difference"
        sizes = ", ".join(
            f"{size:.2g} {points if one.deviation is not None else 'SD'} at {seeds} seeds"
            for seeds, size in one.sizes
        )
        source = one.source if one.deviation is None else f"SD {one.deviation:.2g}, {one.source}"
        yield f"{named}: {what} {sizes} (power 80 %; {source})"


def fitting(the_plan: "Plan", price: "Cost", budget: float) -> dict[str, Any]:
    """The whole rounds of seeds that are expected to end within a budget of seconds, and in words."""
    from ablations.compose import duration as duration_of
    from ablations.compose import rounds_of, rounds_within

    rounds = rounds_of(the_plan.todo)
    if price.expected is None:
        text = "which rounds of seeds fit is unknown before the machine is timed; a run times it"
        return {"seconds": budget, "seeds": None, "text": f"budget {duration(budget)}: {text}"}
    number = rounds_within(price.expected, the_plan.todo, price.processes, budget)
    seeds = [one[0].seed for one in rounds]
    fit, rest = seeds[:number], seeds[number:]
    text = f"{_listed(fit)} fit{'s' if len(fit) == 1 else ''}"
    if not fit:
        takes = duration(duration_of(price.expected, rounds[0], price.processes).middle)
        text = f"not even the first round of seeds fits: it takes about {takes}"
    elif rest:
        be = "is" if len(rest) == 1 else "are"
        text += f"; {_listed(rest)} {be} left to another run of the same command"
    return {"seconds": budget, "seeds": fit, "text": f"budget {duration(budget)}: {text}"}


def _listed(seeds: list[int]) -> str:
    if len(seeds) > 2 and seeds == list(range(seeds[0], seeds[-1] + 1)):
        return f"seeds {seeds[0]} to {seeds[-1]}"
    return f"seed{'' if len(seeds) == 1 else 's'} {', '.join(map(str, seeds))}"


def closing_lines(
    the_plan: "Plan",
    request: Request,
    *,
    keep: str,
    slots: int | None,
    within: "dict[str, Any] | None",
) -> Iterator[str]:
    """The command that runs the plan, if the budget lets any of it run, and what it leaves."""
    if the_plan.todo and (within is None or within["seeds"] != []):
        more = "" if slots is None else f" --slots {slots}"
        more += " --again" * request.again + " --failed" * request.failed
        more += "" if keep == "last" else f" --keep {keep}"
        more += "" if within is None else f" --budget {within['seconds']:g}s"
        yield f"start with: ablate run {request.words()}{more}"
    missing = [t.reason for t in the_plan.trials if t.reason.startswith(DATA_MISSING)]
    yield from (one.removeprefix(DATA_MISSING + ": ") for one in dict.fromkeys(missing))
    if any(trial.reason.startswith("failed") for trial in the_plan.trials) and not request.failed:
        yield "to run failed trials again, add --failed"


def compute_line(of: "Compute") -> str:
    """The floating-point operations of pre-training, on any machine."""
    from reports.spec import flop_text

    pair = " to ".join(dict.fromkeys(flop_text(operations) for operations in of.pair))
    whole = "the images were not counted" if of.total is None else f"{flop_text(of.total)} in all"
    return (
        f"pre-training: {encoders(of.encoders)}, {pair} for the views of an image, {whole}; "
        "estimated, not measured, excluding loss and evaluation"
    )


def _planned(the_plan: "Plan", price: "Cost", files: "list[Executed]") -> dict[str, Any]:
    return {
        "study": the_plan.study,
        "scale": the_plan.scale,
        "variation": the_plan.variation,
        "time": None if price.duration is None else price.duration._asdict(),
        "slots": price.slots,
        "encoders": price.encoders,
        "memory": None if price.memory is None else price.memory._asdict(),
        "disk": price.disk._asdict(),
        "download": 0,
        "energy": None if price.energy is None else price.energy._asdict(),
        "operations": None if price.compute is None else price.compute.total,
        "executes": [file._asdict() for file in files],
        "trials": [
            {
                "key": trial.key,
                "cell": trial.cell,
                "seed": trial.seed,
                "config": trial.config,
                "reason": trial.reason,
                "todo": trial.todo,
                "role": trial.role,
                "levels": trial.levels,
                "stages": {stage.name: stage.key for stage in trial.stages},
            }
            for trial in the_plan.trials
        ],
    }
