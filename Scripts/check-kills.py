#!/usr/bin/env python3
"""Kills `sr train` again and again at random moments, and compares what it comes to with a run that was left alone.

    Scripts/check-kills.py [--sr .build/release/sr] [--model enhance] [--kills 100] [--seed 1] [--ranks 0] [--disks 0]

Each run is killed (SIGKILL) from before its first step to after its last, some while a checkpoint is being written, and resumed until it ends; then the next begins. Every
ended run's weights must be those of the undisturbed run, byte for byte, and no temporary file may be left. With --ranks N each run is that of N processes under
mpirun, of which one, drawn by chance, is killed: the others must end by themselves. With --disks N a run is begun on N disks, most of them too small for it (tmpfs;
needs root), which are enlarged when it has ended with exit status 73, and resumed. Exit status 1 if anything is otherwise.
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


def fill(disk, size, command, weights):
    """Whether a disk of this size, in bytes, is too small for a run; and what is wrong with it, and with what it comes to on a larger one."""
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(disk)], check=True)
    try:
        run, problems, where = disk / "run", [], f"disk of {size >> 10} KiB"
        result = subprocess.run(command(run), capture_output=True, text=True)
        if result.returncode not in (0, 73):
            problems.append(f"{where}: status {result.returncode}: {result.stderr.strip()[-300:]}")
        elif result.returncode == 73 and str(disk) not in result.stderr:
            problems.append(f"{where}: names no file: {result.stderr.strip()[-300:]}")
        if left := [path.name for path in disk.rglob("*.partial*")]:
            problems.append(f"{where}: left {left}")
        subprocess.run(["mount", "-o", "remount,size=1g", str(disk)], check=True)
        more = ["--resume"] if list(run.glob("checkpoints/*.safetensors")) else ["--overwrite"]
        again = subprocess.run(command(run, *more), capture_output=True, text=True)
        if again.returncode != 0 or (run / "model.safetensors").read_bytes() != weights:
            problems.append(f"{where}: then status {again.returncode}, or other weights: {again.stderr.strip()[-300:]}")
        return result.returncode == 73, problems
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sr", default=str(ROOT / ".build/release/sr"))
    parser.add_argument("--model", default="enhance")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--ranks", type=int, default=0)
    parser.add_argument("--disks", type=int, default=0)
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
        room = sum(path.stat().st_size for path in (work / "undisturbed").rglob("*") if path.is_file())
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
        filled = 0
        for number in range(options.disks):
            was_full, wrong = fill(work / f"disk{number}", round(room * (0.1 + 1.2 * number / options.disks)), command, weights)
            filled += was_full
            problems += wrong
    if options.disks:
        print(f"{options.model}: {options.disks} disks from 10 % of the room that the ended run takes on, {filled} of them too small")
    print(f"{options.model}, {options.ranks or 1} ranks: {kills} kills, {resumed} of resumed runs, {ended} runs came to their end, {len(problems)} problems")
    for problem in problems[:10]:
        print(f"  {problem}")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
