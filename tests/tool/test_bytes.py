#!/usr/bin/python3
"""What goes in comes out, byte for byte, in each format."""

import base64
import hashlib
import json
import os
import random
import struct

from support import SMALL, case, complaint, contains, equal, lines_of, main, out, run

TEXTS = {
    "empty input": b"",
    "one empty line": b"\n",
    "many empty lines": b"\n" * 1000,
    "zero bytes": b"\0\n\0\0\0\na\0b\n",
    "bytes that are no UTF-8": b"\xff\xfe\n\xc3\n\xed\xa0\x80\n\xf4\x90\x80\x80\n\xc0\xaf\n",
    "every byte": bytes(b for b in range(256) if b != 10) + b"\n",
    "carriage returns": b"a\r\nb\r\n\r\n",
    "ten thousand lines": lines_of(10000),
    "lines longer than a block of input": b"x" * 700000 + b"\n" + b"y" * 1100000 + b"\nz\n",
}


def framed(records):
    return b"".join(struct.pack("<I", len(r)) + r for r in records)


def some_records(seed, count=2000):
    """Records that are hard to carry: lengths 0.., any byte, text of every width of UTF-8."""
    rng = random.Random(seed)
    alphabet = [chr(c) for c in range(0x20)] + list("\"\\/aZ \x7f\x80\u07ff\u0800\ud7ff\ue000\uffff"
                                                     "\U00010000\U0010ffff\u2028é漢😀")
    records = [b"", b"\0", b"\n", b'"', b"\\", b"\x1f", b"\x7f", b"\x80"]
    while len(records) < count:
        if rng.random() < 0.5:
            records.append(rng.randbytes(rng.randrange(40)))
        else:
            text = "".join(rng.choice(alphabet) for _ in range(rng.randrange(40)))
            records.append(text.encode())
    return records


@case
def lines_come_back(tmp):
    """append, then read, gives back any input that ends in a newline"""
    for number, (what, text) in enumerate(TEXTS.items()):
        store = f"{tmp}/{number}"
        run("append", store, input=text)
        equal(out("read", store), text, what)


@case
def last_line_without_newline(tmp):
    """a last line without a newline is a record like the others"""
    run("append", f"{tmp}/s", input=b"a\nb")
    equal(out("read", f"{tmp}/s"), b"a\nb\n")
    run("append", f"{tmp}/s", input=b"c")
    equal(out("read", f"{tmp}/s"), b"a\nb\nc\n")


@case
def files_follow_each_other(tmp):
    """append takes files in their order, and - for standard input"""
    for name, text in (("a", b"1\n2"), ("b", b""), ("c", b"4\n")):
        with open(f"{tmp}/{name}", "wb") as file:
            file.write(text)
    run("append", f"{tmp}/s", f"{tmp}/a", "-", f"{tmp}/b", f"{tmp}/c", input=b"3")
    equal(out("read", f"{tmp}/s"), b"1\n2\n3\n4\n")


@case
def missing_file(tmp):
    """a FILE that is not there is status 4, and what came before it is kept"""
    with open(f"{tmp}/a", "wb") as file:
        file.write(b"1\n")
    result = run("append", f"{tmp}/s", f"{tmp}/a", f"{tmp}/b", status=4)
    contains(result.stderr.decode(), f"{tmp}/b: No such file")
    contains(result.stderr.decode(), "durable up to record 1")
    equal(out("read", f"{tmp}/s"), b"1\n")


@case
def nul_records(tmp):
    """-i nul and -z carry records with newlines in them"""
    text = b"a\nb\0\0\n\0no end"
    run("append", f"{tmp}/s", "-i", "nul", input=text)
    equal(out("read", f"{tmp}/s", "-z"), text + b"\0")


