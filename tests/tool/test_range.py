#!/usr/bin/python3
"""Which records read prints: by number, by time, by pattern, forward and backward."""

import datetime
import json
import os
import subprocess

from support import SMALL, case, complaint, contains, equal, lines_of, main, out, run

COUNT = 3000  # several segments


def store_of_numbers(tmp):
    run("append", f"{tmp}/s", "--segment-size", SMALL, input=lines_of(COUNT, width=60))
    return f"{tmp}/s"


def numbers(store, *words):
    return [int(line) for line in out("read", store, *words).splitlines()]


@case
def by_number(tmp):
    """--from and --to take numbers, first, last and -N, both ends included"""
    store = store_of_numbers(tmp)
    for words, first, last in (
            ([], 1, COUNT), (["--from", "1"], 1, COUNT), (["--from", "first"], 1, COUNT),
            (["--from", "last"], COUNT, COUNT), (["--from", "-1"], COUNT, COUNT),
            (["--from", "-10"], COUNT - 9, COUNT), (["--from", "-1000000"], 1, COUNT),
            (["--from", COUNT], COUNT, COUNT), (["--to", "5"], 1, 5), (["--to", "first"], 1, 1),
            (["--to", "-3"], 1, COUNT - 2), (["--to", COUNT + 10], 1, COUNT),
            (["--from", "1200", "--to", "1300"], 1200, 1300), (["--from=7", "--to=7"], 7, 7),
            (["--from", "8", "--to", "7"], 8, 7)):
        equal(numbers(store, *words), list(range(first, last + 1)), words)
        equal(numbers(store, "-r", *words), list(range(last, first - 1, -1)), ["-r", *words])


@case
def by_count(tmp):
    """-n ends after so many records, from either end"""
    store = store_of_numbers(tmp)
    equal(numbers(store, "-n", "3"), [1, 2, 3])
    equal(numbers(store, "-n", "0"), [])
    equal(numbers(store, "-r", "-n", "2"), [COUNT, COUNT - 1])
    equal(numbers(store, "--from", "-2", "-n", "5"), [COUNT - 1, COUNT])
    equal(numbers(store, "-n", COUNT * 2), list(range(1, COUNT + 1)))


@case
def by_pattern(tmp):
    """-g prints what matches an extended expression, and -n counts only that"""
    store = store_of_numbers(tmp)
    wanted = [n for n in range(1, COUNT + 1) if str(n).endswith(("17", "42"))]
    equal(numbers(store, "-g", "(17|42)$"), wanted)
    equal(numbers(store, "-g", "(17|42)$", "-n", "3"), wanted[:3])
    equal(numbers(store, "-g", "(17|42)$", "-r", "-n", "2"), wanted[:-3:-1])
    equal(numbers(store, "-g", "nothing"), [])


@case
def pattern_beyond_zero_bytes(tmp):
    """-g looks behind zero bytes, and at bytes that are no text"""
    run("append", f"{tmp}/s", "-i", "nul", "-D", "|", input=b"a\0b|a\0c|\xff\xfe\0b|b\n")
    equal(out("read", f"{tmp}/s", "-g", "b", "-o", "raw"), b"a\0b\xff\xfe\0bb\n")
    equal(out("read", f"{tmp}/s", "-g", "^b", "-o", "raw"), b"b\n")


def timed(tmp, *seconds):
    """A store whose records hold and carry these times, in seconds."""
    text = "".join(json.dumps({"data": str(s), "time": f"2026-01-01T00:00:{s:02}Z"}) + "\n"
                   for s in seconds)
    run("append", f"{tmp}/s", "-i", "jsonl", input=text.encode())
    return f"{tmp}/s"


@case
def by_time(tmp):
    """--since and --until include what has exactly that time"""
    store = timed(tmp, 10, 20, 20, 30, 40)
    day = "2026-01-01T00:00:"
    for words, wanted in (
            (["-S", day + "20Z"], [20, 20, 30, 40]), (["-U", day + "20Z"], [10, 20, 20]),
            (["-S", day + "20.000000001Z"], [30, 40]), (["-U", day + "19.999999999Z"], [10]),
            (["-S", day + "20Z", "-U", day + "30Z"], [20, 20, 30]), (["-S", day + "50Z"], []),
            (["-U", day + "05Z"], []), (["-S", "2026-01-01"], [10, 20, 20, 30, 40]),
            (["-S", "2026-01-01T01:00:25+01:00"], [30, 40]), (["-S", "now"], []),
            (["-U", "2026-01-01 00:00:25"], [10, 20, 20]), (["-S", "@1767225625"], [30, 40]),
            (["-S", "@1767225620.5"], [30, 40]), (["-U", "-1s"], [10, 20, 20, 30, 40]),
            (["-S", day + "20Z", "--from", "4"], [30, 40]),
            (["-S", day + "20Z", "--to", "2"], [20])):
        equal(numbers(store, *words), wanted, words)
        equal(numbers(store, "-r", *words), wanted[::-1], ["-r", *words])


