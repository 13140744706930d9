"""remote_moves.py - rows 14 and 15: ship and fetch, against parallel transfers of the same files

In each turn everyone puts the log, as many requests at once, and then everyone gets it, in an order
that changes with the turn. The limits of a put are curl processes, one for each of the segments'
files: with a hash of the content in the signature, which ship sends, too, where there is no TLS;
and without one. (One process for all was mostly slower here.) The limit of a get is one curl
process, and an fsync of each file, since what fetch has fetched is durable; and curl alone.
(Processes for each were slower by far.) rclone copies the same files. Rates are of the log's bytes:
of its segments' files, or what of them is log. Of a packed log they are those before packing. What
arrived is compared each time.
"""
import filecmp
import os
import shutil

from remote_logs import Log
from remote_server import digest, insist, rclone, run, run_at_once
import remote_turns


class Moves:
    """One log, and what each turn gave."""

    def __init__(self, bench):
        self.bench = bench
        self.server = bench.server
        self.most = bench.options.connections
        self.log = Log(bench.tool, bench.path("moved"), bench.size(64, 256), bench.size(8, 32))
        self.tags = {os.path.basename(path): (os.path.getsize(path), digest(path))
                     for path in self.log.files}
        self.rates = {}
        self.stored = None

    # ---- put ----
    def ship(self, prefix, *more):
        run([self.bench.tool, "ship", f"--connections={self.most}", *more, self.log.directory,
             f"s3://bucket/{prefix}"])

    def puts(self):
        return {
            "curl puts": lambda prefix: run_at_once(
                [self.server.curl_put(path, prefix) for path in self.log.files], self.most),
            "curl puts, hashed": lambda prefix: run_at_once(
                [self.server.curl_put_hashed(path, prefix) for path in self.log.files], self.most),
            "rclone puts": lambda prefix: run(rclone(
                "copy", self.most, "--include=*.log", self.log.directory, f"s3:bucket/{prefix}")),
            "ship": self.ship,
            "ship --compress": lambda prefix: self.ship(prefix, "--compress")}

    def put(self, name, work, prefix):
        begin = self.server.mark()
        seconds = remote_turns.timed(work, prefix)
        asked = self.server.requests(begin, self.server.mark(), prefix)
        sent = sum(row[4] for row in asked if row[0] == "PUT" and row[3] == 200)
        moved = self.log.file_bytes
        if name.startswith("ship"):
            info = self.log.info(f"s3://bucket/{prefix}")
            moved = info["log_bytes"]
            insist(info["records"] == self.log.records and sent >= info["stored_bytes"],
                   f"{name} sent {sent} bytes")
            if name == "ship --compress":
                self.stored = info["stored_bytes"] / moved
        else:
            insist(sent == moved and self.server.objects(prefix) == self.tags,
                   f"{name} put {sent} bytes of {moved}, or others")
        self.rates.setdefault(name, []).append(moved / seconds)

    # ---- get ----
    def curl_gets(self, to, prefix):
        self.server.curl_gets(self.tags, prefix, self.most, to)

    def curl_gets_synced(self, to, prefix):
        self.curl_gets(to, prefix)
        run(["sync", *(os.path.join(to, name) for name in self.tags), to])

    def fetch(self, to, prefix):
        os.rmdir(to)
        run([self.bench.tool, "fetch", f"--connections={self.most}", f"s3://bucket/{prefix}", to])

    def gets(self):
        """Name: the work, and whose objects it gets."""
        return {
            "curl gets": (self.curl_gets, "curl puts"),
            "curl gets, synced": (self.curl_gets_synced, "curl puts"),
            "rclone gets": (lambda to, prefix: run(rclone(
                "copy", self.most, f"s3:bucket/{prefix}", to)), "rclone puts"),
            "fetch": (self.fetch, "ship"),
            "fetch, packed": (self.fetch, "ship --compress")}

    def get(self, name, work, prefix):
        to = self.bench.path("got")
        os.mkdir(to)
        seconds = remote_turns.timed(work, to, prefix)
        moved = self.log.file_bytes
        if name.startswith("fetch"):
            moved = self.log.info(f"s3://bucket/{prefix}")["log_bytes"]
            self.log.insist_same(to)
        else:
            insist(filecmp.cmpfiles(to, self.log.directory, self.tags, shallow=False)[0] ==
                   list(self.tags), f"{name} did not get the files")
        shutil.rmtree(to)
        self.rates.setdefault(name, []).append(moved / seconds)

    def turn(self, turn):
        prefixes = {name: f"moves{turn}-{place}" for place, name in enumerate(self.puts())}
        for name, work in remote_turns.turned(self.puts(), turn):
            self.put(name, work, prefixes[name])
        for name, (work, source) in remote_turns.turned(self.gets(), turn):
            self.get(name, work, prefixes[source])
        self.server.remove(*prefixes.values())

    def tell(self):
        table, rates = self.bench.table, self.rates
        for name, values in rates.items():
            table.spread(name, values, "bytes/s")
        table.say(f"    --compress stores {self.stored:.2f} of the bytes; the log has "
                  f"{self.log.file_bytes / 2**20:.0f} MiB in {len(self.log.files)} files")
        for number, name, limits, peer in (
                (14, "ship", ("curl puts, hashed", "curl puts"), "rclone puts"),
                (14, "ship --compress", ("curl puts, hashed", "curl puts"), "rclone puts"),
                (15, "fetch", ("curl gets, synced", "curl gets"), "rclone gets"),
                (15, "fetch, packed", ("curl gets, synced", "curl gets"), "rclone gets")):
            for limit in limits:
                table.row(number, f"{name} (limit: {limit})", "bytes/s", rates[name], rates[limit],
                          ("rclone", rates[peer]) if limit == limits[0] else None)


def measure(bench):
    moves = Moves(bench)
    for turn in range(bench.options.turns):
        moves.turn(turn)
    moves.tell()
    shutil.rmtree(moves.log.directory)
