"""tool_cases.py - stores made by the built tool and library, read by reader.py and by the tool

Each case makes a store; then agree() holds reader.py against `logstore read`, record for record:
number, time and bytes. What a tool cannot do (claims, truncation) is done through the library.
"""
import base64
import ctypes
import datetime
import json
import os
import random
import resource
import signal
import struct
import subprocess
import time

from reader import Damage, Store


class Tool:
    def __init__(self, path):
        self.path = path

    def run(self, *arguments, stdin=b"", status=0):
        done = subprocess.run(
            [self.path, *arguments], input=stdin, capture_output=True, timeout=300, check=False
        )
        said = done.stderr.decode(errors="replace").strip()
        wanted = status if isinstance(status, tuple) else (status,)
        assert done.returncode in wanted, f"{arguments}: exit {done.returncode}: {said}"
        return done.stdout

    def append(self, path, records, *options):
        frames = (struct.pack("<I", len(record)) + record for record in records)
        self.run("append", path, "-i", "len32", *options, stdin=b"".join(frames))


def nanoseconds(text):
    """Of an RFC 3339 time in UTC with nine digits."""
    whole, rest = text.rstrip("Z").split(".")
    day = datetime.datetime.fromisoformat(whole) - datetime.datetime(1970, 1, 1)
    return (day.days * 86400 + day.seconds) * 10**9 + int(rest)


def from_json(line):
    line = json.loads(line)
    coded = line.get("data_b64")
    payload = line["data"].encode() if coded is None else base64.b64decode(coded)
    return line["number"], nanoseconds(line["time"]), payload


def from_len32(stream):
    at, records = 0, []
    while at < len(stream):
        size = struct.unpack_from("<I", stream, at)[0]
        records.append(stream[at + 4 : at + 4 + size])
        at += 4 + size
    return records


def agree(tool, path, payloads=None):
    """Number, time and bytes by reader.py, by -o jsonl and by -o len32; how many there are."""
    mine = [record for record in Store(path).records() if record[2] is not None]
    theirs = [from_json(line) for line in tool.run("read", path, "-o", "jsonl").splitlines()]
    for ours, its in zip(mine, theirs):
        assert ours == its, f"reader.py: {str(ours)[:200]}, tool: {str(its)[:200]}"
    assert len(mine) == len(theirs), f"reader.py: {len(mine)} records, tool: {len(theirs)}"
    assert from_len32(tool.run("read", path, "-o", "len32")) == [record[2] for record in mine]
    if payloads is not None:
        assert [record[2] for record in mine] == payloads, "not what was appended"
    return len(mine)


def some(count, most, seed=1):
    """Reproducible records of 0 to `most` random bytes."""
    random.seed(seed)
    return [random.randbytes(random.randint(0, most)) for _ in range(count)]


# ---- made by the tool ----


def of_sizes(records, *options):
    def case(tool, path):
        tool.append(path, records, *options)
        agree(tool, path, records)

    return case


def largest(tool, path):
    """The largest record of a 64 KiB segment fills it; one byte more is refused."""
    most = 65536 - 4224 - 24
    tool.append(path, [b"x" * most, b"", b"y" * most], "--segment-size", "64K")
    agree(tool, path, [b"x" * most, b"", b"y" * most])


def lines(tool, path):
    text = b"one\n\n\x00\xff\ntwo\xc3\xa9\nlast"
    tool.run("append", path, stdin=text)
    agree(tool, path, text.split(b"\n"))


def reopened(tool, path):
    records = some(200, 2000)
    for at in range(0, 200, 20):
        tool.append(path, records[at : at + 20], "--segment-size", "64K")
    agree(tool, path, records)


