"""Mutants that nobody chose: a draw from all that mutmut makes of a module, each run on its tests.

mutmut's own runner keeps all mutants in one module behind switches; jaxtyping's hook, pydantic's
classes and autograd's static methods do not bear that. Here its operators write one whole module a
mutant, so that decorated functions and fields take part, and a process that has imported torch once
is forked for each: half a second where a fresh one takes four.
"""

import contextlib
import difflib
import importlib
import multiprocessing
import os
import random
import resource
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import NamedTuple

from proof.living import LIVING
from proof.mutate import copied

ROOT = Path(__file__).resolve().parents[2]

SEED, MOST = 2002, 75
"""Of the draw, and how many mutants of a module it holds: at most 375 in all."""

_NOTED = "imported.txt"

LANES = 2
SECONDS = 60
"""Of a processor for one file's tests, after which a mutant counts as noticed: a loop became endless."""


class Drawn(NamedTuple):
    """How mutants of one module are drawn and judged."""

    seed: str
    """Of the draw; it keeps the name that the module had when its living mutants were explained."""
    tests: tuple[str, ...]
    """Files below tests/simclr_core, in the order in which they are asked."""


SCHEMA = "config/test_schema.py config/test_overrides.py"
DRAWN: dict[str, Drawn] = {
    "losses/contrastive.py": Drawn(
        f"{SEED} losses.py",
        (
            "losses/test_contrastive.py losses/test_pair_losses.py losses/test_nt_xent_blockwise.py",
            f"{SCHEMA} training/test_pretraining.py",
        ),
    ),
    "losses/nt_xent_blockwise.py": Drawn(
        f"{SEED} contrast.py",
        ("losses/test_nt_xent_blockwise.py", "losses/test_contrastive.py"),
    ),
    "probes/logistic.py": Drawn(
        f"{SEED} probe.py",
        ("probes/test_logistic.py", f"evaluation/test_frozen_evaluation.py {SCHEMA}"),
    ),
    "probes/softmax.py": Drawn(
        f"{SEED} softmax.py",
        ("probes/test_softmax.py", "probes/test_logistic_path.py probes/test_logistic.py"),
    ),
    "optim/optimizers.py": Drawn(
        f"{SEED} optimizers.py",
        (
            "optim/test_optimizers.py",
            SCHEMA,
            "plugins/test_component.py networks/test_vit.py",
        ),
    ),
}
"""By module below simclr_core."""


class Change(NamedTuple):
    """A mutant, by the lines in which it differs."""

    file: str
    old: str
    new: str

    def __str__(self) -> str:
        return f"{self.file}: {self.old} -> {self.new}"


class Outcome(NamedTuple):
    change: Change
    noticed: bool
    seconds: float


def mutants(file: str, code: str, most: int = MOST) -> tuple[list[tuple[Change, str]], int]:
    """The mutants drawn from a module's, each with its whole text, and how many there were."""
    import libcst as cst
    from libcst.metadata import MetadataWrapper
    from mutmut.mutation.file_mutation import MutationVisitor
    from mutmut.mutation.mutators import mutation_operators
    from mutmut.mutation.pragma_handling import IgnoredCode

    class Everywhere(MutationVisitor):
        def _skip_node_and_children(self, node: cst.CSTNode) -> bool:
            decorated = isinstance(node, cst.FunctionDef)
            return not decorated and super()._skip_node_and_children(node)

    visitor = Everywhere(mutation_operators, IgnoredCode(set(), set(), set()))
    module = MetadataWrapper(cst.parse_module(code)).visit(visitor)
    made = visitor.mutations
    chosen = random.Random(DRAWN[file].seed).sample(made, min(most, len(made)))
    texts = [module.deep_replace(one.original_node, one.mutated_node).code for one in chosen]
    return [(changed(file, code, text), text) for text in texts], len(made)


def changed(file: str, before: str, after: str) -> Change:
    """The lines that differ, those of the original and those of the mutant."""
    told = list(difflib.ndiff(before.splitlines(), after.splitlines()))
    old, new = (
        " ".join(line[2:].strip() for line in told if line.startswith(mark)) for mark in "-+"
    )
    return Change(file, old, new)


