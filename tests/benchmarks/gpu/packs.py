"""Views per second: training runs side by side, and the network alone as their limit."""

from collections.abc import Callable

import torch
from benchmarks.gpu.child import Bench, clean
from benchmarks.gpu.machine import peak
from benchmarks.gpu.settings import Network, config, execution, noise
from benchmarks.gpu.settings import networks as all_networks
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from simclr_core import Config
from simclr_core.runtime import autocast
from simclr_core.training import Pace, SideBySide, members_that_pay

SIZES = (1, 2, 4, 8, 16, 32)
TAKES = {False: 0.3, True: 0.01}
"""Seconds of steps that one measurement takes at least; in miniature less."""


def run(bench: Bench) -> None:
    """Views per second of each network by the number of training runs at once."""
    best, _ = peak(bench)
    left = bench.left()
    reserve = left
    for network in all_networks(miniature=bench.miniature):
        reserve -= left * network.share
        bench.tried(network.name, lambda n=network, r=reserve: _packs(bench, n, best, r))


def _packs(bench: Bench, network: Network, best: float, reserve: float) -> None:
    """All sizes that memory and time allow; `reserve` seconds are the next networks'."""
    made = config({**network.changes, "epochs": 100}, miniature=bench.miniature)
    flops = flops_of_a_view(made, bench.device)
    together = SideBySide(noise(miniature=bench.miniature), execution(bench.device))
    rate_of = together.rates(made, 3)
    rates: dict[int, float] = {}
    took = 0.0
    for num in SIZES[:3] if bench.miniature else SIZES:
        began = bench.left()
        what = f"{network.name}, {num} at once"
        # Twice the members take about twice the time to make, warm up and time.
        if bench.left() - reserve < 2 * took:
            bench.row(what, None, "views/s", note="no time was left")
            break
        if (first := rate_of(num)) is None:
            bench.row(what, None, "views/s", note="out of memory")
            break
        views = sum(member.views for member in together.members[:num])
        rounds = max(3, min(300, round(TAKES[bench.miniature] * first / views)))
        paces: list[Pace] = []

        def once(rounds: int = rounds, num: int = num, paces: list[Pace] = paces) -> float:
            paces.append(together.pace(rounds, num))
            return paces[-1].views_per_second

        rates[num], n = bench.median(once, 5)
        why, taken = together.members[0].why_eager, paces[-1].memory
        memory = "" if taken is None else f"{taken / 2**30:.1f} GiB"
        note = ", ".join(each for each in (memory, why and f"NOT captured: {why}") if each)
        bench.row(what, rates[num], "views/s", n=n, note=note)
        took = began - bench.left()
    if rates:
        bench.row(f"{network.name}, members that pay", members_that_pay(rates.get))
        share = 100 * max(rates.values()) * flops / best
        bench.row(
            f"{network.name}, share of the bf16 peak",
            share,
            "%",
            note=f"{flops / 1e6:.1f} MFLOP a view",
        )


def networks(bench: Bench) -> None:
    """Forward, backward, loss and optimiser on views that lie ready: what no loop could exceed."""
    best, _ = peak(bench)
    for network in all_networks(miniature=bench.miniature):
        bench.tried(network.name, lambda n=network: _alone(bench, n, best))


def _alone(bench: Bench, network: Network, best: float) -> None:
    made = config(network.changes, miniature=bench.miniature).resolved(bench.device)
    with execution(bench.device).in_force():
        step, how = _ready_step(made, bench)
        views = 2 * made.batch_size

        def several() -> None:
            for _ in range(2 if bench.miniature else 20):
                step()

        seconds, n = bench.seconds(several, 9)
    rate = views * (2 if bench.miniature else 20) / seconds
    bench.row(f"{network.name}, network alone", rate, "views/s", n=n, note=how)
    share = 100 * rate * flops_of_a_view(made, bench.device) / best
    bench.row(f"{network.name}, network alone, share of the peak", share, "%")


def _model(made: Config, device: str) -> nn.Module:
    encoder = made.encoder.build(0, 32)
    head = made.head.build(made.encoder.num_features, 0)
    return execution(device).place(nn.Sequential(encoder, head)).train()


def _ready_step(made: Config, bench: Bench) -> tuple[Callable[[], object], str]:
    """One step on fixed views, captured on a GPU."""
    device = torch.device(bench.device)
    model = _model(made, bench.device)
    optimizer = made.optimizer.build(model)
    x_MCSS = torch.rand(2 * made.batch_size, 3, 32, 32, device=device)
    x_MCSS = x_MCSS.contiguous(memory_format=torch.channels_last)

    def step() -> None:
        optimizer.zero_grad()
        with autocast(made.precision, device):
            loss: Tensor = made.loss.of_batch(model(x_MCSS), 2, None)
        loss.backward()
        optimizer.step()

    if bench.device != "cuda":
        return step, ""
    for group in optimizer.param_groups:
        group["lr"] = torch.full((), 1e-3, device=device)
        group["capturable"] = True
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.stream(stream):
        for _ in range(3):
            step()
        with torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):
            step()
    torch.cuda.current_stream().wait_stream(stream)

    def replay(kept: object = step) -> None:
        del kept  # a graph keeps neither the weights nor the images that it reads
        graph.replay()

    return replay, "captured"


def flops_of_a_view(made: Config, device: str) -> float:
    """Operations of one view, forward and backward, as torch counts them; a multiply-add is two."""
    model, num = _model(made, device), 8
    with FlopCounterMode(display=False) as counter:
        model(torch.rand(num, 3, 32, 32, device=device)).sum().backward()
    clean()
    return counter.get_total_flops() / num
