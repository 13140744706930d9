#!/usr/bin/python3
"""Numbers, sizes, durations and times as they are written on the command line."""

import datetime
import json
import os

from support import SMALL, case, complaint, contains, equal, lines_of, main, out, run

UTC = datetime.timezone.utc


def read_all(store, *words, **options):
    return out("read", store, *words, **options).split()


@case
def whole_decimal_numbers(tmp):
    """a number is decimal digits and nothing else, wherever one is wanted"""
    store = f"{tmp}/s"
    run("append", store, input=lines_of(20))
    equal(len(read_all(store, "-n", "010")), 10)
    equal(out("get", store, "007"), b"7")
    for bad in ("", " ", " 1", "1 ", "+1", "0x2", "1e1", "1.", "1.0", "٣", "18446744073709551616"):
        for words in (["read", store, "-n", bad], ["read", store, "--from", bad],
                      ["read", store, "--to", bad], ["get", store, bad],
                      ["append", f"{tmp}/t", "--batch", bad], ["trim", store, "--before", bad],
                      ["trim", store, "--keep-count", bad], ["mem", store, "--pid", bad]):
            complaint(*words, status=2)
    for words in (["read", store, "-n", "-1"], ["append", f"{tmp}/t", "--batch", "0"],
                  ["append", f"{tmp}/t", "--batch", "16777217"]):
        complaint(*words, status=2)
    for bad in ("", "0640x", "0x1a0", "640 ", "0648", "-0640", "+0640", "100640"):
        complaint("append", f"{tmp}/t", "--mode", bad, status=2)
    equal(os.listdir(tmp), ["s"])


@case
def from_the_end(tmp):
    """-N of a log that has no so many: no record to get, none up to it, all of them from it"""
    store = f"{tmp}/s"
    run("append", store, input=lines_of(3))
    equal(out("get", store, "--", "-3"), b"1")
    line = complaint("get", store, "--", "-4", status=1)
    contains(line, "no record -4, there are 3")
    equal(run("get", store, "--", "-4", "-1", status=1).stdout, b"3")
    equal(read_all(store, "--from=-4"), [b"1", b"2", b"3"])
    equal(read_all(store, "--to=-3"), [b"1"])
    equal(read_all(store, "--to=-4"), [])
    equal(read_all(store, "-r", "--to=-4"), [])
    for verb in ("warm", "evict"):
        contains(out(verb, store, "-b", "--", "-4"), b"0 ")
        contains(out(verb, store, "-b", "--", "..-4"), b"0 ")
        run(verb, store, "--", "-9..-1")


@case
def sizes(tmp):
    """a size takes units of either case, and fractions exactly"""
    for text, wanted in (("64k", 65536), ("64K", 65536), ("64KiB", 65536), ("65536", 65536),
                         ("65536B", 65536), ("0.125m", 131072), ("0.0625M", 65536),
                         ("0.0009765625g", 1 << 20), ("4G", 4 << 30)):
        store = f"{tmp}/{text}"
        run("append", store, "--segment-size", text)
        equal(json.loads(out("info", store, "-o", "json"))["segment_bytes"], wanted, text)
    for bad in ("", "k", "64 k", "64kk", "64KB", "-64k", "64.k", ".5M", "1e6", "64k ", "9999999T"):
        complaint("append", f"{tmp}/none", "--segment-size", bad, status=2)


def store_of_times(tmp, *times):
    """Records that hold and carry these times."""
    text = "".join(json.dumps({"data": t, "time": t}) + "\n" for t in times)
    run("append", f"{tmp}/s", "-i", "jsonl", input=text.encode())
    return f"{tmp}/s"


@case
def exact_times(tmp):
    """a time on the command line is the one that is written, to the nanosecond"""
    ns = datetime.timedelta(seconds=1)
    for text, wanted in (("2026-03-29 01:00", "2026-03-29T01:00:00"),
                         ("2026-03-29T01:00Z", "2026-03-29T01:00:00"),
                         ("2026-03-29t01:00:07.5z", "2026-03-29T01:00:07.500000000"),
                         ("2026-03-29 01:00+01:30", "2026-03-28T23:30:00"),
                         ("2026-03-29T01:00:00-23:59", "2026-03-30T00:59:00"),
                         ("2024-02-29", "2024-02-29T00:00:00"),
                         ("2000-02-29+01:00", "2000-02-28T23:00:00"),
                         ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00"),
                         ("1677-09-21T00:12:44Z", "1677-09-21T00:12:44"),
                         ("2262-04-11T23:47:16.854775807Z", "2262-04-11T23:47:16.854775807"),
                         ("@0", "1970-01-01T00:00:00"),
                         ("@0.000000001", "1970-01-01T00:00:00.000000001"),
                         ("1969-12-31T23:59:59.999999999Z", "1969-12-31T23:59:59.999999999")):
        os.makedirs(f"{tmp}/{text}")
        store = store_of_times(f"{tmp}/{text}", f"{wanted}Z")
        equal(len(read_all(store, "-S", text)), 1, text)
        equal(len(read_all(store, "-U", text)), 1, text)
        later = (datetime.datetime.fromisoformat(wanted[:19]) + ns).isoformat()
        if later < "2262-04-11T23:47:16":
            equal(len(read_all(store, "-S", f"{later}Z")), 0, text)


