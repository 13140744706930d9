#!/usr/bin/python3
"""read -f follows a writer in another process; --cursor-file goes on where printing ended."""

import os
import random
import shutil
import signal
import subprocess
import threading
import time

from support import (SMALL, TOOL, Skip, as_user, case, command, complaint, contains, content, equal,
                     lines_of, main, needs_proc, out, run, started, wait_until)


def writer_of(store, *words):
    return started("append", store, "--segment-size", SMALL, *words, stdin=subprocess.PIPE)


def feed(writer, text):
    writer.stdin.write(text)
    writer.stdin.flush()


def read_exactly(stream, size):
    got = b""
    while len(got) < size:
        piece = stream.read(size - len(got))
        if not piece:
            break
        got += piece
    return got


@case
def follows_across_rolls(tmp):
    """a follower prints each record soon after it was appended, over many segments"""
    with writer_of(f"{tmp}/s") as writer:
        feed(writer, b"%080d\n" % 0)
        wait_until(lambda: content(f"{tmp}/s"), "the first record")
        with started("read", "-f", f"{tmp}/s", stdout=subprocess.PIPE) as reader:
            equal(read_exactly(reader.stdout, 81), b"%080d\n" % 0)
            for number in range(1, 40):  # each waits for its answer
                feed(writer, b"%080d\n" % number)
                equal(read_exactly(reader.stdout, 81), b"%080d\n" % number)
            text = lines_of(20000, first=40, width=80)
            thread = threading.Thread(target=feed, args=(writer, text))
            thread.start()
            equal(read_exactly(reader.stdout, len(text)), text)
            thread.join()
            writer.stdin.close()
            equal(writer.wait(), 0)


@case
def follows_the_next_writer(tmp):
    """a follower goes on when the writer ends, is killed, and another comes"""
    run("append", f"{tmp}/s", input=b"1\n")
    with started("read", "-f", f"{tmp}/s", stdout=subprocess.PIPE) as reader:
        equal(reader.stdout.readline(), b"1\n")
        run("append", f"{tmp}/s", input=b"2\n")
        equal(reader.stdout.readline(), b"2\n")
        with writer_of(f"{tmp}/s", "--sync", "each") as writer:
            feed(writer, b"3\n")
            equal(reader.stdout.readline(), b"3\n")
            writer.kill()
            writer.wait()
        run("append", f"{tmp}/s", input=b"4\n")
        equal(reader.stdout.readline(), b"4\n")


@case
def ends_where_told(tmp):
    """a follower ends at -n, at --to and at --until"""
    run("append", f"{tmp}/s", input=lines_of(5))
    for words, wanted in ((["-n", "7"], lines_of(7)), (["--to", "6"], lines_of(6)),
                          (["--from", "6", "-n", "1"], b"6\n"),
                          (["--from", "8", "-n", "1"], b"8\n"),
                          (["--from", "last", "--to", "7"], lines_of(3, 5))):
        store = f"{tmp}/{len(os.listdir(tmp))}"
        run("append", store, input=lines_of(5))
        with started("read", "-f", store, *words, stdout=subprocess.PIPE) as reader:
            time.sleep(0.05)
            run("append", store, input=lines_of(5, 6))
            equal(reader.stdout.read(), wanted, words)
            equal(reader.wait(), 0)
    with started("read", "-f", f"{tmp}/s", "--until", "2020-01-01",
                 stdout=subprocess.PIPE) as reader:
        equal(reader.stdout.read(), b"")
        equal(reader.wait(), 0)


