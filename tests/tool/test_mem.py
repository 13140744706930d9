#!/usr/bin/python3
"""mem says what the kernel says, to whom it says it, and changes nothing by looking."""

import contextlib
import ctypes
import errno
import json
import mmap
import os
import re
import signal
import struct
import subprocess
import tempfile
import time

from support import (NOBODY, SMALL, Skip, as_user, case, command, contains, equal, lines_of, main,
                     needs_a_disk, needs_proc, out, run, started, wait_until)

PAGE = mmap.PAGESIZE
MIB = 1 << 20
CACHESTAT = 451
UNKNOWN_BUT_SIZE = ("dirty", "writeback", "evicted", "recently_evicted")

libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int,
                      ctypes.c_long]


def resident_pages(path):
    """Which pages of a file are in the page cache, by mincore(2)."""
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        address = libc.mmap(None, size, mmap.PROT_READ, mmap.MAP_SHARED, file.fileno(), 0)
    vector = (ctypes.c_ubyte * ((size + PAGE - 1) // PAGE))()
    failed = libc.mincore(ctypes.c_void_p(address), ctypes.c_size_t(size), vector)
    libc.munmap(ctypes.c_void_p(address), ctypes.c_size_t(size))
    assert not failed, "mincore"
    return {page for page, byte in enumerate(vector) if byte & 1}


def logs(store):
    return sorted(name for name in os.listdir(store) if name.endswith(".log"))


def resident_of_all(store):
    return {name: resident_pages(f"{store}/{name}") for name in logs(store)}


def store_of_three(tmp):
    """Two full segments and a third, readable by everyone, everything written back."""
    os.chmod(tmp, 0o755)
    run("append", f"{tmp}/s", "--segment-size", "1M", "--mode", "0644",
        input=lines_of(20000, width=99))
    os.chmod(f"{tmp}/s", 0o755)
    equal(len(logs(f"{tmp}/s")), 3)
    os.sync()
    return f"{tmp}/s"


def objects(*words, **options):
    return [json.loads(line) for line in out("mem", *words, "-o", "jsonl", **options).splitlines()]


def files(*words, **options):
    return {o["name"]: o for o in objects(*words, **options) if o["what"] == "file"}


def become_nobody():
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)


class Filter(ctypes.Structure):
    _fields_ = [("count", ctypes.c_ushort), ("program", ctypes.c_void_p)]


def take_cachestat_away():
    """As before Linux 6.5: a seccomp filter that answers ENOSYS."""
    program = b"".join(struct.pack("HBBI", *line) for line in (
        (0x20, 0, 0, 0),            # load the number of the call
        (0x15, 0, 1, CACHESTAT),    # another one: skip the next line
        (0x06, 0, 0, 0x00050000 | errno.ENOSYS),
        (0x06, 0, 0, 0x7fff0000)))  # allow
    buffer = ctypes.create_string_buffer(program, len(program))
    filter_ = Filter(4, ctypes.cast(buffer, ctypes.c_void_p))
    assert libc.prctl(38, 1, 0, 0, 0) == 0  # PR_SET_NO_NEW_PRIVS
    assert libc.prctl(22, 2, ctypes.byref(filter_), 0, 0) == 0  # PR_SET_SECCOMP


def has_cachestat(path):
    fd = os.open(path, os.O_RDONLY)
    span, result = (ctypes.c_uint64 * 2)(0, PAGE), (ctypes.c_uint64 * 5)()
    failed = libc.syscall(CACHESTAT, fd, span, result, 0)
    os.close(fd)
    return not failed


# ---- looking ----


@case
def looking_faults_nothing_in(tmp):
    """what was evicted stays evicted however often mem looks, in all its forms"""
    needs_a_disk(tmp)
    needs_proc()
    store = store_of_three(tmp)
    run("evict", store)
    evicted = resident_of_all(store)
    out("mem", store)
    before = resident_of_all(store)
    for name in logs(store):  # opening reads the headers of some segments
        headers = set(range((128 << 10) // PAGE))
        equal(before[name] - evicted[name] - headers, set(), name)
    for words in ([], ["-o", "table"], ["-o", "jsonl"], ["-o", "svg"], ["--pid", os.getpid()],
                  ["--all", "-o", "table"]):
        out("mem", store, *words)
        equal(resident_of_all(store), before, words)
    run("mem", store, preexec_fn=take_cachestat_away)
    equal(resident_of_all(store), before, "without cachestat:")


def read_pages(path, pages):
    """Bring in these pages and none beside them."""
    fd = os.open(path, os.O_RDONLY)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_RANDOM)
    for page in pages:
        os.pread(fd, PAGE, page * PAGE)
    os.close(fd)


@case
def looking_while_some_is_there(tmp):
    """with known pages brought in, mem says those and no others, with and without cachestat"""
    needs_a_disk(tmp)
    store = store_of_three(tmp)
    name = logs(store)[1]
    run("evict", store)
    out("mem", store)
    there = resident_pages(f"{store}/{name}")
    known = {40, 41, 42, 77, 100, 130, 131, 255}
    read_pages(f"{store}/{name}", known)
    equal(resident_pages(f"{store}/{name}"), there | known, "the test's own pages:")
    for options in ({}, {"preexec_fn": take_cachestat_away}):
        said = files(store, **options)
        equal(said[name]["resident"], len(there | known) * PAGE)
        for other, pages in resident_of_all(store).items():
            equal(said[other]["resident"], len(pages) * PAGE, other)
    run("evict", store, "8200..16000")
    said = files(store)[name]["resident"]
    equal(said, len(resident_pages(f"{store}/{name}")) * PAGE, "after evict:")
    assert said < len(there | known) * PAGE
    run("warm", store, "8200..16000")
    equal(files(store)[name]["resident"], len(resident_pages(f"{store}/{name}")) * PAGE, "warm:")
    assert known - {255} <= resident_pages(f"{store}/{name}")


# ---- who may ask, and whom ----


@case
def without_cachestat(tmp):
    """a kernel without cachestat knows what is resident and nothing more: ?, null in JSON"""
    store = store_of_three(tmp)
    said = files(store, preexec_fn=take_cachestat_away)
    for name in logs(store):
        equal([said[name][field] for field in UNKNOWN_BUT_SIZE], [None] * 4, name)
        equal(said[name]["resident"], len(resident_pages(f"{store}/{name}")) * PAGE, name)
    table = out("mem", store, "-o", "table", preexec_fn=take_cachestat_away).decode()
    assert re.search(r"^total +\S+ \S+ +\S+ \S+ +\? +\? +\? +\?$", table, re.M), table
    if has_cachestat(f"{store}/control"):
        assert None not in files(store)[logs(store)[0]].values()


@case
def for_somebody_else(tmp):
    """to whom the kernel does not tell, everything but the size is unknown, not all or nothing"""
    store = store_of_three(tmp)
    run("evict", store)
    options = as_user()

    def without_both():
        take_cachestat_away()
        become_nobody()
    for how in (options, {"preexec_fn": without_both}):
        said = files(store, **how)
        for name in logs(store):
            equal(said[name]["resident"], None, name)
            equal([said[name][field] for field in UNKNOWN_BUT_SIZE], [None] * 4, name)
            equal(said[name]["file_bytes"], os.path.getsize(f"{store}/{name}"))
        for form in ("map", "table", "svg"):
            contains(out("mem", store, "-o", form, **how).decode(), "?")
    equal(out("get", store, "7", **options), b"%099d" % 7, "and yet it reads:")


@case
def processes_of_somebody_else(tmp):
    """processes that may not be looked at are unknown and counted, not empty"""
    needs_proc()
    store = store_of_three(tmp)
    options = as_user()
    with started("append", store, stdin=subprocess.PIPE) as writer:
        writer.stdin.write(b"x\n")
        writer.stdin.flush()
        wait_until(lambda: any(o["what"] == "process" and o["pid"] == writer.pid
                               for o in objects(store, "--all")), "the writer to map the store")
        process = next(o for o in objects(store, "--pid", writer.pid, **options)
                       if o["what"] == "process")
        for kind in ("shared_file", "private_file", "anonymous", "heap"):
            equal(set(process[kind].values()), {None}, kind)
        table = out("mem", store, "-o", "table", "--all", **options).decode()
        assert re.search(r"^[1-9]\d* processes may not be looked at: \?$", table, re.M), table


@case
def all_processes(tmp):
    """--all names each process that maps the store, and no other"""
    needs_proc()
    store = store_of_three(tmp)
    with started("append", store, stdin=subprocess.PIPE) as writer, \
            started("read", "-f", store, stdout=subprocess.DEVNULL) as reader, \
            started("append", f"{tmp}/s2", stdin=subprocess.PIPE):

        def named():
            return {o["pid"] for o in objects(store, "--all") if o["what"] == "process"}
        # mem itself maps the store, and only then looks
        wait_until(lambda: {writer.pid, reader.pid} <= named() and len(named()) == 3, "all three")
        writer.kill()
        writer.wait()
        wait_until(lambda: writer.pid not in named() and reader.pid in named(), "only the reader")


# ---- again and again ----


@case
def watching(tmp):
    """--watch tells again and again what changes, until it is ended, and dies by the signal"""
    store = f"{tmp}/s"
    run("append", store, "--segment-size", SMALL, input=lines_of(10))
    for number in (signal.SIGTERM, signal.SIGINT):
        with started("mem", store, "--watch", "--every", "20ms", "-o", "jsonl",
                     stdout=subprocess.PIPE, stderr=subprocess.PIPE) as watcher:
            def totals():
                while True:
                    line = json.loads(watcher.stdout.readline())
                    if line["what"] == "total":
                        yield line
            told = totals()
            first = next(told)
            equal(next(told)["file_bytes"], first["file_bytes"])
            run("append", store, input=lines_of(2000, width=99))
            end = time.monotonic() + 20
            while next(told)["file_bytes"] <= first["file_bytes"]:
                assert time.monotonic() < end, "the new segments are not told of"
            watcher.send_signal(number)
            watcher.stdout.read()
            equal(watcher.wait(), -number)
            equal(watcher.stderr.read(), b"")


@case
def watching_a_picture(tmp):
    """--watch draws the map over the one before; a closed pipe ends it quietly"""
    store = f"{tmp}/s"
    run("append", store, input=lines_of(10))
    with started("mem", store, "--watch", "--every", "10ms", stdout=subprocess.PIPE,
                 stderr=subprocess.PIPE, env={**os.environ, "TERM": "xterm"}) as watcher:
        text = b""
        while text.count(b"\033[H\033[J") < 3:
            text += os.read(watcher.stdout.fileno(), 65536)
        assert text.startswith(b"\033[H\033[J"), text[:80]
        watcher.stdout.close()
        equal(watcher.wait(), -signal.SIGPIPE)
        equal(watcher.stderr.read(), b"")
    for words in (["--every", "0"], ["--every", "x"]):
        run("mem", store, "--watch", *words, status=2)


@case
def names_of_stores(tmp):
    """a process that maps a store is found whatever the store's name"""
    needs_proc()
    for name in ("new\nline", "back\\slash", "a b", "tab\t", "gone (deleted)", "é"):
        store = f"{tmp}/{name}"
        with started("append", store, "--ack", stdin=subprocess.PIPE,
                     stdout=subprocess.PIPE) as writer:
            writer.stdin.write(b"a\n")
            writer.stdin.flush()
            writer.stdout.readline()
            for words in (["--all"], ["--pid", writer.pid]):
                found = [o["shared_file"]["mappings"] for o in objects(store, *words)
                         if o["what"] == "process" and o["pid"] == writer.pid]
                assert found and found[0] > 0, (name, words)


@case
def beyond_the_sign(tmp):
    """sizes beyond 2^63 are those sizes in JSON, a sum beyond 2^64 is unknown"""
    with contextlib.ExitStack() as stack:
        if not os.access("/dev/shm", os.W_OK):
            raise Skip("needs /dev/shm")
        store = stack.enter_context(tempfile.TemporaryDirectory(dir="/dev/shm")) + "/s"
        run("append", store, input=b"a\n")
        for count in (2, 3, 4, 5):
            try:
                with open(f"{store}/000000000{count}.log", "wb") as file:
                    file.truncate(1 << 62)
            except OSError as error:
                raise Skip(f"no such large files: {error}") from error
            total = json.loads(out("mem", store, "-o", "jsonl").splitlines()[-1])["file_bytes"]
            wanted = (count - 1 << 62) + 65536 + 4096
            equal(total, wanted if wanted < 1 << 64 else None, count)


main()
