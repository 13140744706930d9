#!/usr/bin/python3
"""test_reader.py [LOGSTORE [LIBLOGSTORE]] - docs/FORMAT.md is enough to write a reader

First reader.py reads stores that writer.py made by the document, whole and broken. Then, given
the built tool ($LOGSTORE will do), and the shared library (found beside the tool), it reads stores
made by those and must agree with the tool's own reading, record for record. TAP on standard output.
"""
import itertools
import os
import re
import shutil
import struct
import sys
import tempfile

sys.dont_write_bytecode = True
import tool_cases  # noqa: E402
import writer  # noqa: E402
from cases import CASES, NOT_SEEN, mark, story  # noqa: E402
from reader import RULES, Damage, Store, Unusable  # noqa: E402
from writer import store  # noqa: E402


def read(path):
    """(records as {number: payload}, what ended the reading or None)"""
    records = {}
    try:
        for number, _, payload in Store(path).records():
            assert number not in records, f"number {number} twice"
            records[number] = payload
    except (Damage, Unusable) as error:
        return records, error
    return records, None


def run_case(build, numbers, damage, path):
    segments, page = build()
    store(path, segments, page)
    open(os.path.join(path, "0000000009.log.bak"), "w").close()  # unknown: ignored
    records, error = read(path)
    assert list(records) == numbers, f"read {list(records)}, not {numbers}; {error}"
    assert (error is None) == (damage is None), f"ended with: {error}"
    assert not damage or damage in str(error), f"ended with: {error}"


def tool_agrees(tool, name, build, path):
    """`logstore read` gives what reader.py gives, and like `verify` exits with 0, 1 or 3 as that
    does. Opening for writing is refused or, after it, both agree again."""
    store(path, *build())
    records, error = read(path)
    status = 0 if not error else 3 if isinstance(error, Unusable) else 1
    want = [(number, data) for number, data in records.items() if data is not None]
    lines = tool.run("read", path, "-o", "jsonl", status=status).splitlines()
    got = [(number, data) for number, _, data in map(tool_cases.from_json, lines)]
    assert got == want, f"read gives {got}, reader.py {want}"
    tool.run("verify", path, status=status)
    if not error:
        tool.run("append", path, stdin=b"new\n")
        tool_cases.agree(tool, path, [data for _, data in want] + [b"new"])
    elif name not in NOT_SEEN:
        refused = tool.run("append", path, stdin=b"new\n", status=(1, 3))
        assert not refused and list(read(path)[0]) == list(records)


def payloads(path):
    store(path, [story()], mark(5))
    got = read(path)[0]
    want = {1: b"one", 2: b"two", 3: b"three", 4: None, 5: b"five"}
    assert got == want, got


def every_bit(path):
    """A flipped bit of a frame is never read as something else; one at the mark is damage."""
    whole = story()
    want = {1: b"one", 2: b"two", 3: b"three", 4: None, 5: b"five"}
    store(path, [whole], mark(5))
    name = os.path.join(path, "0000000001.log")
    for at in range(4224, whole.end):
        for bit in range(8):
            segment = bytearray(whole.data)
            segment[at] ^= 1 << bit
            with open(name, "wb") as file:
                file.write(segment)
            got, error = read(path)
            assert all(want[number] == payload for number, payload in got.items()), (at, bit)
            assert error or got == want, f"{at} bit {bit}: no damage, yet {got}"


def known_answers(path):
    """The figures that the document gives for checking one's XXH3."""
    del path
    assert writer.hash64(b"", 0) == 0x2D06800538D394C2
    assert writer.hash64(struct.pack("<q", 0) + b"abc", 42) == KNOWN


KNOWN = 0x6F9CE09F88572048


def from_dump(dump):
    """The bytes that `hexdump -C` showed."""
    content = bytearray()
    for line in dump.split("\n"):
        words = line.split("|")[0].split()
        if words and words[0] != "*":
            line_at = int(words[0], 16)
            while len(content) < line_at:  # behind a "*"
                content += content[-16:]
            content += bytes.fromhex("".join(words[1:]))
    return bytes(content)