@case
def delimiters(tmp):
    """-D cuts at a text of one or more bytes, wherever blocks of input end"""
    records = [b"x" * n for n in (0, 1, 5, 524286, 524287, 3)]
    run("append", f"{tmp}/s", "-D", "--", input=b"--".join(records))
    equal(out("read", f"{tmp}/s"), b"".join(r + b"\n" for r in records))
    run("append", f"{tmp}/t", "-D", r"\r\n\x00", input=b"a\r\nb\r\n\0\r\n\0c")
    equal(out("read", f"{tmp}/t", "-o", "len32"), framed([b"a\r\nb", b"", b"c"]))


@case
def delimiter_at_every_offset(tmp):
    """a delimiter of three bytes is found at every offset of a block"""
    records = [b"-" * (n % 3) + b"." * n for n in range(1, 40)]
    for size in (1, 2, 3, 7):
        store = f"{tmp}/{size}"
        read_end, write_end = os.pipe()
        import subprocess
        from support import command
        process = subprocess.Popen(command("append", store, "-D", "-=-"), stdin=read_end)
        os.close(read_end)
        text = b"-=-".join(records)
        for start in range(0, len(text), size * 50):
            os.write(write_end, text[start:start + size * 50])
        os.close(write_end)
        equal(process.wait(), 0)
        equal(out("read", store, "-o", "len32"), framed(records))


@case
def len32_both_ways(tmp):
    """-i len32 and -o len32 carry any bytes"""
    records = some_records(1) + [b"z" * 600000]
    text = framed(records)
    run("append", f"{tmp}/s", "-i", "len32", input=text)
    equal(out("read", f"{tmp}/s", "-o", "len32"), text)
    equal(out("read", f"{tmp}/s", "-o", "raw"), b"".join(records))
    equal(out("read", f"{tmp}/s", "-o", "hex"),
          b"".join(r.hex().encode() + b"\n" for r in records))


@case
def len32_cut_short(tmp):
    """an input that ends inside a len32 record is refused, what came before is kept"""
    for cut in (1, 3, 4, 6):
        result = run("append", f"{tmp}/s{cut}", "-i", "len32",
                     input=framed([b"one"]) + framed([b"two"])[:cut], status=1)
        contains(result.stderr.decode(), "record 2: the input ends inside of it")
        equal(out("read", f"{tmp}/s{cut}"), b"one\n")


@case
def json_is_json(tmp):
    """-o jsonl prints numbers, times and data, data_b64 for what is no UTF-8; nothing is cut"""
    records = some_records(2) + [b"long \xf0\x9f\x98\x80" * 40000, b"\xff" * 100001]
    run("append", f"{tmp}/s", "-i", "len32", input=framed(records))
    lines = out("read", f"{tmp}/s", "-o", "jsonl").split(b"\n")
    equal(lines.pop(), b"")
    equal(len(lines), len(records))
    for number, (line, record) in enumerate(zip(lines, records), 1):
        got = json.loads(line)
        equal(got["number"], number)
        try:
            equal(got.get("data"), record.decode(), f"record {number}")
            equal(set(got), {"number", "time", "data"})
        except UnicodeDecodeError:
            equal(base64.b64decode(got["data_b64"], validate=True), record, f"record {number}")
            equal(set(got), {"number", "time", "data_b64"})


@case
def json_escapes_as_others_do(tmp):
    """the strings of -o jsonl have the shortest escapes"""
    records = [bytes([n]) for n in range(0x20)] + [b'"', b"\\", b"/", b"\x7f", "é😀".encode()]
    run("append", f"{tmp}/s", "-i", "len32", input=framed(records))
    for line, record in zip(out("read", f"{tmp}/s", "-o", "jsonl").splitlines(), records):
        wanted = json.dumps(record.decode(), ensure_ascii=False)
        equal(line.decode().split('"data":', 1)[1][:-1].lower(), wanted.lower())


@case
def json_goes_back_in(tmp):
    """what -o jsonl prints, -i jsonl takes: same bytes, same times"""
    records = some_records(3)
    run("append", f"{tmp}/s", "-i", "len32", input=framed(records))
    text = out("read", f"{tmp}/s", "-o", "jsonl")
    run("append", f"{tmp}/t", "-i", "jsonl", input=text)
    equal(out("read", f"{tmp}/t", "-o", "jsonl"), text)


