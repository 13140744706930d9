#!/usr/bin/python3
"""reader.py - a small reader of stores, written from docs/FORMAT.md and nothing else

It proves the document: what it reads must be what the library reads. It takes no lock, writes
nothing and knows no index. D1 and the like name rules of the document. Needs Python 3.9 and
python3-xxhash.
"""
import base64
import datetime
import json
import mmap
import os
import re
import stat
import struct
import sys

import xxhash

FIXED = struct.Struct("<8sIIII16sQqQ")  # control file: static sector
SLOT = struct.Struct("<QQQQQQIIQ")  # control file: one slot
HEADER = struct.Struct("<8sIIII16sQQQq")  # segment: first sector
SEAL = struct.Struct("<8sQQQQq")  # segment: second sector
FRAME = struct.Struct("<IIQq")
START = struct.Struct("<QQQQQQq48x")
PAD, RECORD, MORE, VOID = range(4)
NUMBER_MAX = 10**18
WORD_FACTOR, OFFSET_FACTOR, ALL_ONES = 0x9E3779B97F4A7C15, 0x6A09E667F3BCC909, (1 << 64) - 1


class Unusable(Exception):
    """Not a store, or one of another version."""


class Damage(Exception):
    def __init__(self, file, offset, number, why):
        super().__init__(file, offset, number, why)
        self.file, self.offset, self.number, self.why = file, offset, number, why

    def __str__(self):
        return f"{self.file}: offset {self.offset}: number {self.number}: {self.why}"


class Invalid(Exception):
    """A frame that breaks a rule of validity."""


def hash64(data, seed):
    return xxhash.xxh3_64_intdigest(data, seed)


def sector_holds(sector, seed):
    return len(sector) == 512 and struct.pack("<Q", hash64(sector[:504], seed)) == sector[504:]


def segment_id(name):
    """The id that a file's name stands for; 0: it is none."""
    match = re.fullmatch(r"([0-9]{10,})\.log", name)
    number = int(match[1]) if match and len(match[1]) < 20 else 0
    return number if number <= NUMBER_MAX and name == f"{number:010d}.log" else 0


class Control:
    """The control file: what store it is, and the newest valid slot."""

    def __init__(self, path):
        try:
            with open(os.path.join(path, "control"), "rb") as file:
                page = file.read(4096)
        except OSError as error:
            raise self.lost(path, 0, error.strerror) from error
        if 8 <= len(page) < 4096:
            raise Damage("control", len(page), 0, "the file was cut")
        if len(page) < 8:
            raise self.lost(path, len(page), "the file was cut")
        if page[:8] != b"LOGCNTRL":
            raise self.lost(path, 0, "not a control file")
        _, version, _, _, incompatible, self.uuid, segment_bytes, _, first = FIXED.unpack_from(page)
        if version != 1:
            raise Unusable(f"control: version {version}")
        if not sector_holds(page[:512], 0):
            raise Damage("control", 0, 0, "wrong check of the static sector")
        if incompatible:
            raise Unusable(f"control: unknown incompatible flags {incompatible:#x}")
        if (segment_bytes % 65536 or not 65536 <= segment_bytes <= 1 << 32
                or not 1 <= first <= NUMBER_MAX):
            raise Damage("control", 0, 0, "impossible size or number")
        slots = [slot for slot in (self.slot(page, at, first) for at in (512, 1024)) if slot]
        self.has_slot = bool(slots)
        newest = max(slots, key=lambda one: one[0], default=(0, 0, 0, 0, first, 0, 0, 0, 0))
        _, self.mark, self.mark_id, self.mark_offset, self.first, self.epoch, flags = newest[:7]
        self.closed = flags & 3 == 1

    @staticmethod
    def lost(path, offset, why):
        """Where there are segments it was one."""
        if any(map(segment_id, os.listdir(path))):
            return Damage("control", offset, 0, why)
        return Unusable(f"control: {why}")

    @staticmethod
    def slot(page, at, first_ever):
        slot = SLOT.unpack_from(page, at)
        generation, mark, mark_id, mark_offset, first, epoch, _, _, check = slot
        possible = 1 <= generation <= NUMBER_MAX and first_ever <= first <= NUMBER_MAX
        possible = possible and max(mark, mark_id, epoch) <= NUMBER_MAX and mark_offset % 8 == 0
        return slot if possible and check == hash64(page[at : at + 56], 0) else None


