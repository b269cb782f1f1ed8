#!/usr/bin/env python3
"""Harms the output folder of `sr infer` while it works on 100 maps: fills its disk, makes it read-only, removes it and puts it back.

    sudo Scripts/check-output-folder.py [--sr .build/release/sr] [--rounds 5]

Each is done at several moments of a run. What a run reports is there and has the bytes of an undisturbed run, no partial file is left where
files could be removed, the exit status is none but 0 if a map is missing, and the same command run again with the folder as it should be completes it. It mounts small
file systems in memory, for which it must be root. Exit status 1 if anything is otherwise.
"""
import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MAP = ROOT / "Tests/Fixtures/SolarImage/Instruments/active-region.fits"
COUNT = 100


def mount(folder, *options):
    subprocess.run(["mount", "-t", "tmpfs", "-o", ",".join(options), "tmpfs", str(folder)], check=True)


def read_only(folder):
    """As soon as no file of it is open for writing; the time during which nobody can write there is up to the caller."""
    while subprocess.run(["mount", "-o", "remount,ro", str(folder)], capture_output=True).returncode != 0:
        time.sleep(0.001)


def writable(folder):
    subprocess.run(["mount", "-o", "remount,rw", str(folder)], check=True)


def results(folder):
    """The maps' bytes by name, but for the cards of the headers that tell when they were written."""
    maps = {}
    for path in folder.glob("*.fits") if folder.exists() else []:
        data = bytearray(path.read_bytes())
        for place in range(0, len(data), 80):
            if data[place:place + 9] in (b"DATE    =", b"CHECKSUM="):
                data[place:place + 80] = bytes(80)
        maps[path.name] = bytes(data)
    return maps


def check(name, output, command, reference, harm, heal, lets_be_removed=True):
    """Harms the folder during a run, looks at what there is then, heals it and has the run again."""
    problems = []
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    said = []
    thread = threading.Thread(target=lambda: said.extend(process.stderr))
    thread.start()
    lost = harm()
    status = process.wait(timeout=300)
    thread.join()
    reported = {Path(line.strip()).name for line in said if line.startswith(str(output)) and line.strip().endswith("_sr.fits")}
    said = "".join(said)
    there = results(output)
    # What was there when the folder was removed is gone with it.
    problems += [f"reported and not there: {name}" for name in reported - lost - set(there)]
    problems += [f"not whole: {name}" for name, data in there.items() if data != reference[name]]
    if set(there) | lost != set(reference) and status == 0:
        problems.append("status 0 with maps missing")
    # Of a batch, as the table has it.
    if status not in (0, 65):
        problems.append(f"status {status}: {said[-300:]}")
    if status != 0 and output.name not in said:
        problems.append(f"the message names no file: {said[-300:]}")
    if lets_be_removed and output.exists() and (left := [part.name for part in output.rglob("*.partial*")]):
        problems.append(f"left {left}")
    heal()
    again = subprocess.run([*command, "--overwrite"], capture_output=True, text=True, timeout=300)
    if again.returncode != 0:
        problems.append(f"again: status {again.returncode}: {again.stderr[-300:]}")
    elif results(output) != reference:
        problems.append("again: files differ")
    left = [part.name for part in output.rglob("*.partial*")]
    if left:
        problems.append(f"again: left {left}")
    print(f"{name}: status {status}, {len(reported)} reported, {len(there)} there, {len(problems)} problems", flush=True)
    for problem in problems[:5]:
        print(f"  {problem}")
    return not problems


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sr", default=str(ROOT / ".build/release/sr"))
    parser.add_argument("--rounds", type=int, default=5, help="moments at which each is done")
    options = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("it mounts file systems and must be root")
    good = True
    with tempfile.TemporaryDirectory(prefix="sr-folder-") as folder:
        work = Path(folder)
        maps, model, output = work / "maps", work / "model", work / "results"
        maps.mkdir()
        for number in range(COUNT):
            os.link(MAP, maps / f"{number:03}.fits") if os.stat(MAP).st_dev == os.stat(maps).st_dev else shutil.copy(MAP, maps / f"{number:03}.fits")
        subprocess.run([options.sr, "train", str(maps), "--model", "enhance", "--preset", "tiny", "--steps", "1", "--validate-every", "0", "--threads", "1",
                        "--no-progress", "--output", str(model)], check=True, capture_output=True)
        command = [options.sr, "infer", str(maps), "--model", str(model / "model.safetensors"), "--force", "--threads", "1", "--no-progress", "--output", str(output)]
        start = time.monotonic()
        subprocess.run(command, check=True, capture_output=True)
        duration = time.monotonic() - start
        reference = results(output)
        assert len(reference) == COUNT, len(reference)
        size = len(next(iter(reference.values())))
        shutil.rmtree(output)
        for number in range(options.rounds):
            moment = duration * (number + 0.5) / options.rounds
            output.mkdir()
            # Room for a part of the maps, and of one more.
            mount(output, f"size={int(size * COUNT * (number + 0.5) / options.rounds) // 4096 * 4096}")
            good &= check(f"filled {number}", output, command, reference, set,
                          lambda: subprocess.run(["mount", "-o", f"remount,size={2 * size * COUNT}", str(output)], check=True))
            subprocess.run(["umount", str(output)], check=True)

            mount(output, f"size={2 * size * COUNT}")

            def made_read_only():
                time.sleep(moment)
                read_only(output)
                return set()

            good &= check(f"read-only {number}", output, command, reference, made_read_only, lambda: writable(output), lets_be_removed=False)
            subprocess.run(["umount", str(output)], check=True)

            def removed():
                time.sleep(moment)
                aside = work / "aside"
                output.rename(aside)
                gone = set(results(aside))
                time.sleep(0.2)
                output.mkdir(exist_ok=True)
                shutil.rmtree(aside)
                return gone

            good &= check(f"removed {number}", output, command, reference, removed, lambda: None)
            shutil.rmtree(output)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