@case
def by_own_time(tmp):
    """--own-time asks each record: one from 2099 hides nothing that comes after it"""
    day = "2026-01-01T00:00:"
    store = timed(tmp, 10, 20)
    far = b'{"data":"99","time":"2099-01-01T00:00:00Z"}\n'
    run("append", store, "-i", "jsonl", input=far)
    store = timed(tmp, 30, 20, 40)
    equal(numbers(store, "-U", day + "40Z"), [10, 20])
    for words, wanted in ((["-S", day + "20Z"], [20, 99, 30, 20, 40]),
                          (["-U", day + "30Z"], [10, 20, 30, 20]),
                          (["-S", day + "20.000000001Z", "-U", day + "39Z"], [30]),
                          (["-S", day + "41Z", "-U", day + "50Z"], []),
                          (["-S", day + "20Z", "--from", "4", "--to", "5"], [30, 20]),
                          (["-U", day + "30Z", "-n", "3", "-g", "0"], [10, 20, 30])):
        equal(numbers(store, "--own-time", *words), wanted, words)
        if "-n" not in words:
            equal(numbers(store, "--own-time", "-r", *words), wanted[::-1], ["-r", *words])
    complaint("read", store, "--own-time", status=2)


@case
def by_pattern_as_grep_does(tmp):
    """-i, -v and -c are grep's"""
    lines = [b"Error: a", b"error: b", b"fine", b"", b"ERROR"]
    run("append", f"{tmp}/s", input=b"\n".join(lines) + b"\n")
    for words in (["-g", "error"], ["-g", "error", "-i"], ["-g", "error", "-v"], ["-g", "^$", "-v"],
                  ["-ivg", "ERROR"], ["-g", "[[:upper:]]", "-i"], ["-g", ""], ["-vg", ""]):
        options = [w.replace("g", "e") if w.startswith("-") else w for w in words]
        grep = subprocess.run(["grep", "-E", "-a", *options], input=b"\n".join(lines) + b"\n",
                              capture_output=True, env={"LC_ALL": "C"}).stdout
        equal(out("read", f"{tmp}/s", *words), grep, words)
        equal(out("read", f"{tmp}/s", "-c", *words), b"%d\n" % grep.count(b"\n"), words)
    equal(out("read", f"{tmp}/s", "-c"), b"5\n")
    equal(out("read", f"{tmp}/s", "-c", "--from", "4"), b"2\n")
    equal(out("read", f"{tmp}/s", "-c", "-r", "-n", "3"), b"3\n")
    equal(out("read", f"{tmp}/s", "-c", "--redact", "e"), b"5\n")
    equal(out("read", f"{tmp}/s", "-g", "error", "-i", "-v", "-z"), b"fine\0\0")
    for words in (["-i"], ["-v"], ["-c", "-f"], ["-c", "--cursor-file", f"{tmp}/c"],
                  ["-c", "-o", "jsonl"], ["-c", "-z"]):
        complaint("read", f"{tmp}/s", *words, status=2)


