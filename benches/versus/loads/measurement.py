"""The measurements of one load."""

import dataclasses
import subprocess


@dataclasses.dataclass(frozen=True)
class Measurement:
    """Messages and seconds of the measured part, and latencies if the client reports them."""

    messages: int
    per_second: float
    p50_ms: float | None = None
    p99_ms: float | None = None


def output_of(command, environment=None, seconds=600):
    """Runs a load client and returns its output; a failure ends the comparison."""
    line = [str(part) for part in command]
    done = subprocess.run(line, env=environment, capture_output=True, text=True, timeout=seconds)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(line)}\nended with {done.returncode}:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return done.stdout
