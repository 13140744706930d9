"""cases.py - stores, whole and broken, as docs/FORMAT.md says, and what a reader must make of them

CASES: name; a function that gives segments and control page; the numbers read; what the damage
says, or None. All are made by writer.py.
"""
import struct

import writer
from writer import Segment, control, slot

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


def linked(back, first=6, of=1, epoch=1):
    """The second of two segments says of the first what `back` gives."""
    a = story() if of == 1 else Segment(1, first=of)
    return [a, numbered(Segment(2, first=first, epoch=epoch, back=back(a)))], mark(0)


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


def named(*names):
    """A second segment under names that are none of a segment."""
    a, files = story(), []
    for name in names:
        files.append(next_segment(a))
        files[-1].record(b"six")
        files[-1].name = name
    return [a, *files], mark(5)


def foreign_leftover():
    segments, page = leftover_between()
    return [segments[0], Segment(2, incompatible=4), segments[2]], page


def later_epoch_before():
    """A batch is broken in a segment of a later epoch than the next one and the slot."""
    a = Segment(1, epoch=9)
    a.record(b"one")
    flip(a, a.batch(b"two", b"three") + 24)
    b = next_segment(a)
    b.record(b"four")
    return [a, b], control(slot(1, mark=4, id=2))


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
    ("a leftover that nobody here understands", foreign_leftover, WHOLE + [6], None),
    ("names with other zeros, digits or ids", lambda: named(
        "00000000002.log", "2.log", "0000000000.log", "1000000000000000001.log",
        "18446744073709551618.log", "00000000000000000000000002.log", "000000000\u0662.log",
        "0000000002.log.bak", "+000000002.log"), WHOLE, None),
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
    ("a link to itself",
     lambda: linked(lambda a: (2, a.salt, a.end, 5)), WHOLE, "none that is older"),
    ("a link to a greater id",
     lambda: linked(lambda a: (2**64 - 1, a.salt, a.end, 5)), WHOLE, "none that is older"),
    ("a link to a place between frames",
     lambda: linked(lambda a: (1, a.salt, a.end + 4, 5)), WHOLE, "not the segment"),
    ("a link to a place before the first frame",
     lambda: linked(lambda a: (1, a.salt, 8, 5)), WHOLE, "not the segment"),
    ("a link with more numbers than have room",
     lambda: linked(lambda a: (1, a.salt, a.end, 5000), first=5001), WHOLE, "not the segment"),
    ("a link with numbers that go back",
     lambda: linked(lambda a: (1, a.salt, a.end, 2**64 - 1), first=2, of=3), [], "not the segment"),
    ("an epoch behind a broken link caps no mark", later_epoch_before, [1, 2], "not the segment"),
    ("a link to a later epoch",
     lambda: linked(lambda a: (1, a.salt, a.end, 5), epoch=0), WHOLE, "not the segment"),
    ("a first number beyond the log",
     lambda: ([story()], control(slot(1, mark=5, first=7))), [], "before its first number"),
    ("a newest segment with an impossible epoch",
     lambda: ([story(), Segment(2, first=6, epoch=10**18 + 1)], mark(5)), WHOLE, None),
    ("a slot with an impossible epoch",
     lambda: ([story()], control(slot(2, mark=5, epoch=10**18 + 1), slot(1, mark=5))), WHOLE, None),
    ("a slot with an impossible generation",
     lambda: ([story()], control(slot(10**18 + 1, first=9), slot(1, mark=5))), WHOLE, None),
    ("torn above a mark, in a segment whose seal ends between frames",
     lambda: broken(lambda s: (s.sealed(end=s.end + 4), flip(s, s.at[4] + 24))), FOUR, None),
    ("predecessor missing", lambda: trimmed(mark(0)), [], "No such file"),
    ("predecessor missing, and no valid slot", lambda: trimmed(control()), [6], None),
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
    ("torn above a mark, in a segment with a seal of more records than have room",
     lambda: broken(lambda s: flip(s.sealed(records=99), s.at[4] + 24)), FOUR, None),
    # rules C: the control file
    ("the newer slot counts", lambda: broken(lambda s: flip(s, s.at[4] + 24))[:1]
     + (control(slot(2, mark=4), slot(1, mark=5)),), FOUR, None),
    ("of two slots with one generation the first counts",
     lambda: broken(lambda s: flip(s, s.at[4] + 24))[:1]
     + (control(slot(2, mark=4), slot(2, mark=5)),), FOUR, None),
    ("a torn newer slot does not", lambda: broken(lambda s: flip(s, s.at[4] + 24))[:1]
     + (control(slot(2, mark=4)[:-1] + b"!", slot(1, mark=5)),), FOUR, "wrong check"),
    ("a slot with first number 0", lambda: ([story()], control(slot(2, first=0), slot(1, mark=5))),
     WHOLE, None),
    ("a slot with an impossible first number",
     lambda: ([story()], control(slot(2, first=10**18 + 1), slot(1, mark=5))), WHOLE, None),
    ("a slot with a first number before the first ever",
     lambda: ([Segment(1, first=7)], control(slot(2, first=6), slot(1, first=7), first=7)),
     [], None),
    ("a slot with an impossible mark",
     lambda: ([story()], control(slot(2, mark=10**18 + 1, id=1), slot(1, mark=5))), WHOLE, None),
    ("a newest segment with an impossible first number",
     lambda: ([story(), Segment(2, first=10**18 + 1)], mark(5)), WHOLE, None),
    ("a slot with its mark between frames", lambda: broken(lambda s: flip(s, s.at[4] + 24))[:1]
     + (control(slot(2, mark=4, offset=4228), slot(1, mark=5)),), FOUR, "wrong check"),
    ("damage in a batch that was durable",
     lambda: broken(lambda s: flip(s, s.at[3] - 8), 5), [1, 2], "wrong check"),
    ("a batch that no sync covered, torn",
     lambda: broken(lambda s: flip(s, s.at[3] - 8)), [1], None),
    ("no valid slot", lambda: ([story()], control()), WHOLE, None),
    ("no valid slot, and a segment from before the first number ever",
     lambda: ([story()], control(first=100)), [], "before the first ever"),
    ("the same, and a newest segment with a damaged header",
     lambda: (two(lambda a, b: flip(b, 30))[0], control(first=100)), [], "before the first ever"),
    ("no valid slot, and frames behind a bad one",
     lambda: broken(lambda s: flip(s, s.at[3] + 16))[:1] + (control(),), [1, 2, 3], "wrong check"),
    ("torn static sector",
     lambda: ([story()], control()[:100] + b"!" + control()[101:]), [], "static"),
    ("other version", lambda: ([story()], control(version=2)), [], "version 2"),
    ("unknown incompatible flag", lambda: ([story()], control(incompatible=4)), [], "0x4"),
    ("unknown incompatible flag of a segment",
     lambda: ([Segment(1, incompatible=4)], mark(0)), [], "0x4"),
    ("unknown compatible flag", lambda: ([Segment(1, compatible=4)], mark(0)), [], None),
]  # fmt: skip

# What opening for writing does not look for: damage in sealed segments is found when it is read.
NOT_SEEN = ["the same, sealed"]
