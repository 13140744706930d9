#!/usr/bin/python3
"""--cursor-file harms no other file, and is one run's at a time."""

import os
import resource
import socket
import stat
import subprocess

from support import (Skip, case, command, complaint, contains, equal, lines_of, main, out, run,
                     started, wait_until)


def position(path):
    with open(path, "rb") as file:
        return int(file.read().split(b" number ")[1].split()[0])


def store_of_ten(tmp):
    run("append", f"{tmp}/s", input=lines_of(10))
    return f"{tmp}/s"


@case
def not_a_file(tmp):
    """a FIFO, a socket, a directory or a device is refused and left as it is"""
    store = store_of_ten(tmp)
    os.mkfifo(f"{tmp}/fifo")
    os.mkdir(f"{tmp}/dir")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{tmp}/socket")
    os.symlink("fifo", f"{tmp}/link")
    for path in (f"{tmp}/fifo", f"{tmp}/dir", f"{tmp}/socket", f"{tmp}/link", "/dev/null",
                 "/dev/tty"):
        before = os.lstat(path)
        contains(complaint("read", store, "--cursor-file", path, status=4), "no regular file")
        after = os.lstat(path)
        equal((after.st_ino, after.st_mode), (before.st_ino, before.st_mode), path)
    equal(sorted(os.listdir(tmp)), ["dir", "fifo", "link", "s", "socket"])


@case
def not_a_device(tmp):
    """a device node is refused and stays one, also for root"""
    store = store_of_ten(tmp)
    try:
        os.mknod(f"{tmp}/null", stat.S_IFCHR | 0o600, os.makedev(1, 3))
    except PermissionError:
        raise Skip("no right to make a device") from None
    contains(complaint("read", store, "--cursor-file", f"{tmp}/null", status=4), "no regular file")
    equal(stat.S_ISCHR(os.lstat(f"{tmp}/null").st_mode), True)


@case
def through_a_link(tmp):
    """a symbolic link to a file is followed, whatever that holds, and stays one"""
    store = store_of_ten(tmp)
    os.mkdir(f"{tmp}/far")
    with open(f"{tmp}/far/cursor", "wb"):
        pass
    os.chmod(f"{tmp}/far/cursor", 0o640)
    inode = os.stat(f"{tmp}/far/cursor").st_ino
    os.symlink("far/cursor", f"{tmp}/link")
    equal(out("read", store, "--cursor-file", f"{tmp}/link", "-n", "4"), lines_of(4))
    equal(out("read", store, "--cursor-file", f"{tmp}/link"), lines_of(6, 5))
    equal(os.readlink(f"{tmp}/link"), "far/cursor")
    equal(os.stat(f"{tmp}/link").st_ino, inode)
    equal(stat.S_IMODE(os.stat(f"{tmp}/link").st_mode), 0o640)
    equal(position(f"{tmp}/far/cursor"), 10)
    equal(sorted(os.listdir(tmp) + os.listdir(f"{tmp}/far")), ["cursor", "far", "link", "s"])


@case
def link_to_nothing(tmp):
    """a symbolic link to nothing is refused, and nothing is made where it points"""
    store = store_of_ten(tmp)
    os.symlink(f"{tmp}/nothing", f"{tmp}/link")
    contains(complaint("read", store, "--cursor-file", f"{tmp}/link", status=4),
             "link to a file that is not there")
    equal(sorted(os.listdir(tmp)), ["link", "s"])


@case
def names_beside_it(tmp):
    """nothing beside the file is touched, whatever its name"""
    store = store_of_ten(tmp)
    with open(f"{tmp}/precious", "wb") as file:
        file.write(b"precious")
    os.link(f"{tmp}/precious", f"{tmp}/c.new")
    os.symlink("precious", f"{tmp}/c.tmp")
    equal(out("read", store, "--cursor-file", f"{tmp}/c"), lines_of(10))
    equal(sorted(os.listdir(tmp)), ["c", "c.new", "c.tmp", "precious", "s"])
    with open(f"{tmp}/precious", "rb") as file:
        equal(file.read(), b"precious")
    equal(stat.S_IMODE(os.stat(f"{tmp}/c").st_mode), 0o600)


@case
def the_output(tmp):
    """the output itself is no cursor file"""
    store = store_of_ten(tmp)
    with open(f"{tmp}/out", "wb") as file:
        result = subprocess.run(command("read", store, "--cursor-file", f"{tmp}/out"), stdout=file,
                                stderr=subprocess.PIPE, timeout=60)
    equal(result.returncode, 2)
    contains(result.stderr.decode(), "the output itself")
    equal(os.stat(f"{tmp}/out").st_size, 0)


@case
def one_run_at_a_time(tmp):
    """a second run with the same cursor file says that another one uses it, and prints nothing"""
    store = store_of_ten(tmp)
    with open(f"{tmp}/empty", "wb"):
        pass
    for path in (f"{tmp}/c", f"{tmp}/empty"):
        with started("read", "-f", store, "--cursor-file", path, stdout=subprocess.PIPE) as first:
            equal(first.stdout.read(len(lines_of(10))), lines_of(10))
            contains(complaint("read", store, "--cursor-file", path, status=4),
                     "another run uses it")
            wait_until(lambda: position(path) == 10, "the position")
            first.terminate()
            first.wait()
        equal(out("read", store, "--cursor-file", path), b"")


@case
def many_at_once(tmp):
    """of runs that begin at the same time without a file one prints, the others say why not"""
    store = store_of_ten(tmp)
    runs = [subprocess.Popen(command("read", "-f", store, "--cursor-file", f"{tmp}/c"),
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(8)]
    try:
        wait_until(lambda: sum(run.poll() is None for run in runs) == 1, "all but one to end")
        for process in runs:
            if process.poll() is None:
                equal(process.stdout.read(len(lines_of(10))), lines_of(10))
            else:
                equal((process.returncode, process.stdout.read()), (4, b""))
                contains(process.stderr.read().decode(), "another run uses it")
    finally:
        for process in runs:
            process.kill()
            process.communicate()


@case
def full_disk(tmp):
    """a disk without room leaves no file behind, or the one that was there as it was"""
    store = store_of_ten(tmp)

    def no_room():
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))

    def fails(path):
        result = subprocess.run(command("read", store, "--cursor-file", path), capture_output=True,
                                preexec_fn=no_room, timeout=60)
        equal((result.returncode, result.stdout), (4, b""))
        contains(result.stderr.decode(), "File too large")

    fails(f"{tmp}/c")
    equal(os.listdir(tmp), ["s"])
    with open(f"{tmp}/c", "wb"):
        pass
    fails(f"{tmp}/c")
    equal(os.stat(f"{tmp}/c").st_size, 0)
    equal(sorted(os.listdir(tmp)), ["c", "s"])
    equal(out("read", store, "--cursor-file", f"{tmp}/c"), lines_of(10))


main()
