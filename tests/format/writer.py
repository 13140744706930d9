"""writer.py - writes stores as docs/FORMAT.md describes them, for the tests of reader.py

Independent of the library and of the reader, and able to write broken stores: every piece of a
segment can be placed by hand. It knows nothing of durability.
"""
import os
import struct

import xxhash

UUID = bytes(range(0x10, 0x20))
PAD, RECORD, MORE, VOID = range(4)


def hash64(data, seed):
    return xxhash.xxh3_64_intdigest(data, seed)


def checked(body, seed):
    """`body` filled up with zeros to 504 bytes, and its check: one sector."""
    body = body.ljust(504, b"\0")
    return body + struct.pack("<Q", hash64(body, seed))


class Segment:
    def __init__(self, id, first=1, previous=None, epoch=1, bytes=65536, uuid=UUID, **header):
        self.id, self.first, self.full = id, first, bytes
        self.salt = header.get("salt", 0x5A17_0000_0000_0000 + id * 0x0123_4567_89AB)
        self.epoch, self.ordinal, self.end = epoch, 1, 4096
        self.name = None  # that of the id
        self.data = bytearray(bytes)
        self.data[0:512] = checked(
            struct.pack(
                "<8sIIII16sQQQq",
                b"LOGSEGMT",
                header.get("version", 1),
                4096,
                header.get("compatible", 0),
                header.get("incompatible", 0),
                uuid,
                header.get("named", id),
                self.salt,
                bytes,
                1_700_000_000_000_000_000,
            ),
            0,
        )
        back = (0, 0, 0, 0)
        if previous:
            back = (previous.id, previous.salt, previous.end, first - previous.first)
        back = header.get("back", back)
        if header.get("start", True):
            self.frame(RECORD, struct.pack("<QQQQQQq48x", first, epoch, *back, 0), ordinal=0)
            self.ordinal = 1

    def frame(self, kind, payload, time_ns=0, ordinal=None):
        """One frame of kind record, more or void at the end; returns its offset."""
        ordinal = self.ordinal if ordinal is None else ordinal
        word, at = len(payload) | kind << 30, self.end
        hashed = struct.pack("<q", time_ns) + (b"" if kind == VOID else payload)
        check = hash64(hashed, self.salt)
        check ^= (word | ordinal << 32) * 0x9E3779B97F4A7C15 % 2**64
        check ^= at * 0x6A09E667F3BCC909 % 2**64
        frame = struct.pack("<IIQq", word, ordinal, check, time_ns) + payload
        self.put(frame.ljust((len(frame) + 7) // 8 * 8, b"\0"))
        self.ordinal = ordinal + 1
        return at

    def record(self, payload, time_ns=0):
        return self.frame(RECORD, payload, time_ns)

    def batch(self, *payloads):
        for payload in payloads[:-1]:
            self.frame(MORE, payload)
        return self.frame(RECORD, payloads[-1])

    def void(self, size):
        return self.frame(VOID, b"\xee" * size)

    def pad(self, size):
        at = self.end
        own = hash64(struct.pack("<IIQ", size, 0, at), self.salt) % 2**32
        self.put(struct.pack("<II", size, own).ljust(size, b"\xdd"))
        return at

    def put(self, frame):
        assert self.end + len(frame) <= self.full, "the segment is full"
        self.data[self.end : self.end + len(frame)] = frame
        self.end += len(frame)

    def sealed(self, end=None, records=None):
        records = self.ordinal - 1 if records is None else records
        last = self.first + records - 1
        body = struct.pack("<8sQQQQq", b"LOGSEAL1", records, end or self.end, self.first, last, 0)
        self.data[512:1024] = checked(body, self.salt)
        return self

    def cut(self, size):
        """The file is shorter than the segment when full."""
        del self.data[size:]
        return self


def slot(generation, mark=0, first=1, epoch=1, id=None, offset=4224):
    id = min(mark, 1) if id is None else id
    body = struct.pack("<QQQQQQII", generation, mark, id, offset, first, epoch, 0, 0)
    return body + struct.pack("<Q", hash64(body, 0))


def control(*slots, uuid=UUID, version=1, incompatible=0, first=1):
    page = bytearray(4096)
    head = struct.pack("<8sIIII", b"LOGCNTRL", version, 0o600, 0, incompatible)
    page[0:512] = checked(head + uuid + struct.pack("<QqQ", 65536, 0, first), 0)
    for i, each in enumerate(slots):
        page[512 * (i + 1) : 512 * (i + 1) + 64] = each
    return page


def store(path, segments, control_page):
    os.makedirs(path)
    for segment in segments:
        with open(os.path.join(path, segment.name or f"{segment.id:010d}.log"), "wb") as file:
            file.write(segment.data)
    with open(os.path.join(path, "control"), "wb") as file:
        file.write(control_page)
