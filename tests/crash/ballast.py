"""A disk that is nearly full, and empty again: a file that takes space and is removed."""

import os
import pathlib
import shutil

# Of what is free at first. Space that was short counts as short until an eighth more than the
# reserve is free. A tenth is left to each side for whatever else is written meanwhile.
RESERVE, BALLAST = 0.8, 0.3


class Ballast:
    """So much that publishing stops with it on the disk, and goes on without."""

    def __init__(self, path, size_bytes):
        self.path, self.size_bytes = pathlib.Path(path), int(size_bytes)

    @classmethod
    def of(cls, environment):
        return cls(environment["BALLAST"], environment["BALLAST_BYTES"])

    def put(self):
        with self.path.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, self.size_bytes)

    def remove(self):
        self.path.unlink(missing_ok=True)


def beside(directory):
    """For a server in this directory: how it is set, and where its loads find the ballast."""
    free = shutil.disk_usage(directory).free
    settings = {"STELE_STORAGE__RESERVE": f"{int(free * RESERVE) >> 20}MiB"}
    return settings, {"BALLAST": f"{directory}/ballast", "BALLAST_BYTES": str(int(free * BALLAST))}
