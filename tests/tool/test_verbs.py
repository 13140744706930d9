#!/usr/bin/python3
"""The verbs that look at a store, mend it, shorten it and copy it."""

import json
import mmap
import os
import re
import resource
import shutil
import subprocess
import time
import xml.dom.minidom

from support import (SMALL, TOOL, Skip, as_user, case, complaint, contains, content, equal,
                     lines_of, main, needs_a_disk, needs_proc, out, run, started, wait_until)

COUNT = 5000
WIDTH = 90
FRAME = 24 + 96  # header, and the payload rounded up to 8


def store_of_segments(tmp, name="s"):
    run("append", f"{tmp}/{name}", "--segment-size", SMALL, input=lines_of(COUNT, width=WIDTH))
    return f"{tmp}/{name}"


def segments(store):
    return json.loads(out("segments", store, "-o", "json"))


def damage(store, number):
    """Change one byte of record @number's payload; returns its segment's name."""
    for segment in segments(store):
        if segment["first"] <= number < segment["first"] + segment["records"]:
            path = f"{store}/{segment['name']}"
            with open(path, "r+b") as file:
                place = file.read().find(b"%0*d" % (WIDTH, number))
                assert place > 0
                file.seek(place + 3)
                file.write(b"!")
            return segment["name"]
    raise AssertionError(f"no segment has {number}")


def log_files(store):
    """Names and times of all but what says who was there."""
    return sorted((n, os.stat(f"{store}/{n}").st_mtime_ns) for n in os.listdir(store)
                  if n != "wake")


@case
def info(tmp):
    """info says counts and sizes, as a table, in exact bytes, and as JSON"""
    store = store_of_segments(tmp)
    got = json.loads(out("info", store, "-o", "json"))
    equal((got["first"], got["tail"], got["durable"], got["records"]), (1, COUNT, COUNT, COUNT))
    equal((got["clean"], got["failed"], got["writer_pid"]), (True, False, None))
    equal(got["segment_bytes"], SMALL)
    equal(got["file_mode"], "0600")
    assert re.fullmatch("[0-9a-f]{32}", got["uuid"]), got["uuid"]
    table = out("info", store).decode()
    assert re.search(rf"^tail +{COUNT}$", table, re.M), table
    contains(table, "64.0 KiB")
    assert re.search(rf"^segment size +{SMALL}$", out("info", store, "-b").decode(), re.M)


@case
def segments_listed(tmp):
    """segments lists every file, oldest first, without a gap in the numbers"""
    store = store_of_segments(tmp)
    got = segments(store)
    files = sorted(n for n in os.listdir(store) if re.fullmatch(r"\d{10}\.log", n))
    assert [s["name"] for s in got] == [n for n in files if n in {s["name"] for s in got}]
    assert len(got) > 5
    number = 1
    for segment in got:
        equal(segment["first"], number, segment["name"])
        number += segment["records"]
    equal(number, COUNT + 1)
    equal({s["state"] for s in got[:-2]}, {"sealed"})
    rows = out("segments", store).decode().splitlines()
    equal(len(rows), len(got) + 1)
    contains(rows[1], got[0]["name"])


@case
def verify_healthy(tmp):
    """verify of a sound store prints nothing on standard output and ends with 0"""
    store = store_of_segments(tmp)
    result = run("verify", store)
    equal(result.stdout, b"")
    contains(result.stderr.decode(), f"{COUNT} records")
    contains(result.stderr.decode(), "0 faults")
    contains(run("verify", store, "--progress", "always").stderr.decode(), "%")
    assert b"%" not in run("verify", store, "--progress", "never").stderr


