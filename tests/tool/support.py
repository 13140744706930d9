"""What the tests of the tool share: cases that print TAP, and calls of the tool.

The tool is $LOGSTORE, or the first argument. A case is a function with a docstring that says the
promise; it gets a directory of its own, which is removed afterwards.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

TOOL = os.environ.get("LOGSTORE") or (sys.argv[1] if len(sys.argv) > 1 else "logstore")
SMALL = 65536  # the smallest segment
LONG = 60  # seconds, for what takes none unless the machine is busy with other things

_cases = []


def case(function):
    _cases.append(function)
    return function


class Skip(Exception):
    pass


NOBODY = 65534


def may_be(user, group=NOBODY, groups=(), program="true"):
    """Can @program run as another user? Only root may, and a user namespace may have no other."""
    try:
        return os.geteuid() == 0 and subprocess.run(
            [program, "--version"], user=user, group=group, extra_groups=groups, check=False,
            capture_output=True).returncode == 0
    except (OSError, subprocess.SubprocessError):
        return False


def as_user(user=NOBODY, group=NOBODY, groups=(), program=TOOL):
    """Options that run @program as somebody else."""
    if not may_be(user, group, groups, program):
        raise Skip(f"needs another user who may run {program}")
    return {"user": user, "group": group, "extra_groups": groups}


def needs_proc():
    if not os.path.exists("/proc/self/stat"):
        raise Skip("needs /proc")


def terminal():
    """As os.openpty()."""
    try:
        return os.openpty()
    except OSError as error:
        raise Skip(f"needs terminals: {error}") from error


def needs_a_disk(folder):
    """What has no disk behind it, as in tmpfs, is never let go of."""
    kind = subprocess.run(["stat", "-f", "-c", "%T", folder], capture_output=True,
                          check=False).stdout
    if kind.strip() in (b"tmpfs", b"ramfs"):
        raise Skip("needs a file system on a disk")


def heed_signals():
    """What nohup or a shell's background job ignores, the tool would ignore as well."""
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM, signal.SIGQUIT):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


def main():
    heed_signals()
    print(f"1..{len(_cases)}")
    failed = 0
    for number, function in enumerate(_cases, 1):
        name = " ".join(function.__doc__.split())
        directory = tempfile.mkdtemp(prefix="logstore-tool-")
        try:
            function(directory)
            print(f"ok {number} - {name}", flush=True)
        except Skip as reason:
            print(f"ok {number} - {name} # SKIP {reason}", flush=True)
        except Exception:
            failed += 1
            print(f"not ok {number} - {name}", flush=True)
            for line in traceback.format_exc().splitlines():
                print(f"# {line}", flush=True)
        finally:
            shutil.rmtree(directory, ignore_errors=True)
    sys.exit(1 if failed else 0)


def command(*arguments):
    return [TOOL, *(str(a) for a in arguments)]


def run(*arguments, input=b"", status=0, **options):
    """Run the tool, demand @status, return what it printed."""
    result = subprocess.run(command(*arguments), input=input, capture_output=True, timeout=60,
                            **options)
    if result.returncode != status:
        raise AssertionError(f"{' '.join(map(str, arguments))}: status {result.returncode}, "
                             f"wanted {status}; it said: {result.stderr.decode(errors='replace')}")
    return result


def out(*arguments, **options):
    return run(*arguments, **options).stdout


def content(store):
    """What the store holds, nothing if there is none yet: for waiting."""
    return subprocess.run(command("read", store), capture_output=True, timeout=60).stdout


def complaint(*arguments, status, **options):
    """Run what must fail with @status and exactly one line (two if it is about usage)."""
    result = run(*arguments, status=status, **options)
    lines = result.stderr.decode().splitlines()
    wanted = 2 if status == 2 else 1
    if len(lines) != wanted or not lines[0].startswith("logstore"):
        raise AssertionError(f"wanted {wanted} line(s) on standard error, got {lines}")
    if result.stdout:
        raise AssertionError(f"wanted nothing on standard output, got {result.stdout[:200]}")
    return lines[0]


def equal(got, wanted, what=""):
    if got != wanted:
        raise AssertionError(f"{what} got {repr(got)[:400]}, wanted {repr(wanted)[:400]}")


def contains(text, part):
    if part not in text:
        raise AssertionError(f"{part!r} is not in {text!r}")


def wait_until(condition, what, seconds=LONG):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds} s for {what}")
        time.sleep(0.005)


class Process(subprocess.Popen):
    def wait(self, timeout=LONG):
        return super().wait(timeout)


@contextlib.contextmanager
def started(*arguments, **options):
    """The tool in the background; killed at the end if it still runs."""
    process = Process(command(*arguments), **options)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream:
                with contextlib.suppress(OSError):
                    stream.close()
        process.wait()


def lines_of(count, first=1, width=0):
    return b"".join(b"%0*d\n" % (width, n) for n in range(first, first + count))
