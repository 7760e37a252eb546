"""The systems that Stele is measured and checked against, each run on loopback without a container.

Every peer has `install`, `start` and `stop`, an `environment` with its endpoint, and tells its
process ids, so that its processor time and memory can be read.
"""
