"""sample.py - watch one process under one memory limit until it ends

Every figure is the kernel's: /proc/PID/status and stat, the cgroup's memory.stat, waitpid.
"""
import mmap
import os
import struct
import subprocess
import time

PERIOD_S = 0.005
PROGRESS = ("taken_bytes", "scanned_bytes", "reread", "wrong", "take_ns", "scan_ns", "error",
            "settled")


class Progress:
    """The words that the process keeps up to date; they outlive it."""

    def __init__(self, path):
        self.path = path
        with open(path, "wb+") as file:
            file.truncate(mmap.PAGESIZE)
            self.map = mmap.mmap(file.fileno(), mmap.PAGESIZE)
        self.map[0]  # charged to this process, not to the limit

    def read(self):
        return dict(zip(PROGRESS, struct.unpack_from("8Q", self.map)))


def process_figures(pid):
    """Resident bytes by kind and faults, or None when the process has ended."""
    try:
        with open(f"/proc/{pid}/status", encoding="ascii") as file:
            status = dict(line.split(":", 1) for line in file)
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            stat = file.read().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    if "VmRSS" not in status:
        return None
    kib = {name: int(status[name].split()[0]) * 1024
           for name in ("VmRSS", "RssAnon", "RssFile", "RssShmem")}
    return {"resident": kib["VmRSS"], "rss_anon": kib["RssAnon"], "rss_file": kib["RssFile"],
            "rss_shmem": kib["RssShmem"], "minor": int(stat[7]), "major": int(stat[9])}


def how_it_ended(status, oom_kills, progress):
    """One of done, killed, refused, wrong; anything else is a failure to measure."""
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == 9 and oom_kills > 0:
        return "killed"
    if os.WIFEXITED(status) and oom_kills == 0:
        ends = {0: "done", 1: "wrong", 3: "refused"}
        if os.WEXITSTATUS(status) in ends:
            return ends[os.WEXITSTATUS(status)]
    raise RuntimeError(f"wait status {status:#x} with {oom_kills} OOM kills at {progress}")


def watch(command, group, progress):
    """Run @command inside @group; its samples, its end and the kernel's closing figures."""
    samples = []
    start = time.monotonic()
    child = subprocess.Popen(command, preexec_fn=group.enter, close_fds=True)
    while True:
        pid, status, usage = os.wait4(child.pid, os.WNOHANG)
        if pid:
            break
        figures = process_figures(child.pid)
        if figures:
            samples.append({"s": time.monotonic() - start, **progress.read(), **figures,
                            **group.stat(), "charged": group.usage()})
        time.sleep(PERIOD_S)
    child.returncode = os.waitstatus_to_exitcode(status)
    last = progress.read()
    return {"samples": samples, **last, "seconds": time.monotonic() - start,
            "end": how_it_ended(status, group.oom_kills(), last),
            "oom_kills": group.oom_kills(), "peak_charged": group.peak(),
            "minor": usage.ru_minflt, "major": usage.ru_majflt,
            "peak_resident": usage.ru_maxrss * 1024, "left": group.stat()}
