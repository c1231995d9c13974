"""A generic engine for sweeps: plan, execute what is missing, record, track. Knows no trainer.

Its public names are those of its sub-packages.
"""