@case
def damage_found(tmp):
    """a changed byte: verify names file, offset and record; read stops there; the rest is usable"""
    store = store_of_segments(tmp)
    name = damage(store, 1000)
    result = run("verify", store, status=1)
    lines = result.stdout.decode().splitlines()
    equal(len(lines), 1)
    contains(lines[0], name)
    contains(lines[0], "record 1000")
    assert re.search(r"offset \d+", lines[0]), lines[0]
    fault = json.loads(run("verify", store, "-o", "json", status=1).stdout)
    equal((fault["file"], fault["number"]), (name, 1000))
    result = run("read", store, status=1)
    equal(result.stdout, lines_of(999, width=WIDTH))
    contains(result.stderr.decode(), name)
    contains(result.stderr.decode(), "1000")
    equal(out("read", store, "--from", "1001"), lines_of(COUNT - 1000, 1001, WIDTH))
    complaint("get", store, "1000", status=1)
    run("append", store, input=b"on\n")
    equal(out("get", store, "last"), b"on")


@case
def two_faults(tmp):
    """verify has one line for each of two faults in two segments"""
    store = store_of_segments(tmp)
    names = [damage(store, 700), damage(store, 2900)]
    lines = run("verify", store, status=1).stdout.decode().splitlines()
    equal(len(lines), 2)
    for line, name, number in zip(lines, names, (700, 2900)):
        contains(line, name)
        contains(line, f"record {number}")


@case
def newest_segment_missing(tmp):
    """the file that is missing is named, and copy leaves nothing"""
    store = store_of_segments(tmp)
    name = segments(store)[-1]["name"]
    os.unlink(f"{store}/{name}")
    line = run("verify", store, status=1).stdout.decode()
    assert line.startswith(f"{name}: offset 0: "), line
    contains(line, "the newest segment is missing")
    fault = json.loads(run("verify", store, "-o", "json", status=1).stdout)
    equal(fault["file"], name)
    contains(complaint("copy", store, f"{tmp}/t", status=1), name)
    equal(os.listdir(tmp), ["s"])


@case
def torn_tail_is_no_damage(tmp):
    """half a record behind the last sync: verify mentions it and ends with 0"""
    store = f"{tmp}/s"
    with started("append", store, stdin=subprocess.PIPE) as writer:
        writer.stdin.write(lines_of(100, width=WIDTH))
        writer.stdin.flush()
        wait_until(lambda: content(store) == lines_of(100, width=WIDTH), "the records")
        writer.kill()
        writer.wait()
    with open(f"{store}/0000000001.log", "r+b") as file:
        place = file.read().find(b"%0*d" % (WIDTH, 100))
        file.seek(place)
        file.write(b"\0" * WIDTH)
    result = run("verify", store)
    equal(result.stdout, b"")
    contains(result.stderr.decode(), "torn")
    run("append", store, input=b"on\n")
    equal(out("read", store), lines_of(99, width=WIDTH) + b"on\n")
    run("verify", store)


@case
def repair_dry_and_real(tmp):
    """repair changes nothing without --yes, cuts with it, and keeps what it cuts"""
    store = store_of_segments(tmp)
    damage(store, 4000)
    before = log_files(store)
    result = run("repair", store, status=1)
    contains(result.stdout.decode(), "would keep records 1 to 3999")
    contains(result.stderr.decode(), "--yes")
    equal(log_files(store), before)
    result = run("repair", store, "--yes", "--salvage", f"{tmp}/saved")
    contains(result.stdout.decode(), "kept records 1 to 3999")
    assert os.listdir(f"{store}/quarantine")
    equal(out("read", store), lines_of(3999, width=WIDTH))
    run("append", store, input=b"on\n")
    run("verify", store)
    saved = out("read", f"{tmp}/saved")
    equal(saved, lines_of(3999, width=WIDTH) + lines_of(COUNT - 4000, 4001, WIDTH))
    equal(out("get", f"{tmp}/saved", COUNT), b"%0*d" % (WIDTH, COUNT))


@case
def repair_of_a_sound_store(tmp):
    """repair of a sound store has nothing to do, with and without --yes"""
    store = store_of_segments(tmp)
    for words in ([], ["--yes"]):
        contains(run("repair", store, *words).stderr.decode(), "nothing to repair")
    equal(out("read", store), lines_of(COUNT, width=WIDTH))


