#!/usr/bin/env python3
"""Kills `sr train` again and again at random moments, and compares what it comes to with a run that was left alone.

    Scripts/check-kills.py [--sr .build/release/sr] [--model enhance] [--kills 100] [--seed 1] [--ranks 0]

Each run is killed (SIGKILL) from before its first step to after its last, some while a checkpoint is being written, and resumed until it ends; then the next begins. Every
ended run's weights must be those of the undisturbed run, byte for byte, and no temporary file may be left. With --ranks N each run is that of N processes under
mpirun, of which one, drawn by chance, is killed: the others must end by themselves. Exit status 1 if anything is otherwise.
"""
import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MAP = ROOT / "Tests/Fixtures/SolarImage/Instruments/active-region.fits"
STEPS = 60


def processes(parent):
    """The pids of a process's descendants that are `sr`."""
    found, waiting = [], [parent]
    while waiting:
        pid = waiting.pop()
        try:
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        except OSError:
            children = []
        waiting += [int(child) for child in children]
        try:
            if Path(f"/proc/{pid}/comm").read_text().strip() == "sr":
                found.append(pid)
        except OSError:
            pass
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sr", default=str(ROOT / ".build/release/sr"))
    parser.add_argument("--model", default="enhance")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--ranks", type=int, default=0)
    options = parser.parse_args()
    rng = random.Random(options.seed)
    launcher = ["mpirun", "--allow-run-as-root", "--oversubscribe", "--bind-to", "none", "-n", str(options.ranks)] if options.ranks else []
    problems, kills, resumed, ended = [], 0, 0, 0
    with tempfile.TemporaryDirectory(prefix="sr-kills-") as folder:
        work = Path(folder)
        maps = work / "maps"
        maps.mkdir()
        for number in range(4):
            shutil.copy(MAP, maps / f"{number}.fits")

        def command(run, *more):
            return [*launcher, options.sr, "train", str(maps), "--model", options.model, "--preset", "tiny", "--steps", str(STEPS), "--save-every", "1",
                    "--validate-every", "20", "--threads", "1", "--no-progress", "--quiet", "--output", str(run), *more]

        start = time.monotonic()
        subprocess.run(command(work / "undisturbed"), check=True)
        duration = time.monotonic() - start
        weights = (work / "undisturbed/model.safetensors").read_bytes()
        run = work / "killed"
        while kills < options.kills:
            more = ["--resume"] if (run / "config.yaml").exists() else []
            process = subprocess.Popen(command(run, *more), stderr=subprocess.PIPE, text=True)
            try:
                process.wait(rng.uniform(0.02, 1.1) * duration)
            except subprocess.TimeoutExpired:
                victims = processes(process.pid) if launcher else [process.pid]
                if victims:
                    os.kill(rng.choice(victims), signal.SIGKILL)
                    kills += 1
                    resumed += bool(more)
            try:
                said = process.communicate(timeout=60)[1]
            except subprocess.TimeoutExpired:
                process.kill()
                said = process.communicate()[1]
                problems.append(f"kill {kills}: the other ranks went on for a minute")
            if process.returncode == 0:
                ended += 1
                if (run / "model.safetensors").read_bytes() != weights:
                    problems.append(f"after kill {kills}: other weights than the undisturbed run's")
                if left := [path.name for path in run.rglob("*.partial*")]:
                    problems.append(f"after kill {kills}: left {left}")
                shutil.rmtree(run)
            elif process.returncode not in (-signal.SIGKILL,) and not launcher:
                problems.append(f"after kill {kills}: status {process.returncode}: {said.strip()[-300:]}")
                shutil.rmtree(run, ignore_errors=True)
    print(f"{options.model}, {options.ranks or 1} ranks: {kills} kills, {resumed} of resumed runs, {ended} runs came to their end, {len(problems)} problems")
    for problem in problems[:10]:
        print(f"  {problem}")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
