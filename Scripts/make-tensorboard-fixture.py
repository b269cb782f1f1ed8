#!/usr/bin/env python3
"""Writes Tests/Fixtures/Training/events.tfevents by TensorBoard's own classes (PyPI tensorboard 2.21.0); what sr writes is to be the same bytes."""

from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

png = bytes([0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A, 0, 0, 0, 13, 0x49, 0x48, 0x44, 0x52, 0, 0, 1, 44, 0, 0, 0, 200])
png += bytes(index % 256 for index in range(300))


def scalar(tag, value):
    return Summary.Value(tag=tag, simple_value=value)


image = Summary.Image(height=200, width=300, colorspace=3, encoded_image_string=png)
events = [
    Event(wall_time=1764400000.25, file_version="brain.Event:2"),
    Event(wall_time=1764400000.5, step=301, session_log=SessionLog(status=SessionLog.START)),
    Event(wall_time=1764400001, step=20, summary=Summary(value=[scalar("learning_rate", 1e-3), scalar("loss", 0.5)])),
    Event(wall_time=1764400002, step=0, summary=Summary(value=[scalar("validation_loss", 0.0)])),
    Event(
        wall_time=1764400003, step=300000,
        summary=Summary(value=[scalar("validation_psnr", -46.25), Summary.Value(tag="samples", image=image)])),
]
target = Path(__file__).resolve().parent.parent / "Tests/Fixtures/Training/events.tfevents"
with open(target, "wb") as file:
    writer = RecordWriter(file)
    for event in events:
        writer.write(event.SerializeToString())
