"""Third-party load clients: each drives any server of its protocol and gives what it measured.

A load's `run(environment, scale)` gives a Measurement; its `command` is what BENCHMARKS.md shows.
"""
