"""The systems that Stele is compared with, each run on loopback without a container.

Every peer has `install`, `start` and `stop`, an `environment` with its endpoint, and its
process ids, for measuring CPU time and memory.
"""
