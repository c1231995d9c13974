"""Faults of the report as a document: what it counts, draws, orders and says."""

from proof.planted.mutant import planter

plant = planter("reports")
ablations = planter("ablations")
trainer = planter("simclr_core")

MUTANTS = (
    plant(
        "an encoder that two trials share is counted as two",
        "document/scope.py",
        "encoders[key] = (",
        "encoders[one.trial.key] = (",
        "reports/document/test_scope.py",
    ),
    plant(
        "the hours of a replication leave out its seeds",
        "document/scope.py",
        "return seeds * sum(known) if",
        "return sum(known) if",
        "reports/document/test_scope.py",
    ),
    plant(
        "a deviation is the larger the more it exceeds the paper's value",
        "document/deviation_order.py",
        "abs(math.log(here / paper))",
        "math.log(here / paper)",
        "reports/document/test_claim_page.py",
    ),
    plant(
        "the rule of a claim with a margin leaves out what smaller effects mean",
        "judging/rules.py",
        "{smaller if claim.margin > 0 else no_worse if claim.margin < 0 else ''}",
        "",
        "reports/document/test_claim_page.py",
    ),
    plant(
        "the effect that the seeds can find has no power in it",
        "judging/statistics.py",
        "noncentrality = special.nctdtrinc(num_seeds - 1, 1 - POWER, critical)",
        "noncentrality = critical",
        "reports/document/test_claim_page.py",
    ),
    plant(
        "the band of a learning curve begins at the mean",
        "figures/curves.py",
        '"low": means.min()',
        '"low": means.mean()',
        "reports/figures/test_curves.py",
    ),
    plant(
        "a step of colour is a point, whatever the noise",
        "figures/heatmap.py",
        "unit = UNKNOWN_NOISE if math.isnan(spread) or spread <= 0 else spread",
        "unit = UNKNOWN_NOISE",
        "reports/figures/test_legible.py",
    ),
    plant(
        "balanced accuracy weighs classes by their images",
        "document/classes.py",
        "return 100 * fmean(r / n for r, n in zip(right, images, strict=True) if n)",
        "return 100 * sum(right) / sum(images)",
        "reports/document/test_classes.py",
    ),
    plant(
        "facts of versions 2 and 3 are read as if they had none",
        "spec/trial_facts.py",
        "if version in (VERSION, *OF_FEWER_FIELDS):",
        "if version == VERSION:",
        "reports/spec/test_trial_facts.py",
    ),
    trainer(
        "counts by class are those of the answers, not of the images",
        "probes/contract.py",
        "torch.bincount(labels_n[best_n == labels_n], minlength=num_classes)",
        "torch.bincount(best_n, minlength=num_classes)",
        "simclr_core/evaluation/test_frozen_evaluation.py",
    ),
    ablations(
        "MLflow's drawing of a confusion matrix has the predicted classes downwards",
        "run_files.py",
        "gutter + column * side, gutter + 24 + row * side",
        "gutter + row * side, gutter + 24 + column * side",
        "ablations/test_run_files.py",
    ),
    ablations(
        "figures of an earlier report are logged with today's",
        "commands/write_reports.py",
        'for path in inside["figures"] or () if path.suffix == ".svg"',
        'for path in (folder / "figures").glob("*.svg")',
        "ablations/commands/test_run.py",
    ),
    trainer(
        "rows of the confusion matrix are the predicted classes",
        "probes/contract.py",
        "labels_n.cpu() * num_classes + _predicted(scores_nC)",
        "labels_n.cpu() + num_classes * _predicted(scores_nC)",
        "simclr_core/evaluation/test_frozen_evaluation.py",
    ),
    trainer(
        "the views that a reader sees have another seed than the run's",
        "training/first_views.py",
        'config.seed_of("views")',
        "config.seed + 1",
        "simclr_core/training/test_first_views.py",
    ),
    ablations(
        "after watching, the page goes on reloading itself",
        "commands/watch.py",
        "        if written:\n            report_study(request)\n",
        "        pass\n",
        "ablations/commands/test_watch.py",
    ),
)