def of_project(*name):
    """The text of a file of the project."""
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    with open(os.path.join(root, *name), encoding="utf-8") as file:
        return file.read()


VERDICTS = {
    "GOES_ON": "goes on", "END": "end", "TORN": "torn", "D1": "D1", "D2": "D2", "D3": "D3",
    "D4_COUNTS": "counts", "D4_D5_LINK": "link", "D6": "D6",
}  # fmt: skip


def one_table(path):
    """The table of verdicts is the same in the document, in the store and in reader.py, and has
    each combination of facts once."""
    del path
    section = of_project("docs", "FORMAT.md").split("\n## 7. The log\n")[1].split("\n## 8.")[0]
    rows = re.findall(r"^((?:\| [01-] ){8})\| (.*) \|$", section, re.MULTILINE)
    document = [[*facts.replace("|", "").split(), verdict] for facts, verdict in rows]
    source = of_project("store", "segment", "judge.c")
    rows = re.findall(r"{ ((?:'[01-]', ){8})JUDGE_(\w+) }", source)
    store_has = [[*re.findall("[01-]", facts), VERDICTS[name]] for facts, name in rows]
    assert len(RULES) == 15 and document == RULES and store_has == RULES
    for facts in itertools.product("01", repeat=8):
        fitting = [r for r in RULES if all(want in ("-", is_) for want, is_ in zip(r, facts))]
        assert len(fitting) == 1, f"{facts}: {fitting}"


def example_of_the_document(path):
    """Its two dumps are a store, whose records are those that it says."""
    section = of_project("docs", "FORMAT.md").split("\n## 11. An example\n")[1]
    blocks = re.findall(r"(?:^    .*\n)+", section, re.MULTILINE)
    os.mkdir(path)
    for name, dump in zip(("control", "0000000001.log"), blocks):
        with open(os.path.join(path, name), "wb") as file:
            file.write(from_dump(dump))
    want = [tool_cases.from_json(line) for line in blocks[2].splitlines()]
    assert list(Store(path).records()) == want and len(want) == 4, want
    start = Store(path).chain[0][0]
    values = [int(value, 16) for value in re.findall(r"`([0-9a-f]{16})`", section)]
    salt, hashed, word, word_part, at, at_part, check = values
    assert salt == start.salt and word == struct.unpack_from("<Q", from_dump(blocks[1]), at)[0]
    assert hashed == writer.hash64(from_dump(blocks[1])[at + 16 : at + 27], salt)
    assert check == hashed ^ word_part ^ at_part
    assert check == struct.unpack_from("<Q", from_dump(blocks[1]), at + 8)[0]


def main():
    tests = [(name, lambda path, c=case: run_case(*c, path)) for name, *case in CASES]
    tests += [("payloads and numbers", payloads), ("every bit of every frame", every_bit)]
    tests += [("known answers of the hash", known_answers)]
    tests += [("the example of the document", example_of_the_document)]
    tests += [("one table of verdicts", one_table)]
    built = sys.argv[1:3] or [path for path in [os.environ.get("LOGSTORE")] if path]
    if built:
        tool = tool_cases.Tool(os.path.abspath(built[0]))
        for name, build, _, _ in CASES:
            tests.append(("the tool agrees: " + name,
                          lambda path, n=name, b=build: tool_agrees(tool, n, b, path)))  # fmt: skip
        tests += tool_cases.tests(*(os.path.abspath(path) for path in built))
    failed = 0
    print(f"1..{len(tests)}")
    for i, (name, test) in enumerate(tests, 1):
        scratch = tempfile.mkdtemp(prefix="format-")
        try:
            test(os.path.join(scratch, "store"))
            print(f"ok {i} - {name}", flush=True)
        except Exception as error:  # a bug of the reader is a failed test too
            failed += 1
            print(f"not ok {i} - {name}\n# {type(error).__name__}: {error}", flush=True)
        finally:
            shutil.rmtree(scratch)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
