"""A disk that is nearly full and then has room again: a file that takes space and is removed."""

import os
import pathlib
import shutil

# Fractions of the initially free space. Once low, space counts as low until an eighth more than the
# reserve is free. A tenth is left on each side for other writes.
RESERVE, BALLAST = 0.8, 0.3


class Ballast:
    """A file so large that publishing stops while it is on the disk, and continues without it."""

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
    """Returns the settings of a server in this directory, and the ballast's variables for its loads."""
    free = shutil.disk_usage(directory).free
    settings = {"STELE_STORAGE__RESERVE": f"{int(free * RESERVE) >> 20}MiB"}
    return settings, {"BALLAST": f"{directory}/ballast", "BALLAST_BYTES": str(int(free * BALLAST))}