@case
def trim(tmp):
    """trim deletes whole old segments, says the first that is left, and can be said twice"""
    for words in (["--keep-count", "1000"], ["--keep-size", "200K"], ["--before", "4000"]):
        store = store_of_segments(tmp, words[0])
        would = run("trim", store, "--dry-run", *words)
        equal(out("read", store, "-n", "1"), lines_of(1, width=WIDTH))
        result = run("trim", store, *words)
        first = int(result.stdout)
        equal(int(would.stdout), first, words)
        assert 1 < first <= 4001, first
        equal(out("read", store), lines_of(COUNT + 1 - first, first, WIDTH))
        equal(int(out("trim", store, *words)), first)
        equal(json.loads(out("info", store, "-o", "json"))["first"], first)
        equal(segments(store)[0]["first"], first)
        run("verify", store)


@case
def trim_by_time(tmp):
    """--keep-time deletes segments that were full longer ago, whatever times their records carry"""
    future = "".join(json.dumps({"data": "o" * 90, "time": "2200-01-01T00:00:00Z"}) + "\n"
                     for _ in range(2000))
    run("append", f"{tmp}/s", "--segment-size", SMALL, "-i", "jsonl", input=future.encode())
    time.sleep(0.3)
    run("append", f"{tmp}/s", input=lines_of(2000, width=WIDTH))
    equal(int(out("trim", f"{tmp}/s", "--keep-time", "1d")), 1)
    time.sleep(0.3)
    first = int(out("trim", f"{tmp}/s", "--keep-time", "100ms"))
    assert 2000 < first <= 4000, first
    equal(int(out("read", f"{tmp}/s", "-n", "1")), first - 2000)


@case
def trim_blocks_nobody(tmp):
    """trim whose output nobody reads has let go of the store: a writer need not wait for that"""
    store = f"{tmp}/s"
    run("append", store, "--segment-size", SMALL, input=lines_of(5000, width=90))
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    try:
        while True:
            os.write(writer, b"x" * 4096)
    except BlockingIOError:
        os.set_blocking(writer, True)
    with started("trim", store, "--keep-count", "10", stdout=writer,
                 stderr=subprocess.PIPE) as process:
        contains(process.stderr.readline().decode(), "the first is")
        run("append", store, input=b"a\n")
        equal(process.poll(), None)
        os.set_blocking(reader, False)
        os.read(reader, 1 << 20)
        equal(process.wait(), 0)
        os.close(writer)
        assert int(os.read(reader, 100).strip(b"x")) > 1
    os.close(reader)


@case
def trim_says_what_is_left(tmp):
    """the number that trim --keep-time says is the first afterwards, however long trim takes"""
    store = f"{tmp}/s"
    with started("append", store, "--segment-size", SMALL, stdin=subprocess.PIPE) as writer:
        for first in range(1, 30 * 600, 600):
            writer.stdin.write(lines_of(600, first, WIDTH))
            writer.stdin.flush()
            time.sleep(0.05)
        writer.stdin.close()
        equal(writer.wait(), 0)
    errors, full = os.pipe()
    os.set_blocking(full, False)
    while True:  # its first line on standard error waits until this is read
        try:
            os.write(full, b"x" * 4096)
        except BlockingIOError:
            break
    os.set_blocking(full, True)
    with started("trim", store, "--keep-time", "2s", stdout=subprocess.PIPE,
                 stderr=full) as trimmer:
        os.close(full)
        time.sleep(2.5)
        while os.read(errors, 65536):
            pass
        os.close(errors)
        first = int(trimmer.stdout.read())
        equal(trimmer.wait(), 0)
    equal(json.loads(out("info", store, "-o", "json"))["first"], first)


