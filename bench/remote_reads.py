"""remote_reads.py - row 18: one record, and all, read by URL

A get is a process of its own, so nothing is in its cache. The records are random ones, of those
that are in objects. Requests are counted in the server's log. All is done twice: right behind the
ship of a finished log, which makes no checkpoint, and once a shipper that follows has made one. The
limit is one curl that makes the same requests, one after the other over one connection. rclone gets
the range alone, in one request.

A scan prints the log; its limit is curl, which gets the same objects, as many at once as a scan has
connections. rclone prints them one after the other. Rates are of bytes that the server sent.
"""
import random
import shutil
import subprocess
import time

from remote_logs import Log
from remote_server import UNSIGNED, insist, rclone, run
import remote_turns

PREFIX = "reads"
URL = f"s3://bucket/{PREFIX}"


def replay(server, asked):
    """The same requests by one curl."""
    command = ["curl"]
    for method, path, query, _, _, span in asked:
        insist(method == "GET", f"a get asks {method}")
        if len(command) > 1:
            command.append("--next")
        command += server.curl(UNSIGNED, "-o", "/dev/null")[1:]
        if span.startswith("bytes="):
            command += ["-r", span[len("bytes="):]]
        command.append(f"{server.endpoint}/bucket{path}" + (f"?{query}" if query else ""))
    return command


def sent(asked):
    return [row[4] for row in asked if row[0] == "GET" and row[3] in (200, 206)]


class Gets:
    """Random gets, each by everyone."""

    def __init__(self, bench, log):
        self.bench, self.log = bench, log
        self.ms = {"ours": [], "curl": [], "rclone": []}
        self.requests, self.bytes = [], []

    def timed(self, name, command):
        begin = self.bench.server.mark()
        begun = time.monotonic()
        got = run(command, keep=True)
        self.ms[name].append((time.monotonic() - begun) * 1000)
        return self.bench.server.requests(begin, self.bench.server.mark(), PREFIX), got

    def get(self, number):
        asked, got = self.timed("ours", [self.bench.tool, "get", URL, str(number)])
        local = run([self.bench.tool, "get", self.log.directory, str(number)], keep=True)
        insist(got and got == local, f"get {number} gave another record")
        replayed, _ = self.timed("curl", replay(self.bench.server, asked))
        insist(sent(replayed) == sent(asked),
               f"curl got {sent(replayed)} bytes where get got {sent(asked)}")
        _, path, _, _, size, span = asked[-1]
        insist(span.startswith("bytes="), "the last request of a get is no range")
        _, got = self.timed("rclone", rclone(
            "cat", 1, f"--offset={span[6:].split('-')[0]}", f"--count={size}",
            f"s3:bucket{path}"))
        insist(len(got) == size, "rclone got another range")
        self.requests.append(len(asked))
        self.bytes.append(sum(sent(asked)))

    def tell(self, what):
        table = self.bench.table
        for name, values in self.ms.items():
            table.spread(f"get {what}, {name}", values, "ms")
        table.spread(f"get {what}, from the server", self.bytes, "bytes")
        table.row(18, f"cold get by URL, {what}", "ms", self.ms["ours"], self.ms["curl"],
                  ("rclone", self.ms["rclone"]))
        table.row(18, f"cold get by URL, {what}, requests", "requests", self.requests)


class Scans:
    """The whole log, by everyone."""

    def __init__(self, bench, log):
        self.bench, self.log = bench, log
        server, most = bench.server, bench.options.connections
        objects = {name: size for name, (size, _) in server.objects(PREFIX).items()
                   if name.startswith("seg/")}
        self.object_bytes = sum(objects.values())
        self.rates = {}
        self.contenders = {
            "read URL": lambda: run([bench.tool, "read", f"--connections={most}", URL]),
            "curl gets": lambda: server.curl_gets(objects, f"{PREFIX}/seg", most),
            "rclone cat": lambda: run(rclone("cat", most, f"s3:bucket/{PREFIX}/seg"))}

    def turn(self, turn):
        for name, work in remote_turns.turned(self.contenders, turn):
            begin = self.bench.server.mark()
            seconds = remote_turns.timed(work)
            moved = sum(sent(self.bench.server.requests(
                begin, self.bench.server.mark(), f"{PREFIX}/seg")))
            insist(self.object_bytes <= moved <= 1.01 * self.object_bytes,
                   f"{name} got {moved} bytes of {self.object_bytes}")
            self.rates.setdefault(name, []).append(moved / seconds)

    def tell(self):
        for name, values in self.rates.items():
            self.bench.table.spread(name, values, "bytes/s")
        self.bench.table.row(18, "scan by URL", "bytes/s", self.rates["read URL"],
                             self.rates["curl gets"], ("rclone", self.rates["rclone cat"]))


def ship_more(bench, log):
    """A log that is followed has a checkpoint; one that was shipped at once has none."""
    command = [bench.tool, "ship", "--follow", "--interval=10ms", log.directory, URL]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as shipper, \
         subprocess.Popen([bench.tool, "append", "--sync=each", log.directory],
                          stdin=subprocess.PIPE) as append:
        end = time.monotonic() + 60
        while not log.info(URL)["checkpoint"]:
            insist(time.monotonic() < end, "no checkpoint came")
            for _ in range(20):
                append.stdin.write(b"one more line\n")
                append.stdin.flush()
                time.sleep(0.03)
        append.stdin.close()
        append.wait()
        shipper.terminate()


def measure_gets(bench, log, what):
    gets, dice = Gets(bench, log), random.Random(2)
    for _ in range(bench.size(5, 15)):
        gets.get(dice.randrange(1, log.records * 9 // 10)) # behind that may be tails
    gets.tell(what)


def measure(bench):
    log = Log(bench.tool, bench.path("reads"), bench.size(64, 256), bench.size(8, 32))
    run([bench.tool, "ship", log.directory, URL])
    log.insist_same(URL)
    measure_gets(bench, log, "without a checkpoint")
    ship_more(bench, log)
    measure_gets(bench, log, "with a checkpoint")
    scans = Scans(bench, log)
    for turn in range(bench.options.turns):
        scans.turn(turn)
    scans.tell()
    bench.server.remove(PREFIX)
    shutil.rmtree(log.directory)
