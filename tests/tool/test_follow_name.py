#!/usr/bin/python3
"""read -f follows the name: a store that comes, goes, is replaced or put back."""

import contextlib
import os
import shutil
import subprocess
import time

from support import (SMALL, Skip, case, command, complaint, contains, equal, lines_of, main, out,
                     run, started)


def follower(store, *words, **options):
    return started("read", "-f", store, *words, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                   **options)


@contextlib.contextmanager
def at_the_last_of_3000(store):
    """A follower of a store of several segments, of which it has printed the last record."""
    run("append", store, "--segment-size", SMALL, input=lines_of(3000, width=100))
    with follower(store, "--from=last") as reader:
        equal(reader.stdout.readline(), b"%0100d\n" % 3000)
        yield reader


def newest_of(store):
    return max(name for name in os.listdir(store) if name.endswith(".log"))


@case
def not_there_yet(tmp):
    """a store that is not there yet is waited for, with a line; without -f it is status 3"""
    store = f"{tmp}/s"
    with follower(store) as reader:
        contains(reader.stderr.readline(), b"waiting for it")
        os.mkdir(store)
        time.sleep(0.5)
        equal(reader.poll(), None)
        run("append", store, input=b"1\n2\n")
        equal(reader.stdout.readline(), b"1\n")
        equal(reader.stdout.readline(), b"2\n")
    complaint("read", f"{tmp}/none", status=3)
    with open(f"{tmp}/file", "wb"):
        pass
    run("read", "-f", f"{tmp}/file", status=3)


@case
def made_anew(tmp):
    """deleted and made anew, whole or inside of its directory: the new one from its beginning"""
    for spoil in (shutil.rmtree, lambda path: [os.unlink(f"{path}/{name}")
                                               for name in os.listdir(path)]):
        store = f"{tmp}/{len(os.listdir(tmp))}"
        with at_the_last_of_3000(store) as reader:
            spoil(store)
            contains(reader.stderr.readline(), b"waiting for it")
            run("append", store, input=b"1\n2\n")
            contains(reader.stderr.readline(), b"another store is there now")
            equal(reader.stdout.readline(), b"1\n")
            equal(reader.stdout.readline(), b"2\n")
            run("append", store, input=b"3\n")
            equal(reader.stdout.readline(), b"3\n")


@case
def replaced(tmp):
    """replaced at once by another store: that one from its beginning"""
    store = f"{tmp}/s"
    run("append", store, input=b"old\n")
    run("append", f"{tmp}/new", input=b"new\n")
    with follower(store) as reader:
        equal(reader.stdout.readline(), b"old\n")
        os.rename(store, f"{tmp}/moved")
        os.rename(f"{tmp}/new", store)
        equal(reader.stdout.readline(), b"new\n")


@case
def put_back(tmp):
    """a store moved away and put back, or replaced by a grown copy: nothing twice or missing"""
    store = f"{tmp}/s"
    run("append", store, input=b"1\n")
    with follower(store) as reader:
        equal(reader.stdout.readline(), b"1\n")
        os.rename(store, f"{tmp}/away")
        contains(reader.stderr.readline(), b"waiting for it")
        os.rename(f"{tmp}/away", store)
        run("append", store, input=b"2\n")
        equal(reader.stdout.readline(), b"2\n")
        shutil.copytree(store, f"{tmp}/copy")
        run("append", f"{tmp}/copy", input=b"3\n")
        os.rename(store, f"{tmp}/away")
        os.rename(f"{tmp}/copy", store)
        equal(reader.stdout.readline(), b"3\n")
        run("append", store, input=b"4\n")
        equal(reader.stdout.readline(), b"4\n")


@case
def copied_back(tmp):
    """copied back file by file: what is not there yet is waited for, and is no damage"""
    store, away = f"{tmp}/s", f"{tmp}/away"
    with at_the_last_of_3000(store) as reader:
        shutil.copytree(store, away)
        shutil.rmtree(store)
        contains(reader.stderr.readline(), b"waiting for it")
        os.mkdir(store)
        newest = newest_of(away)
        for name in sorted(os.listdir(away), key=lambda name: name == newest):
            if name == newest:
                time.sleep(1)
            shutil.copy2(f"{away}/{name}", f"{store}/{name}")
        run("append", store, input=b"next\n")
        equal(reader.stdout.readline(), b"next\n")


@case
def copied_back_in_part(tmp):
    """what does not come for some seconds is missing, and is told"""
    store, away = f"{tmp}/s", f"{tmp}/away"
    with at_the_last_of_3000(store) as reader:
        os.rename(store, away)
        contains(reader.stderr.readline(), b"waiting for it")
        os.unlink(f"{away}/{newest_of(away)}")
        shutil.copytree(away, store)
        equal(reader.wait(timeout=30), 1)
        contains(reader.stderr.read(), b"the newest segment is missing")


@case
def copied_up(tmp):
    """what was opened shows no more what is written, as on an overlay: the files are opened anew"""
    store = f"{tmp}/s"
    run("append", store, input=b"1\n")
    with follower(store) as reader:
        equal(reader.stdout.readline(), b"1\n")
        for name in os.listdir(store):  # a copy under each name, as the first write makes one
            shutil.copy2(f"{store}/{name}", f"{store}/.copy")
            os.rename(f"{store}/.copy", f"{store}/{name}")
        run("append", store, input=b"2\n")
        equal(reader.stdout.readline(), b"2\n")


ON_AN_OVERLAY = """
set -e
cd "$1"
mount -t tmpfs none .
cd "$1"
mkdir lower upper work merged
printf '1\\n' | "$2" append lower/s
mount -t overlay none -o lowerdir=lower,upperdir=upper,workdir=work merged || exit 77
"$2" read -f merged/s >out 2>err &
for line in 2 3; do
    sleep 1
    echo $line | "$2" append merged/s
    for try in $(seq 300); do
        ! grep -q "^$line$" out || break
        sleep 0.1
    done
done
kill $!
cat out
"""


@case
def on_an_overlay(tmp):
    """on a real overlay, where the first append copies the files up"""
    result = subprocess.run(["unshare", "-m", "sh", "-c", ON_AN_OVERLAY, "sh", tmp, *command()],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    if result.returncode == 77 or b"unshare" in result.stderr or b"mount:" in result.stderr:
        raise Skip("needs a mount namespace of its own, and an overlay in it")
    equal(result.stderr, b"")
    equal(result.stdout, b"1\n2\n3\n")


@case
def with_a_cursor_file(tmp):
    """a cursor file goes over to the new store with its follower"""
    store = f"{tmp}/s"
    run("append", store, input=lines_of(5))
    with follower(store, f"--cursor-file={tmp}/c") as reader:
        for number in range(1, 6):
            equal(reader.stdout.readline(), b"%d\n" % number)
        shutil.rmtree(store)
        run("append", store, input=b"a\nb\n")
        equal(reader.stdout.readline(), b"a\n")
        equal(reader.stdout.readline(), b"b\n")
        time.sleep(0.3)
        reader.kill()
        reader.wait()
    run("append", store, input=b"c\n")
    equal(out("read", store, f"--cursor-file={tmp}/c"), b"c\n")


main()