@case
def in_the_local_zone(tmp):
    """--local-time prints times with the zone's offset and reads what has no zone in it"""
    times = ["2026-03-29T00:59:59.999999999Z", "2026-03-29T01:00:00.000000000Z",
             "2026-07-01T12:00:00.000000000Z", "1930-01-01T00:00:00.000000000Z"]
    text = "".join(json.dumps({"data": t, "time": t}) + "\n" for t in times)
    run("append", f"{tmp}/s", "-i", "jsonl", input=text.encode())
    for zone, offsets in (("CET-1CEST,M3.5.0,M10.5.0/3", ["+01:00", "+02:00", "+02:00", "+01:00"]),
                          ("XXX12:30", ["-12:30"] * 4), ("YYY-0:00:30", ["+00:00"] * 4)):
        env = {**os.environ, "TZ": zone}
        short = out("read", f"{tmp}/s", "-o", "short", "--local-time", env=env).decode()
        for line, time, offset in zip(short.splitlines(), times, offsets, strict=True):
            assert line.split()[0].endswith(offset), line
            local, fraction = line.split()[0].split(".")
            instant = datetime.datetime.fromisoformat(local + offset)
            equal(instant, datetime.datetime.fromisoformat(time[:19] + "+00:00"), line)
            equal(fraction[:9], time[20:29])
        lines = out("read", f"{tmp}/s", "-o", "jsonl", "--local-time", env=env)
        os.makedirs(f"{tmp}/{zone}".replace("/3", "-3"), exist_ok=True)
        back = f"{tmp}/{zone}".replace("/3", "-3") + "/back"
        run("append", back, "-i", "jsonl", input=lines)
        equal(out("read", back, "-o", "jsonl"), out("read", f"{tmp}/s", "-o", "jsonl"))
    env = {**os.environ, "TZ": "CET-1CEST,M3.5.0,M10.5.0/3"}
    for words, wanted in ((["-S", "2026-03-29 03:00"], 3), (["-S", "2026-03-29 03:00Z"], 2),
                          (["-S", "2026-03-29"], 4), (["-S", "2026-07-01T14:00:00"], 2)):
        got = out("read", f"{tmp}/s", "--local-time", *words, env=env)
        equal(len(got.splitlines()), wanted, words)
    complaint("read", f"{tmp}/s", "--local-time", "-S", "2026-03-29 02:30", status=2, env=env)
    midnight = {**os.environ, "TZ": "XXX3YYY,M3.5.0/0,M10.5.0/0"}  # there is no 2026-03-29 00:00
    equal(out("read", f"{tmp}/s", "--local-time", "-S", "2026-03-29", "-n", "1", env=midnight),
          times[2].encode() + b"\n")
    complaint("read", f"{tmp}/s", "--local-time", "-S", "2026-03-29 00:30", status=2, env=midnight)
    for word in ("today", "yesterday", "00:00"):
        out("read", f"{tmp}/s", "--local-time", "-S", word, env=env)
    segments = json.loads(out("segments", f"{tmp}/s", "-o", "json", "--local-time", env=env))
    created = segments[0]["created"]
    assert created.endswith(("+01:00", "+02:00")), created
    contains(out("get", f"{tmp}/s", "1", "-o", "short", "--local-time", env=env),
             b"01:59:59.999999999+01:00 1 ")


@case
def short_lines(tmp):
    """-o short prints time, number and text"""
    store = timed(tmp, 10, 20)
    wanted = b"2026-01-01T00:00:10.000000000Z 1 10\n2026-01-01T00:00:20.000000000Z 2 20\n"
    equal(out("read", store, "-o", "short"), wanted)
    equal(out("read", store, "-o", "short", "-z"), wanted.replace(b"\n", b"\0"))
    equal(out("get", store, "2", "-o", "short"), wanted[36:])


@case
def clocks_go_back(tmp):
    """by time one stretch is selected: from where T was reached to where it was passed"""
    store = timed(tmp, 10, 30, 20, 40, 35, 50)
    day = "2026-01-01T00:00:"
    equal(numbers(store, "-S", day + "30Z"), [30, 20, 40, 35, 50])
    equal(numbers(store, "-U", day + "30Z"), [10, 30, 20])
    equal(numbers(store, "-S", day + "31Z", "-U", day + "40Z"), [40, 35])


@case
def after_trim(tmp):
    """the first record is the first that is left"""
    store = store_of_numbers(tmp)
    first = int(out("trim", store, "--before", "2000"))
    assert 1000 < first <= 2000, first
    equal(numbers(store), list(range(first, COUNT + 1)))
    equal(numbers(store, "--from", "first", "-n", "1"), [first])
    equal(numbers(store, "--from", "-1000000", "-n", "1"), [first])
    result = run("read", store, "--from", first - 1, status=1)
    contains(result.stderr.decode(), f"the first is {first}")


@case
def get_in_any_order(tmp):
    """get prints records in the order asked for, as raw bytes unless told otherwise"""
    store = store_of_numbers(tmp)
    equal(out("get", store, "3000", "1", "-o", "text"), b"%060d\n%060d\n" % (3000, 1))
    equal(out("get", store, "2"), b"%060d" % 2)
    equal(out("get", store, "first", "last"), b"%060d%060d" % (1, COUNT))
    equal(out("get", store, "--", "-2"), b"%060d" % (COUNT - 1))
    equal(json.loads(out("get", store, "77", "-o", "jsonl"))["number"], 77)


main()
