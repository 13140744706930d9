#!/usr/bin/python3
"""test_positions.py LIBRARY - positions as docs/FORMAT.md describes them, against the library

Reads what the library writes, and writes what the library must read, from the document alone.
"""
import ctypes
import os
import struct
import sys
import tempfile

import xxhash

import reader

SLOT = struct.Struct("<8sII16sQQQQQQQqq64sQ328x")  # without the check
LIBRARY = ctypes.CDLL(sys.argv[1])
LIBRARY.logstore_detail.restype = ctypes.c_char_p


class Position(ctypes.Structure):
    _fields_ = [
        ("struct_bytes", ctypes.c_uint32), ("flags", ctypes.c_uint32),
        ("number", ctypes.c_uint64), ("segment_id", ctypes.c_uint64),
        ("segment_salt", ctypes.c_uint64), ("offset", ctypes.c_uint64),
        ("limit_bytes", ctypes.c_uint64), ("limit_ns", ctypes.c_int64),
        ("note", ctypes.c_uint64),
        ("set_ns", ctypes.c_int64), ("name", ctypes.c_char * 64),
        ("state", ctypes.c_uint32), ("error", ctypes.c_int32),
        ("resume_number", ctypes.c_uint64), ("resume_id", ctypes.c_uint64),
        ("resume_salt", ctypes.c_uint64), ("resume_offset", ctypes.c_uint64),
    ]


def must(result):
    if result < 0:
        raise OSError(-result, LIBRARY.logstore_detail().decode())


class Options(ctypes.Structure):
    _fields_ = [("struct_bytes", ctypes.c_uint32), ("flags", ctypes.c_uint32),
                ("rest", ctypes.c_uint64 * 13)]


def open_store(path, flags):
    store, options = ctypes.c_void_p(), Options(ctypes.sizeof(Options), flags)
    must(LIBRARY.logstore_open(path.encode(), ctypes.byref(options), ctypes.byref(store)))
    return store


def parse(path, name):
    with open(os.path.join(path, "positions", name), "rb") as file:
        data = file.read(1024)
    valid = []
    for at in (0, 512):
        slot = data[at : at + 512]
        fields = SLOT.unpack_from(slot)
        if (fields[0] == b"LOGPLACE" and fields[1] == 1 and fields[4] != 0
                and struct.pack("<Q", xxhash.xxh3_64_intdigest(slot[:504], 0)) == slot[504:]
                and fields[13] == name.encode().ljust(64, b"\0")):
            valid.append(fields)
    return max(valid, key=lambda fields: fields[4])


def forge(path, name, fields):
    body = SLOT.pack(*fields)
    slot = body + struct.pack("<Q", xxhash.xxh3_64_intdigest(body, 0))
    with open(os.path.join(path, "positions", name), "wb") as file:
        file.write(bytes(512) + slot)


def get(store, name):
    position = Position(ctypes.sizeof(Position))
    must(LIBRARY.logstore_position_get(store, name.encode(), ctypes.byref(position)))
    return position


def cases(path):
    store = open_store(path, 1)
    for text in (b"one", b"two", b"three"):
        must(LIBRARY.logstore_append(store, text, ctypes.c_size_t(len(text)), None))
    asked = Position(ctypes.sizeof(Position), 1, 3, limit_bytes=1 << 20, limit_ns=5, note=77)
    for _ in range(3):
        must(LIBRARY.logstore_position_set(store, b"ship", ctypes.byref(asked)))
    told, read = get(store, "ship"), parse(path, "ship")
    control = reader.Control(path)
    yield "identity and flags", read[2] == 1 and read[3] == control.uuid
    yield "the generation counts the sets", read[4] == 3
    yield "number and place", read[5:9] == (3, told.segment_id, told.segment_salt, told.offset)
    yield "the epoch is the store's", read[9] == control.epoch
    yield "limits and time", read[10:13] == (1 << 20, 5, told.set_ns)
    yield "the note", (read[14], told.note) == (77, 77)
    first = 4224 + (24 + 3 + 7) // 8 * 8  # behind "one"
    forge(path, "forged", (b"LOGPLACE", 1, 0, control.uuid, 1, 2, told.segment_id,
                           told.segment_salt, first, control.epoch, 0, 0, 7, b"forged", 0))
    forged = get(store, "forged")
    parts = forged.number, forged.state, forged.set_ns
    yield "what the document says is read", parts == (2, 0, 7)
    must(LIBRARY.logstore_close(store))
    records = list(reader.Store(path).records())
    yield "a reader of the log passes over them", len(records) == 3


def main():
    with tempfile.TemporaryDirectory() as directory:
        results = list(cases(os.path.join(directory, "store")))
    print(f"1..{len(results)}")
    for number, (promise, held) in enumerate(results, 1):
        print(f"{'ok' if held else 'not ok'} {number} - {promise}")
    return not all(held for _, held in results)


sys.exit(main())