@case
def json_times(tmp):
    """-i jsonl keeps the time it is given, to the nanosecond, before and after 1970"""
    times = ["2026-11-21T13:33:11.123456789Z", "1969-12-31T23:59:59.999999999Z",
             "1970-01-01T00:00:00.000000000Z", "1970-01-01T00:00:00.000000001Z",
             "2262-04-11T23:47:16.854775807Z",
             "1900-02-28T00:00:00.000000000Z", "2000-02-29T12:00:00.500000000Z"]
    text = "".join(json.dumps({"time": t, "data": t}) + "\n" for t in times)
    run("append", f"{tmp}/s", "-i", "jsonl", input=text.encode())
    got = [json.loads(line)["time"] for line in out("read", f"{tmp}/s", "-o", "jsonl").splitlines()]
    equal(got, times)
    zoned = b'{"time":"2026-11-21T15:03:11.5+01:30","data":""}\n\n {"data":"x","other":[1]}'
    run("append", f"{tmp}/t", "-i", "jsonl", input=zoned)
    first = json.loads(out("read", f"{tmp}/t", "-o", "jsonl").splitlines()[0])
    equal(first["time"], "2026-11-21T13:33:11.500000000Z")
    equal(out("read", f"{tmp}/t"), b"\nx\n")


@case
def json_times_refused(tmp):
    """a "time" that is no RFC 3339, or fits no record, is refused with its line and why"""
    for text, why in (("2026-02-30T00:00:00Z", "is not RFC 3339"), ("13:30", "is not RFC 3339"),
                      ("now", "is not RFC 3339"), ("-1h", "is not RFC 3339"),
                      ("@5", "is not RFC 3339"), ("yesterday", "is not RFC 3339"),
                      ("9999-12-31T00:00:00Z", "times go from 1677"),
                      ("0001-01-01", "times go from 1677"),
                      ("1677-09-21T00:12:43.145224192Z", "times go from 1677")):
        line = json.dumps({"data": "x", "time": text}).encode()
        result = run("append", f"{tmp}/s", "-i", "jsonl", input=b"\n" + line, status=1)
        contains(result.stderr.decode(), f'line 2: "time" ')
        contains(result.stderr.decode(), why)


@case
def json_refused(tmp):
    """a line that is no record is refused with its number, what came before is kept"""
    for number, line in enumerate([b"{", b"[]", b"{}", b'{"data":1}', b'{"data":"a","data_b64":""}',
                                   b'{"data_b64":"?"}', b'{"data_b64":"AAA"}', b'"x"', b"\xff",
                                   b'{"data":"a","time":"yesterday"}', b'{"data":"\xff"}']):
        store = f"{tmp}/{number}"
        result = run("append", store, "-i", "jsonl", input=b'{"data":"good"}\n' + line, status=1)
        contains(result.stderr.decode(), "line 2: ")
        equal(out("read", store), b"good\n")


@case
def lines_are_counted(tmp):
    """an error names the file's line, blank ones count; what is cut by -D is a record"""
    good = b'{"data":"good"}\n'
    for text, line in ((b"\n\n{", 3), (good + b"\n \n\t\r\n" + good + b"{", 6), (b"{", 1),
                       (good + b"\n" + b"x" * 700000, 3)):
        store = f"{tmp}/{len(os.listdir(tmp))}"
        said = run("append", store, "--segment-size", SMALL, "-i", "jsonl", input=text,
                   status=1).stderr.decode()
        contains(said, f"standard input: line {line}: ")
    long = b"x" * 70000
    for words, text, place in ((["-D", ";"], b"a\nb;c;" + long, "record 3"),
                               (["-i", "nul"], b"a\nb\0" + long, "record 2"),
                               (["-i", "lines"], b"\n\n\n" + long, "line 4")):
        store = f"{tmp}/{len(os.listdir(tmp))}"
        said = run("append", store, "--segment-size", SMALL, *words, input=text,
                   status=1).stderr.decode()
        contains(said, f"standard input: {place}: ")