def killed(tool, path):
    """kill -9 amid appends: reader.py agrees with what a read-only open serves, and after that
    with what recovery made of it."""
    records = some(3000, 300)
    stream = b"".join(struct.pack("<I", len(record)) + record for record in records)
    for _ in range(5):
        command = [tool.path, "append", path, "-i", "len32", "--segment-size", "64K"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as writer:
            writer.stdin.write(stream)  # and no end of file: it stays open
            writer.stdin.flush()
            time.sleep(random.random() / 5)
            writer.send_signal(signal.SIGKILL)
            writer.stdin.close()
            writer.wait()
        crashed = agree(tool, path)
        tool.run("append", path, stdin=b"after the crash\n")
        assert agree(tool, path) == crashed + 1
        assert list(Store(path).records())[-1][2] == b"after the crash"


def beside_a_writer(tool, path):
    """While the tool appends 60,000 records in 64 KiB segments, each reading is a whole prefix, and
    none is shorter than the one before, nor than the mark that it found."""
    command = [tool.path, "append", path, "--segment-size", "64K", "--sync", "interval=1ms"]
    readings = [0]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as writer:
        for at in range(0, 60000, 500):
            writer.stdin.write(b"".join(b"%d\n" % number for number in range(at + 1, at + 501)))
            writer.stdin.flush()
            if at % 5000 == 0 and os.path.exists(os.path.join(path, "control")):
                store = Store(path)
                got = [(number, int(payload)) for number, _, payload in store.records()]
                assert got == [(number, number) for number in range(1, len(got) + 1)]
                assert len(got) >= max(readings[-1], store.control.mark)
                readings.append(len(got))
        writer.stdin.close()
        assert writer.wait() == 0
    assert readings[-1] > readings[1], readings
    assert agree(tool, path) == 60000


def many_segments(tool, path):
    """Three times more segments than a process may have files open."""
    records = [b"%d" % i + b"x" * 30000 for i in range(400)]
    tool.append(path, records, "--segment-size", "64K")
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, limits[1]))
    try:
        assert len(Store(path).chain) > 192
        agree(tool, path, records)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def torn(tool, path):
    """The last frame cut at every twelfth byte: both drop it, and no more."""
    tool.append(path, [b"first", b"x" * 100])
    segment = Store(path).chain[-1][0]
    segment.map()
    list(segment.walk(segment.file_end, 0, segment.file_end))
    name, whole = os.path.join(path, segment.name), bytes(segment.bytes)
    last = segment.stop - 128  # 24 + 100, rounded up
    lower_mark(path)
    for keep in range(last, segment.stop, 12):
        with open(name, "r+b") as file:
            file.write(whole[:keep].ljust(len(whole), b"\0"))
        want = [b"first"] if keep < last + 124 else [b"first", b"x" * 100]
        agree(tool, path, want)


def lower_mark(path):
    """Both slots say that nothing is known durable, as in the control file of a store that was
    never synced; the epoch and the first number stay."""
    import writer

    with open(os.path.join(path, "control"), "r+b") as file:
        page = file.read(4096)
        slots = (struct.unpack_from("<QQQQQQIIQ", page, at) for at in (512, 1024))
        generation, _, _, _, first, epoch, _, _, _ = max(slots)
        for at in (512, 1024):
            slot = writer.slot(generation, first - 1, first, epoch, 0, 0)
            os.pwrite(file.fileno(), slot, at)


