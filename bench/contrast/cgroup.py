"""cgroup.py - one memory limit: a cgroup of version 1 or 2, whichever the machine has

    with Cgroup("name", 256 << 20) as group:
        subprocess.Popen(..., preexec_fn=group.enter)

`Unavailable` is raised with the reason in words when there is no memory controller or no right to
use it. Figures are named alike for both versions; a figure that the kernel lacks is None.
"""
import os
import time

V1 = {"root": None, "limit": "memory.limit_in_bytes", "usage": "memory.usage_in_bytes",
      "peak": "memory.max_usage_in_bytes", "events": "memory.oom_control",
      "stat": {"anon": "rss", "shmem": "shmem", "cache": "cache", "dirty": "dirty",
               "writeback": "writeback"}}
V2 = {"root": None, "limit": "memory.max", "usage": "memory.current",
      "peak": "memory.peak", "events": "memory.events",
      "stat": {"anon": "anon", "shmem": "shmem", "cache": "file", "dirty": "file_dirty",
               "writeback": "file_writeback"}}


class Unavailable(Exception):
    pass


def read(path):
    with open(path, encoding="ascii") as file:
        return file.read()


def write(path, text):
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def pairs(text):
    """`name number` lines as a dictionary."""
    return {fields[0]: int(fields[1]) for fields in map(str.split, text.splitlines())
            if len(fields) == 2 and fields[1].isdigit()}


def find():
    """The memory controller's root directory and its version."""
    for line in read("/proc/self/mounts").splitlines():
        _, where, kind, options = line.split()[:4]
        if kind == "cgroup" and "memory" in options.split(","):
            return where, 1
        if kind == "cgroup2" and "memory" in read(where + "/cgroup.controllers").split():
            return where, 2
    raise Unavailable("no memory cgroup controller is mounted here")


class Cgroup:
    def __init__(self, name, limit_bytes):
        root, self.version = find()
        self.names = V1 if self.version == 1 else V2
        self.path = os.path.join(root, name)
        try:
            if self.version == 2:
                write(root + "/cgroup.subtree_control", "+memory")
            os.mkdir(self.path)
            self.set("limit", str(limit_bytes))
            if self.version == 2 and os.path.exists(self.path + "/memory.swap.max"):
                write(self.path + "/memory.swap.max", "0")
        except OSError as error:
            raise Unavailable(f"cannot set a memory limit in {root} (root is needed): "
                              f"{error.strerror}") from error

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for _ in range(100):
            try:
                os.rmdir(self.path)
                return
            except OSError:
                time.sleep(0.02)  # the last process is still being reaped

    def file(self, what):
        return os.path.join(self.path, self.names[what])

    def set(self, what, text):
        write(self.file(what), text)

    def enter(self):
        """Put the calling process under the limit."""
        write(self.path + "/cgroup.procs", str(os.getpid()))

    def usage(self):
        return int(read(self.file("usage")))

    def peak(self):
        """Highest usage so far, None on kernels without it (version 2 before 5.19)."""
        try:
            return int(read(self.file("peak")))
        except FileNotFoundError:
            return None

    def oom_kills(self):
        return pairs(read(self.file("events"))).get("oom_kill", 0)

    def stat(self):
        """Bytes by kind: anon, shmem, cache (shmem included), dirty, writeback."""
        found = pairs(read(self.path + "/memory.stat"))
        return {ours: found.get(theirs) for ours, theirs in self.names["stat"].items()}
