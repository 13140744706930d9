#!/usr/bin/python3
"""The drill of the service finds what a tool does wrong: a few seconds with each fault.

Usage: test_drill.py LIBCLOCK     the tool is $LOGSTORE
"""

import json
import os
import subprocess
import sys
import tempfile

SERVICE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "service")
TOOL = os.path.abspath(os.environ["LOGSTORE"])
# The words of the tool as the drill gives them: append STORE ..., read -f -o short --cursor-file K
# STORE, verify STORE.
FAULTS = {
    "twice": 'case "$1 $2" in "read -f")'  # the first record, then it again with the others
             'until {tool} read -o short -n 1 "$7" 2>/dev/null | grep .; do sleep 0.1; done;'
             'set -- read -f -o short "$7";; esac; exec {tool} "$@"',
    "lost": 'case "$1 $2" in "read -f") set -- "$@" -v -g "^[0-9]*7 ";; esac; exec {tool} "$@"',
    "invented": 'case $1 in read) set -- "$@" --redact=f;; esac; exec {tool} "$@"',
    "unsound": 'case $1 in verify) exit 1;; esac; exec {tool} "$@"',
    "died": 'case "$1 $2" in "read -f") exit 3;; esac; exec {tool} "$@"',
}


def drill(folder, shim, fault):
    path = os.path.join(folder, "wrapper")
    with open(path, "w", encoding="utf-8") as file:
        file.write("#!/bin/sh\n" + fault.format(tool=TOOL) + "\n")
    os.chmod(path, 0o755)
    return subprocess.run([sys.executable, SERVICE, "--minutes", "0.08", "--seed", "1", "--dir",
                           folder, "--tool", path, "--shim", shim, "--wait", "3"],
                          capture_output=True, text=True, timeout=280, check=False)


def main():
    print(f"1..{len(FAULTS)}")
    failed = 0
    for number, (kind, fault) in enumerate(FAULTS.items(), 1):
        with tempfile.TemporaryDirectory(prefix="logstore-drill-") as folder:
            result = drill(folder, os.path.abspath(sys.argv[1]), fault)
        name = f"{number} - a tool with a fault of the kind {kind}"
        if result.returncode == 77:
            print(f"ok {name} # SKIP {result.stderr.strip().splitlines()[-1]}", flush=True)
            continue
        good = result.returncode == 1 and json.loads(result.stdout.splitlines()[-1])[kind] > 0
        failed += not good
        print(f"{'' if good else 'not '}ok {name} is found", flush=True)
        if not good:
            print("# " + str(result)[:3000].replace("\n", "\n# "), flush=True)
    return failed > 0


sys.exit(main())
