#!/usr/bin/python3
"""Rules for every line of verify and repair, on every kind of damage, dry and applied."""

import os
import re
import shutil
import subprocess

from support import SMALL, case, command, main, run

SECTOR, FRAMES = 512, 4224


def names(store):
    return sorted(name for name in os.listdir(store) if name.endswith(".log"))


def records(count, first=1):
    return b"".join(b"%0200d\n" % number for number in range(first, first + count))


def make(tmp):
    """Four segments or so; the last is the head, with room behind its records."""
    store = f"{tmp}/s"
    run("append", "--segment-size", SMALL, store, input=records(1000))
    return store


def write(store, name, at, data):
    with open(f"{store}/{name}", "r+b") as file:
        file.seek(at)
        file.write(data)


def garble(place):
    def harm(store, name):
        with open(f"{store}/{name}", "r+b") as file:
            file.seek(place)
            byte = file.read(1)
            file.seek(place)
            file.write(bytes([byte[0] ^ 0x55]))
    return harm


def frame(store, name):
    """In the middle of the frames."""
    with open(f"{store}/{name}", "rb") as file:
        used = len(file.read().rstrip(b"\0"))
    garble(FRAMES + (used - FRAMES) // 2)(store, name)


def zeroed(store, name):
    write(store, name, 0, bytes(os.path.getsize(f"{store}/{name}")))


def directory(store, name):
    os.unlink(f"{store}/{name}")
    os.mkdir(f"{store}/{name}")


def link(store, name):
    os.rename(f"{store}/{name}", f"{store}/elsewhere")
    os.symlink("elsewhere", f"{store}/{name}")


HARMS = {
    "lost": lambda store, name: os.unlink(f"{store}/{name}"),
    "empty": lambda store, name: os.truncate(f"{store}/{name}", 0),
    "cut in the header": lambda store, name: os.truncate(f"{store}/{name}", 700),
    "cut behind the header": lambda store, name: os.truncate(f"{store}/{name}", 4096),
    "cut amid the frames": lambda store, name: os.truncate(f"{store}/{name}", 20000),
    "zeroed": zeroed,
    "magic": garble(2),
    "version": garble(8),
    "header": garble(50),
    "seal": garble(SECTOR + 20),
    "start frame": garble(4130),
    "first frame": garble(FRAMES + 30),
    "frame": frame,
    "directory": directory,
    "link": link,
}
CONTROL = ("lost", "empty", "cut in the header", "zeroed", "magic", "header")


def harmed(tmp):
    """Each kind of damage to each place, as (what, store): made anew in one directory."""
    original = make(tmp)
    segments = names(original)
    places = {"oldest": segments[:1], "amid": segments[1:2], "newest": segments[-1:],
              "two": segments[:1] + segments[2:3], "all": segments, "newest two": segments[-2:]}
    todo = [(f"{kind}: {place}", HARMS[kind], files)
            for kind in HARMS for place, files in places.items()]
    todo += [(f"{kind}: control", HARMS[kind], ["control"]) for kind in CONTROL]
    todo += [("both slots", lambda store, name: write(store, name, SECTOR, b"x" * 1024),
              ["control"])]
    for what, harm, files in todo:
        store = f"{tmp}/harmed"
        shutil.rmtree(store, ignore_errors=True)
        shutil.copytree(original, store, symlinks=True)
        for name in files:
            harm(store, name)
        yield what, store


def said(*arguments):
    """All lines, whatever the status."""
    result = subprocess.run(command(*arguments), capture_output=True, timeout=60)
    return (result.stdout + result.stderr).decode().splitlines()


def check_line(line, store):
    assert not re.search(r"(^|: ): ?offset|^:|: :|: $", line), "an empty name"
    assert line.count(store) <= 1, "the path twice"
    for name in set(re.findall(r"\d{10}\.\w+", line)):
        assert line.count(name) == 1, "a name twice"
    assert len(re.findall(r"\bcontrol: ", line)) <= 1, "a name twice"
    assert not re.search(r"record 0\b|up to 0\b|records 0 to|\b0 numbers", line), "a record 0"
    assert not re.search(r"\bmoved? 0 B\b|\blos[et] 0 records\b", line), "nothing, in many words"
    words = line.split(": ")
    for one, other in zip(words, words[1:]):
        assert one != other, "the same twice"


def check(what, store, *arguments):
    lines = said(*arguments, store)
    for line in lines:
        try:
            check_line(line, store)
        except AssertionError as error:
            raise AssertionError(f"{what}: {' '.join(arguments)}: {error}: {line}") from error
    assert len(lines) <= 20, f"{what}: {len(lines)} lines: {lines}"


@case
def words_of_all_damages(tmp):
    """no name twice or empty, no record 0, no zeros called lost or moved, a line for a range"""
    for what, store in harmed(tmp):
        check(what, store, "verify")
        check(what, store, "repair")
        check(what, store, "repair", "--salvage", f"{tmp}/saved")
        shutil.rmtree(f"{tmp}/saved", ignore_errors=True)
        shutil.rmtree(f"{tmp}/saved.partial", ignore_errors=True)
        check(what, store, "repair", "--yes")
        check(what, store, "verify")


if __name__ == "__main__":
    main()
