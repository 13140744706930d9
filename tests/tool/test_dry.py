#!/usr/bin/python3
"""A dry run changes nothing, even in a store of a killed writer, and says what would change."""

import os
import shutil
import subprocess
import time

from support import (SMALL, Skip, case, command, content, contains, equal, lines_of, main, out, run,
                     started, wait_until)

LIMITS = (["--keep-count", "3000"], ["--keep-size", "300K"], ["--keep-time", "1d"],
          ["--keep-time", "1ms"], ["--before", "5000"], ["--before", "7", "--keep-count", "1"],
          ["--before", "100000"])


def picture(directory):
    """All that a file tree says of itself, but for times of access."""
    found = []
    for path, directories, names in sorted(os.walk(directory)):
        for name in sorted(directories + names):
            full = os.path.join(path, name)
            st = os.lstat(full)
            held = b""
            if os.path.isfile(full):
                with open(full, "rb") as file:
                    held = file.read()
            found.append((full, held, st.st_mtime_ns, st.st_ctime_ns, st.st_mode, st.st_ino,
                          st.st_blocks))
    return found


def killed_store(store):
    """A store of many segments whose writer was killed."""
    with started("append", store, "--segment-size", SMALL, stdin=subprocess.PIPE) as writer:
        writer.stdin.write(lines_of(10000, width=40))
        writer.stdin.flush()
        wait_until(lambda: content(store).count(b"\n") == 10000, "the records")
        writer.kill()
        writer.wait()


@case
def changes_nothing(tmp):
    """dry runs of trim and repair leave a killed writer's store as it is, to the last byte"""
    killed_store(f"{tmp}/s")
    before = picture(tmp)
    for words in LIMITS:
        run("trim", f"{tmp}/s", "--dry-run", *words)
        equal(picture(tmp), before, words)
    run("repair", f"{tmp}/s")
    equal(picture(tmp), before, "repair")


@case
def without_the_right_to_write(tmp):
    """a dry run needs no right to write: a store on a read-only mount, in a namespace of its own"""
    killed_store(f"{tmp}/s")
    script = ('mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && shift && exec "$@"')
    result = subprocess.run(["unshare", "-rm", "sh", "-c", script, "sh", f"{tmp}/s",
                             *command("trim", f"{tmp}/s", "--dry-run", "--keep-count", "3000")],
                            capture_output=True, timeout=60)
    if b"unshare" in result.stderr or b"mount" in result.stderr:
        raise Skip("no namespace of its own")
    equal((result.returncode, result.stdout), (0, out("trim", f"{tmp}/s", "--keep-count", "3000")),
          result.stderr)


@case
def says_what_would_be(tmp):
    """what a dry run says is what the trim then says, for every kind of limit"""
    run("append", f"{tmp}/s", "--segment-size", SMALL, input=lines_of(10000, width=40))
    time.sleep(0.01)
    for number, words in enumerate(LIMITS):
        shutil.copytree(f"{tmp}/s", f"{tmp}/{number}")
        said = run("trim", f"{tmp}/{number}", "--dry-run", *words)
        done = run("trim", f"{tmp}/{number}", *words)
        equal(said.stdout, done.stdout, words)
        equal(said.stderr.replace(b"would delete", b"deleted").replace(b"would be", b"is"),
              done.stderr, words)
        if int(done.stdout) > 1:
            contains(done.stderr.decode(), "deleted ")
    assert int(said.stdout) > 9000


@case
def of_a_killed_writer(tmp):
    """of a killed writer's store it says what will be by numbers; else one segment more may go"""
    killed_store(f"{tmp}/s")
    for number, words in enumerate(LIMITS):
        shutil.copytree(f"{tmp}/s", f"{tmp}/{number}")
        said = int(out("trim", f"{tmp}/{number}", "--dry-run", *words))
        done = int(out("trim", f"{tmp}/{number}", *words))
        may_grow = words[0] in ("--keep-size", "--keep-time") or words[1] == "100000"
        equal((said <= done, said == done or may_grow), (True, True), (words, said, done))


@case
def beside_a_writer(tmp):
    """a dry run works beside a writer, which goes on"""
    with started("append", f"{tmp}/s", "--segment-size", SMALL, stdin=subprocess.PIPE) as writer:
        writer.stdin.write(lines_of(10000, width=40))
        writer.stdin.flush()
        wait_until(lambda: content(f"{tmp}/s").count(b"\n") == 10000, "the records")
        said = int(out("trim", f"{tmp}/s", "--dry-run", "--keep-count", "3000"))
        assert 5000 < said <= 7001, said
        writer.stdin.write(b"last\n")
        writer.stdin.close()
        equal(writer.wait(), 0)
    equal(out("read", f"{tmp}/s", "--from", "last"), b"last\n")
    equal(int(out("trim", f"{tmp}/s", "--keep-count", "3001")), said)


main()
