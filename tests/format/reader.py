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
        super().__init__(f"{file}: offset {offset}: number {number}: {why}")
        self.file, self.offset, self.number, self.why = file, offset, number, why


class Invalid(Exception):
    """A frame that breaks a rule of validity."""


def hash64(data, seed):
    return xxhash.xxh3_64_intdigest(data, seed)


def sector_holds(sector, seed):
    return len(sector) == 512 and struct.pack("<Q", hash64(sector[:504], seed)) == sector[504:]


class Control:
    """The control file: what store it is, and the newest valid slot."""

    def __init__(self, path):
        try:
            with open(os.path.join(path, "control"), "rb") as file:
                page = file.read(4096)
        except OSError as error:
            raise Unusable(f"control: {error.strerror}") from error
        if len(page) < 2048 or page[:8] != b"LOGCNTRL":
            raise Unusable("control: not a store")
        _, version, _, _, incompatible, self.uuid, segment_bytes, _, first = FIXED.unpack_from(page)
        if version != 1:
            raise Unusable(f"control: version {version}")
        if not sector_holds(page[:512], 0):
            raise Damage("control", 0, 0, "wrong check of the static sector")
        if incompatible:
            raise Unusable(f"control: unknown incompatible flags {incompatible:#x}")
        if segment_bytes % 65536 or not 65536 <= segment_bytes <= 1 << 32 or not 1 <= first <= NUMBER_MAX:
            raise Damage("control", 0, 0, "impossible size or number")
        slots = [slot for slot in (self.slot(page, at, first) for at in (512, 1024)) if slot]
        self.has_slot = bool(slots)
        newest = max(slots, default=(0, 0, 0, 0, first, 0, 0, 0, 0))
        _, self.mark, self.mark_id, _, self.first, self.epoch = newest[:6]

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
        if len(self.bytes) < 4096 or header[:8] != b"LOGSEGMT":
            raise Damage(self.name, 0, 0, "no segment header")
        _, version, header_bytes, _, incompatible, own_uuid, own_id, self.salt, self.full, _ = (
            HEADER.unpack_from(header)
        )
        if version != 1:
            raise Unusable(f"{self.name}: version {version}")
        if not sector_holds(header, 0):
            raise Damage(self.name, 0, 0, "wrong check of the header")
        if incompatible:
            raise Unusable(f"{self.name}: unknown incompatible flags {incompatible:#x}")
        if header_bytes != 4096 or self.full % 65536 or not 65536 <= self.full <= 1 << 32:
            raise Damage(self.name, 0, 0, "impossible size")
        if own_uuid != uuid or own_id != self.id:
            raise Damage(self.name, 0, 0, "segment of another store, or renamed")

    def read_seal(self):
        """Where the seal says that the frames end; 0 if there is no valid seal."""
        seal = self.bytes[512:1024]
        magic, records, end, first, last, _ = SEAL.unpack_from(seal)
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

    def frame(self, at, end, ordinal):
        """(kind, time, payload, offset of the next frame); None if there is none yet."""
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
        if check != due:
            raise Invalid("wrong check")
        return kind, time_ns, None if kind == VOID else self.bytes[at + 24 : at + 24 + size], after

    def check_pad(self, at, end, word, own):
        if word % 8 or at + word > end:
            raise Invalid("a pad of impossible size")
        if own != hash64(struct.pack("<IIQ", word, 0, at), self.salt) & 0xFFFFFFFF:
            raise Invalid("wrong check of a pad")

    def walk(self, end):
        """Yield (number, time, payload) of whole batches from the start to `end`, None for the
        payload of a void. Then self.stop is the offset behind the last batch, self.next the
        number that is due there, self.why what ended it, None if `end` did."""
        at, ordinal, batch = 4224, 1, []
        self.stop, self.next, self.why, self.partial = at, self.first, None, []
        while at < end:
            try:
                frame = self.frame(at, min(end, self.file_end), ordinal)
                if not frame:
                    raise Invalid("not committed")
                kind, time_ns, payload, at = frame
                if batch and kind not in (RECORD, MORE):
                    raise Invalid("a batch is not closed")
            except Invalid as error:
                self.why, self.partial = str(error), batch
                return
            if kind != PAD:
                batch.append((self.first + ordinal - 1, time_ns, payload))
                ordinal += 1
            if kind != MORE:
                yield from batch
                batch = []
                self.stop, self.next = at, self.first + ordinal - 1
        if batch:
            self.why, self.partial = "a batch is not closed", batch

    def has_frames_behind(self, end):
        """Is there a valid frame behind the place where walk() stopped?"""
        for at in range(self.stop + 8, min(end, self.file_end) - 23, 8):
            word, ordinal = struct.unpack_from("<II", self.bytes, at)
            try:
                if word >> 30 != PAD and ordinal > self.next - self.first + 1:
                    if self.frame(at, min(end, self.file_end), ordinal):
                        return True
            except Invalid:
                pass
        return False