@case
def copy(tmp):
    """copy makes a store of its own with the same numbers, times and bytes"""
    store = store_of_segments(tmp)
    run("trim", store, "--keep-count", "3000")
    run("copy", store, f"{tmp}/t", "--segment-size", "1M")
    equal(out("read", f"{tmp}/t", "-o", "jsonl"), out("read", store, "-o", "jsonl"))
    got, was = (json.loads(out("info", s, "-o", "json")) for s in (f"{tmp}/t", store))
    equal((got["first"], got["tail"]), (was["first"], was["tail"]))
    assert got["uuid"] != was["uuid"]
    equal(got["segment_bytes"], 1 << 20)
    run("verify", f"{tmp}/t")
    complaint("copy", store, f"{tmp}/t", status=1)
    run("append", f"{tmp}/t", input=b"on\n")
    equal(out("get", f"{tmp}/t", COUNT + 1), b"on")


@case
def copy_of_a_damaged_store(tmp):
    """copy of a damaged store is status 1, names the damage, leaves no store that looks whole"""
    store = store_of_segments(tmp)
    name = damage(store, 4000)
    before = sorted(os.listdir(tmp))
    for words in ([], ["--redact", "9"]):
        line = complaint("copy", store, f"{tmp}/t", *words, status=1)
        contains(line, name)
        contains(line, store)
        equal(sorted(os.listdir(tmp)), before)
    os.mkdir(f"{tmp}/empty")
    complaint("copy", store, f"{tmp}/empty", status=1)
    equal(os.listdir(f"{tmp}/empty"), [])


@case
def copy_to_a_link_to_nothing(tmp):
    """a destination that is a link to nothing is taken: nothing is copied first and left behind"""
    run("append", f"{tmp}/s", input=lines_of(3))
    os.symlink("nothing", f"{tmp}/t")
    for words in (["copy", f"{tmp}/s", f"{tmp}/t"],
                  ["repair", f"{tmp}/s", "--salvage", f"{tmp}/t"]):
        contains(complaint(*words, status=1), "t: there is something already")
        equal(sorted(os.listdir(tmp)), ["s", "t"])


@case
def copy_that_is_killed(tmp):
    """a copy has its name once it is whole: killed before, it is a partial one"""
    run("append", f"{tmp}/s", input=lines_of(200000, width=200))
    with started("copy", f"{tmp}/s", f"{tmp}/t") as process:
        wait_until(lambda: os.path.exists(f"{tmp}/t.partial/0000000001.log"), "the copy to begin")
        process.kill()
        process.wait()
    if os.path.exists(f"{tmp}/t"):
        raise Skip("the copy was faster")
    line = complaint("copy", f"{tmp}/s", f"{tmp}/t", status=1)
    contains(line, "t.partial: there is something already")
    shutil.rmtree(f"{tmp}/t.partial")
    os.mkdir(f"{tmp}/t")
    run("copy", f"{tmp}/s", f"{tmp}/t/")
    equal(sorted(os.listdir(tmp)), ["s", "t"])
    equal(out("read", f"{tmp}/t") == out("read", f"{tmp}/s"), True)
    with open(f"{tmp}/file", "w"):
        pass
    for taken in ("t", "file", "s"):
        complaint("copy", f"{tmp}/s", f"{tmp}/{taken}", status=1)
    for path in ("no/where", "file/t", "n" * 300):
        complaint("copy", f"{tmp}/s", f"{tmp}/{path}", status=3)


