#!/usr/bin/python3
"""Signals, closed pipes, acknowledgements and tee."""

import fcntl
import json
import os
import resource
import signal
import subprocess
import time

from support import (SMALL, case, command, contains, content, equal, lines_of, main, out, run,
                     started, wait_until)

HELD = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@case
def ends_by_the_signal(tmp):
    """SIGINT, SIGTERM, SIGHUP: what was read is durable, its last number said, the signal kills"""
    for number in HELD:
        store = f"{tmp}/{number}"
        with started("append", store, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as writer:
            writer.stdin.write(lines_of(1000) + b"half a line")
            writer.stdin.flush()
            wait_until(lambda: content(store) == lines_of(1000), "the records")
            writer.send_signal(number)
            equal(writer.wait(), -number)
            contains(writer.stderr.read().decode(), "durable up to record 1000")
        equal(out("read", store), lines_of(1000))
        equal(json.loads(out("info", store, "-o", "json"))["clean"], True)


@case
def finishes_the_batch(tmp):
    """a signal in the middle of a batch appends what there is of it"""
    with started("append", f"{tmp}/s", "--batch", "100", "-T", stdin=subprocess.PIPE,
                 stdout=subprocess.PIPE, stderr=subprocess.PIPE) as writer:
        writer.stdin.write(lines_of(130))
        writer.stdin.flush()
        equal(writer.stdout.read(len(lines_of(100))), lines_of(100))
        writer.terminate()
        equal(writer.stdout.read(), lines_of(30, 101))
        equal(writer.wait(), -signal.SIGTERM)
        contains(writer.stderr.read().decode(), "durable up to record 130")
    equal(out("read", f"{tmp}/s"), lines_of(130))


@case
def under_load(tmp):
    """a signal while input never ends: the number that is said is what the store has"""
    script = 'yes "$(printf %090d 7)" | exec "$@"'
    with started_shell(script, command("append", f"{tmp}/s")) as writer:
        wait_until(lambda: content(f"{tmp}/s"), "the first record")
        time.sleep(0.3)
        pid = int(json.loads(out("info", f"{tmp}/s", "-o", "json"))["writer_pid"])
        os.kill(pid, signal.SIGINT)
        said = writer.stderr.read().decode()
        writer.wait()
    last = int(said.rsplit("record ", 1)[1])
    equal(json.loads(out("info", f"{tmp}/s", "-o", "json"))["tail"], last)
    equal(out("read", f"{tmp}/s", "--from", "last"), b"%090d\n" % 7)


def started_shell(script, words):
    import contextlib

    @contextlib.contextmanager
    def runner():
        process = subprocess.Popen(["sh", "-c", script, "sh", *words], stderr=subprocess.PIPE,
                                   start_new_session=True)
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.stderr.close()
            process.wait()
    return runner()


def is_clean(store):
    return json.loads(out("info", store, "-o", "json"))["clean"]


@case
def while_a_fifo_has_no_writer(tmp):
    """a signal ends append that waits for a FIFO's first writer, and the store is closed"""
    os.mkfifo(f"{tmp}/fifo")
    for number in HELD:
        store = f"{tmp}/{number}"
        with started("append", store, f"{tmp}/fifo", stderr=subprocess.PIPE) as writer:
            wait_until(lambda: subprocess.run(command("info", store),
                                              capture_output=True).returncode == 0, "the store")
            time.sleep(0.1)
            writer.send_signal(number)
            equal(writer.wait(), -number)
        equal(is_clean(store), True)
    with started("append", store, f"{tmp}/fifo") as writer:
        time.sleep(0.1)
        with open(f"{tmp}/fifo", "wb") as fifo:
            fifo.write(b"a\n")
            fifo.flush()
            time.sleep(0.1)
            fifo.write(b"b\n")
        equal(writer.wait(), 0)
    equal(out("read", store), b"a\nb\n")


def small_pipe(blocks):
    """Both ends of a pipe of one page."""
    read_end, write_end = os.pipe()
    fcntl.fcntl(write_end, fcntl.F_SETPIPE_SZ, 4096)
    os.set_blocking(write_end, blocks)
    return read_end, write_end


@case
def while_the_output_is_full(tmp):
    """a signal ends append whose output nobody reads; what it had read is durable"""
    for number in HELD:
        for words in (["-T"], ["--ack", "--batch", "1"]):
            store = f"{tmp}/{number}{words[0]}"
            with open(f"{tmp}/in", "wb") as file:
                file.write(lines_of(3000, width=6))
            read_end, write_end = small_pipe(blocks=True)
            with open(f"{tmp}/in", "rb") as file, started("append", store, *words, stdin=file,
                    stdout=write_end, stderr=subprocess.PIPE) as writer, open(read_end, "rb"):
                os.close(write_end)
                previous = [b""]

                def is_stuck():
                    time.sleep(0.3)
                    before, previous[0] = previous[0], content(store)
                    return before == previous[0] != b""
                wait_until(is_stuck, "append to be stuck")
                writer.send_signal(number)
                equal(writer.wait(), -number, words)
                contains(writer.stderr.read().decode(), "durable up to record")
            equal(is_clean(store), True)


@case
def ignored_while_appending(tmp):
    """a signal that was ignored when append began does not end it"""
    for number in HELD:
        with started("append", f"{tmp}/{number}", stdin=subprocess.PIPE,
                     preexec_fn=lambda: signal.signal(number, signal.SIG_IGN)) as writer:
            writer.stdin.write(b"a\n")
            writer.stdin.flush()
            wait_until(lambda: content(f"{tmp}/{number}") == b"a\n", "the record")
            writer.send_signal(number)
            time.sleep(0.2)
            writer.stdin.write(b"b\n")
            writer.stdin.close()
            equal(writer.wait(), 0)
        equal(out("read", f"{tmp}/{number}"), b"a\nb\n")


@case
def limit_of_file_size(tmp):
    """a limit of file size is an error that says so, not a death"""
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))

    run("append", f"{tmp}/t", input=lines_of(50000))
    with open(f"{tmp}/out", "wb") as file:
        result = subprocess.run(command("read", f"{tmp}/t"), stdout=file, stderr=subprocess.PIPE,
                                preexec_fn=limit)
    equal(result.returncode, 4)
    contains(result.stderr.decode(), "standard output: File too large")