class Store:
    def __init__(self, path):
        self.path, self.damage = path, None
        self.control = Control(path)
        self.chain = self.find_chain()

    def segment_ids(self):
        names = (re.fullmatch(r"(\d{10,})\.log", name) for name in os.listdir(self.path))
        ids = (int(match[1]) for match in names if match)
        return sorted((number for number in ids if number), reverse=True)

    def open(self, number):
        try:
            return Segment(self.path, number, self.control.uuid)
        except OSError as error:
            raise Damage(f"{number:010d}.log", 0, 0, error.strerror) from error

    def started(self, ids):
        """The first of `ids` that was started, or None; self.damage tells of damage passed over."""
        for number in ids:
            try:
                segment = self.open(number)
                if segment.started:
                    return segment
                if number <= self.control.mark_id:  # D5
                    raise Damage(segment.name, 4096, 0, "no valid start frame")
            except Damage as error:  # D5
                self.damage = self.damage or error
        return None

    def begin_with_oldest(self, ids):
        """Without a slot: no segment begins before the first number ever."""
        oldest = self.started(reversed(ids))
        if oldest and oldest.first < self.control.first:
            self.damage = self.damage or Damage(
                oldest.name, 4096, oldest.first, "begins before the first number ever"
            )
            self.control.first = oldest.first

    def find_chain(self):
        """The log's segments, oldest first, each with the offset where the log leaves it. If the
        chain is broken, only what lies before the break, and self.damage says why."""
        ids = self.segment_ids()
        segment = self.started(ids)
        chain, end = [], segment and segment.file_end
        if segment and not self.control.has_slot:
            self.begin_with_oldest(ids)
        if (segment.id if segment else 0) < self.control.mark_id and not self.damage:  # D5
            self.damage = Damage(f"{self.control.mark_id:010d}.log", 0, 0, "the newest is missing")
        while segment:
            chain.insert(0, (segment, end))
            if segment.epoch > self.control.epoch:  # "Which mark"
                self.control.mark = min(self.control.mark, segment.first - 1)
            if segment.previous_id == 0 or segment.first <= self.control.first:
                break
            try:
                segment, end = self.predecessor(segment), segment.previous_end
            except Damage as error:  # D4: serve what is older
                self.damage, chain = self.damage or error, []
                older = min(segment.id, segment.previous_id + self.is_named(segment, ids))
                segment = self.started(number for number in ids if number < older)
                end = segment and (segment.seal_end or segment.file_end)
        return chain

    def is_named(self, segment, ids):
        """Whether the segment that is named is the one that is meant, and only the link is wrong."""
        named = segment.previous_id in ids and self.started([segment.previous_id])
        return bool(named and named.salt == segment.previous_salt and named.first < segment.first)

    def predecessor(self, segment):
        if segment.previous_id >= segment.id:
            raise Damage(segment.name, 4096, segment.first, "continues none that is older")
        before = self.open(segment.previous_id)
        if before.salt != segment.previous_salt or not before.started:
            raise Damage(before.name, 0, segment.first - 1, "not the segment that should be here")
        end = segment.previous_end
        if end % 8 or not 4224 <= end <= before.full or before.epoch > segment.epoch:
            raise Damage(segment.name, 4096, segment.first, "leaves no segment there")
        if segment.previous_records > (end - 4224) // 24:
            raise Damage(segment.name, 4096, segment.first, "more numbers than have room")
        if before.first + segment.previous_records != segment.first:
            raise Damage(segment.name, 4096, segment.first, "numbers do not join")
        return before

    def records(self):
        """Yield (number, time, payload); payload is None for a void. Damage is raised once all
        before it has been given."""
        tail = self.control.first - 1
        successors = [segment for segment, _ in self.chain[1:]] + [None]
        for (segment, end), successor in zip(self.chain, successors):
            segment.map()
            for record in segment.walk(end):
                if record[0] >= self.control.first:
                    yield record
            tail = segment.next - 1
            if segment.why:
                if self.was_durable(segment, end):
                    yield from (one for one in segment.partial if one[0] >= self.control.first)
                if successor or not self.damage:
                    self.judge_stop(segment, end, successor)
                break
            segment.bytes = b""
            if successor and segment.next != successor.first:
                raise Damage(segment.name, segment.stop, segment.next, "numbers do not join")
        if self.damage:
            raise self.damage
        if tail < self.control.mark:  # D6
            raise Damage("control", 0, tail + 1, "the log ends before the mark")
        if self.chain and tail + 1 < self.control.first:
            raise Damage("control", 0, tail + 1, "the log ends before its first number")

    def was_durable(self, segment, end):
        sealed_behind = any(one.id > segment.id and one.seal_end for one, _ in self.chain)  # D1
        known = sealed_behind or segment.next <= self.control.mark
        return known or segment.stop < min(segment.seal_end, end)

    def judge_stop(self, segment, end, successor):
        """Tell a torn tail, which is fine, from damage."""
        known = self.was_durable(segment, end)  # D1, D2
        if not self.control.has_slot:  # D3
            known |= successor is not None or segment.has_frames_behind(end)
        if known:
            raise Damage(segment.name, segment.stop, segment.next, segment.why)


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
