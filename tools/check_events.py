#!/usr/bin/env python3
"""Reads a run's event file with TensorBoard's own reader and compares it with the run's scalars.csv.

    python tools/check_events.py RUN      (needs the package tensorboard)
"""
import csv
import math
import pathlib
import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator


def main():
    run = pathlib.Path(sys.argv[1])
    events = EventAccumulator(str(run), size_guidance={"scalars": 0})
    events.Reload()
    found = {(tag, event.step): event for tag in events.Tags()["scalars"] for event in events.Scalars(tag)}
    rows = list(csv.DictReader((run / "scalars.csv").open()))
    for row in rows:
        event = found.pop((row["tag"], int(row["step"])))
        value = float(row["value"])
        same = math.isnan(value) and math.isnan(event.value) or math.isclose(value, event.value, rel_tol=1e-6)
        if not same or abs(float(row["time"]) - event.wall_time) > 1:
            sys.exit(f"{row['tag']}, step {row['step']}: {event} in the events, {row} in the CSV")
    if found:
        sys.exit(f"only in the events: {sorted(found)[:5]}")
    print(f"{len(rows)} scalars, the same in both")


if __name__ == "__main__":
    main()
