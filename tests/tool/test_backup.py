#!/usr/bin/python3
"""Backups by time of change find what was appended; a writer notices that its files are gone."""

import contextlib
import os
import shutil
import subprocess
import tempfile
import time

from support import (SMALL, as_user, case, contains, content, equal, lines_of, main, needs_proc,
                     out, run, started, wait_until)


@contextlib.contextmanager
def folders(tmp):
    """On the disk, and in memory, where the kernel never moves a time for a mapping."""
    if not os.access("/dev/shm", os.W_OK):
        yield (tmp,)
        return
    with tempfile.TemporaryDirectory(dir="/dev/shm") as memory:
        yield tmp, memory


def backup(store, to):
    """As rsync -a does: what has another size or time. Returns the names."""
    os.makedirs(to, exist_ok=True)
    copied = []
    for name in sorted(os.listdir(store)):
        new, old = os.stat(f"{store}/{name}"), None
        with contextlib.suppress(FileNotFoundError):
            old = os.stat(f"{to}/{name}")
        if not old or (old.st_size, old.st_mtime_ns) != (new.st_size, new.st_mtime_ns):
            shutil.copy2(f"{store}/{name}", f"{to}/{name}")
            os.utime(f"{to}/{name}", ns=(new.st_atime_ns, new.st_mtime_ns))
            copied.append(name)
    return copied


def settle(store):
    """Until nothing is left to be told: a touch a second."""
    time.sleep(1.3)


def feed(writer, text):
    """Append and wait until it is durable."""
    writer.stdin.write(text)
    writer.stdin.flush()
    for _ in text.splitlines():
        writer.stdout.readline()


@case
def while_it_is_written(tmp):
    """a backup of what changed, taken beside a writer, has every record durable a second before"""
    with folders(tmp) as places:
        for place in places:
            store, copy = f"{place}/s", f"{place}/copy"
            with started("append", store, "--segment-size", SMALL, "--ack", "--sync=each",
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
                text = b""
                for turn in range(3):
                    for count in (1, 1, 300):  # the others within the second of the first
                        more = lines_of(count, first=1 + text.count(b"\n"), width=100)
                        feed(writer, more)
                        text += more
                    settle(store)
                    assert backup(store, copy)
                    equal(out("read", copy), text, f"{place}, turn {turn}")
                    run("verify", copy)
                settle(store)
                equal(backup(store, copy), [])  # and of what did not change nothing
                feed(writer, b"the last\n")
                writer.stdin.close()
                equal(writer.wait(), 0)
            assert backup(store, copy)  # at once: the close told
            equal(out("read", copy), text + b"the last\n")


@case
def after_a_kill(tmp):
    """what a killed writer had made durable and not told any more is told by the next"""
    with folders(tmp) as places:
        for place in places:
            store, copy = f"{place}/s", f"{place}/copy"
            with started("append", store, "--segment-size", SMALL, "--ack", "--sync=each",
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
                feed(writer, b"1\n")
                wait_until(lambda: content(store), "the first record")
                settle(store)
                feed(writer, b"2\n")
                wait_until(lambda: content(store) == b"1\n2\n", "the second record")
                time.sleep(0.1)
                backup(store, copy)
                feed(writer, b"3\n")
                writer.kill()
                writer.wait()
            run("append", store, input=b"4\n")
            backup(store, copy)
            equal(out("read", copy), lines_of(4))


@case
def gone_files(tmp):
    """a writer whose directory, control file or segment is gone says so at the next sync"""
    for what, part in (("*", "removed"), ("control", "removed"), ("0000000001.log", "removed")):
        store = f"{tmp}/{what.strip('*') or 'all'}"
        with started("append", store, "--ack", "--sync=each", stdin=subprocess.PIPE,
                     stdout=subprocess.PIPE, stderr=subprocess.PIPE) as writer:
            feed(writer, b"1\n")
            if what == "*":
                shutil.rmtree(store)
            else:
                os.unlink(f"{store}/{what}")
            writer.stdin.write(b"2\n")
            writer.stdin.close()
            equal(writer.stdout.read(), b"", what)
            contains(writer.stderr.read().decode(), part)
            assert writer.wait() in (3, 4), writer.returncode


@case
def idle_readers(tmp):
    """a reader that may not write the wake file looks the less often the longer nothing came"""
    os.chmod(tmp, 0o755)
    needs_proc()
    other = as_user() if os.geteuid() == 0 else {}  # root may write whatever the mode
    for number, spoil in enumerate((lambda path: os.chmod(path, 0o444), os.unlink)):
        store = f"{tmp}/{number}"
        run("append", store, "--mode=0644", input=b"1\n")
        spoil(f"{store}/wake")
        with started("read", "-f", store, stdout=subprocess.PIPE, **other) as reader:
            equal(reader.stdout.readline(), b"1\n")
            time.sleep(4)
            before = switches(reader.pid)
            time.sleep(1)
            looks = switches(reader.pid) - before
            assert looks < 100, looks
            run("append", store, input=b"2\n")
            equal(reader.stdout.readline(), b"2\n")


def switches(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return sum(int(line.split()[1]) for line in file
                   if line.startswith("voluntary_ctxt_switches"))


main()
