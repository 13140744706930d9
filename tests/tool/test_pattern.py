#!/usr/bin/python3
"""Patterns: no pattern breaks the tool, and no limit on its stack does."""

import resource

from support import case, complaint, contains, equal, main, needs_proc, out, run


def small_stack():
    resource.setrlimit(resource.RLIMIT_STACK, (128 << 10, 128 << 10))


@case
def deep(tmp):
    """nesting up to the longest pattern is taken, also with a small stack; longer ones are not"""
    run("append", f"{tmp}/s", input=b"a\nb\n")
    for options in (["-g"], ["--redact"]):
        for pattern in ("(" * 1900 + "a" + ")" * 1900, "(a|" * 900 + "c" + ")" * 900,
                        "(" * 600 + "a" + ")?" * 600 + "$", "(a)" * 1 + "(|" * 900 + ")" * 900):
            got = out("read", f"{tmp}/s", *options, pattern, preexec_fn=small_stack)
            equal(got.replace(b"x", b"a")[:2], b"a\n", pattern[:20])
        for pattern in ("(" * 30000 + ")" * 30000, "a" * 4097):
            contains(complaint("read", f"{tmp}/s", *options, pattern, status=2),
                     "4096 bytes at most")
    contains(complaint("copy", f"{tmp}/s", f"{tmp}/t", "--redact", "(" * 30000, status=2), "4096")


@case
def large(tmp):
    """a pattern that would be written out to gigabytes is refused, and takes no more than it may"""
    run("append", f"{tmp}/s", input=b"a\nb\n")
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    for pattern in ("((a{255}){255}){255}", "(" * 255 + "a" + "{2})" * 255,
                    "((a{1,255}){1,255}){1,9}"):
        contains(complaint("read", f"{tmp}/s", "-g", pattern, status=2), "emory")
    most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    assert most < before + (400 << 10), f"{most >> 10} MB"


@case
def backward(tmp):
    """a search without memory left says so: it is no "no match", and nothing goes out uncovered"""
    needs_proc()
    run("append", f"{tmp}/s", "--segment-size", "16M", input=b"secret" * 1000000 + b"\n")
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    for words in (["-g", r"(.*)\1"], ["-g", r"(.*)\1", "-v"], ["-c", "-g", r"(.*)\1\1\1z"],
                  ["--redact", r"(.*)\1"]):
        contains(complaint("read", f"{tmp}/s", *words, status=4), "allocate memory")
    contains(complaint("copy", f"{tmp}/s", f"{tmp}/t", "--redact", r"(.*)\1", status=4), "emory")
    most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    assert most < before + (400 << 10), f"{most >> 10} MB"
    run("append", f"{tmp}/u", input=b"abab\nabba\n")
    equal(out("read", f"{tmp}/u", "-g", r"^(..)\1$"), b"abab\n")
    equal(out("read", f"{tmp}/u", "--redact", r"(.)\1"), b"abab\naxxa\n")


main()