class Segment:
    """One segment file: its header, its start frame, and a walk over its frames."""

    def __init__(self, path, number, uuid):
        self.id, self.name = number, f"{number:010d}.log"
        self.path = os.path.join(path, self.name)
        with self.open() as file:
            self.bytes = file.read(4224)  # the header and the start frame
            file_bytes = os.fstat(file.fileno()).st_size
        self.header(uuid)
        self.file_end = min(file_bytes, self.full)
        self.start()
        self.seal_end = self.read_seal() if self.started else 0

    def open(self):
        fd = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            raise Damage(self.name, 0, 0, "not a regular file")
        return open(fd, "rb")

    def map(self):
        """From now on self.bytes is the whole file; an unused segment costs no mapping."""
        with self.open() as file:
            self.bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

    def header(self, uuid):
        header = self.bytes[:512]
        if len(self.bytes) < 4096:
            raise Damage(self.name, len(self.bytes), 0, "the file was cut")
        if header[:8] != b"LOGSEGMT":
            raise Damage(self.name, 0, 0, "no segment header")
        if not sector_holds(header, 0):
            raise Damage(self.name, 504, 0, "wrong check of the header")
        _, version, header_bytes, _, incompatible, own_uuid, own_id, self.salt, self.full, _ = (
            HEADER.unpack_from(header)
        )
        if version != 1 or header_bytes != 4096:
            raise Unusable(f"{self.name}: version {version}")
        if incompatible:
            raise Unusable(f"{self.name}: unknown incompatible flags {incompatible:#x}")
        if own_uuid != uuid:
            raise Damage(self.name, 24, 0, "segment of another store")
        if own_id != self.id:
            raise Damage(self.name, 40, 0, "renamed")
        if self.full % 65536 or not 65536 <= self.full <= 1 << 32:
            raise Damage(self.name, 56, 0, "impossible size")

    def read_seal(self):
        """Where the seal says that the frames end; 0 if there is no valid seal."""
        seal = self.bytes[512:1024]
        magic, records, end, first, last, _ = SEAL.unpack_from(seal)
        self.seal_records = records
        sealed = magic == b"LOGSEAL1" and sector_holds(seal, self.salt)
        sealed = sealed and records <= (end - 4224) // 24 and last == first + records - 1
        sealed = sealed and end % 8 == 0
        return end if sealed and 4224 <= end <= self.file_end and first == self.first else 0

    def start(self):
        """Decode the start frame; self.started says whether there is a valid one."""
        self.started = False
        try:
            frame = self.frame(4096, self.file_end, 0)
        except Invalid:
            return
        if not frame or frame[0] != RECORD or len(frame[2]) != START.size:
            return
        (self.first, self.epoch, self.previous_id, self.previous_salt, self.previous_end,
         self.previous_records, _) = START.unpack(frame[2])  # fmt: skip
        self.started = 1 <= self.first <= NUMBER_MAX and self.epoch <= NUMBER_MAX

    def frame(self, at, end, ordinal, trimmed=False):
        """(kind, time, payload, offset of the next frame); None if there is none yet. The check of
        one that was trimmed may be wrong."""
        if at + 8 > end:
            return None
        word, own = struct.unpack_from("<II", self.bytes, at)
        if word == 0:
            return None
        kind, size = word >> 30, word & 0x3FFFFFFF
        if kind == PAD:
            self.check_pad(at, end, word, own)
            return PAD, 0, None, at + size
        after = at + (24 + size + 7) // 8 * 8
        if after > end:
            raise Invalid("the frame reaches beyond the end")
        if own != ordinal:
            raise Invalid(f"ordinal {own} where {ordinal} is due")
        _, _, check, time_ns = FRAME.unpack_from(self.bytes, at)
        hashed = 24 if kind == VOID else 24 + size
        due = hash64(self.bytes[at + 16 : at + hashed], self.salt)
        due ^= (word | own << 32) * WORD_FACTOR & ALL_ONES
        due ^= at * OFFSET_FACTOR & ALL_ONES
        if check != due and not trimmed:
            raise Invalid("wrong check")
        return kind, time_ns, None if kind == VOID else self.bytes[at + 24 : at + 24 + size], after

    def check_pad(self, at, end, word, own):
        if word % 8 or at + word > end:
            raise Invalid("a pad of impossible size")
        if own != hash64(struct.pack("<IIQ", word, 0, at), self.salt) & 0xFFFFFFFF:
            raise Invalid("wrong check of a pad")

    def walk(self, end, begin, numbers):
        """Yield (number, time, payload) of whole batches from the start to `end`; the payload of a
        void is None. What is below `begin` was trimmed; `numbers` are used. Then self.stop is the
        offset behind the last batch, self.next the number that is due there, self.why what ended
        it (None if `end` did), self.failed where, and self.partial the frames of the batch before
        that."""
        at, ordinal, batch = 4224, 1, []
        self.stop, self.next, self.why, self.partial, self.failed = at, self.first, None, [], at
        self.miscounted = False
        while at < end:
            self.failed = at
            try:
                trimmed = self.first + ordinal - 1 < begin
                frame = self.frame(at, min(end, self.file_end), ordinal, trimmed)
                if not frame:
                    raise Invalid("not committed")
                kind, time_ns, payload, at = frame
                if batch and kind not in (RECORD, MORE):
                    raise Invalid("a batch is not closed")
            except Invalid as error:
                again = trimmed and self.seal_end and self.find(at, end, begin - self.first + 1)
                if again:
                    at, ordinal, batch = again, begin - self.first + 1, []
                    continue
                self.why, self.partial = str(error), batch
                return
            if kind != PAD and ordinal > numbers:
                self.why, self.partial, self.miscounted = "a number of the next one", batch, True
                return
            if kind != PAD:
                batch.append((self.first + ordinal - 1, time_ns, payload))
                ordinal += 1
            if kind != MORE:
                yield from batch
                batch = []
                self.stop, self.next = at, self.first + ordinal - 1
        self.failed = at
        if batch:
            self.why, self.partial = "a batch is not closed", batch

    def seal_fails(self):
        """Does the seal contradict what walk() found before its end?"""
        walked = self.seal_end and self.failed == self.seal_end
        return walked and (self.partial or self.next - self.first != self.seal_records)

    def find(self, behind, end, ordinal):
        """Offset of the valid frame with this ordinal; None: there is none."""
        for at in range(behind + 8, min(end, self.file_end) - 23, 8):
            word, own = struct.unpack_from("<II", self.bytes, at)
            try:
                if word and word >> 30 != PAD and own == ordinal:
                    self.frame(at, min(end, self.file_end), ordinal)
                    return at
            except Invalid:
                pass
        return None

    def has_frames_behind(self, end):
        """Is there a valid frame behind the place where walk() stopped?"""
        for at in range(self.failed + 8, min(end, self.file_end) - 23, 8):
            word, ordinal = struct.unpack_from("<II", self.bytes, at)
            try:
                if word >> 30 != PAD and ordinal > self.next - self.first:
                    if self.frame(at, min(end, self.file_end), ordinal):
                        return True
            except Invalid:
                pass
        return False