@case
def since_the_future(tmp):
    """-f --since a time to come passes over what comes before it, in a later run, too"""
    def timed(second):
        line = b'{"data":"%d","time":"2200-01-01T00:00:%02dZ"}\n' % (second, second)
        run("append", f"{tmp}/s", "-i", "jsonl", input=line)
    timed(1)
    words = ["read", "-f", f"{tmp}/s", "-S", "2200-01-01T00:00:10Z", "--cursor-file", f"{tmp}/c"]
    for second in (2, 3):
        with started(*words, stdout=subprocess.PIPE) as reader:
            wait_until(lambda: os.path.exists(f"{tmp}/c"), "the cursor file")
            timed(second)
            time.sleep(0.2)
            reader.terminate()
            equal(reader.stdout.read(), b"")
    with started(*words, "-n", "3", stdout=subprocess.PIPE) as reader:
        time.sleep(0.2)
        for second in (4, 11, 5, 12):
            timed(second)
        equal(reader.stdout.read(), b"11\n5\n12\n")
        equal(reader.wait(), 0)
    timed(6)
    with started(*words, "-n", "1", stdout=subprocess.PIPE) as reader:
        equal(reader.stdout.read(), b"6\n")
    with started("read", "-f", f"{tmp}/s", "-S", "2200-01-01T00:00:12Z", "--to", "10",
                 stdout=subprocess.PIPE) as reader:
        equal(reader.stdout.readline(), b"12\n")
        equal(reader.stdout.readline(), b"6\n")
        timed(7)
        timed(8)
        equal(reader.stdout.read(), b"7\n8\n")


@case
def overtaken_by_a_trim(tmp):
    """a follower that a trim overtook says which records it missed, and goes on"""
    run("append", f"{tmp}/s", "--segment-size", SMALL, input=lines_of(20000, width=99))
    with started("read", "-f", f"{tmp}/s", stdout=subprocess.PIPE,
                 stderr=subprocess.PIPE) as reader:
        equal(read_exactly(reader.stdout, 100), b"%099d\n" % 1)
        reader.send_signal(signal.SIGSTOP)
        first = int(out("trim", f"{tmp}/s", "--keep-count", "100"))
        reader.send_signal(signal.SIGCONT)
        tail = lines_of(20001 - first, first, 99)
        got = b""
        while not got.endswith(b"%099d\n" % 20000):
            piece = os.read(reader.stdout.fileno(), 1 << 20)
            assert piece, "the reader ended"
            got += piece
        assert got.endswith(tail), "the records that were left are not all there"
        reader.terminate()
        contains(reader.stderr.read().decode(), "were trimmed before they were read")


@case
def resumes(tmp):
    """with --cursor-file each run prints what came since the last"""
    cursor = f"{tmp}/cursor"
    run("append", f"{tmp}/s", input=lines_of(10))
    equal(out("read", f"{tmp}/s", "--cursor-file", cursor), lines_of(10))
    equal(out("read", f"{tmp}/s", "--cursor-file", cursor), b"")
    run("append", f"{tmp}/s", input=lines_of(10, 11))
    equal(out("read", f"{tmp}/s", "--cursor-file", cursor, "-n", "3"), lines_of(3, 11))
    equal(out("read", f"{tmp}/s", "--cursor-file", cursor, "--from", "1"), lines_of(7, 14))
    equal(sorted(os.listdir(tmp)), ["cursor", "s"])
    os.unlink(cursor)
    equal(out("read", f"{tmp}/s", "--cursor-file", cursor, "--from", "18"), lines_of(3, 18))


@case
def resumes_behind_what_did_not_match(tmp):
    """with -g the cursor moves over records that do not match too"""
    run("append", f"{tmp}/s", input=b"a1\nb2\na3\nb4\n")
    equal(out("read", f"{tmp}/s", "--cursor-file", f"{tmp}/c", "-g", "a"), b"a1\na3\n")
    equal(out("read", f"{tmp}/s", "--cursor-file", f"{tmp}/c"), b"")


