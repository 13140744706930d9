#!/usr/bin/python3
"""append as a service: bounded, patient, past what is malformed, fed by a FIFO."""

import contextlib
import os
import signal
import struct
import subprocess
import time

from support import (SMALL, case, command, complaint, contains, content, equal, lines_of, main,
                     needs_proc, out, run, started, wait_until)


def size_of(store):
    total = 0
    for name in os.listdir(store):
        with contextlib.suppress(FileNotFoundError):  # let go of meanwhile
            total += os.stat(f"{store}/{name}").st_size if name.endswith(".log") else 0
    return total


@case
def bounded(tmp):
    """while append runs it lets go of what exceeds --keep-size, --keep-count and --keep-time"""
    for number, words in enumerate((["--keep-size", "256K"], ["--keep-count", "1000"],
                                    ["--keep-time", "1ms"])):
        store = f"{tmp}/{number}"
        run("append", store, "--segment-size", SMALL, *words, input=lines_of(20000, width=100))
        if words[0] == "--keep-time":  # what was full a millisecond ago goes with the next run
            time.sleep(0.01)
            run("append", store, *words)
        assert size_of(store) <= 5 * SMALL, size_of(store)
        equal(out("get", store, "last"), b"%0100d" % 20000)
    with started("append", f"{tmp}/s", "--segment-size", SMALL, "--keep-size", "256K",
                 stdin=subprocess.PIPE) as writer:
        for round in range(3):
            writer.stdin.write(lines_of(5000, width=100))
            writer.stdin.flush()
            wait_until(lambda: content(f"{tmp}/s") and size_of(f"{tmp}/s") <= 5 * SMALL,
                       "old segments to go")
        writer.stdin.close()
        equal(writer.wait(), 0)
    for words in (["--keep-size", "0"], ["--keep-size", "x"], ["--keep-count", "-1"],
                  ["--keep-time", "3"], ["--keep-time", ""]):
        complaint("append", f"{tmp}/no", *words, status=2)
    assert not os.path.exists(f"{tmp}/no")


@case
def patient(tmp):
    """--wait waits for the lock: of many appends at once none is lost"""
    run("append", f"{tmp}/s", input=b"0\n")
    many = [subprocess.Popen(command("append", "--wait", f"{tmp}/s"), stdin=subprocess.PIPE)
            for _ in range(20)]
    for number, process in enumerate(many, 1):
        process.stdin.write(b"%d\n" % number)
        process.stdin.close()
    for process in many:
        equal(process.wait(), 0)
    equal(sorted(map(int, content(f"{tmp}/s").split())), list(range(21)))


@case
def patient_so_long(tmp):
    """--wait=DURATION gives up then, as without it; a signal ends the wait; others are wrong"""
    store = f"{tmp}/s"
    with started("append", store, stdin=subprocess.PIPE) as writer:
        writer.stdin.write(b"1\n")
        writer.stdin.flush()
        wait_until(lambda: content(store), "the first record")
        contains(complaint("append", store, status=3), "is writing")
        before = time.monotonic()
        contains(complaint("append", "--wait=300ms", store, status=3), "is writing")
        complaint("append", "--wait=", store, status=2)  # --wait=$UNSET is not for ever
        assert time.monotonic() - before >= 0.3
        with started("append", "--wait", store, stdin=subprocess.PIPE,
                     stderr=subprocess.PIPE) as waiting:
            time.sleep(0.2)
            equal(waiting.poll(), None)
            waiting.send_signal(signal.SIGTERM)
            equal(waiting.wait(), -signal.SIGTERM)
            equal(waiting.stderr.read(), b"")
        with started("append", store, "--wait=1min", stdin=subprocess.PIPE) as waiting:
            waiting.stdin.write(b"2\n")
            waiting.stdin.close()
            time.sleep(0.1)
            writer.stdin.close()
            equal(writer.wait(), 0)
            equal(waiting.wait(), 0)
    equal(content(store), b"1\n2\n")
    complaint("append", store, "--wait=soon", status=2)
    run("append", "-D", "--wait", store, input=b"3--wait4")  # the value of another option
    equal(out("get", store, "last"), b"4")


def skips(tmp, name, text, wanted, *words, count=1):
    store = f"{tmp}/{name}"
    told = run("append", store, "--segment-size", SMALL, "--on-error=skip", *words, input=text,
               status=1).stderr.decode().splitlines()
    equal(out("read", store), wanted)
    equal(len([line for line in told if line.endswith(": skipped")]), count, told)
    contains("\n".join(told), f": {count} records were skipped")
    return told


@case
def skipping(tmp):
    """--on-error=skip names and counts what is too long or malformed, and goes on behind it"""
    long = b"x" * 200000
    told = skips(tmp, "lines", b"1\n" + long + b"\n2\n" + long + b"\n3\n", b"1\n2\n3\n", count=2)
    contains(told[0], "line 2: ")
    contains(told[1], "line 4: ")
    skips(tmp, "end", b"1\n" + long, b"1\n")
    skips(tmp, "delimiter", b"1ab" + long + b"ab2ab" + long + b"a", b"1\n2\n", "-D", "ab", count=2)
    huge = b"y" * (3 << 20)
    skips(tmp, "huge", huge + b"\n1\n", b"1\n")
    skips(tmp, "nul", huge + b"\0" + b"1\0", b"1\n", "-i", "nul")
    json = b'{"data":"1"}\n{"data":7}\n{"data":"%s"}\nno\n\n{"data":"2","time":"x"}\n{"data":"3"}\n'
    told = skips(tmp, "json", json % huge, b"1\n3\n", "-i", "jsonl", count=4)
    contains(told[3], "line 6: ")
    packed = b"".join(struct.pack("<I", len(part)) + part for part in (b"1", huge, b"2"))
    skips(tmp, "length", packed, b"1\n2\n", "-i", "len32")
    skips(tmp, "cut", packed[:-1], b"1\n", "-i", "len32", count=2)
    skips(tmp, "batch", b"1\n2\n" + long + b"\n3\n", b"1\n2\n3\n", "--batch=3")
    run("append", f"{tmp}/well", "--on-error=skip", input=b"1\n")
    for words in (["--on-error=ignore"], ["--on-error=split", "-i", "jsonl"]):
        complaint("append", f"{tmp}/no", *words, status=2)


