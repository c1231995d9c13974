"""Faults planted one by one: each must turn a behaviour test red.

Faults that re-implementations of SimCLR had, and faults of kinds that engines and judges have. One
whose passage no longer occurs, or that no test notices, fails the proof.
"""

from proof.planted import (
    engine,
    evaluation,
    inputs,
    judge,
    losses,
    report,
    studies,
    training,
    views,
)
from proof.planted.mutant import Mutant as Mutant

TABLES: dict[str, tuple[Mutant, ...]] = {
    "losses": losses.MUTANTS,
    "views": views.MUTANTS,
    "training": training.MUTANTS,
    "evaluation": evaluation.MUTANTS,
    "engine": engine.MUTANTS,
    "judge": judge.MUTANTS,
    "report": report.MUTANTS,
    "studies": studies.MUTANTS,
    "inputs": inputs.MUTANTS,
}

MUTANTS = tuple(mutant for table in TABLES.values() for mutant in table)
