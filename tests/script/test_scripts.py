#!/usr/bin/python3
"""Every script says its usage when asked or called wrongly, before it does anything."""

import os
import subprocess
import sys

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
METHODS = ("memory", "readers", "service", "tool", "crash")


def calls():
    for name in sorted(os.listdir(os.path.join(ROOT, "script"))):
        yield [f"script/{name}"]
    for method in METHODS:
        yield ["script/soak", method]


def run(words):
    return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def wrong(words):
    """What is wrong with the answers of one script, as a list."""
    found = []
    asked, misled = run([*words, "--help"]), run([*words, "--nonsense"])
    if asked.returncode != 0 or "usage:" not in asked.stdout.lower() or asked.stderr:
        found.append(f"--help: {asked}")
    if misled.returncode != 2 or "usage:" not in misled.stderr or misled.stdout:
        found.append(f"--nonsense: {misled}")
    return found


def main():
    every = list(calls())
    before = sorted(os.listdir(ROOT))
    print(f"1..{len(every) + 1}")
    failed = 0
    for number, words in enumerate(every, 1):
        faults = wrong(words)
        failed += bool(faults)
        print(f"{'not ' if faults else ''}ok {number} - {' '.join(words)} says its usage")
        for fault in faults:
            print(f"# {fault}")
    left = sorted(set(os.listdir(ROOT)) - set(before))
    failed += bool(left)
    word = "not ok" if left else "ok"
    print(f"{word} {len(every) + 1} - saying it leaves nothing behind {left or ''}")
    return failed > 0


sys.exit(main())
