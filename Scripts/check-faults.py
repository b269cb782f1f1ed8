#!/usr/bin/env python3
"""Fails the n-th open, write, fsync, rename, mkdir and large malloc of each command, for n = 1, 2, ... until it comes to its end without one.

    Scripts/check-faults.py [--sr .build/release/sr] [--command infer ...] [--call write ...]

After every failure: the exit status is one of the table in `sr --help` other than 0, the message names a file of the output (but of malloc), no
partial file is left, what there is under its final name is whole, and the same command run again repairs all. Exit status 1 if anything is otherwise.
"""
import argparse
import errno
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FIXTURES = ROOT / "Tests/Fixtures"
STATUSES = {1, 65, 66, 70, 73, 78}
ERRORS = {
    "open": errno.EACCES, "write": errno.ENOSPC, "fsync": errno.EIO, "rename": errno.EIO, "mkdir": errno.ENOSPC, "malloc": errno.ENOMEM,
}


def build_library(folder):
    library = folder / "faults.so"
    subprocess.run(["cc", "-O1", "-Wall", "-shared", "-fPIC", str(ROOT / "Scripts/faults/faults.c"), "-o", str(library), "-ldl"], check=True)
    return library


def commands(sr, work):
    """The arguments of each command without its output, and what a second run adds so that it goes on with what is there."""
    data = work / "data"
    data.mkdir()
    shutil.copy(FIXTURES / "SolarImage/Instruments/active-region.fits", data / "region.fits")
    run = work / "model"
    common = ["--threads", "1", "--no-progress"]
    train = ["train", str(data), "--model", "enhance", "--preset", "tiny", "--steps", "3", "--validate-every", "2", "--save-every", "1", *common]
    subprocess.run([sr, *train, "--output", str(run)], check=True, capture_output=True)
    model = ["--model", str(run / "model.safetensors"), *common]
    return {
        "infer": (["infer", str(data / "region.fits"), "--preview", "--force", *model], ["--overwrite"]),
        "evaluate": (["evaluate", str(data), "--metrics", "psnr,flux", *model], ["--overwrite"]),
        "train": (train, ["--overwrite"]),
        "prepare": (["prepare", str(data), "--crop-size", "32", "--split", "1,0,0", *common], ["--overwrite"]),
    }


def files(folder):
    """By their names, event files without time and process."""
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return {re.sub(r"tfevents\..*", "tfevents", str(path.relative_to(folder))): path for path in found}


def is_whole(path, reference):
    """Whether a file under its final name is all there: as long as it should be, or lines of JSON, or records."""
    if path.suffix == ".fits":
        return path.stat().st_size == reference.stat().st_size
    if path.suffix == ".safetensors":
        data = path.read_bytes()
        length = int.from_bytes(data[:8], "little")
        tensors = [entry for name, entry in json.loads(data[8:8 + length]).items() if name != "__metadata__"]
        return len(data) == 8 + length + max(entry["data_offsets"][1] for entry in tensors)
    if path.suffix == ".json":
        return isinstance(json.loads(path.read_text()), (dict, list))
    if path.suffix == ".jsonl":
        return all(json.loads(line) is not None for line in path.read_text().splitlines())
    if "tfevents" in path.name:
        # Records, which may be none yet: length, its sum, data, their sum.
        data, place = path.read_bytes(), 0
        while place < len(data):
            place += 16 + int.from_bytes(data[place:place + 8], "little")
        return place == len(data)
    return path.stat().st_size > 0


def check(name, call, command, again, sr, library, work, reference):
    """The number of calls that there are, and what was wrong."""
    problems = []
    number = 0
    while True:
        number += 1
        output, mark = work / f"{name}-{call}", work / "mark"
        shutil.rmtree(output, ignore_errors=True)
        mark.unlink(missing_ok=True)
        environment = dict(
            os.environ, LD_PRELOAD=str(library), FAULT_CALL=call, FAULT_NUMBER=str(number), FAULT_UNDER=str(output), FAULT_MARK=str(mark),
            FAULT_ERRNO=str(ERRORS[call]))
        arguments = [sr, *command, "--output", str(output)]
        ended = subprocess.run(arguments, env=environment, capture_output=True, text=True, timeout=300)
        if not mark.exists():
            if ended.returncode != 0:
                problems.append(f"without a fault: status {ended.returncode}: {ended.stderr.strip()[-300:]}")
            return number - 1, problems

        def wrong(what):
            problems.append(f"call {number}, {mark.read_text()}: {what}: {ended.stderr.strip()[-300:]}")

        if ended.returncode not in STATUSES and not (call == "malloc" and ended.returncode == 0):
            wrong(f"status {ended.returncode}")
        if call != "malloc" and output.name not in ended.stderr:
            wrong("the message names no file")
        left = files(output) if output.exists() else {}
        for part, path in left.items():
            # The folder that an interrupted `sr prepare` goes on with is no result.
            if part.startswith(".partial/"):
                continue
            if ".partial" in part:
                wrong(f"left {part}")
            elif part in reference and not is_whole(path, reference[part]):
                wrong(f"{part} is not whole")
        repaired = subprocess.run([*arguments, *again], capture_output=True, text=True, timeout=300)
        if repaired.returncode != 0:
            wrong(f"again: status {repaired.returncode}: {repaired.stderr.strip()[-300:]}")
        elif set(files(output)) != set(reference):
            wrong(f"again: files differ: {sorted(set(files(output)) ^ set(reference))[:5]}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sr", default=str(ROOT / ".build/release/sr"))
    parser.add_argument("--command", action="append", help="one of them alone; may be repeated")
    parser.add_argument("--call", action="append", choices=sorted(ERRORS))
    options = parser.parse_args()
    failed = False
    with tempfile.TemporaryDirectory(prefix="sr-faults-") as folder:
        work = Path(folder)
        library = build_library(work)
        for name, (command, again) in commands(options.sr, work).items():
            if options.command and name not in options.command:
                continue
            whole = work / f"{name}-whole"
            subprocess.run([options.sr, *command, "--output", str(whole)], check=True, capture_output=True)
            for call in options.call or ERRORS:
                count, problems = check(name, call, command, again, options.sr, library, work, files(whole))
                print(f"{name} {call}: {count} calls, {len(problems)} problems", flush=True)
                for problem in problems[:10]:
                    print(f"  {problem}")
                failed = failed or bool(problems)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
