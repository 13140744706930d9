#!/usr/bin/python3
"""What is drawn in a terminal fits it, and a dumb one is given text alone."""

import fcntl
import os
import re
import select
import signal
import struct
import subprocess
import termios

from support import SMALL, case, command, contains, equal, lines_of, main, run, terminal


def in_terminal(words, columns, term="xterm", drawings=None, **environment):
    """What the tool writes to a terminal of so many columns: in all, or until the Nth drawing."""
    ours, theirs = terminal()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    env = {**os.environ, "TERM": term, "LC_ALL": "C.UTF-8", **environment}
    process = subprocess.Popen(command(*words), stdin=subprocess.DEVNULL, stdout=theirs,
                               stderr=theirs, env={k: v for k, v in env.items() if v is not None})
    got, ended = b"", False
    # Our end of theirs stays open: with the last of them the kernel may drop what was not read yet.
    while not ended and (drawings is None or got.count(b"total") < drawings):
        gone = process.poll() is not None
        ended = gone and not select.select([ours], [], [], 0.2)[0]
        if select.select([ours], [], [], 0.05)[0]:
            got += os.read(ours, 65536)
    if drawings is not None:
        process.send_signal(signal.SIGKILL)
    process.wait()
    os.close(ours)
    os.close(theirs)
    return got.decode()


def visible(text):
    return re.sub(r"\033\[[0-9;]*[A-Za-z]", "", text)


def store(tmp):
    run("append", f"{tmp}/s", "--segment-size", SMALL, input=lines_of(3000, width=90))
    return f"{tmp}/s"


@case
def map_fits(tmp):
    """no line of a map, its legend and its processes is longer than the terminal is wide"""
    path = store(tmp)
    with subprocess.Popen(command("read", "-f", path), stdout=subprocess.PIPE) as reader:
        reader.stdout.read(1000)
        for columns in (32, 40, 41, 48, 49, 60, 80, 96, 200):
            lines = visible(in_terminal(["mem", path, "--pid", reader.pid], columns)).splitlines()
            rows = [line for line in lines if re.match(r"\d{10}\.log", line)]
            assert len(rows) >= 5, lines
            for row in rows:
                assert len(row) <= columns, (columns, row)
                assert len(row.split(" of ")[0]) >= min(columns - 5, 15 + 8), (columns, row)
            for line in lines:
                if columns < 40 and ("process" in line or "faults" in line):
                    continue  # sentences, which may wrap
                assert len(line) <= columns or line.startswith(("shared and", "process")), \
                    (columns, line)
        reader.kill()


@case
def bar_fits(tmp):
    """a bar is shorter than the terminal is wide, and leaves nothing behind"""
    path = store(tmp)
    for columns in (10, 30, 50, 70, 100):
        for term in ("xterm", "dumb", None):
            text = in_terminal(["verify", path, "--progress", "always"], columns, term)
            bars = [part for part in text.split("\r") if "%" in part or part.startswith("verify ")]
            assert bars, text
            for bar in bars:
                assert len(bar) < columns, (columns, bar)
            equal("[" in bars[0], columns >= 70, columns)
            assert "\033" not in text, text
            assert re.search(r"\r +\rlogstore verify: ", text), text


@case
def dumb_terminal(tmp):
    """TERM=dumb or none: no colour, no movement; a terminal that can has both"""
    path = store(tmp)
    for term in ("dumb", "", None):
        assert "\033" not in in_terminal(["mem", path], 80, term), term
        text = in_terminal(["mem", path, "--watch", "--every", "10ms"], 80, term, drawings=3)
        assert "\033" not in text, term
        assert text.count("total") >= 3, text
    contains(in_terminal(["mem", path], 80), "\033[")
    assert "\033" not in in_terminal(["mem", path], 80, NO_COLOR="1")
    contains(in_terminal(["mem", path, "--watch", "--every", "10ms"], 80, drawings=3), "\033[H")


main()
