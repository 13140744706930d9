"""remote_tail.py - rows 16 and 17: from an append to the bucket, and to a follower

A log for each interval, all at once: remote_writer appends to it now and then, `logstore ship
--follow` ships it, and `logstore read -f URL` follows it there with the same interval. Row 16 is
the time from when a record is durable to when logstore_ship_wait() returns; row 17 from before its
append to when its line comes out of the follower. PUTs (and POSTs) are counted in the server's log
while the appends last, and scaled to a day.

The limit is a loop that puts what came, each interval, as one object, over a connection that it
keeps; and another that asks for the next object each interval until it is there. Records come at
times of the same kind, but are never stored.
"""
import os
import random
import shutil
import subprocess
import threading
import time

from remote_server import Bare, Wrong, insist
from remote_table import quantile


class Puts:
    """How many requests that put something a day the server gets for objects below the prefix."""

    def __init__(self, server, prefix):
        self.server, self.prefix = server, prefix
        self.begin, self.begun = server.mark(), time.monotonic()

    def a_day(self):
        end, seconds = self.server.mark(), time.monotonic() - self.begun
        asked = self.server.requests(self.begin, end, self.prefix)
        return sum(row[0] in ("PUT", "POST") for row in asked) / seconds * 86400


class Tail:
    """One log, its writer, its shipper and its follower. Times are in ms."""

    def __init__(self, bench, interval, seconds):
        self.bench = bench
        self.interval, self.seconds = interval, seconds
        self.prefix = f"tail-{interval}"
        self.store = bench.path(self.prefix)
        self.writer = self.shipper = self.follower = None
        self.seen = {} # record: when it came out of the follower
        self.came = threading.Condition()

    def start(self):
        self.writer = subprocess.Popen(
            [self.bench.writer, self.store, str(self.bench.options.per_second),
             str(self.seconds)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        while not os.path.exists(os.path.join(self.store, "control")):
            insist(self.writer.poll() is None, "no writer")
            time.sleep(0.01)
        url = f"s3://bucket/{self.prefix}"
        interval = f"--interval={self.interval}"
        self.shipper = subprocess.Popen(
            [self.bench.tool, "ship", "--follow", interval, self.store, url],
            stderr=subprocess.DEVNULL)
        insist(self.writer.stdout.readline() == "begun\n", "nothing was shipped")
        self.follower = subprocess.Popen(
            [self.bench.tool, "read", "-f", interval, url], stdout=subprocess.PIPE)
        threading.Thread(target=self.look, daemon=True).start()
        self.wait_for(1)

    def look(self):
        for line in self.follower.stdout:
            now = time.monotonic_ns()
            with self.came:
                self.seen[int(line.split()[0])] = now
                self.came.notify_all()

    def wait_for(self, record):
        with self.came:
            if not self.came.wait_for(lambda: record in self.seen, 60):
                raise Wrong(f"{self.prefix}: record {record} never came out of the follower")

    def go(self):
        self.writer.stdin.write("go\n")
        self.writer.stdin.flush()

    def finish(self):
        """(to shipped, to the follower), each a list."""
        rows = [tuple(map(int, line.split())) for line in self.writer.stdout]
        insist(self.writer.wait() == 0 and rows, f"{self.prefix}: the writer failed")
        self.wait_for(rows[-1][0])
        self.close()
        insist(sorted(self.seen) == list(range(1, len(rows) + 2)),
               f"{self.prefix}: the follower printed something else")
        return ([(shipped - durable) / 1e6 for _, _, durable, shipped in rows],
                [(self.seen[record] - append) / 1e6 for record, append, _, _ in rows])

    def close(self):
        for one in (self.follower, self.shipper, self.writer):
            if one and one.poll() is None:
                one.terminate()
                one.wait()
        shutil.rmtree(self.store, ignore_errors=True)


class Loop:
    """The limit."""

    def __init__(self, bench, interval, seconds):
        self.prefix = f"loop-{interval}"
        self.endpoint = bench.server.endpoint
        self.interval = in_seconds(interval)
        self.count = int(bench.options.per_second * seconds)
        self.per_second = bench.options.per_second
        self.appended, self.shipped, self.seen = [], [], []
        self.threads = [threading.Thread(target=work, daemon=True)
                        for work in (self.append, self.put, self.follow)]

    def start(self):
        pass

    def append(self):
        due = time.monotonic()
        dice = random.Random()
        for _ in range(self.count):
            due += dice.expovariate(self.per_second)
            time.sleep(max(0, due - time.monotonic()))
            self.appended.append(time.monotonic_ns())

    def each_interval(self):
        due = time.monotonic()
        while True:
            due = max(due + self.interval, time.monotonic())
            time.sleep(max(0, due - time.monotonic()))
            yield

    def put(self):
        bare, place = Bare(self.endpoint), 0
        for _ in self.each_interval():
            first, end = len(self.shipped), len(self.appended)
            if end > first:
                body = "".join(f"{i} {self.appended[i]}\n" for i in range(first, end)).encode()
                status, _ = bare.ask("PUT", f"/{self.prefix}/{place}", "", body)
                insist(status == 200, "a put failed")
                self.shipped += [time.monotonic_ns()] * (end - first)
                place += 1
            if end == self.count:
                return

    def follow(self):
        bare, place = Bare(self.endpoint), 0
        for _ in self.each_interval():
            while True:
                status, body = bare.ask("GET", f"/{self.prefix}/{place}")
                if status != 200:
                    break
                place += 1
                self.seen += [time.monotonic_ns()] * len(body.splitlines())
            if len(self.seen) >= self.count:
                return

    def go(self):
        for thread in self.threads:
            thread.start()

    def finish(self):
        for thread in self.threads:
            thread.join()
        insist(len(self.appended) == len(self.shipped) == len(self.seen) == self.count,
               f"{self.prefix}: not all came")
        return ([(there - here) / 1e6 for here, there in zip(self.appended, self.shipped)],
                [(there - here) / 1e6 for here, there in zip(self.appended, self.seen)])

    def close(self):
        pass


def in_seconds(interval):
    return float(interval[:-2]) / 1000 if interval.endswith("ms") else float(interval[:-1])


def run_all(kind, bench, intervals, seconds):
    """{interval: (to shipped, to the follower, PUTs a day)}"""
    tails = []
    try:
        for interval in intervals:
            tails.append(kind(bench, interval, seconds))
            tails[-1].start()
        counts = [Puts(bench.server, tail.prefix) for tail in tails]
        for tail in tails:
            tail.go()
        time.sleep(seconds)
        a_day = [count.a_day() for count in counts]
        return {interval: (*tail.finish(), puts)
                for interval, tail, puts in zip(intervals, tails, a_day)}
    finally:
        for tail in tails:
            tail.close()


def tell(table, number, what, intervals, ours, limit, place): # pylint: disable=R0913
    for interval in intervals:
        for name, part in (("p50", 0.5), ("p99", 0.99)):
            table.row(number, f"{what}, interval {interval}, {name}", "ms",
                      [quantile(ours[interval][place], part)],
                      [quantile(limit[interval][place], part)])


def measure(bench):
    intervals = ("100ms", "1s", "10s")
    seconds = bench.size(12, 60)
    ours = run_all(Tail, bench, intervals, seconds)
    limit = run_all(Loop, bench, intervals, seconds)
    bench.table.say(f"    {bench.options.per_second:g} appends a second for {seconds} s, "
                    f"{len(ours['1s'][0])} records")
    tell(bench.table, 16, "durable to shipped", intervals, ours, limit, 0)
    for interval in intervals:
        bench.table.row(16, f"PUTs, interval {interval}", "a day", [ours[interval][2]],
                        [limit[interval][2]])
    tell(bench.table, 17, "append to follower", intervals[:2], ours, limit, 1)