@case
def no_such_times(tmp):
    """days, times and zones that there are not are refused, with a range error where that is why"""
    store = f"{tmp}/s"
    run("append", store, input=b"a\n")
    for bad in ("2026-02-30", "2026-02-29", "1900-02-29", "2026-04-31", "2026-00-01", "2026-13-01",
                "2026-01-00", "0000-01-01", "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z",
                "2026-01-01T12:30:60Z", "2026-01-01T00:00:61Z", "2026-01-01T00:00:00.Z",
                "2026-01-01T00:00:00+99:99", "2026-01-01T00:00:00+24:00",
                "2026-01-01T00:00:00+01:60", "2026-01-01T00:00:00++1:00",
                "2026-01-01T00:00:00+1:00", "2026-01-01T00:00:00+01:0",
                "2026-01-01T00:00:00 +01:00", "2026-01-01T00:00:00+01:00x", "2026- 3-29",
                "2026-+3-29", "2026-03-29T", "2026-03-29T01", "2026-03-29T+1:00",
                "2026-03-29 1:00", "+1:00", "1:00", "24:00", "12:60", "12:00Z", "tomorrow-ish",
                "Yesterday", "", "@", "@-1", "@1.", "@x", "-", "-1", "-h", "--1h", "-1h30",
                "-1h 30m", "-1h30mm", "-.5h"):
        for option in ("-S", "-U"):
            complaint("read", store, option, bad, status=2)
    for far in ("0001-01-01", "1677-09-21T00:12:43Z", "2262-04-11T23:47:17Z", "9999-12-31",
                "2262-04-11T23:47:16.854775808Z", "@9223372037", "@99999999999999999999999",
                "-99999w", "-106752d", "-100000d100000d", "-99999999999999999999999s"):
        for option in ("-S", "-U"):
            line = complaint("read", store, option, far, status=2)
            contains(line, "times go from 1677-")


@case
def words_for_times(tmp):
    """now, today, yesterday, HH:MM and durations of several units are times before now"""
    now = datetime.datetime.now(UTC)
    if now.hour == 23 and now.minute >= 58:  # midnight must not come between
        from support import Skip
        raise Skip("near midnight")
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    day, hour, second = (datetime.timedelta(**{n: 1}) for n in ("days", "hours", "seconds"))
    store = store_of_times(tmp, *(t.isoformat() for t in sorted((
        today - day - second, today - day, today - second, today, now - 10 * second))))
    count = {}
    for text in ("yesterday", "today", "00:00", "00:00:00", "-11s", "-0.003h", "-1h30m", "-1m0.5s",
                 "-2d1h", "now", f"{now:%H:%M}"):
        count[text] = len(read_all(store, "-S", text))
    near = 2 if today > now - 10 * second else 1
    equal(count["yesterday"], 4)
    for text in ("today", "00:00", "00:00:00"):
        equal(count[text], 2, text)
    for text in ("-11s", "-0.003h", "-1m0.5s"):
        assert count[text] >= near, (text, count)
    equal(count["now"], 0)
    assert count["-2d1h"] == 5, count
    assert 1 <= count["-1h30m"] <= 3, count
    for text in ("-1ns", "-1us", "-1ms", "-1min", "-1w"):
        read_all(store, "-U", text)


@case
def durations(tmp):
    """a duration of several units is their sum, wherever one is wanted"""
    run("append", f"{tmp}/s", "--segment-size", SMALL, input=lines_of(2000, width=90))
    equal(int(out("trim", f"{tmp}/s", "--dry-run", "--keep-time", "1h30m")), 1)
    equal(int(out("trim", f"{tmp}/s", "--dry-run", "--keep-time", "1w2d3h4min5.5s6ms7us8ns")), 1)
    for bad in ("", "1", "h", "1h30", "1 h", "1x", "1h-1m", "400000w", "200000w200000w"):
        complaint("trim", f"{tmp}/s", "--keep-time", bad, status=2)
    run("append", f"{tmp}/t", "--sync", "interval=0.001s500us", input=b"a\n")


@case
def greatest(tmp):
    """sizes and durations go to the last one that 63 bits hold, and no further"""
    store = f"{tmp}/s"
    run("append", store, input=b"a\n")
    for most, more in (("--keep-size=9223372036854775807", "--keep-size=9223372036854775808"),
                       ("--keep-size=8388607.9999T", "--keep-size=8388608T"),
                       ("--keep-time=106751d", "--keep-time=106752d"),
                       ("--keep-time=9223372036.854775807s", "--keep-time=9223372036.854775808s"),
                       ("--keep-time=106751d23h47m16.854775807s", "--keep-time=106751d23h47m17s")):
        equal(out("trim", store, "--dry-run", most), b"1\n", most)
        complaint("trim", store, "--dry-run", more, status=2)


main()