# Stops, counts, covered, broken, durable, marked, successor, more: the document's table.
RULES = """
1 1 - 1 - - - - link
1 1 - 0 - - - - counts
1 0 1 - - - - - D2
1 0 0 1 - - - - link
1 0 0 0 1 - - - D1
1 0 0 0 0 1 - - torn
1 0 0 0 0 0 1 - D3
1 0 0 0 0 0 0 1 D3
1 0 0 0 0 0 0 0 torn
0 - - 1 - - - - link
0 1 - 0 - - - - counts
0 0 - 0 - - 1 - goes on
0 0 - 0 1 1 0 - D6
0 0 - 0 1 0 0 - end
0 0 - 0 0 - 0 - end
"""
RULES = [line.split(maxsplit=8) for line in RULES.strip().splitlines()]


def judge(*facts):
    """The verdict on a place in a segment. The last fact is a function, asked if it counts."""
    for *rule, more, verdict in RULES:
        if all(want in ("-", str(int(fact))) for want, fact in zip(rule, facts)):
            if more == "-" or more == str(int(facts[-1]())):
                return verdict
    raise AssertionError("no rule")


class Store:
    """The chain: segments oldest first, each with the offset where the log leaves it, and the
    breaks in it. A break says why there is nothing before a segment, by the segment's id, or behind
    the newest (None)."""

    def __init__(self, path):
        self.path, self.breaks = path, {}
        self.control = Control(path)
        self.chain = self.find_chain()

    def segment_ids(self):
        return sorted(filter(None, map(segment_id, os.listdir(self.path))), reverse=True)

    def open(self, number):
        try:
            return Segment(self.path, number, self.control.uuid)
        except OSError as error:
            raise Damage(f"{number:010d}.log", 0, 0, error.strerror) from error

    def usable(self, number):
        """The segment if it has a valid header and start frame, else None."""
        try:
            segment = self.open(number)
        except (Damage, Unusable):
            return None
        return segment if segment.started else None

    def find_head(self, ids):
        for number in ids:
            try:
                segment = self.open(number)
                if segment.started:
                    return segment
                if number <= self.control.mark_id:  # D5
                    raise Damage(segment.name, 4096, 0, "no valid start frame")
            except (Damage, Unusable) as error:  # D5
                self.breaks[None] = error  # the one that the log leads to is the last
        return None

    def copied_back(self, head, ids):
        """The segment of a clean close that a newer one continues further on, or the head."""
        mark_id, mark_offset = self.control.mark_id, self.control.mark_offset
        if not self.control.closed or not head or head.id <= mark_id or self.breaks:
            return head
        closed = self.usable(mark_id) if mark_id in ids else None
        if not closed or closed.seal_end or closed.epoch > self.control.epoch:
            return head
        closed.map()
        if any(closed.bytes[mark_offset : mark_offset + 4]):
            return head
        for number in sorted(number for number in ids if mark_id < number <= head.id):
            newer = self.usable(number)
            if newer and (newer.previous_id, newer.previous_salt) == (mark_id, closed.salt):
                return closed if newer.previous_end > mark_offset else head
        return head

    def find_chain(self):
        ids = self.segment_ids()
        segment = self.copied_back(self.find_head(ids), ids)
        if not self.control.has_slot:
            oldest = next(filter(None, map(self.usable, reversed(ids))), None)
            first_ever = self.control.first
            self.control.first = oldest.first if oldest else first_ever
        head_id = segment.id if segment else 0
        if head_id < self.control.mark_id:  # D5
            missing = Damage(f"{self.control.mark_id:010d}.log", 0, 0, "the newest is missing")
            self.breaks.setdefault(None, missing)
        chain = self.walk_back(segment, ids)
        for segment, _ in reversed(chain):  # "Which mark"
            if segment.epoch <= self.control.epoch:
                break
            self.control.mark = min(self.control.mark, segment.first - 1)
        if chain and not self.control.has_slot and chain[0][0].first < first_ever:
            oldest, chain = chain[0][0], []
            begin = Damage(oldest.name, 4096, 0, "before the first ever")
            self.breaks[None] = self.breaks.get(oldest.id, begin)
        return chain

    def walk_back(self, segment, ids):
        chain, end = [], segment and (segment.seal_end or segment.file_end)
        while segment:
            chain.insert(0, (segment, end))
            if segment.previous_id == 0 or segment.first <= self.control.first:
                break
            try:
                segment, end = self.predecessor(segment), segment.previous_end
            except (Damage, Unusable) as error:  # D4: serve what is older
                self.breaks[segment.id] = error
                segment = self.find_older(segment, ids)
                end = segment and (segment.seal_end or segment.file_end)
        if chain and chain[0][0].first > self.control.first:
            oldest = chain[0][0]
            if oldest.previous_id == 0 and oldest.id not in self.breaks:
                self.control.first = oldest.first
        return chain

    def find_older(self, segment, ids):
        limit = segment.previous_id if segment.previous_id < segment.id else segment.id
        named = self.usable(limit) if limit in ids and limit != segment.id else None
        if named and named.salt == segment.previous_salt and named.first <= segment.first:
            return named
        for number in ids:
            older = self.usable(number) if number < limit else None
            if older and older.first < segment.first:
                return older
        return None

    def predecessor(self, segment):
        if segment.previous_id >= segment.id:
            raise Damage(segment.name, 4096, 0, "continues none that is older")
        before, end = self.open(segment.previous_id), segment.previous_end
        if not before.started:
            raise Damage(before.name, 4096, 0, "no valid start frame")
        fits = before.salt == segment.previous_salt and before.epoch <= segment.epoch
        fits = fits and end % 8 == 0 and 4224 <= end <= before.full
        fits = fits and segment.previous_records <= (end - 4224) // 24
        fits = fits and before.first + segment.previous_records == segment.first
        if before.seal_end:
            cut = before.seal_records - segment.previous_records
            fits = fits and end <= before.seal_end and 0 <= cut <= (before.seal_end - end) // 24
        if not fits:
            raise Damage(before.name, 4096, 0, "not the segment that should be here")
        return before

    def tell(self, number, before):
        """Raise the break before the segment `before`, if there is one."""
        error = self.breaks.get(before)
        if isinstance(error, Damage):
            error.number = max(number, self.control.first)
        if error:
            raise error

    def served(self, records):
        return (one for one in records if one[0] >= self.control.first)

    def records(self):
        """Yield (number, time, payload); payload is None for a void. Damage is raised once all
        before it has been given."""
        due, place = self.control.first, None
        for at, (segment, end) in enumerate(self.chain):
            self.tell(due, segment.id)
            successor = self.chain[at + 1][0] if at + 1 < len(self.chain) else None
            joined = successor and successor.id not in self.breaks
            numbers = successor.previous_records if joined else NUMBER_MAX
            if successor and not joined and segment.seal_end:
                numbers = segment.seal_records
            segment.map()
            yield from self.served(segment.walk(end, self.control.first, numbers))
            due, place = segment.next, (segment.name, segment.stop)
            if not successor and None not in self.breaks and segment.seal_fails():
                due += len(segment.partial)
                yield from self.served(segment.partial)
                self.fail(segment.name, 512, due, "the seal is of other frames")
            if segment.why:
                yield from self.judge_stop(segment, end, successor)
                for later, _ in self.chain[at + 1 :]:  # D4, though nothing of them counts
                    self.tell(due, later.id)
                break
            segment.bytes = b""
            if joined and due != successor.first:  # D4, counts
                self.fail(segment.name, segment.stop, due, "numbers do not join")
        self.tell(due, None)
        if place and self.judge_end(due) == "D6":
            self.fail(*place, due, "the log ends before the mark")
        if self.chain and due < self.control.first:
            raise Damage("control", 0, due, "the log ends before its first number")

    def fail(self, name, offset, number, why):
        raise Damage(name, offset, max(number, self.control.first), why)

    def judge_stop(self, segment, end, successor):
        """Tell a torn tail, which is fine, from damage; yield what of a batch was durable."""
        failed = segment.next + len(segment.partial)
        behind = successor.id if successor else None
        broken, sealed = behind in self.breaks, segment.seal_end > 0
        covered = segment.failed < segment.seal_end
        if broken and failed > segment.first + segment.seal_records - 1:
            covered = False
        durable = self.control.has_slot and segment.next <= self.control.mark
        durable |= sealed or any(one.id > segment.id and one.seal_end for one, _ in self.chain)
        verdict = judge(
            True, segment.miscounted, covered, broken, durable, self.control.has_slot,
            successor is not None, lambda: segment.has_frames_behind(end),
        )  # fmt: skip
        if sealed if segment.miscounted else durable or covered:
            yield from self.served(segment.partial)
        if verdict == "link":
            self.tell(failed if durable else segment.next, behind)
        elif verdict != "torn":
            number = segment.next if verdict == "D3" else failed
            self.fail(segment.name, segment.failed, number, segment.why)

    def judge_end(self, due):
        """Does the log, which goes on nowhere, end below the mark?"""
        return judge(
            False, False, False, False, due <= self.control.mark, self.control.has_slot,
            False, lambda: False,
        )  # fmt: skip


def rfc3339(time_ns):
    seconds, rest = divmod(time_ns, 10**9)
    day = datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=seconds)
    return f"{day.isoformat()}.{rest:09d}Z"


def as_json(record):
    number, time_ns, payload = record
    line = {"number": number, "time": rfc3339(time_ns)}
    try:
        line["data"] = payload.decode()
    except UnicodeDecodeError:
        line["data_b64"] = base64.b64encode(payload).decode()
    return json.dumps(line, ensure_ascii=False)


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: reader.py DIR")
    try:
        for record in Store(sys.argv[1]).records():
            if record[2] is not None:
                print(as_json(record))
    except Damage as error:
        sys.stdout.flush()
        print(f"damage: {error}", file=sys.stderr)
        sys.exit(1)
    except Unusable as error:
        print(error, file=sys.stderr)
        sys.exit(3)


if __name__ == "__main__":
    main()