@case
def more_than_can_be_mapped(tmp):
    """copy and --redact of more segments than can be mapped at once"""
    def little_memory():
        resource.setrlimit(resource.RLIMIT_AS, (100 << 20, 100 << 20))
    limited = {"preexec_fn": little_memory, "env": {**os.environ, "MALLOC_ARENA_MAX": "1"}}
    if subprocess.run([TOOL, "--version"], capture_output=True, **limited).returncode != 0:
        raise Skip("the tool as it is built takes more by itself")
    run("append", f"{tmp}/s", "--segment-size", "512K",
        input=b"".join(b"%0999d\n" % n for n in range(1, 120001)))
    run("append", f"{tmp}/s", "-i", "jsonl",
        input=b'{"data":"zero","time":"1970-01-01T00:00:00Z"}\n')
    covered = out("read", f"{tmp}/s", "--redact", "7", **limited)
    lines = out("read", f"{tmp}/s")
    equal(covered == lines.replace(b"7", b"x"), True)
    run("copy", f"{tmp}/s", f"{tmp}/t", **limited)
    equal(out("read", f"{tmp}/t", "-o", "jsonl") == out("read", f"{tmp}/s", "-o", "jsonl"), True)
    result = run("copy", f"{tmp}/s", f"{tmp}/u", "--redact", "7", **limited)
    equal(out("read", f"{tmp}/u") == covered, True)
    contains(result.stderr.decode(), "%d redacted" % sum(b"7" in line for line in lines.split()))
    run("verify", f"{tmp}/u")
    place = segments(f"{tmp}/s")[100]
    with open(f"{tmp}/s/{place['name']}", "r+b") as file:
        file.seek(200000)
        file.write(b"!!!")
    before = sorted(os.listdir(tmp))
    contains(complaint("copy", f"{tmp}/s", f"{tmp}/v", status=1, **limited), place["name"])
    equal(sorted(os.listdir(tmp)), before)


@case
def redact(tmp):
    """--redact covers what matches in what is printed and copied, and nowhere else"""
    text = b"".join(b"user=%d pass=secret%d end\n" % (n, n) for n in range(3000))
    covered = re.sub(rb"secret[0-9]+", lambda m: b"x" * len(m[0]), text)
    run("append", f"{tmp}/s", "--segment-size", SMALL, input=text)
    equal(out("read", f"{tmp}/s", "--redact", "secret[0-9]+"), covered)
    equal(out("read", f"{tmp}/s"), text)
    equal(out("read", f"{tmp}/s", "--redact", "secret[0-9]+", "-r", "-n", "1"),
          covered.splitlines(True)[-1])
    equal(out("read", "-f", f"{tmp}/s", "--redact", "secret[0-9]+", "-n", "2"),
          b"".join(covered.splitlines(True)[:2]))
    contains(run("copy", f"{tmp}/s", f"{tmp}/t", "--redact", "secret[0-9]+").stderr.decode(),
             "3000 redacted")
    equal(out("read", f"{tmp}/t"), covered)
    equal(out("read", f"{tmp}/s"), text)
    run("append", f"{tmp}/u", input=b"aaa\n^aab\n")
    equal(out("read", f"{tmp}/u", "--redact", "^a|b*"), b"xaa\n^aax\n")


@case
def redact_over_the_budget(tmp):
    """copy --redact beyond its budget of changed pages is status 1 and leaves no half store"""
    run("append", f"{tmp}/s", input=lines_of(3000, width=500))
    line = complaint("copy", f"{tmp}/s", f"{tmp}/t", "--redact", "0", "--budget", "64K", status=1)
    assert line
    assert not os.path.exists(f"{tmp}/t")


def cached(path):
    """Bytes of the file's pages in memory by mincore(2)."""
    import ctypes
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int,
                          ctypes.c_int, ctypes.c_long]
    size = os.path.getsize(path)
    with open(path, "rb") as file:
        address = libc.mmap(None, size, mmap.PROT_READ, mmap.MAP_SHARED, file.fileno(), 0)
    pages = (size + 4095) // 4096
    vector = (ctypes.c_ubyte * pages)()
    if libc.mincore(ctypes.c_void_p(address), ctypes.c_size_t(size), vector):
        raise OSError("mincore")
    libc.munmap(ctypes.c_void_p(address), ctypes.c_size_t(size))
    return sum(v & 1 for v in vector) * 4096


def memory(store):
    lines = [json.loads(line) for line in out("mem", store, "-o", "jsonl").splitlines()]
    return {o["name"]: o for o in lines if o["what"] == "file"}, \
        next(o for o in lines if o["what"] == "total")


