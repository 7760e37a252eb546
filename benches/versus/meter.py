"""CPU time and memory of a server's processes, from the kernel."""

import os
import pathlib

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pids):
    """User and system time used by the processes so far."""
    return sum(_ticks(pid) for pid in pids) / TICKS_PER_SECOND


def resident_mib(pids):
    """The processes' current resident memory."""
    return sum(_kib(pid, "VmRSS:") for pid in pids) / 1024


def _ticks(pid):
    # Fields 14 and 15 of proc_pid_stat(5); the name in field 2 may contain spaces, so count from its end.
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def _kib(pid, label):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(label):
            return int(line.split()[1])
    raise RuntimeError(f"no {label} for process {pid}")
