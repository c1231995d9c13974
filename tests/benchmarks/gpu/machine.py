"""The machine, the versions, and what its GPU reaches on one large product."""

import os
import platform
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch
from benchmarks.gpu.child import Bench


def run(bench: Bench) -> None:
    """Facts, then two limits: bf16 products, and bytes copied."""
    for what, value in {**_gpu(bench), **_host()}.items():
        bench.row(what, value)
    rate, n = peak(bench)
    bench.row("bf16 product of two square matrices", rate / 1e12, "TFLOP/s", n=n)
    size = 1 << (16 if bench.miniature else 30)
    block = torch.empty(size, dtype=torch.uint8, device=bench.device)
    other = torch.empty_like(block)
    seconds, n = bench.seconds(lambda: other.copy_(block), 9)
    bench.row("copy on the device, read and written", 2 * size / seconds / 1e9, "GB/s", n=n)


def peak(bench: Bench) -> tuple[float, int]:
    """Operations a second of a bf16 product with sides of 8192, and of how many the median is."""
    side = 64 if bench.miniature else 8192
    a = torch.randn(side, side, device=bench.device, dtype=torch.bfloat16)
    out = torch.empty_like(a)
    seconds, n = bench.seconds(lambda: torch.mm(a, a, out=out), 15)
    return 2 * side**3 / seconds, n


def _gpu(bench: Bench) -> dict[str, str]:
    if bench.device != "cuda":
        return {"device": "cpu, no GPU"}
    facts = {
        "device": torch.cuda.get_device_name(),
        "memory": f"{torch.cuda.get_device_properties(0).total_memory / 2**30:.1f} GiB",
        "CUDA of torch": str(torch.version.cuda),
        "cuDNN": str(torch.backends.cudnn.version()),
    }
    if shutil.which("nvidia-smi"):
        asked = "driver_version,power.limit,clocks.max.sm,utilization.gpu"
        words = ["nvidia-smi", f"--query-gpu={asked}", "--format=csv,noheader"]
        done = subprocess.run(words, capture_output=True, text=True, timeout=20, check=False)
        facts[asked] = done.stdout.strip().partition("\n")[0]
    return facts


def _host() -> dict[str, str]:
    cpu = Path("/proc/cpuinfo")
    lines = cpu.read_text("utf-8").splitlines() if cpu.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if "model name" in line]
    facts = {
        "processor": names[0] if names else platform.processor() or platform.machine(),
        "cores, load": f"{os.cpu_count()}, {os.getloadavg()[0]:.1f}",
        "Python": platform.python_version(),
        "code": _commit(),
    }
    for package in ("torch", "torchvision", "numpy", "pydantic", "lightly"):
        try:
            facts[package] = version(package)
        except PackageNotFoundError:
            facts[package] = "not installed"
    return facts


def _commit() -> str:
    words = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=10, check=False)
    except OSError:
        return "unknown"
    return done.stdout.strip() or "unknown"
