#!/usr/bin/env python3
"""Time sr-benchmark against PyTorch, and OpenVINO and oneDNN where they are installed, on the same networks and sizes in one run, and print the ratios.

    swift build -c release --product sr-benchmark
    python Scripts/compare-pytorch.py [--threads 2] [--rounds 3] [--reps 5] [--filter NAME]

Each work runs in a process of its own, one after the other, so that memory peaks are its own and nothing else runs beside it. A round runs both sides,
so that a disturbance that lasts strikes both; printed is the median ratio of all rounds with its range, and the times of that round. Needs torch;
openvino (of PyPI, for the U-Net) and oneDNN (libdnnl-dev of Debian and a C++ compiler, for convolutions) are optional. Only ratios carry over to other machines. The environment is left as it is, but for variables that limit a library's instructions
(OPENBLAS_CORETYPE and the like): where one is set, as no user's machine has it, the script says so and stops.
"""

import argparse
import importlib.util
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def networks():
    """The PyTorch networks of the fixtures, so that what is timed is what is tested."""
    spec = importlib.util.spec_from_file_location("fixtures", ROOT / "Scripts" / "make-fixtures.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def median_seconds(work, repetitions):
    for _ in range(2):
        work()
    times = []
    for _ in range(repetitions):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def layouts(torch, module, x, variant):
    if variant.endswith("channels-last"):
        return module.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)
    return module, x


def torch_work(name, variant):
    """The work of a benchmark in PyTorch; None where it has none of its own."""
    import torch
    import torch.nn.functional as F

    torch.manual_seed(1)
    fixtures = networks()
    autocast = torch.autocast("cpu", dtype=torch.bfloat16, enabled=variant.startswith("bf16"))
    if name.startswith("conv3x3"):
        size, channels = (int(number) for number in name.split("-")[1:])
        layer, x = layouts(torch, torch.nn.Conv2d(channels, channels, 3, padding=1, bias=False), torch.randn(1, channels, size, size), variant)

        def forward():
            with torch.no_grad(), autocast:
                layer(x)

        return forward
    if name == "attention-4096-256":
        q, k, v = (torch.randn(1, 4, 4096, 64) for _ in range(3))

        def attend():
            with torch.no_grad(), autocast:
                F.scaled_dot_product_attention(q, k, v)

        return attend
    if name in ("unet-forward", "unet-train-step"):
        network, x = layouts(torch, fixtures.PaperUNet(), torch.randn(1, 8, 128, 128), variant)
        t, target = torch.tensor([500.0]), torch.randn(1, 4, 128, 128)
    else:
        network, x = layouts(torch, fixtures.SmallUNet(width=64), torch.randn(16, 8, 32, 32), variant)
        t, target = torch.arange(16) * 60.0 + 1, torch.randn(16, 4, 32, 32)
    if name == "unet-forward":

        def infer():
            with torch.no_grad(), autocast:
                network(x, t)

        return infer
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-4)

    def step():
        optimizer.zero_grad(set_to_none=True)
        with autocast:
            loss = F.mse_loss(network(x, t).float(), target)
        loss.backward()
        optimizer.step()

    return step


def openvino_work(variant, threads):
    import openvino
    import torch

    torch.manual_seed(1)
    network = networks().PaperUNet().eval()
    x, t = torch.randn(1, 8, 128, 128), torch.tensor([500.0])
    model = openvino.convert_model(torch.export.export(network, (x, t)))
    precision = "bf16" if variant.startswith("bf16") else "f32"
    compiled = openvino.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": precision, "INFERENCE_NUM_THREADS": threads})
    inputs = [x.numpy(), t.numpy()]
    return lambda: compiled(inputs)