@case
def ignored_when_asked(tmp):
    """nohup and the like: an ignored SIGINT stays ignored while reading"""
    run("append", f"{tmp}/s", input=b"a\n")
    equal(out("read", f"{tmp}/s", preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN)),
          b"a\n")


@case
def closed_pipe(tmp):
    """a reader that goes away ends read and get without a word"""
    run("append", f"{tmp}/s", input=lines_of(200000))
    for words in (["read", f"{tmp}/s"], ["read", f"{tmp}/s", "-o", "jsonl", "-r"],
                  ["get", f"{tmp}/s", *range(1, 20000)]):
        with started(*words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as reader:
            reader.stdout.read(1)
            reader.stdout.close()
            equal(reader.wait(), -signal.SIGPIPE, words[0])
            equal(reader.stderr.read(), b"")


@case
def closed_pipe_of_a_follower(tmp):
    """a follower ends soon after its reader has gone, without waiting for the next record"""
    run("append", f"{tmp}/s", input=b"a\n")
    with started("read", "-f", f"{tmp}/s", stdout=subprocess.PIPE,
                 stderr=subprocess.PIPE) as reader:
        equal(reader.stdout.read(2), b"a\n")
        reader.stdout.close()
        equal(reader.wait(), -signal.SIGPIPE)
        equal(reader.stderr.read(), b"")


@case
def closed_pipe_of_append(tmp):
    """append -T whose output is closed keeps what it has, durable, and ends quietly"""
    with started("append", f"{tmp}/s", "-T", stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                 stderr=subprocess.PIPE) as writer:
        writer.stdin.write(b"a\n")
        writer.stdin.flush()
        equal(writer.stdout.read(2), b"a\n")
        writer.stdout.close()
        writer.stdin.write(b"b\n")
        writer.stdin.flush()
        equal(writer.wait(), -signal.SIGPIPE)
        equal(writer.stderr.read(), b"")
    equal(out("read", f"{tmp}/s"), b"a\nb\n")


@case
def tee(tmp):
    """-T copies the input, whatever its format and batches"""
    for words, text in ((["-i", "lines"], lines_of(50000) + b"end"), (["-i", "nul"], b"a\0b"),
                        (["--batch", "7"], lines_of(20000) + b"end"),
                        (["-i", "len32"], b"\1\0\0\0a\0\0\0\0"), (["-D", "--"], b"a--b--c"),
                        (["-i", "jsonl"], b'{"data":"a"}\n {"data":"b"}\n{ "data":"c"}')):
        equal(out("append", f"{tmp}/s", "-T", *words, input=text), text)


@case
def tee_is_what_was_appended(tmp):
    """-T copies what was appended and nothing else, whatever ended the input, also with --batch"""
    long = b"x" * 100000 + b"\n"
    for words, text, wanted in (
            ([], lines_of(5) + long + b"6\n", lines_of(5)),
            (["--batch", "3"], lines_of(5) + long + b"6\n", lines_of(5)),
            (["--batch", "1000"], lines_of(1000) + lines_of(2000, width=90), lines_of(1000)),
            (["-i", "jsonl"], b'{"data":"a"}\n\n{"data":"b"}\n\n{\n',
             b'{"data":"a"}\n{"data":"b"}\n'),
            (["-i", "len32"], b"\1\0\0\0a\1\0\0", b"\1\0\0\0a")):
        store = f"{tmp}/{len(os.listdir(tmp))}"
        result = run("append", store, "-T", "--segment-size", SMALL, *words, input=text, status=1)
        equal(result.stdout == wanted, True, words)
    with started("append", f"{tmp}/s", "-T", stdin=subprocess.PIPE,
                 stdout=subprocess.PIPE, stderr=subprocess.PIPE) as writer:
        writer.stdin.write(b"a\nhalf")
        writer.stdin.flush()
        equal(writer.stdout.read(2), b"a\n")
        writer.terminate()
        equal(writer.stdout.read(), b"")
        equal(writer.wait(), -signal.SIGTERM)


@case
def output_that_does_not_block(tmp):
    """on a non-blocking descriptor nothing of what is printed is lost: numbers, records, tables"""
    run("append", f"{tmp}/s", "--segment-size", SMALL, input=lines_of(40000, width=90))
    for words, text in ((["append", f"{tmp}/a", "--ack", "--sync", "each"], lines_of(1500)),
                        (["append", f"{tmp}/b", "-T"], lines_of(5000)),
                        (["read", f"{tmp}/s"], b""), (["segments", f"{tmp}/s", "-o", "json"], b""),
                        (["segments", f"{tmp}/s"], b""), (["get", f"{tmp}/s", *range(1, 100)], b""),
                        (["mem", f"{tmp}/s", "-o", "svg"], b"")):
        read_end, write_end = small_pipe(blocks=False)
        with started(*words, stdin=subprocess.PIPE, stdout=write_end) as process:
            os.close(write_end)
            process.stdin.write(text)
            process.stdin.close()
            time.sleep(0.3)  # let it meet the full pipe
            with open(read_end, "rb") as stream:
                got = stream.read()
            equal(process.wait(), 0, words)
        wanted = text if text else got
        equal(got == wanted and len(got) > 5000, True, words)
        if words[0] in ("segments", "read", "get"):
            equal(got == out(*words), True, words)


@case
def acknowledges_each(tmp):
    """--sync each --ack prints every number"""
    equal(out("append", f"{tmp}/s", "--sync", "each", "--ack", input=lines_of(50)), lines_of(50))
    equal(out("append", f"{tmp}/s", "--sync", "each", "--ack", input=b"x\n"), b"51\n")


@case
def acknowledges_batches(tmp):
    """--batch N --ack prints the last number of each batch"""
    equal(out("append", f"{tmp}/s", "--batch", "20", "--ack", input=lines_of(50)), b"20\n40\n50\n")


@case
def acknowledges_at_the_end(tmp):
    """--sync none --ack prints one number, at the end"""
    equal(out("append", f"{tmp}/s", "--sync", "none", "--ack", input=lines_of(50)), b"50\n")
    equal(out("append", f"{tmp}/s", "--ack"), b"")


@case
def ack_of_what_was_there(tmp):
    """--ack prints no number of a record that an earlier run appended"""
    for sync in ("none", "batch", "each", "interval=100ms"):
        store = f"{tmp}/{sync}"
        run("append", store, input=lines_of(3))
        with started("append", store, "--ack", "--sync", sync, stdin=subprocess.PIPE,
                     stdout=subprocess.PIPE) as writer:
            writer.stdin.write(b"4\n")
            writer.stdin.flush()
            wait_until(lambda: content(store) == lines_of(4), "the record")
            writer.stdin.close()
            equal(writer.stdout.read(), b"4\n", sync)
            equal(writer.wait(), 0)


@case
def acknowledges_while_input_waits(tmp):
    """--ack answers a line before the next one comes, with any --sync that syncs in between"""
    for words in ([], ["--sync", "batch"], ["--sync", "each"], ["--sync", "interval=5ms"]):
        with started("append", f"{tmp}/{len(os.listdir(tmp))}", "--ack", *words,
                     stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
            for number in range(1, 6):
                writer.stdin.write(b"line\n")
                writer.stdin.flush()
                equal(writer.stdout.readline(), b"%d\n" % number, words)
            writer.stdin.close()
            equal(writer.wait(), 0)


@case
def acknowledged_survives_a_kill(tmp):
    """every number printed is there after kill -9"""
    for round in range(10):
        with started("append", f"{tmp}/s", "--ack", "--segment-size", SMALL, stdin=subprocess.PIPE,
                     stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as writer:
            os.set_blocking(writer.stdin.fileno(), False)
            deadline = time.monotonic() + 0.02 + round * 0.01
            text = b"%0100d\n" % round * 100
            while time.monotonic() < deadline:
                try:
                    os.write(writer.stdin.fileno(), text)
                except BlockingIOError:
                    time.sleep(0.001)
            writer.kill()
            acks = writer.stdout.read().splitlines()
        if not acks or not acks[-1]:
            continue
        last = int(acks[-1])
        got = out("get", f"{tmp}/s", last)
        equal(got, b"%0100d" % round, f"record {last}")


main()
