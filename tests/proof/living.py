"""Mutants that may live: each with the reason why no test can, or need, tell it from the original."""

from typing import NamedTuple


class Living(NamedTuple):
    file: str
    old: str
    """The lines of the original that differ, joined by a blank."""
    new: str
    why: str


SPEED = "moves seconds and memory, not numbers: both forms, and blocks of any size, give the same"
STEPS = "the number of steps may change; where a fit ends is decided by the gradient alone"
CONTEXT = "no context is as good as an empty one: the sentence has no gap to fill"

LIVING: tuple[Living, ...] = (
    Living(
        "losses/nt_xent_blockwise.py",
        '_BLOCK = {"cpu": 768, "gpu": 4096}',
        '_BLOCK = {"cpu": 768, "gpu": 4097}',
        SPEED,
    ),
    Living("losses/nt_xent_blockwise.py", "_BOUNDED = 43.5", "_BOUNDED = 44.5", SPEED),
    Living(
        "losses/nt_xent_blockwise.py",
        "bounded = unit and 1 / temperature < _BOUNDED",
        "bounded = unit and 1 / temperature <= _BOUNDED",
        SPEED,
    ),
    Living(
        "losses/nt_xent_blockwise.py",
        "bounded = unit and 1 / temperature < _BOUNDED",
        "bounded = None",
        SPEED,
    ),
    Living(
        "optim/optimizers.py",
        '"shape", "nesterov needs momentum above 0, got momentum 0", {}',
        '"shape", "nesterov needs momentum above 0, got momentum 0", None',
        CONTEXT,
    ),
    Living(
        "optim/optimizers.py",
        '"shape", "nesterov needs momentum above 0, got momentum 0", {} )',
        '"shape", "nesterov needs momentum above 0, got momentum 0", )',
        CONTEXT,
    ),
    Living("optim/optimizers.py", "fused=True, )", ")", SPEED),
    Living(
        "optim/optimizers.py",
        'assert closure is None, "LARS does not accept a closure"',
        'assert closure is None, "lars does not accept a closure"',
        "the words of an assertion of our own, which no user meets",
    ),
    Living(
        "losses/nt_xent_blockwise.py",
        "if -len(s_IJ) < offset < s_IJ.shape[1]:",
        "if -len(s_IJ) < offset <= s_IJ.shape[1]:",
        "the diagonal that begins behind the last column is empty",
    ),
    Living(
        "losses/contrastive.py",
        "groups = images(len(z_MD), num_views, z_MD.device) if num_views > 2 else None",
        "groups = images(len(z_MD), num_views, None) if num_views > 2 else None",
        "no device named is the processor, where the tests run",
    ),
    Living(
        "losses/contrastive.py",
        'others = num_rows // 2 if self.negatives == "one_view" else num_rows - 1',
        'others = num_rows / 2 if self.negatives == "one_view" else num_rows - 1',
        "the logarithm of the same number",
    ),
    Living(
        "probes/logistic.py",
        "labellings_at_once: ClassVar[int] = 8",
        "labellings_at_once: ClassVar[int] = 9",
        SPEED,
    ),
    Living(
        "probes/softmax.py",
        'most = _IN_CACHE if self._z_nE.device.type == "cpu" else _IN_MEMORY',
        'most = _IN_CACHE if (self._z_nE.device.type == "cpu") or True else _IN_MEMORY',
        SPEED,
    ),
    Living(
        "probes/softmax.py",
        "alive_d = variance_d > _NOTHING * variance_d[-1].clamp_min(1e-290)",
        "alive_d = variance_d >= _NOTHING * variance_d[-1].clamp_min(1e-290)",
        "no variance is that share of the largest to the last bit",
    ),
    Living("probes/softmax.py", "_IN_CACHE = 1 << 18", "_IN_CACHE = 1 >> 18", SPEED),
    Living("optim/optimizers.py", "fused=True,", "fused=None,", SPEED),
    Living("optim/optimizers.py", "fused=True,", "fused=False,", SPEED),
)
