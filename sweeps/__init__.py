"""A generic engine for sweeps, independent of any trainer: plan, execute missing trials, record, track.

Its public names are those of its sub-packages.
"""