@case
def skipping_batches(tmp):
    """--on-error=skip passes over a batch that no segment can hold, and counts its records"""
    large = [b"%d" % n * 30000 for n in range(1, 4)]
    for text, wanted, count in (
            ([b"1", b"2", b"3", *large, b"4", b"5"], b"1\n2\n3\n4\n5\n", 3),  # in the middle,
            ([b"1", b"2", b"3", *large], b"1\n2\n3\n", 3),  # and at the end,
            ([*large, b"1"], b"1\n", 3),
            ([b"y" * 31000, b"z" * 31000], b"", 2)):  # in a batch that is not full
        text, store = b"\n".join(text) + b"\n", f"{tmp}/{len(os.listdir(tmp))}"
        words = ["append", store, "--segment-size", SMALL, "--batch=3", "-T"]
        contains(run(*words, "--on-error=stop", input=text, status=1).stderr, b"durable up to")
        result = run(*words, "--on-error=skip", input=text, status=1)
        told = result.stderr.decode()
        contains(told, f"a batch of {count} records does not fit in a segment: skipped")
        contains(told, f": {count} records were skipped")
        equal(result.stdout, wanted)
        assert content(store).endswith(wanted)


@case
def splitting(tmp):
    """--on-error=split cuts a line that is too long into records as long as there may be"""
    store = f"{tmp}/s"
    run("append", store, "--segment-size", SMALL, input=b"0\n")
    told = run("append", store, status=1, input=b"z" * 200000 + b"\n").stderr.decode()
    limit = int(told.split("the largest record of this store is ")[1].split()[0])
    for delimiter in (b"\n", b"=-="):
        for size in (limit - 1, limit, limit + 1, 2 * limit, 2 * limit + 1, 40 * limit + 7):
            line = os.urandom(size).replace(delimiter[:1], b"?")
            tee = run("append", store, "--on-error=split", "-D", delimiter.decode(), "-T",
                      input=line + delimiter + b"end" + delimiter)
            pieces = -(-size // limit)
            got = out("read", store, "--from", f"-{pieces + 1}", "-o", "raw")
            equal(got == line + b"end", True)
            equal(len(out("read", store, "--from", f"-{pieces + 1}", "-o", "jsonl").splitlines()),
                  pieces + 1)
            equal(tee.stdout == line + delimiter + b"end" + delimiter, True)
            equal(b"1 lines were longer" in tee.stderr, size > limit, size)
    told = run("append", store, "--on-error=split", "-i", "lines", input=b"a" * (limit + 1)).stderr
    contains(told, b"1 lines were longer")


@case
def a_fifo(tmp):
    """--fifo stays open until a signal, also without writers; an unended rest is a record"""
    needs_proc()
    fifo, store = f"{tmp}/fifo", f"{tmp}/s"
    os.mkfifo(fifo)
    with started("append", store, "--fifo", fifo, "--sync=batch", stderr=subprocess.PIPE) as writer:
        for number in range(20):
            with open(fifo, "wb") as file:
                file.write(b"%d\n" % number)
            if number % 3 == 0:
                wait_until(lambda: content(store) == lines(number), "the record")
        wait_until(lambda: content(store) == lines(19), "the records")
        with open(fifo, "wb") as file:
            file.write(b"half")
        wait_until(lambda: content(store) == lines(19) + b"half\n", "half a line")
        before = cpu_of(writer.pid)
        time.sleep(0.5)
        assert cpu_of(writer.pid) - before < 0.2
        with open(fifo, "wb") as file:
            file.write(b"more\n")
        wait_until(lambda: content(store).endswith(b"half\nmore\n"), "the next line")
        writer.send_signal(signal.SIGTERM)
        equal(writer.wait(), -signal.SIGTERM)
        contains(writer.stderr.read(), b"durable up to record 22")
    complaint("append", store, "--fifo", fifo, f"{tmp}/file", status=2)
    run("append", store, "--fifo", f"{tmp}/missing", status=4)
    contains(run("append", store, "--fifo", __file__, status=4).stderr, b"is no FIFO")


@case
def a_fifo_with_errors(tmp):
    """refused input ends with its writer: the next one's first record is not taken for its rest"""
    fifo, store = f"{tmp}/fifo", f"{tmp}/s"
    os.mkfifo(fifo)
    with started("append", store, "-F", fifo, "--on-error=skip", "--segment-size", SMALL,
                 stderr=subprocess.DEVNULL) as writer:
        with open(fifo, "wb") as file:
            file.write(b"1\n" + b"x" * (1 << 20))
        time.sleep(0.3)
        with open(fifo, "wb") as file:
            file.write(b"2\n")
        wait_until(lambda: content(store) == b"1\n2\n", "the second record")
        writer.send_signal(signal.SIGINT)
        equal(writer.wait(), -signal.SIGINT)


def lines(last):
    return lines_of(last + 1, first=0)


def cpu_of(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


main()
