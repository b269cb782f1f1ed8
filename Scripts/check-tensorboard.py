#!/usr/bin/env python3
"""Reads the events of a training run as TensorBoard does (PyPI tensorboard) and compares them with its metrics.jsonl.

usage: check-tensorboard.py RUN

Every number of every line of the log must be there, at its step and no other: also after a run that was killed and went on.
"""

import json
import struct
import sys
from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    run = Path(sys.argv[1])
    expected = {}
    for line in (run / "metrics.jsonl").read_text().splitlines():
        numbers = {key: value for key, value in json.loads(line).items() if isinstance(value, (int, float))}
        step = int(numbers.pop("step"))
        for key, value in numbers.items():
            # Events hold single precision.
            expected.setdefault(key, []).append((step, struct.unpack("f", struct.pack("f", value))[0]))
    events = EventAccumulator(str(run), size_guidance={"scalars": 0, "images": 0})
    events.Reload()
    tags = events.Tags()
    problems = []
    if set(tags["scalars"]) != set(expected):
        problems.append(f"tags differ: {sorted(set(tags['scalars']) ^ set(expected))}")
    count = 0
    for key, values in expected.items():
        found = [(event.step, event.value) for event in events.Scalars(key)] if key in tags["scalars"] else []
        count += len(found)
        if found != values:
            problems.append(f"{key}: the log has {values[:5]} …, the events {found[:5]} …")
    pictures = [(event.step, event.width, event.height) for tag in tags["images"] for event in events.Images(tag)]
    if not pictures or any(width <= 0 or height <= 0 for _, width, height in pictures):
        problems.append(f"no pictures: {pictures}")
    for problem in problems:
        print(problem)
    print(f"{count} figures under {len(expected)} names, {len(pictures)} pictures: {'differ' if problems else 'as logged'}")
    sys.exit(1 if problems else 0)


main()
