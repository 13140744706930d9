#!/usr/bin/python3
"""The fuzzer of the tool finds what a tool does wrong, each kind of it."""

import os
import subprocess
import sys

from support import TOOL, Skip, case, contains, equal, main

FUZZ = os.path.join(os.path.dirname(os.path.abspath(__file__)), "fuzz")
# Only where the fuzzer calls it in a root of its own, which has /reports.
WRAPPER = """#!/bin/sh
[ -d /reports ] || exec {tool} "$@"
{wrong}
"""


def fuzz(tmp, wrong):
    """A few cases of a tool with that fault: the status and what is said."""
    path = f"{tmp}/wrapper"
    with open(path, "w", encoding="utf-8") as file:
        file.write(WRAPPER.format(tool=os.path.abspath(TOOL), wrong=wrong.format(
            tool=os.path.abspath(TOOL))))
    os.chmod(path, 0o755)
    result = subprocess.run([sys.executable, FUZZ, "--tool", path, "--seed", "1", "--minutes",
                             "0.05"], capture_output=True, text=True, timeout=100, check=False)
    if result.returncode == 77:
        raise Skip(result.stderr.strip().splitlines()[-1])
    if os.stat(TOOL).st_dev != os.stat("/").st_dev:
        raise Skip("the tool is not on the file system of the root")
    return result


@case
def finds(tmp):
    """what is made or changed outside, a wrong status, silence, talk in the output, a sanitizer"""
    table = (
        ('{tool} "$@"; r=$?; : >/world/evil; exit $r', "evil was None"),
        ('{tool} "$@"; r=$?; echo x >>/world/precious; exit $r', "precious was"),
        ('{tool} "$@"; r=$?; /bin/rm -f /world/folder/precious; exit $r', "folder/precious was"),
        ('{tool} "$@"; r=$?; : >/etc/evil; exit $r', "/etc/evil was"),
        ('{tool} "$@"; r=$?; echo x >>/etc/passwd; exit $r', "/etc/passwd was"),
        ('{tool} "$@"; r=$?; echo x >>/world/s/control; exit $r', "s/control was"),
        ('case $1 in append) echo x >/world/s/0000000001.log;; esac; exec {tool} "$@"',
         "the store was harmed"),
        ('exit 9', "status 9"),
        ('exec {tool} "$@" 2>/dev/null', "without a message"),
        ('exec {tool} "$@" 2>&1', "usage, and output"),
        ('exec {tool} "$@" 2>&1', "a message in the output"),
        ('kill -SEGV $$', "status -11"),
        ('echo runtime error >/reports/r.$$; exec {tool} "$@"', "a sanitizer said: runtime error"),
        ("echo 'hello\033' >&2; exit 3", "a raw byte in messages"),
    )
    for wrong, found in table:
        result = fuzz(tmp, wrong)
        equal(result.returncode, 1, wrong)
        contains(result.stderr, found)
        contains(result.stderr, "again: tests/tool/fuzz --tool ")


main()
