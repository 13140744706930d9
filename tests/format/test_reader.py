#!/usr/bin/python3
"""test_reader.py [LOGSTORE [LIBLOGSTORE]] - docs/FORMAT.md is enough to write a reader

First reader.py reads stores that writer.py made by the document, whole and broken. Then, given
the built tool ($LOGSTORE will do), and the shared library (found beside the tool), it reads stores
made by those and must agree with the tool's own reading, record for record. TAP on standard output.
"""
import os
import re
import shutil
import struct
import sys
import tempfile

sys.dont_write_bytecode = True
import tool_cases  # noqa: E402
import writer  # noqa: E402
from reader import Damage, Store, Unusable  # noqa: E402
from writer import Segment, control, slot, store  # noqa: E402


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


# ---- a store of one segment: "one", "two" + "three" as a batch, a void, "five" ----


def story():
    segment = Segment(1)
    segment.at = [None, segment.record(b"one"), segment.batch(b"two", b"three")]
    segment.at.append(segment.void(5))
    segment.pad(8)
    segment.at.append(segment.record(b"five"))
    return segment


WHOLE, FOUR = [1, 2, 3, 4, 5], [1, 2, 3, 4]
mark = lambda number: control(slot(1, mark=number))  # noqa: E731


def broken(change, mark_number=0, sealed=False):
    segment = story()
    if sealed:
        segment.sealed()
    change(segment)
    return [segment], mark(mark_number)


def flip(segment, at, mask=1):
    segment.data[at] ^= mask


def copy_frame(segment):
    """An old frame of the same ordinal, moved by eight bytes."""
    frame = bytes(segment.data[segment.at[4] : segment.end])
    segment.data[segment.at[4] :] = bytes(segment.full - segment.at[4])
    segment.end = segment.at[4]
    segment.pad(8)
    segment.put(frame)


def again(segment, at):
    """A second frame with the ordinal of the one at `at`, over what followed."""
    ordinal = struct.unpack_from("<I", segment.data, at + 4)[0]
    segment.data[segment.at[2] - 32 :] = bytes(segment.full - segment.at[2] + 32)
    segment.end = segment.at[2] - 32
    segment.frame(writer.RECORD, b"again", ordinal=ordinal)


def odd_pad(segment):
    segment.pad(12)
    segment.record(b"behind")


def header_of(segment, other):
    segment.data[:512] = other.data[:512]


def other_salt(segment, successor):
    """The same segment as restored from some other time: same name, other salt."""
    del successor
    other = Segment(1, salt=1)
    other.record(b"one")
    segment.data[:] = other.data


def miscount(segment, successor, more):
    """The successor says that more records precede it than there are."""
    fixed = Segment(2, first=successor.first + more, previous=segment)
    fixed.record(b"six")
    successor.data[:] = fixed.data


def numbered(segment):
    segment.record(b"")
    return segment


def batch_with(middle):
    segment = Segment(1)
    segment.record(b"one")
    segment.frame(writer.MORE, b"two")
    middle(segment)
    segment.record(b"last")
    return [segment], mark(0)


def next_segment(previous, id=None, **more):
    first = previous.first + previous.ordinal - 1
    return Segment(id or previous.id + 1, first=first, previous=previous, **more)


def two(change=lambda a, b: None, page=None):
    a = story()
    b = next_segment(a)
    b.record(b"six")
    change(a, b)
    return [a, b], page or mark(0)


def three(change=lambda b: None):
    a = story()
    b = next_segment(a)
    b.record(b"six")
    c = next_segment(b)
    c.record(b"seven")
    change(b)
    return [a.sealed(), b, c], mark(0)


def truncated_after_3(page=None):
    """Number 4 on was taken back, and written anew in segment 2, epoch 2."""
    a, keep = story(), Segment(1)
    keep.end, keep.ordinal = a.at[3], 4
    b = Segment(2, first=4, previous=keep, epoch=2)
    b.record(b"new four")
    return [a.sealed(), b], page or mark(0)


def leftover_between():
    a = story()
    lost = next_segment(a)
    lost.record(b"lost")
    b = next_segment(a, id=3, epoch=2)
    b.record(b"kept")
    return [a, lost, b], mark(0)


def trimmed(page):
    a = story()
    b = next_segment(a)
    b.record(b"six")
    return [b], page