def measure_here(library, name, variant, threads, repetitions):
    import torch

    torch.set_num_threads(threads)
    work = openvino_work(variant, threads) if library == "openvino" else torch_work(name, variant)
    seconds = median_seconds(work, repetitions)
    return {"seconds_median": seconds, "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}


def onednn_program(folder):
    """Debian's oneDNN behind a small program; None where there is no such library or compiler. It is told which algorithm to use, and tells which
    implementation that came to (`jit_wino_4x3`, say)."""
    compiler = shutil.which("c++")
    if compiler is None:
        return None
    program = Path(folder) / "onednn-convolution"
    source = ROOT / "Scripts" / "onednn-convolution.cpp"
    result = subprocess.run([compiler, "-O2", "-std=c++17", source, "-o", program, "-ldnnl"], capture_output=True, text=True)
    return program if result.returncode == 0 else None


def in_process(command, **variables):
    result = subprocess.run([str(word) for word in command], capture_output=True, text=True, env=os.environ | variables)
    if result.returncode != 0:
        print(f"  failed: {' '.join(map(str, command))}: {result.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
        return None
    return json.loads(result.stdout.strip().splitlines()[-1])


WORKS = {
    "unet-forward": ["float32 NCHW", "float32 channels-last", "bf16 NCHW", "bf16 channels-last"],
    "unet-train-step": ["float32 NCHW", "float32 channels-last", "bf16 NCHW", "bf16 channels-last"],
    "conv3x3-128-256": ["float32 NCHW", "float32 channels-last"],
    "conv3x3-64-512": ["float32 NCHW", "float32 channels-last"],
    "conv3x3-16-512": ["float32 NCHW", "float32 channels-last"],
    "attention-4096-256": ["float32"],
    "small-train-step": ["float32 NCHW", "float32 channels-last"],
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--reps", type=int, default=5)
    parser.add_argument("--filter", default="")
    parser.add_argument("--benchmark", default=str(ROOT / ".build" / "release" / "sr-benchmark"))
    parser.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        library, name, variant = arguments.measure
        print(json.dumps(measure_here(library, name, variant, arguments.threads, arguments.reps)))
        return

    limits = sorted(key for key in os.environ if key.startswith(("OPENBLAS_", "ONEDNN_", "DNNL_", "MKL_", "OMP_")))
    if limits:
        parser.error(f"{', '.join(limits)} set: unset to compare what users have")

    def ours(name, threads=arguments.threads):
        return in_process([arguments.benchmark, "--filter", name, "--json", "--reps", str(arguments.reps), "--threads", str(threads)])

    folder = tempfile.TemporaryDirectory()
    onednn = onednn_program(folder.name)

    def theirs(library, name, variant):
        if library == "onednn":
            size, channels = name.split("-")[1:]
            return in_process([onednn, size, channels, arguments.reps, variant], OMP_NUM_THREADS=str(arguments.threads))
        return in_process(
            [sys.executable, __file__, "--threads", str(arguments.threads), "--reps", str(arguments.reps), "--measure", library, name, variant]
        )

    def rounds(one, other, figure):
        """The pair of runs with the median ratio of a figure, and all ratios in order."""
        pairs = [pair for pair in ((one(), other()) for _ in range(arguments.rounds)) if all(pair)]
        pairs.sort(key=lambda pair: pair[0][figure] / pair[1][figure])
        return (pairs[len(pairs) // 2] if pairs else None), [one[figure] / other[figure] for one, other in pairs]

    def line(title, one, other, figure="seconds_median"):
        _, ratios = rounds(one, other, figure)
        if ratios:
            print(f"{title}: {statistics.median_low(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})", flush=True)

    machine = subprocess.run([arguments.benchmark, "--filter", "linear", "--reps", "1", "--threads", str(arguments.threads)], capture_output=True, text=True)
    print(machine.stdout.splitlines()[0])
    print(f"{'work':<18} {'against':<27} {'sr s':>8} {'other s':>8} {'ratio':>6} {'range':>13} {'sr MiB':>7} {'other MiB':>9}")
    for name, variants in WORKS.items():
        if arguments.filter not in name:
            continue
        others = [("torch", variant) for variant in variants]
        if name == "unet-forward" and importlib.util.find_spec("openvino"):
            others += [("openvino", "float32"), ("openvino", "bf16")]
        if name.startswith("conv3x3") and onednn:
            others += [("onednn", "winograd"), ("onednn", "direct")]
        for library, variant in others:
            pair, ratios = rounds(lambda: ours(name), lambda: theirs(library, name, variant), "seconds_median")
            if pair:
                own, other = pair
                print(
                    f"{name:<18} {library + ' ' + variant:<27} {own['seconds_median']:8.4f} {other['seconds_median']:8.4f} "
                    f"{own['seconds_median'] / other['seconds_median']:6.2f} {ratios[0]:5.2f} to {ratios[-1]:4.2f} "
                    f"{own['peak_bytes'] / 2**20:7.0f} {other['peak_bytes'] / 2**20:9.0f} {other.get('implementation', '')}",
                    flush=True,
                )
    if arguments.filter in "conv3x3-16-512 conv3x3-16-1024" and arguments.threads > 1:
        for name in ("conv3x3-16-512", "conv3x3-16-1024"):
            line(f"{name} at {arguments.threads} threads over 1, GFLOP/s", lambda: ours(name), lambda: ours(name, 1), "gflops")
    if arguments.filter in "unet-forward" and arguments.threads > 1:
        line(f"unet-forward at {arguments.threads} threads over 1", lambda: ours("unet-forward"), lambda: ours("unet-forward", 1))
    if arguments.filter in "sgemm-2048 conv3x3-backward-128-256":
        line("conv3x3-128-256 over sgemm-2048, GFLOP/s", lambda: ours("conv3x3-128-256"), lambda: ours("sgemm-2048"), "gflops")
        line("conv3x3-backward-128-256 over one forward", lambda: ours("conv3x3-backward-128-256"), lambda: ours("conv3x3-128-256"))


if __name__ == "__main__":
    main()
