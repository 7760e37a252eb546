"""Shared by the black-box tests and the benchmarks: set-up, processes, Stele itself."""