# name, segments and control page, numbers read, None or what the damage says
CASES = [
    ("a whole segment", lambda: ([story()], mark(5)), WHOLE, None),
    ("a segment never written to", lambda: ([Segment(1)], mark(0)), [], None),
    ("a store without segments", lambda: ([], mark(0)), [], None),
    ("a file cut behind the last frame", lambda: broken(lambda s: s.cut(s.end)), WHOLE, None),
    ("a prepared segment that nobody started",
     lambda: ([story(), Segment(2, start=False)], mark(0)), WHOLE, None),
    ("a head with a torn start frame",
     lambda: two(lambda a, b: flip(b, 4100)), WHOLE, None),
    ("two segments", two, WHOLE + [6], None),
    ("a leftover between two segments", leftover_between, WHOLE + [6], None),
    ("dead frames behind a truncation", truncated_after_3, FOUR, None),
    ("a mark older than the truncation",
     lambda: truncated_after_3(control(slot(1, mark=5, epoch=1))), FOUR, None),
    ("a mark newer than the truncation, and beyond the end",
     lambda: truncated_after_3(control(slot(1, mark=5, epoch=2))), FOUR, "not committed"),
    # rules F and P: what makes a frame invalid; unmarked, it is a torn tail
    ("last payload byte flipped", lambda: broken(lambda s: flip(s, s.at[4] + 27)), FOUR, None),
    ("time flipped", lambda: broken(lambda s: flip(s, s.at[4] + 16)), FOUR, None),
    ("check flipped", lambda: broken(lambda s: flip(s, s.at[4] + 8)), FOUR, None),
    ("ordinal flipped", lambda: broken(lambda s: flip(s, s.at[4] + 4)), FOUR, None),
    ("size flipped", lambda: broken(lambda s: flip(s, s.at[4])), FOUR, None),
    ("size beyond the end", lambda: broken(lambda s: flip(s, s.at[4] + 2, 0xFF)), FOUR, None),
    ("kind changed to more", lambda: broken(lambda s: flip(s, s.at[4] + 3, 0xC0)), FOUR, None),
    ("commit word zero, frames behind it", lambda: broken(
        lambda s: s.data.__setitem__(slice(s.at[1], s.at[1] + 4), bytes(4))), [], None),
    ("a frame moved by eight bytes", lambda: broken(copy_frame), FOUR, None),
    ("payload of a void changed", lambda: broken(lambda s: flip(s, s.at[3] + 24)), WHOLE, None),
    ("time of a void changed", lambda: broken(lambda s: flip(s, s.at[3] + 16)), [1, 2, 3], None),
    ("check of a pad changed", lambda: broken(lambda s: flip(s, s.at[4] - 4)), FOUR, None),
    ("file cut inside the last frame", lambda: broken(lambda s: s.cut(s.end - 1)), FOUR, None),
    ("a frame twice", lambda: broken(lambda s: again(s, s.at[1])), [1], None),
    ("a pad of a size that is no multiple of 8", lambda: broken(odd_pad), WHOLE, None),
    # rules B: a batch is whole or nothing
    ("second of a batch torn", lambda: broken(lambda s: flip(s, s.at[2] + 24)), [1], None),
    ("first of a batch torn", lambda: broken(lambda s: flip(s, s.at[2] - 8)), [1], None),
    ("a pad inside a batch", lambda: batch_with(lambda s: s.pad(8)), [1], None),
    ("a void inside a batch", lambda: batch_with(lambda s: s.void(1)), [1], None),
    ("a batch of three", lambda: batch_with(lambda s: s.frame(writer.MORE, b"")), FOUR, None),
    # rules D: damage
    ("torn at the mark", lambda: broken(lambda s: flip(s, s.at[4] + 24), 5), FOUR, "wrong check"),
    ("torn below the mark", lambda: broken(lambda s: flip(s, s.at[1] + 24), 3), [], "wrong check"),
    ("not committed at the mark", lambda: broken(lambda s: s.cut(s.at[4]), 5), FOUR, "mark"),
    ("torn in a sealed segment",
     lambda: broken(lambda s: flip(s, s.at[4] + 24), 0, True), FOUR, "wrong check"),
    ("torn where a later segment goes on",
     lambda: two(lambda a, b: flip(a, a.at[4] + 24)), FOUR, None),
    ("the same, sealed",
     lambda: two(lambda a, b: flip(a.sealed(), a.at[4] + 24)), FOUR, "wrong check"),
    ("header of the predecessor", lambda: two(lambda a, b: flip(a, 30)), [], "check of the header"),
    ("predecessor of another store",
     lambda: two(lambda a, b: header_of(a, Segment(1, uuid=bytes(16)))),
     [], "another store"),
    ("predecessor renamed",
     lambda: two(lambda a, b: header_of(a, Segment(1, named=7))), [], "renamed"),
    ("predecessor with another salt",
     lambda: two(lambda a, b: other_salt(a, b)), [], "not the segment"),
    ("predecessor with fewer numbers than were left there",
     lambda: two(lambda a, b: miscount(a, b, +1)), WHOLE, "do not join"),
    ("predecessor missing", lambda: trimmed(mark(0)), [], "No such file"),
    ("predecessor trimmed", lambda: trimmed(control(slot(1, mark=6, first=6))), [6], None),
    ("trimmed inside a segment",
     lambda: ([story()], control(slot(1, mark=5, first=4))), [4, 5], None),
    ("a log emptied, to go on at 5000, and a control file that does not know yet",
     lambda: ([story(), numbered(Segment(2, first=5000, epoch=2))], mark(5)), [5000], None),
    ("a log emptied, to go on at 1", lambda: ([story(), Segment(2, epoch=2)], mark(5)), [], None),
    ("a segment cut before the place where the log leaves it",
     lambda: two(lambda a, b: a.cut(a.end - 1)), FOUR, None),
    ("every segment missing", lambda: ([], mark(5)), [], "missing"),
    ("the newest segment missing",
     lambda: (two()[0][:1], control(slot(1, mark=5, id=2))), WHOLE, "missing"),
    ("the newest segment with a damaged header",
     lambda: two(lambda a, b: flip(b, 30)), WHOLE, "check of the header"),
    ("the newest segment with a damaged start frame, and the mark in it",
     lambda: two(lambda a, b: flip(b, 4130), control(slot(1, mark=6, id=2))), WHOLE, "start frame"),
    ("the middle of three segments damaged",
     lambda: three(lambda b: flip(b, 30)), WHOLE, "check of the header"),
    ("the middle of three segments missing",
     lambda: (three()[0][::2], mark(0)), WHOLE, "No such file"),
    ("torn above a mark, in a segment with a torn seal",
     lambda: broken(lambda s: (flip(s.sealed(), 600), flip(s, s.at[4] + 24))), FOUR, None),
    # rules C: the control file
    ("the newer slot counts", lambda: broken(lambda s: flip(s, s.at[4] + 24))[:1]
     + (control(slot(2, mark=4), slot(1, mark=5)),), FOUR, None),
    ("a torn newer slot does not", lambda: broken(lambda s: flip(s, s.at[4] + 24))[:1]
     + (control(slot(2, mark=4)[:-1] + b"!", slot(1, mark=5)),), FOUR, "wrong check"),
    ("no valid slot", lambda: ([story()], control()), WHOLE, "no valid slot"),
    ("torn static sector",
     lambda: ([story()], control()[:100] + b"!" + control()[101:]), [], "static"),
    ("other version", lambda: ([story()], control(version=2)), [], "version 2"),
    ("unknown incompatible flag", lambda: ([story()], control(incompatible=4)), [], "0x4"),
    ("unknown incompatible flag of a segment",
     lambda: ([Segment(1, incompatible=4)], mark(0)), [], "0x4"),
    ("unknown compatible flag", lambda: ([Segment(1, compatible=4)], mark(0)), [], None),
]  # fmt: skip


def run_case(build, numbers, damage, path):
    segments, page = build()
    store(path, segments, page)
    open(os.path.join(path, "0000000009.log.bak"), "w").close()  # unknown: ignored
    records, error = read(path)
    assert list(records) == numbers, f"read {list(records)}, not {numbers}; {error}"
    assert (error is None) == (damage is None), f"ended with: {error}"
    assert not damage or damage in str(error), f"ended with: {error}"


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
    for at in range(4176, whole.end):
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


def example_of_the_document(path):
    """Its two dumps are a store, whose records are those that it says."""
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    with open(os.path.join(root, "docs", "FORMAT.md"), encoding="utf-8") as file:
        section = file.read().split("\n## 11. An example\n")[1]
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
    built = sys.argv[1:3] or [path for path in [os.environ.get("LOGSTORE")] if path]
    if built:
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
