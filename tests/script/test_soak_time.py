#!/usr/bin/python3
"""A soak ends when its time is over, also where a round of the method would take far longer.

Usage: test_soak_time.py BUILD
"""

import json
import os
import subprocess
import sys

SOAK = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "crash", "soak")
# The whole matrix of damage takes minutes, and so do 500 kills.
METHODS = ("damage", "kill", "nth", "full-disk")


def main():
    print("1..1")
    command = [SOAK, "--build", sys.argv[1], "--minutes", "0.1", "--seed", "1", *METHODS]
    result = subprocess.run(command, capture_output=True, text=True, timeout=150, check=False)
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    good = (result.returncode == 0 and len(lines) == len(METHODS) + 1 and
            lines[-1]["lost"] == 0 and "in its time" in result.stderr)
    print(f"{'' if good else 'not '}ok 1 - six seconds of four methods end in time, and it is said")
    if not good:
        print(f"# {result}")
    return not good


sys.exit(main())