def outcomes(file: str, drawn: list[tuple[Change, str]]) -> Iterator[Outcome]:
    """Each mutant of a module with whether a test noticed; raises where the copy itself is not green.

    Raises:
        RuntimeError: the tests are red without any mutant, or pytest ended otherwise.
    """
    sys.dont_write_bytecode = True  # two mutants of one second and size would share it
    with tempfile.TemporaryDirectory() as folder:
        lanes = [copied(Path(folder) / str(lane)) for lane in range(LANES)]
        for tests in DRAWN[file].tests:
            process = _asked(lanes[0], tests)
            process.join()
            if _noticed(process):
                raise RuntimeError(f"without any mutant {tests} is red for {file}")
            _import_as_noted(lanes[0])
        waiting = list(drawn)
        running: dict[Path, tuple[BaseProcess, Change, float, int]] = {}
        while waiting or running:
            for lane in lanes:
                if lane not in running and waiting:
                    change, text = waiting.pop(0)
                    (lane / "simclr_core" / file).write_text(text, "utf-8")
                    running[lane] = (
                        _asked(lane, DRAWN[file].tests[0]),
                        change,
                        time.monotonic(),
                        0,
                    )
                    continue
                if lane not in running:
                    continue
                process, change, began, stage = running[lane]
                process.join(0.05)
                if process.exitcode is None:
                    continue
                if process.exitcode == 0 and stage + 1 < len(DRAWN[file].tests):
                    running[lane] = (
                        _asked(lane, DRAWN[file].tests[stage + 1]),
                        change,
                        began,
                        stage + 1,
                    )
                    continue
                del running[lane]
                yield Outcome(change, _noticed(process), time.monotonic() - began)


def rows() -> Iterator[tuple[str, str, int, str]]:
    """Property, oracle, cases and result for each module, and for each mutant that no one noticed."""
    for file in DRAWN:
        code = (ROOT / "simclr_core" / file).read_text("utf-8")
        drawn, made = mutants(file, code)
        reasons = {(one.file, one.old, one.new) for one in LIVING}
        to_run = [one for one in drawn if one[0] not in reasons]
        alive: list[Change] = []
        for outcome in outcomes(file, to_run):
            if not outcome.noticed:
                alive.append(outcome.change)
                print(f"  lives: {outcome.change} ({outcome.seconds:.0f} s)", flush=True)
        excused = len(drawn) - len(to_run)
        noticed = len(to_run) - len(alive)
        yield (
            f"{noticed} of {len(drawn)} drawn mutants of {file} noticed, {excused} excused",
            f"mutmut's operators, {made} mutants, seed {SEED}",
            len(drawn),
            f"red: {len(alive)} live" if alive else "green",
        )
        yield from ((str(one), "", 1, "red: no test noticed") for one in alive)


def _asked(lane: Path, tests: str) -> BaseProcess:
    process = multiprocessing.get_context("fork").Process(target=_ask, args=(lane, tests))
    process.start()
    return process


def _ask(lane: Path, tests: str) -> None:
    import pytest
    import torch

    # Threads that wait for one another would use up the seconds of a busy machine.
    torch.set_num_threads(1)
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    os.chdir(lane)
    silent = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 1)
    os.dup2(silent, 2)
    files = [f"tests/simclr_core/{name}" for name in tests.split()]
    options = ["-x", "-q", "-m", "not slow and not proof", "-p", "no:cacheprovider"]
    code = pytest.main([*options, "--assert=plain", *files])
    if not (lane / _NOTED).exists():
        (lane / _NOTED).write_text("\n".join(sys.modules), "utf-8")
    os._exit(int(code))


def _import_as_noted(lane: Path) -> None:
    """What the tests imported beside themselves and the trainer: no fork imports it again."""
    for name in (lane / _NOTED).read_text("utf-8").split():
        own = name.partition(".")[0] in ("simclr_core", "reports", "tests") or "." not in name
        if not own and name not in sys.modules:
            with contextlib.suppress(Exception), warnings.catch_warnings(action="ignore"):
                importlib.import_module(name)
    (lane / _NOTED).unlink()


def _noticed(process: BaseProcess) -> bool:
    assert process.exitcode is not None, "it has ended"
    if process.exitcode in (0, 1, 2):  # 2: the mutant cannot even be imported
        return process.exitcode != 0
    if process.exitcode < 0:  # killed: out of time, or the mutant crashed it
        return True
    raise RuntimeError(f"pytest ended with {process.exitcode}")
