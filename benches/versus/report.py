"""Makes tables of the rounds and puts them between the markers of BENCHMARKS.md."""

import datetime
import os
import pathlib
import platform
import re
import shlex
import statistics

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / "BENCHMARKS.md"


def section(protocol, names, found, loads, rounds, scale):
    """A protocol's tables: start-up and memory, then each load."""
    ours, theirs = names
    lines = [
        f"### {protocol}: {ours} and {theirs}",
        "",
        f"Medians of {rounds} rounds at scale {scale:g} on {_machine()}, {datetime.date.today().isoformat()}. "
        f"A ratio is {ours}'s figure over {theirs}'s of the same round; its range is over the rounds.",
        "",
        f"| | {ours} | {theirs} | ratio | range |",
        "|---|---:|---:|---:|---:|",
        _row("ready after, s", found, names, lambda run: run.ready_seconds, 3),
        _row("idle RSS, MiB", found, names, lambda run: run.idle_mib, 0),
        _row("loaded RSS, MiB", found, names, lambda run: run.loaded_mib, 0),
    ]
    for load in loads:
        lines += _case_rows(load, found, names)
    lines += ["", "The load clients' commands:", "", "```sh"]
    lines += [_shown(load.command()) for load in loads]
    return "\n".join([*lines, "```", ""])


def write(protocol, text):
    """Replaces the text between the protocol's markers."""
    begin, end = f"<!-- versus {protocol} begin -->", f"<!-- versus {protocol} end -->"
    page = PAGE.read_text()
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    if not pattern.search(page):
        raise RuntimeError(f"{PAGE.name} has no markers for {protocol}")
    PAGE.write_text(pattern.sub(lambda _: f"{begin}\n{text}{end}", page))


def _case_rows(load, found, names):
    def case(run):
        return run.cases[load.title]

    rows = [_row(f"**{load.title}**, messages/s", found, names, lambda run: case(run).per_second, 0)]
    if all(case(run).p99_ms is not None for runs in found.values() for run in runs):
        rows.append(_row("p50, ms", found, names, lambda run: case(run).p50_ms, 2))
        rows.append(_row("p99, ms", found, names, lambda run: case(run).p99_ms, 2))
    rows.append(
        _row("server CPU, s per million", found, names, lambda run: case(run).cpu_seconds_per_million, 2)
    )
    return rows


def _row(label, found, names, figure, digits):
    ours, theirs = ([figure(run) for run in found[name]] for name in names)
    ratios = [our / their for our, their in zip(ours, theirs) if their]
    cells = [f"{statistics.median(each):,.{digits}f}" for each in (ours, theirs)]
    spread = f"{min(ratios):.2f} to {max(ratios):.2f}" if ratios else "-"
    ratio = f"{statistics.median(ratios):.2f}" if ratios else "-"
    return f"| {label} | {cells[0]} | {cells[1]} | {ratio} | {spread} |"


def _shown(command):
    """A command without this machine's paths."""
    text = shlex.join(str(part) for part in command)
    return re.sub(r"'?/\S*/\.cache/peers/([^/*\s]+)/\*'?", r"'.cache/peers/\1/*'", text)


def _machine():
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores and {memory:.0f} GiB, Linux {platform.release().split('-')[0]}, the clients on the same cores"