@case
def memory_agrees_with_the_kernel(tmp):
    """warm brings pages in, evict lets go of them, and mem says what mincore says"""
    needs_a_disk(tmp)
    store = store_of_segments(tmp)
    name = segments(store)[1]["name"]
    if cached(f"{store}/{name}") is None:
        raise Skip("no mincore")
    run("evict", store)
    files, total = memory(store)
    equal(files[name]["resident"], cached(f"{store}/{name}"), "evicted")
    low = total["resident"]
    run("warm", store)
    files, total = memory(store)
    equal(files[name]["resident"], cached(f"{store}/{name}"), "warm")
    equal(files[name]["resident"], files[name]["file_bytes"])
    assert total["resident"] > low or os.statvfs(store).f_flag is None, (low, total)
    run("evict", store, "1..first")
    complaint("evict", store, "x", status=2)


@case
def memory_that_is_not_told(tmp):
    """warm and evict by who may read alone say ?, which is what the kernel tells him"""
    user = as_user(program="true")
    run("append", f"{tmp}/s", "--mode", "0644", input=lines_of(100), preexec_fn=lambda: os.umask(0))
    tool = f"{tmp}/logstore"
    shutil.copy(TOOL, tool)
    for path, mode in ((tmp, 0o755), (f"{tmp}/s", 0o755), (tool, 0o755)):
        os.chmod(path, mode)

    def said(verb, *words):
        return subprocess.run([tool, verb, f"{tmp}/s", *words], check=True, capture_output=True,
                              **user).stdout
    total = json.loads(said("mem", "-o", "jsonl").splitlines()[-1])
    if total["resident"] is not None:
        raise Skip("this kernel tells everyone")
    for words in ([], ["-b"], ["1..50"], ["last"]):
        equal(said("warm", *words), b"? resident\n", words)
        equal(said("evict", *words), b"? not resident\n", words)
    equal(said("warm", "-b", "--", "..-999"), b"0 resident\n")
    assert not out("warm", f"{tmp}/s").startswith(b"?")


@case
def memory_in_pictures(tmp):
    """mem draws a map without colour, a table, and SVG that is well-formed"""
    store = store_of_segments(tmp)
    names = [s["name"] for s in segments(store)]
    for charset in ("C", "C.UTF-8"):
        text = out("mem", store, env={**os.environ, "LC_ALL": charset}).decode()
        assert "\033" not in text
        for name in names:
            assert re.search(rf"^{name} .+ of ", text, re.M), text
        equal(text.isascii(), charset == "C")
        contains(text, "not in memory")
    table = out("mem", store, "-o", "table", "-b").decode()
    equal(len(table.splitlines()), len(names) + 3)
    assert re.search(r"^total +\d+ +\d+", table, re.M), table
    svg = xml.dom.minidom.parseString(out("mem", store, "-o", "svg"))
    texts = [t.firstChild.data for t in svg.getElementsByTagName("text")]
    for name in names:
        assert name in texts, name
    assert svg.getElementsByTagName("rect")


@case
def memory_of_a_process(tmp):
    """mem --pid and --all say what a process maps, by kind"""
    needs_proc()
    store = f"{tmp}/s"
    run("append", store, "--segment-size", SMALL, input=lines_of(1000, width=WIDTH))
    with started("append", store, stdin=subprocess.PIPE) as writer:
        writer.stdin.write(lines_of(100, width=WIDTH))
        writer.stdin.flush()
        wait_until(lambda: len(content(store)) == 1100 * (WIDTH + 1), "the records")
        for words in (["--pid", writer.pid], ["--all"]):
            lines = [json.loads(line) for line in
                     out("mem", store, "-o", "jsonl", *words).splitlines()]
            process = next(o for o in lines if o["what"] == "process" and o["pid"] == writer.pid)
            assert process["shared_file"]["mapped"] >= SMALL, process
            assert process["shared_file"]["resident"] > 0, process
            equal(process["private_file"]["copied"], 0)
            assert process["heap"]["resident"] + process["anonymous"]["resident"] > 0, process
            assert process["minor_faults"] > 0, process
        table = out("mem", store, "-o", "table", "--pid", writer.pid).decode()
        for kind in ("shared file", "private file", "anonymous", "heap"):
            contains(table, kind)
    complaint("mem", store, "--pid", "4194999", status=1)


main()