@case
def wrong_cursor(tmp):
    """a cursor file of another store, or none at all, is refused and left as it is"""
    for name in ("s", "t"):
        run("append", f"{tmp}/{name}", input=lines_of(10))
    run("read", f"{tmp}/s", "--cursor-file", f"{tmp}/c")
    with open(f"{tmp}/c", "rb") as file:
        before = file.read()
    contains(complaint("read", f"{tmp}/t", "--cursor-file", f"{tmp}/c", status=3), "another store")
    with open(f"{tmp}/c", "rb") as file:
        equal(file.read(), before)
    for junk in (b"junk\n", before[:-10], before * 2):
        with open(f"{tmp}/junk", "wb") as file:
            file.write(junk)
        if junk != before * 2:
            complaint("read", f"{tmp}/s", "--cursor-file", f"{tmp}/junk", status=2)
            with open(f"{tmp}/junk", "rb") as file:
                equal(file.read(), junk)
    open(f"{tmp}/empty", "wb").close()
    equal(out("read", f"{tmp}/s", "--cursor-file", f"{tmp}/empty"), lines_of(10))
    contains(run("read", f"{tmp}/s", "--cursor-file", f"{tmp}/no/where", status=4).stderr.decode(),
             "No such file")


@case
def cursor_behind_the_last(tmp):
    """a log that ends before what was printed, or has another record there, is refused: status 1"""
    def timed(second):
        line = b'{"data":"x","time":"1970-01-01T00:00:%02dZ"}\n' % second
        run("append", f"{tmp}/s", "-i", "jsonl", input=line)
    timed(0)
    shutil.copytree(f"{tmp}/s", f"{tmp}/before")
    timed(0)
    run("read", f"{tmp}/s", "--cursor-file", f"{tmp}/c")
    shutil.rmtree(f"{tmp}/s")
    os.rename(f"{tmp}/before", f"{tmp}/s")
    contains(complaint("read", f"{tmp}/s", "--cursor-file", f"{tmp}/c", status=1), "now ends at 1")
    timed(5)
    contains(complaint("read", f"{tmp}/s", "--cursor-file", f"{tmp}/c", status=1),
             "record 2 is not the one that was printed")


@case
def cursor_before_the_first(tmp):
    """a cursor behind which records were trimmed unread says so: status 1"""
    run("append", f"{tmp}/s", "--segment-size", SMALL, input=lines_of(5000, width=90))
    run("read", f"{tmp}/s", "--cursor-file", f"{tmp}/c", "-n", "10")
    first = int(out("trim", f"{tmp}/s", "--keep-count", "100"))
    line = complaint("read", f"{tmp}/s", "--cursor-file", f"{tmp}/c", status=1)
    contains(line, f"records 11 to {first - 1} were trimmed")


