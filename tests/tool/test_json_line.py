#!/usr/bin/python3
"""-i jsonl takes what it wants of a line and passes over the rest, in bounded stack and memory."""

import json
import os
import random
import resource
import subprocess

from support import case, command, contains, equal, main, out, run


def small_stack():
    resource.setrlimit(resource.RLIMIT_STACK, (128 << 10, 128 << 10))


@case
def deep(tmp):
    """2,000 levels are passed over with a small stack, a million are refused"""
    def line(depth, opening, middle, closing):
        return b'{"x":' + opening * depth + middle + closing * depth + b',"data":"a"}\n'

    shapes = ((b"[", b"", b"]"), (b'{"k":', b"0", b"}"), (b'[{"data":', b"[]", b"}]"))
    for shape in shapes:
        run("append", f"{tmp}/s", "-i", "jsonl", input=line(1000, *shape), preexec_fn=small_stack)
    run("append", f"{tmp}/s", "-i", "jsonl", input=line(2000, *shapes[0]), preexec_fn=small_stack)
    equal(out("read", f"{tmp}/s"), b"a\n" * 4)
    for shape in shapes:
        for text in (line(1000000, *shape), line(1000000, *shape).split(b",")[0]):
            result = run("append", f"{tmp}/s", "-i", "jsonl", input=text, status=1,
                         preexec_fn=small_stack)
            contains(result.stderr.decode(), "line 1: not JSON: it is nested too deep")


def most_memory(tmp, text):
    """Append @text as JSON, return the most memory that took, in bytes."""
    with open(f"{tmp}/in", "wb") as file:
        file.write(text)
    with open(f"{tmp}/in", "rb") as file:
        child = subprocess.Popen(command("append", f"{tmp}/s", "-i", "jsonl"), stdin=file)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    equal(child.returncode, 0)
    return usage.ru_maxrss * 1024


@case
def memory(tmp):
    """a line takes a few times its size in memory, whatever it holds"""
    size = 16 << 20
    least = most_memory(tmp, b'{"data":"a"}\n')
    for what, line in (("numbers", b'{"x":[' + b"0," * (size // 2) + b'0],"data":"a"}\n'),
                       ("objects", b'{"x":[' + b'{"a":{}},' * (size // 9) + b'0],"data":"a"}\n'),
                       ("members", b'{' + b'"a":1,' * (size // 6) + b'"data":"a"}\n'),
                       ("plain data", b'{"data":"' + b"a" * size + b'"}\n'),
                       ("escaped data", b'{"data":"' + b"\\n" * (size // 2) + b'"}\n'),
                       ("base64", b'{"data_b64":"' + b"AAAA" * (size // 4) + b'"}\n')):
        took = (most_memory(tmp, line) - least) / len(line)
        assert took < 6, f"{what}: {took:.1f} times its size"


@case
def others_are_passed_over(tmp):
    """other members may hold anything that is JSON"""
    for value in ("9" * 400, "-1e999", "1E-999", "0.0", r'"\u0000"', r'"\ud800"', r'"\udc00\ud800"',
                  "null", "true", "[]", "{}", "[ [ ] , { } ]", r'{"\u0000":{"data":1,"time":[]}}',
                  '{"":0,"":1}', '"' + "x" * 5000 + '"'):
        for line in ('{"other":%s,"data":"a"}\n', '{"data":"a","":%s}\n',
                     '{"data":"a","\\u0000d\\u0061t":%s}\n', ' { "data" : "a" , "da" : %s } \r\n'):
            run("append", f"{tmp}/s", "-i", "jsonl", input=(line % value).encode())
            equal(out("read", f"{tmp}/s", "--from", "last"), b"a\n", line % value)


@case
def names_with_escapes(tmp):
    """a wanted name may be spelled with escapes; of two the last counts; in others it is no name"""
    text = r'''{"d\u0061ta":"a","time":"1970-01-01T00:00:00Z","\u0074ime":"2001-01-01T00:00:00Z"}
{"data":"x","\u0064\u0061\u0074\u0061":"b\/\u00e9\ud83d\ude00\u0000"}
{"other":{"data":"x","time":5,"data_b64":"eA=="},"data_b64":"Y\u0077=="}
'''
    run("append", f"{tmp}/s", "-i", "jsonl", input=text.encode())
    records = [json.loads(line) for line in out("read", f"{tmp}/s", "-o", "jsonl").splitlines()]
    equal([record["data"] for record in records], ["a", "b/\u00e9\U0001f600\0", "c"])
    equal(records[0]["time"], "2001-01-01T00:00:00.000000000Z")


def is_json(line):
    def refuse(text):
        raise ValueError(text)

    try:
        return isinstance(json.loads(line, parse_constant=refuse, parse_int=str, parse_float=str),
                          dict)
    except ValueError:
        return False


@case
def nothing_but_json(tmp):
    """of lines that chance has changed those are taken that are JSON, and no other"""
    chance = random.Random(1)
    seed = '{"a":[1,-2.5e+3,true,{"b":"\\u00e9\\n","c":[]}],"d":{},"e":null,"data":"a"}'
    refused = 0
    taken = []
    for _ in range(3000):
        line = seed
        for _ in range(chance.randint(1, 2)):
            at = chance.randrange(len(line) - 12)
            line = line[:at] + chance.choice(["", *'{}[]",:0.e-+\\u tfn19 '])
            line += seed[at + chance.randint(0, 2):] if chance.random() < .3 else seed[at + 1:]
        if not line.rstrip().endswith('"data":"a"}'):
            continue
        if is_json(line):
            taken.append(line)
        elif refused < 150:
            refused += 1
            result = subprocess.run(command("append", f"{tmp}/r", "-i", "jsonl"),
                                    input=line.encode(), capture_output=True, timeout=60)
            equal((result.returncode, b"not JSON" in result.stderr), (1, True), line)
    run("append", f"{tmp}/s", "-i", "jsonl", input="\n".join(taken).encode())
    assert len(taken) > 100 and refused > 100, (len(taken), refused)
    equal(len(out("read", f"{tmp}/s").splitlines()), len(taken))


main()
