#!/usr/bin/python3
"""docs/TOOL.md says what the tool says of itself: verbs, arguments, options, and its examples."""

import os
import re
import subprocess

from support import TOOL, case, equal, main, out

MANUAL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "docs", "TOOL.md")

with open(MANUAL, encoding="utf-8") as file:
    TEXT = file.read()


def verbs():
    """(name, arguments, summary) of each row of the tool's own help."""
    for line in out("help").decode().splitlines():
        found = re.fullmatch(r"  (\w+) +((?:URL )?DIR.*?)  +(.+)|"
                             r"  (\w+) +((?:URL )?DIR\S*) (.+)", line)
        if found:
            yield [part for part in found.groups() if part]


@case
def rows(tmp):
    """the table of verbs is the tool's own"""
    wanted = [[name, arguments.replace("|", "\\|"), summary]
              for name, arguments, summary in verbs()]
    row = re.compile(r"^\| \[(\w+)\]\(.+?\) \| `(.+?)` \| (.+) \|$", re.M)
    got = [list(columns) for columns in row.findall(TEXT)]
    equal(got, wanted)


@case
def options(tmp):
    """every option of every verb is in that verb's part"""
    for name, _, _ in verbs():
        options = re.split("Store:|With a URL:|Help:", out("help", name).decode())[0]
        mine = set(re.findall(r"^  (?:-., |    )--([a-z-]+)", options, re.M))
        assert mine, options
        heading = next(h for h in re.findall(r"^## (.+)$", TEXT, re.M) if name in h.split())
        part = TEXT.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
        equal(mine - set(re.findall(r"--([a-z][a-z-]*)", part)), set(),
              f"{name}: not in the manual:")


@case
def url_options(tmp):
    """every option that goes with a URL is in the part about URLs"""
    part = TEXT.split("\n## URLs\n", 1)[1].split("\n## ", 1)[0]
    for name, arguments, _ in verbs():
        if "|URL" in arguments:
            told = re.split("With a URL:|Help:", out("help", name).decode())[1]
            mine = set(re.findall(r"^ +--([a-z-]+)", told, re.M))
            assert "endpoint" in mine, told
            equal(mine - set(re.findall(r"--([a-z][a-z-]*)", part)), set(), f"{name}:")


@case
def example(tmp):
    """the first example does what it says"""
    block = re.search(r"```sh\n(.+?)```", TEXT, re.S)[1]
    with open(f"{tmp}/file", "wb") as file:
        file.write(b"one\ntwo\n")
    script = 'logstore() { "$LOGSTORE" "$@"; }\n' + block
    got = subprocess.run(["sh", "-ec", script], cwd=tmp, capture_output=True, check=True,
                         env={**os.environ, "LOGSTORE": os.path.abspath(TOOL)}).stdout
    equal(got, b"one\ntwo\n")


main()