def damaged(tool, path):
    """A flipped byte below the mark: both stop before it, and both call it damage."""
    tool.append(path, some(500, 500), "--segment-size", "64K")
    store = Store(path)
    segment = store.chain[len(store.chain) // 2][0]
    with open(os.path.join(path, segment.name), "r+b") as file:
        file.seek(4248)
        byte = file.read(1)
        file.seek(4248)
        file.write(bytes([byte[0] ^ 1]))
    mine = []
    try:
        for record in Store(path).records():
            mine.append(record)
        raise AssertionError("reader.py saw no damage")
    except Damage as error:
        assert error.offset == 4224 and error.number == segment.first, error
    out = tool.run("read", path, "-o", "jsonl", status=1)
    assert [from_json(line) for line in out.splitlines()] == mine
    tool.run("verify", path, status=1)


def trimmed(tool, path):
    records = some(1000, 500)
    tool.append(path, records, "--segment-size", "64K")
    tool.run("trim", path, "--before", "600")
    left = agree(tool, path)
    assert 400 < left < 1000, left
    tool.append(path, [b"more"])
    assert agree(tool, path, records[1000 - left :] + [b"more"]) == left + 1


# ---- made through the library ----


class Options(ctypes.Structure):
    _fields_ = [("struct_bytes", ctypes.c_uint32), ("flags", ctypes.c_uint32)]
    _fields_ += [("segment_bytes", ctypes.c_uint64), ("rest", ctypes.c_uint64 * 12)]


class Entry(ctypes.Structure):
    _fields_ = [("data", ctypes.c_char_p), ("size", ctypes.c_size_t), ("time_ns", ctypes.c_int64)]


class Claim(ctypes.Structure):
    _fields_ = [("number", ctypes.c_uint64), ("data", ctypes.c_void_p), ("size", ctypes.c_size_t)]
    _fields_ += [("opaque", ctypes.c_uint64 * 2)]


class Library:
    """A store opened for writing in this process, 64 KiB segments."""

    def __init__(self, library, path):
        self.calls, self.handle = ctypes.CDLL(library), ctypes.c_void_p()
        self.calls.logstore_detail.restype = ctypes.c_char_p
        options = Options(ctypes.sizeof(Options), 1, 65536)
        self.done("open", path.encode(), ctypes.byref(options), ctypes.byref(self.handle))

    def done(self, name, *arguments):
        r = getattr(self.calls, "logstore_" + name)(*arguments)
        assert r == 0, f"{name}: {r}: {self.calls.logstore_detail().decode()}"

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            self.done("close", self.handle)

    def append(self, *records, time_ns=0):
        entries = (Entry * len(records))(*(Entry(each, len(each), time_ns) for each in records))
        self.done("append_batch", self.handle, entries, ctypes.c_size_t(len(records)), None)

    def claim(self, size):
        claim = Claim()
        self.done("claim", self.handle, ctypes.c_size_t(size), ctypes.byref(claim))
        return claim

    def commit(self, claim, payload):
        ctypes.memmove(claim.data, payload, len(payload))
        self.done("commit", self.handle, ctypes.byref(claim), ctypes.c_size_t(len(payload)))

    def truncate(self, number, following=0):
        self.done(
            "truncate_after", self.handle, ctypes.c_uint64(number), ctypes.c_uint64(following)
        )


def claims(tool, path, library):
    """Short commits leave pads, aborted claims leave voids; in any order of resolution."""
    with Library(library, path) as store:
        for size in range(0, 41):
            first, second, third = (store.claim(size) for _ in range(3))
            store.commit(third, b"3" * size)
            store.done("abort", store.handle, ctypes.byref(second))
            store.commit(first, b"1" * (size // 2))
    want = [part for size in range(41) for part in (b"1" * (size // 2), b"3" * size)]
    agree(tool, path, want)
    every = list(Store(path).records())
    assert [number for number, _, payload in every if payload is None] == list(range(2, 124, 3))


def batches(tool, path, library):
    with Library(library, path) as store:
        for count in range(1, 60):
            store.append(*[b"%d" % count] * count, time_ns=count - 30)
    assert agree(tool, path) == 59 * 30


def truncated(tool, path, library):
    records = some(600, 500)
    with Library(library, path) as store:
        for record in records:
            store.append(record)
        store.truncate(400)
        store.append(b"401 anew")
        store.truncate(30)
        store.append(b"31 anew")
    agree(tool, path, records[:30] + [b"31 anew"])


def emptied(tool, path, library):
    """Everything taken back, and the numbers go on at 5000."""
    with Library(library, path) as store:
        store.append(b"lost")
        store.truncate(0, 5000)
        store.append(b"kept")
    agree(tool, path, [b"kept"])
    assert [record[0] for record in Store(path).records()] == [5000]


TOOL_CASES = [
    ("an empty store", of_sizes([])),
    ("one empty record", of_sizes([b""])),
    ("records of 0 to 400 bytes", of_sizes([bytes([i % 256]) * i for i in range(400)])),
    ("many small segments", of_sizes(some(3000, 700), "--segment-size", "64K")),
    ("batches over many segments",
     of_sizes(some(3000, 300), "--segment-size", "64K", "--batch", "50")),
    ("one sync a record", of_sizes(some(30, 300), "--sync", "each")),
    ("records of up to 300 KiB", of_sizes(some(300, 300 << 10))),
    ("100,000 records", of_sizes([b"%d" % i for i in range(100000)])),
    ("the largest record", largest),
    ("lines", lines),
    ("a store reopened ten times", reopened),
    ("a store whose writer was killed", killed),
    ("a store that is being written", beside_a_writer),
    ("more segments than descriptors", many_segments),
    ("a torn tail", torn),
    ("damage below the mark", damaged),
    ("a trimmed store", trimmed),
]  # fmt: skip

LIBRARY_CASES = [
    ("claims: pads and voids", claims),
    ("batches of 1 to 59, clocks before 1970", batches),
    ("a truncated store", truncated),
    ("an emptied store", emptied),
]


def beside(tool):
    """The shared library of the build that the tool is from."""
    return os.path.join(os.path.dirname(os.path.dirname(tool)), "store", "liblogstore.so")


def loadable(library):
    """Python cannot load a library that was built for a sanitizer."""
    if not os.path.exists(library):
        return False
    with open(library, "rb") as file:
        content = file.read()
    return b"__asan_init" not in content and b"__tsan_init" not in content


def tests(tool, library=None):
    library = library or beside(tool)
    made = [(name, lambda path, c=case: c(Tool(tool), path)) for name, case in TOOL_CASES]
    if loadable(library):
        made += [
            (name, lambda path, c=case: c(Tool(tool), path, library))
            for name, case in LIBRARY_CASES
        ]
    return [("made by the tool or library: " + name, test) for name, test in made]