@case
def line_larger_than_a_segment(tmp):
    """a line larger than a segment is refused with limit and line; all before it is durable"""
    text = lines_of(500) + b"x" * 10_000_000 + b"\nnever\n"
    result = run("append", f"{tmp}/s", "--segment-size", SMALL, input=text, status=1)
    said = result.stderr.decode()
    contains(said, "line 501: ")
    contains(said, "largest record of this store is 6")
    contains(said, "durable up to record 500")
    equal(out("read", f"{tmp}/s"), lines_of(500))
    run("append", f"{tmp}/s", input=b"on\n")
    equal(out("read", f"{tmp}/s"), lines_of(500) + b"on\n")


@case
def largest_line(tmp):
    """the limit that is named is exact: that long is taken, one more is not"""
    said = run("append", f"{tmp}/s", "--segment-size", SMALL, input=b"x" * 70000,
               status=1).stderr.decode()
    limit = int(said.split("largest record of this store is ")[1].split()[0])
    run("append", f"{tmp}/s", input=b"y" * limit + b"\n")
    run("append", f"{tmp}/s", input=b"y" * (limit + 1) + b"\n", status=1)
    equal(out("read", f"{tmp}/s"), b"y" * limit + b"\n")


@case
def rolls(tmp):
    """lines over many segments come back, also from several appends"""
    text = lines_of(30000, width=40)
    cut = len(text) // 41 // 3 * 41
    run("append", f"{tmp}/s", "--segment-size", SMALL, input=text[:cut])
    run("append", f"{tmp}/s", input=text[cut:])
    equal(hashlib.sha256(out("read", f"{tmp}/s")).digest(), hashlib.sha256(text).digest())
    equal(len(out("read", f"{tmp}/s", "-r")), len(text))


@case
def batches(tmp):
    """--batch keeps every record, the last batch may be short"""
    for size in (1, 7, 100, 5000):
        run("append", f"{tmp}/{size}", "--batch", size, "--segment-size", SMALL * 16,
            input=lines_of(1234))
        equal(out("read", f"{tmp}/{size}"), lines_of(1234))


@case
def batch_too_large(tmp):
    """a batch that does not fit a segment is refused whole"""
    result = run("append", f"{tmp}/s", "--batch", 1000, "--segment-size", SMALL,
                 input=lines_of(1000) + lines_of(1000, width=90), status=1)
    contains(result.stderr.decode(), "durable up to record 1000")
    equal(out("read", f"{tmp}/s"), lines_of(1000))


@case
def sync_modes(tmp):
    """each --sync keeps every record"""
    for mode in ("none", "batch", "each", "interval", "interval=1ms"):
        run("append", f"{tmp}/{mode}", "--sync", mode, input=lines_of(300))
        equal(out("read", f"{tmp}/{mode}"), lines_of(300))


@case
def creation(tmp):
    """--segment-size and --mode are those of the store, later ones change nothing"""
    run("append", f"{tmp}/s", "--segment-size", "128K", "--mode", "0640", input=b"a\n",
        preexec_fn=lambda: os.umask(0))
    got = json.loads(out("info", f"{tmp}/s", "-o", "json"))
    equal((got["segment_bytes"], got["file_mode"]), (131072, "0640"))
    equal(os.stat(f"{tmp}/s/0000000001.log").st_mode & 0o7777, 0o640)
    result = run("append", f"{tmp}/s", "--segment-size", "256K", input=b"b\n")
    contains(result.stderr.decode(), "--segment-size is not used")
    for bad in (["--segment-size", "1"], ["--segment-size", "5G"], ["--segment-size", "100000"],
                ["--mode", "0777"], ["--mode", "x"]):
        complaint("append", f"{tmp}/t", *bad, status=2)
    assert not os.path.exists(f"{tmp}/t")


main()
