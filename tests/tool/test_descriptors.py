#!/usr/bin/python3
"""Closed descriptors: no file of the tool takes the place of one, and what needs one says so."""

import os
import signal
import subprocess

from support import case, command, contains, equal, lines_of, main, out, run


def closed(descriptors, *arguments, input=b""):
    """The tool with some of the descriptors 0 to 2 closed."""
    closing = " ".join(f"{n}{'<' if n == 0 else '>'}&-" for n in descriptors)
    return subprocess.run(["sh", "-c", f'exec "$@" {closing}', "sh", *command(*arguments)],
                          input=input, capture_output=True, timeout=20)


@case
def closed_input(tmp):
    """append with closed standard input ends with status 4, and leaves the store to the next"""
    for others in ([], [1], [2], [1, 2]):
        result = closed([0, *others], "append", f"{tmp}/s")
        equal(result.returncode, 4, others)
        if 2 not in others:
            contains(result.stderr.decode(), "standard input: Bad file descriptor")
    run("append", f"{tmp}/s", input=b"a\n")
    equal(out("read", f"{tmp}/s"), b"a\n")


@case
def unneeded(tmp):
    """a descriptor that a verb has no use for may be closed"""
    with open(f"{tmp}/in", "wb") as file:
        file.write(b"a\n")
    equal(closed([0, 1], "append", f"{tmp}/s", f"{tmp}/in").returncode, 0)
    equal(closed([1, 2], "append", f"{tmp}/s", input=b"b\n").returncode, 0)
    equal(closed([0, 2], "read", f"{tmp}/s").stdout, b"a\nb\n")


@case
def closed_output(tmp):
    """closed standard output is status 4 for every verb that prints"""
    run("append", f"{tmp}/s", input=lines_of(10))
    run("append", f"{tmp}/empty")
    for words in (["read", f"{tmp}/s"], ["read", f"{tmp}/s", "-o", "jsonl"],
                  ["read", f"{tmp}/empty"], ["get", f"{tmp}/s", "1"], ["info", f"{tmp}/s"],
                  ["info", f"{tmp}/s", "-o", "json"],
                  ["segments", f"{tmp}/s"], ["segments", f"{tmp}/s", "-o", "json"],
                  ["repair", f"{tmp}/s"], ["mem", f"{tmp}/s"], ["mem", f"{tmp}/s", "-o", "svg"],
                  ["trim", f"{tmp}/s", "--keep-count", "1"], ["help"], ["help", "read"],
                  ["completion"], ["--version"], ["append", f"{tmp}/s", "--ack"],
                  ["append", f"{tmp}/s", "-T"]):
        for others in ([], [0], [0, 2]):
            if 0 in others and words[0] == "append":
                continue
            result = closed([1, *others], *words, input=b"x\n")
            equal(result.returncode, 4, words)
            if 2 not in others:
                contains(result.stderr.decode(), "standard output: Bad file descriptor")


@case
def wrong_direction(tmp):
    """a descriptor that cannot be read, or written, is refused: status 4, and nobody waits"""
    run("append", f"{tmp}/s", input=lines_of(10))
    reader, writer = os.pipe()
    with open(f"{tmp}/read-only", "w+b"), open(f"{tmp}/read-only", "rb") as read_only, \
         open(f"{tmp}/write-only", "wb") as write_only:
        for descriptor in (writer, write_only):
            result = subprocess.run(command("append", f"{tmp}/s"), stdin=descriptor,
                                    capture_output=True, timeout=20)
            equal(result.returncode, 4, descriptor)
            contains(result.stderr.decode(), "standard input: Bad file descriptor")
        for descriptor in (reader, read_only):
            for words in (["append", f"{tmp}/s", "--ack"], ["append", f"{tmp}/s", "-T"],
                          ["read", f"{tmp}/s"], ["read", f"{tmp}/s", "-f"],
                          ["get", f"{tmp}/s", "1"],
                          ["info", f"{tmp}/s"], ["trim", f"{tmp}/s", "--keep-count", "1"]):
                result = subprocess.run(command(*words), input=b"a\n", stdout=descriptor,
                                        stderr=subprocess.PIPE, timeout=20)
                equal(result.returncode, 4, words)
                contains(result.stderr.decode(), "standard output: Bad file descriptor")
    os.close(reader)
    os.close(writer)
    run("append", f"{tmp}/s", input=b"a\n")


@case
def nothing_into_files(tmp):
    """records and messages never land in a file that took a closed descriptor"""
    run("append", f"{tmp}/s", input=lines_of(10))
    for which in ([0], [1], [2], [0, 1], [0, 2], [1, 2], [0, 1, 2]):
        closed(which, "read", f"{tmp}/s", "--cursor-file", f"{tmp}/c", "-n", "3")
        closed(which, "read", f"{tmp}/s", "--cursor-file", f"{tmp}/s/control")
        closed(which, "append", f"{tmp}/s", "-T", "--progress", "always", input=b"")
        closed(which, "append", f"{tmp}/s", "--ack", f"{tmp}/missing")
        if os.path.exists(f"{tmp}/c"):
            with open(f"{tmp}/c", "rb") as file:
                equal(file.read()[:16], b"logstore-cursor ", which)
    equal(out("read", f"{tmp}/s"), lines_of(10))
    run("verify", f"{tmp}/s")


@case
def reader_gone_and_ignored(tmp):
    """where SIGPIPE is ignored a closed pipe is a line and status 4"""
    run("append", f"{tmp}/s", input=lines_of(50000))
    for words in (["read", f"{tmp}/s"], ["get", f"{tmp}/s", *range(1, 20000)],
                  ["append", f"{tmp}/s", "-T"]):
        reader, writer = os.pipe()
        os.close(reader)
        result = subprocess.run(command(*words), input=b"x\n", stdout=writer,
                                stderr=subprocess.PIPE, timeout=20, restore_signals=False,
                                preexec_fn=lambda: signal.signal(signal.SIGPIPE, signal.SIG_IGN))
        os.close(writer)
        equal(result.returncode, 4, words)
        contains(result.stderr.decode(), "standard output: Broken pipe")


main()