def kill_and_resume(tmp):
    """Followers into one file, one after the other, each killed, while a writer writes."""
    total = 60000
    run("append", f"{tmp}/s", "--segment-size", "1M", input=lines_of(total // 2, width=30))
    rng = random.Random(5)
    with started("append", f"{tmp}/s", stdin=subprocess.PIPE) as writer:
        def trickle():
            for first in range(total // 2 + 1, total + 1, 50):
                feed(writer, lines_of(50, first, 30))
                time.sleep(0.002)
        thread = threading.Thread(target=trickle)
        thread.start()
        for _ in range(60):
            with open(f"{tmp}/out", "ab") as stream:
                with started("read", "-f", f"{tmp}/s", "--cursor-file", f"{tmp}/c",
                             stdout=stream) as reader:
                    time.sleep(rng.random() * 0.04)
                    reader.kill()
        thread.join()
        writer.stdin.close()
        writer.wait()
    return total


@case
def kill_a_follower_into_a_file(tmp):
    """kill -9 of a follower that appends to a file, 60 times: every record is there, once"""
    needs_proc()
    total = kill_and_resume(tmp)
    with open(f"{tmp}/out", "ab") as stream:
        subprocess.run(command("read", f"{tmp}/s", "--cursor-file", f"{tmp}/c"), stdout=stream,
                       check=True)
    with open(f"{tmp}/out", "rb") as stream:
        equal(stream.read() == lines_of(total, width=30), True, "the file is the log:")


@case
def kill_a_follower_into_a_pipe(tmp):
    """kill -9 of a follower into a pipe: nothing is lost, and what comes twice is what was next"""
    runs = []
    total = kill_and_resume_in_pipe(tmp, runs)
    seen = 0
    for text in runs:
        lines = text.split(b"\n")
        lines.pop()  # a line that the kill cut in two comes whole in the next run
        numbers = [int(line) for line in lines]
        if not numbers:
            continue
        assert numbers[0] <= seen + 1, f"lost records {seen + 1} to {numbers[0] - 1}"
        equal(numbers, list(range(numbers[0], numbers[0] + len(numbers))))
        seen = max(seen, numbers[-1])
    equal(seen, total)


def kill_and_resume_in_pipe(tmp, runs):
    total = 20000
    run("append", f"{tmp}/s", "--segment-size", "1M", input=lines_of(total, width=30))
    rng = random.Random(6)
    for _ in range(40):
        with started("read", f"{tmp}/s", "-f", "--cursor-file", f"{tmp}/c",
                     stdout=subprocess.PIPE) as reader:
            killer = threading.Timer(rng.random() * 0.02, reader.kill)
            killer.start()
            runs.append(reader.stdout.read())
            killer.join()
    runs.append(out("read", f"{tmp}/s", "--cursor-file", f"{tmp}/c"))
    return total


def feed_until_killed(writer, counter, rng):
    """Lines with numbers of their own, and a kill in the middle of it."""
    killer = threading.Timer(0.02 + rng.random() * 0.06, writer.kill)
    killer.start()
    try:
        while True:
            feed(writer, lines_of(20, counter[0], 30))
            counter[0] += 20
            time.sleep(rng.random() * 0.001)
    except BrokenPipeError:
        pass
    killer.join()
    writer.wait()


def kill_writers(tmp, times, counter):
    rng = random.Random(7)
    for i in range(times):
        with writer_of(f"{tmp}/s", "--sync", ("none", "batch", "each")[i % 3]) as writer:
            feed_until_killed(writer, counter, rng)
            equal(writer.returncode, -signal.SIGKILL)


def kill_followers(tmp, stop, done):
    """Followers into one file that never see the end of the log but by luck."""
    rng = random.Random(8)
    while not stop.is_set():
        with open(f"{tmp}/out", "ab") as stream:
            with started("read", "-f", f"{tmp}/s", "--cursor-file", f"{tmp}/c", stdout=stream,
                         stderr=subprocess.PIPE) as reader:
                time.sleep(0.01 + rng.random() * 0.05)
                if reader.poll() is not None:
                    done.append(reader.stderr.read())
                    return
                reader.kill()
                done.append(None)


@case
def kill_writers_and_followers(tmp):
    """kill -9 of writers and followers at once: what was printed is the log, each record once"""
    needs_proc()
    run("append", f"{tmp}/s", "--segment-size", SMALL, input=lines_of(1, 1, 30))
    counter, stop, done = [2], threading.Event(), []
    thread = threading.Thread(target=kill_followers, args=(tmp, stop, done))
    thread.start()
    try:
        kill_writers(tmp, 40, counter)
    finally:
        stop.set()
        thread.join()
    equal(done, [None] * len(done), "a follower ended by itself:")
    assert len(done) > 20, len(done)
    with open(f"{tmp}/out", "rb") as stream:
        printed = stream.read()
    log = content(f"{tmp}/s")
    assert log.count(b"\n") > 100 and len(printed) > 31 * 50, (len(log), len(printed))
    assert log.startswith(printed[:len(printed) // 31 * 31]), "printed what is not in the log"
    with open(f"{tmp}/out", "ab") as stream:
        subprocess.run(command("read", f"{tmp}/s", "--cursor-file", f"{tmp}/c"), stdout=stream,
                       check=True)
    with open(f"{tmp}/out", "rb") as stream:
        equal(stream.read() == log, True, "the file is the log:")


def read_into(tmp, mode, *words, shell='exec "$@"', **options):
    """read with a cursor file into the file out, opened by the shell as @mode."""
    tool = f"{tmp}/logstore"
    if not os.path.exists(tool):
        shutil.copy(TOOL, tool)
    return subprocess.run(["sh", "-c", f"{shell} {mode} {tmp}/out", "sh", tool, "read", f"{tmp}/s",
                           "--cursor-file", f"{tmp}/c", *words], stderr=subprocess.PIPE, **options)


def printed_beyond(tmp, mode, **options):
    """As after a kill: the output has more than the cursor file knows of."""
    for name in ("out", "c"):
        if os.path.exists(f"{tmp}/{name}"):
            os.unlink(f"{tmp}/{name}")
    equal(read_into(tmp, ">>", "-n", "5", **options).returncode, 0)
    with open(f"{tmp}/out", "ab") as stream:
        stream.write(b"6\n7\n8")
    return read_into(tmp, mode, **options)


def printed(tmp):
    with open(f"{tmp}/out", "rb") as stream:
        return stream.read()


@case
def exactly_once_without_proc(tmp):
    """without /proc the output is compared through its own descriptor, or the run is refused"""
    needs_proc()
    hidden = "unshare -m sh -c 'mount -t tmpfs none /proc && exec \"$@\"' sh"
    if subprocess.run(["sh", "-c", f"{hidden} true"], stderr=subprocess.DEVNULL).returncode != 0:
        raise Skip("needs a mount namespace of its own")
    run("append", f"{tmp}/s", input=lines_of(10))
    for mode in (">>", "1<>"):
        equal(printed_beyond(tmp, mode).returncode, 0)
        equal(printed(tmp), lines_of(10), mode)
    shell = f'{hidden} "$@"'
    equal(printed_beyond(tmp, "1<>", shell=shell).stderr, b"")
    equal(printed(tmp), lines_of(10))
    result = printed_beyond(tmp, ">>", shell=shell)
    equal(result.returncode, 4)
    contains(result.stderr.decode(), "behind byte 10 cannot be compared")
    equal(printed(tmp), lines_of(7) + b"8")
    os.truncate(f"{tmp}/out", 10)
    equal(read_into(tmp, ">>", shell=shell).returncode, 0)
    equal(printed(tmp), lines_of(10))


@case
def exactly_once_into_what_may_not_be_read(tmp):
    """an output that may be written and not read is refused where it would have to be compared"""
    needs_proc()
    user = as_user(program="true")
    run("append", f"{tmp}/s", "--mode", "0644", input=lines_of(10), preexec_fn=lambda: os.umask(0))
    os.mkdir(f"{tmp}/d")
    for path, mode in ((tmp, 0o777), (f"{tmp}/s", 0o755), (f"{tmp}/d", 0o777)):
        os.chmod(path, mode)

    def read_as_user(mode):
        with open(f"{tmp}/out", mode) as stream:
            first = [] if os.path.exists(f"{tmp}/d/c") else ["-n", "5"]
            return subprocess.run([f"{tmp}/logstore", "read", f"{tmp}/s", "--cursor-file",
                                   f"{tmp}/d/c", *first],
                                  stdout=stream, stderr=subprocess.PIPE, **user)
    shutil.copy(TOOL, f"{tmp}/logstore")
    equal(read_as_user("ab").returncode, 0)
    os.chmod(f"{tmp}/out", 0o600)
    with open(f"{tmp}/out", "ab") as stream:
        stream.write(b"6\n")
    result = read_as_user("ab")
    equal(result.returncode, 4)
    contains(result.stderr.decode(), "Permission denied")
    equal(printed(tmp), lines_of(6))
    equal(read_as_user("a+b").returncode, 0)
    equal(printed(tmp), lines_of(10))


@case
def other_bytes_in_the_file(tmp):
    """if somebody else wrote to the output file, nothing of the log is left out"""
    needs_proc()
    run("append", f"{tmp}/s", input=lines_of(10))
    with open(f"{tmp}/out", "ab") as stream:
        subprocess.run(command("read", f"{tmp}/s", "--cursor-file", f"{tmp}/c", "-n", "5"),
                       stdout=stream, check=True)
        stream.write(b"6\nelse\n")
        stream.flush()
        subprocess.run(command("read", f"{tmp}/s", "--cursor-file", f"{tmp}/c"), stdout=stream,
                       check=True)
    with open(f"{tmp}/out", "rb") as stream:
        equal(stream.read(), lines_of(5) + b"6\nelse\n" + lines_of(5, 6))


main()
