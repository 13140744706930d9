"""remote_memory.py - row 19: the most memory of its own that a verb takes, whatever the log's size

Counted is RssAnon of /proc/PID/status: pages that the kernel cannot evict (heap, stacks, buffers).
Pages of files are not, since ship maps the segments that it sends, and the kernel takes those pages
back when it likes; VmHWM, which has them, is told beside. VmHWM is the kernel's own peak; RssAnon
is read each millisecond, so a shorter peak may be missed, but never one above VmHWM.
"""
import shutil
import subprocess
import time

from remote_logs import Log
from remote_server import insist

MOST_MIB = 64


def status(pid):
    """(RssAnon + RssShmem, VmHWM) in MiB, or None when it has ended."""
    try:
        with open(f"/proc/{pid}/status", encoding="ascii") as stream:
            fields = dict(line.split(":", 1) for line in stream)
    except (FileNotFoundError, ProcessLookupError):
        return None
    if "VmHWM" not in fields:
        return None
    own, shared, most = (int(fields[name].split()[0]) / 1024
                         for name in ("RssAnon", "RssShmem", "VmHWM"))
    return own + shared, most


def peak(command):
    """(peak of its own memory, VmHWM, looks, seconds)"""
    own, most, looks, begun = 0, 0, 0, time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        while process.poll() is None:
            seen = status(process.pid)
            if seen:
                own, most, looks = max(own, seen[0]), max(most, seen[1]), looks + 1
            time.sleep(0.001)
        said = process.stderr.read()
    insist(process.returncode == 0, f"{' '.join(command[:2])}: {said!r}")
    insist(looks > 0, f"{' '.join(command[:2])} ended before it was looked at")
    return own, most, looks, time.monotonic() - begun


def verbs(bench, log, prefix):
    """(name, arguments), in this order."""
    plain, packed = f"s3://bucket/{prefix}", f"s3://bucket/{prefix}-packed"
    copy = bench.path("memory-copy")
    return (("ship", ["ship", log.directory, plain]),
            ("ship --compress", ["ship", "--compress", log.directory, packed]),
            ("fetch", ["fetch", plain, copy]),
            ("fetch, packed", ["fetch", packed, copy]),
            ("read URL", ["read", plain]),
            ("read URL, packed", ["read", packed]),
            ("get URL", ["get", plain, str(log.records // 2)]),
            ("verify URL", ["verify", plain]),
            ("verify --quick URL", ["verify", "--quick", plain]),
            ("info URL", ["info", plain]),
            ("trim URL", ["trim", f"--before={log.records // 2}", plain]))


def measure_size(bench, mib):
    """{verb: MiB}"""
    log = Log(bench.tool, bench.path("memory"), mib)
    prefix = f"memory{mib}"
    found = {}
    for name, arguments in verbs(bench, log, prefix):
        own, most, looks, seconds = peak([bench.tool, *arguments])
        bench.table.say(f"    {mib} MiB, {name}: {own:.1f} MiB of its own, {most:.1f} MiB with "
                        f"pages of files, {looks} looks in {seconds:.2f} s")
        found[name] = own
        if name == "ship --compress":
            packed = log.info(arguments[-1])
            insist(packed["stored_bytes"] < 0.7 * packed["log_bytes"], "nothing was packed")
        if name.startswith("fetch"):
            shutil.rmtree(bench.path("memory-copy"))
    shutil.rmtree(log.directory)
    bench.server.remove(prefix, prefix + "-packed")
    return found


def measure(bench):
    small_mib, large_mib = 64, bench.size(256, 1024)
    small, large = measure_size(bench, small_mib), measure_size(bench, large_mib)
    for name, own in large.items():
        bench.table.row(19, f"own memory, {name}, {large_mib} MiB (limit: {small_mib} MiB)", "MiB",
                        [own], [small[name]], required=f"ours<={MOST_MIB}")
