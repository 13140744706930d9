"""fuzz_judge.py - what the fuzzed tool may have changed, and whether it answered as documented"""
import json
import os
import re
import signal
import stat

import fuzz_place
import fuzz_run
import fuzz_words

WRITING = ("append", "trim", "repair", "copy")
STORE_NAME = re.compile(r"control|wake|\d{10,}\.(log|idx)|new\..*|quarantine")
CURSOR = re.compile(rb"logstore-cursor 1 store [0-9a-f]{32} number \d{20} time -?\d{19,20} "
                    rb"output [0-9a-f]{16}:[0-9a-f]{16} offset \d{20}\n.*", re.S)
STATUSES = (0, 1, 2, 3, 4)
STARTS = ("logstore", "note: ", "Try 'logstore")  # of messages


class Allowed:
    """What one call may change, judged by its words before it runs."""

    def __init__(self, call, place, held):
        """@held: another process writes the store s."""
        self.call, self.held = call, held
        self.top = place.bare if call.no_proc else place.root
        self.world = f"{self.top}/world"
        self.verb = call.verb.name if call.verb else ""
        self.writes = self.verb in WRITING and "--dry-run" not in call.words
        cwd = self.top if call.cwd == "/" else self.world
        self.named = set()
        for word in fuzz_words.paths(call.words):
            if not fuzz_words.is_long(word) and (call.cwd != "gone" or word[:1] == "/"):
                if cwd == self.top or word[:1] == "/":  # above the root is the root
                    word = re.sub(r"^(/+\.\.(?=/|$))+", "", f"/{word}")
                    self.named.add(os.path.realpath(self.top + word))
                else:
                    self.named.add(os.path.realpath(f"{cwd}/{word}"))
        self.sleeps = self.verb == "read" and any("f" in word for word in call.words)
        self.cursors = {path for path in self.named if self.may_be_cursor(path)}

    @staticmethod
    def may_be_cursor(path):
        try:
            st = os.lstat(path)
        except OSError:
            return True
        if not stat.S_ISREG(st.st_mode) or st.st_size == 0:
            return stat.S_ISREG(st.st_mode)
        with open(path, "rb") as file:
            start = file.read(16)
        return start in (b"", b"logstore-cursor ")

    def may_change(self, name, before, after):
        """@name as Place.state() has it, and what it was and is."""
        path = os.path.normpath(f"{self.top}{name}" if name[:1] == "/" else f"{self.world}/{name}")
        if name == "out" and self.call.stdout.startswith("out"):
            return True
        if self.held and os.path.dirname(name) == "s":
            return True
        if self.sleeps and os.path.basename(path) == "wake" and before and after:
            return before[:-1] == after[:-1] and os.path.dirname(path) in self.named  # but bytes
        if self.verb == "read":
            return path in self.cursors and is_cursor(path)
        return self.writes and any(self.is_of_store(path, top) for name in self.named
                                   for top in (name, f"{name}.partial"))

    def is_of_store(self, path, top):
        if path == top:  # made, or removed again
            return not os.path.lexists(path) or os.path.isdir(path)
        inner = os.path.relpath(path, top).split("/")
        return (STORE_NAME.fullmatch(inner[0]) is not None and
                (len(inner) == 1 or inner[0] == "quarantine"))


def is_cursor(path):
    """Also where it is gone again, or empty."""
    try:
        with open(path, "rb") as file:
            text = file.read(1000)
    except FileNotFoundError:
        return True
    return text == b"" or bool(CURSOR.fullmatch(text))


# The tool compiles a pattern under a limit of memory. The library then gives up in order. The
# sanitizer, which needs memory for itself, cannot.
NO_ROOM = "ERROR: Failed to mmap"


def judge(call, result, allowed, before, after, report):
    """What is wrong, as a list."""
    if not hasattr(result, "status"):
        return [f"could not be started: {result}"]
    faults = []
    out_of_memory = report and NO_ROOM in report
    if report and not out_of_memory:
        faults.append("a sanitizer said: " + report[:3000])
    for path in fuzz_place.changes(before, after):
        was, now = before.get(path), after.get(path)
        if not allowed.may_change(path, was, now):
            faults.append(f"{path} was {was}, is {now}")
    if out_of_memory:
        return faults
    if result.hangs:
        return faults + [f"hangs, signal {result.sent}"]
    for judge_part in (judge_status, judge_errors, judge_output):
        faults += judge_part(call, result)
    return faults


def judge_status(call, result):
    pipes = -signal.SIGPIPE if "broken" in (call.stdout, call.stderr) else None
    if result.status in STATUSES or result.status == pipes or (
            result.sent and result.status == -result.sent):
        return []
    return [f"status {result.status}, stderr {result.err[-500:]!r}"]


def judge_errors(call, result):
    if call.stderr != "pipe":
        return []
    faults = []
    if result.status > 0 and not result.err:
        faults.append(f"status {result.status} without a message")
    text = result.err.decode(errors="surrogateescape")
    shows = any("always" in word for word in call.words)
    if not shows and re.search("[\0-\x09\x0b-\x1f\x7f-\x9f\u202e\udc80-\udcff]", text):
        faults.append(f"a raw byte in messages: {text[:600]!r}")
    if not shows and call.words and any(not row.startswith(STARTS) for row in text.splitlines()):
        faults.append(f"a message that does not say from whom it is: {text[:600]!r}")
    if result.status == 2 and call.words and text.count("\n") != 2:
        faults.append(f"usage is not told in two lines: {text[:600]!r}")
    return faults


def gives_json(call):
    """Is it asked for, if once only, where it is output?"""
    forms = [word.rpartition("=")[2].removeprefix("-o") for word in call.words]
    return (call.verb.name != "append" and ("json" in forms or "jsonl" in forms) and
            not any(word.startswith("-") and "c" in word for word in call.words))


def judge_output(call, result):
    """Nothing but data: no message, nothing before an error of usage, and JSON that is JSON."""
    faults, out = [], result.out
    asks_help = not call.verb or any(word.startswith(("-h", "--help")) for word in call.words)
    if result.status == 2 and out:
        faults.append(f"usage, and output {out[:200]!r}")
    if not asks_help and b"logstore %s: " % call.verb.name.encode() in out:
        faults.append(f"a message in the output: {out[:600]!r}")
    safe = not asks_help and call.verb.name != "mem" and "--raw-control" not in call.words
    if call.stdout == "tty" and safe and re.search(rb"[\0-\x08\x0b\x0c\x0e-\x1f\x7f]", out):
        faults.append(f"a control character on the terminal: {out[:600]!r}")
    if call.stdout != "pipe" or result.status != 0 or asks_help:
        return faults
    asked = [word for word in call.words if word.startswith(("-o", "--output"))]
    if len(asked) == 1 and gives_json(call) and len(out) < fuzz_run.KEPT:
        try:
            for row in out.splitlines():
                json.loads(row)
        except ValueError as error:
            faults.append(f"no JSON: {error}: {out[:300]!r}")
    if call.verb.name == "append" and "--ack" in call.words and not re.fullmatch(rb"(\d+\n)*", out):
        faults.append(f"acknowledged: {out[:300]!r}")
    return faults
