"""A store that is written, and shipped: what the drills of the shipper have in common."""

import hashlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time

WAIT_S = 90
HANG_S = 400 # longer than the five minutes' patience of a verb
TOLD = re.compile(r"all up to record (\d+) is there, with commit (\d+)")


class Failed(Exception):
    """Something that must not be."""


class Drill:
    """A store, its writer, and the place to which it is shipped."""

    def __init__(self, tool, directory, url=None):
        """Without a URL the place is a directory of its own."""
        self.tool = tool
        self.directory = directory
        self.store = os.path.join(directory, "store")
        self.url = url
        if not url:
            self.url = "file:" + os.path.join(directory, "bucket")
            os.mkdir(os.path.join(directory, "bucket"))
        self.told = 0
        self.fetches = 0
        self.fenced = 0
        self.writer = None
        self.shippers = []

    def run(self, *arguments, status=(0,)):
        done = subprocess.run([self.tool, *arguments], capture_output=True, text=True, check=False,
                              timeout=HANG_S)
        if done.returncode not in status:
            raise Failed(f"logstore {' '.join(arguments)}: {done.returncode}: {done.stderr}")
        return done

    def start_writer(self, seed):
        feed = subprocess.Popen([sys.executable, os.path.abspath(__file__), str(seed)],
                                stdout=subprocess.PIPE)
        self.writer = feed, subprocess.Popen(
            [self.tool, "append", "--sync=interval=5ms", "--segment-size=64K", self.store],
            stdin=feed.stdout, stderr=subprocess.DEVNULL)
        feed.stdout.close()
        for _ in range(200):
            if os.path.exists(os.path.join(self.store, "control")):
                return
            time.sleep(0.02)
        raise Failed("the writer makes no store")

    def stop_writer(self):
        if self.writer:
            self.writer[0].kill()
            self.writer[1].wait()
            self.writer[0].wait()
        self.writer = None

    def end(self):
        """Nothing of it goes on."""
        self.stop_writer()
        for shipper in self.shippers:
            if shipper.returncode is None:
                shipper.kill()
                shipper.communicate()

    def start_shipper(self):
        """Every other one packs segments."""
        packing = ["--compress"] if len(self.shippers) % 2 else []
        shipper = subprocess.Popen([self.tool, "ship", "--follow", "--interval=10ms", "--takeover",
                                    *packing, self.store, self.url],
                                   stderr=subprocess.PIPE, text=True)
        self.shippers.append(shipper)
        return shipper

    def end_shipper(self, shipper):
        """Kill it, if it has not ended by itself: then it must have been fenced."""
        shipper.send_signal(signal.SIGKILL)
        told = shipper.communicate()[1]
        if shipper.returncode not in (-signal.SIGKILL, 5):
            raise Failed(f"a shipper ended with {shipper.returncode}: {told}")
        self.fenced += shipper.returncode == 5

    def ship_once(self):
        """To the end of what is durable, beside others that may fence it."""
        done = self.run("ship", "--takeover", self.store, self.url, status=(0, 5))
        match = TOLD.search(done.stderr)
        if done.returncode == 0:
            if not match:
                raise Failed(f"ship told nothing: {done.stderr}")
            self.told = max(self.told, int(match[1]))

    def tail(self, store):
        return json.loads(self.run("info", "-o", "json", store).stdout)["tail"]

    def records(self, store, until=None):
        command = [self.tool, "read", "-o", "jsonl"]
        if until is not None:
            command += ["-n", str(until)]
        done = subprocess.run([*command, store], capture_output=True, check=False)
        if done.returncode != 0:
            raise Failed(f"read {store}: {done.stderr.decode()}")
        return hashlib.sha256(done.stdout).hexdigest()

    def fetch(self):
        told = self.told
        copy = os.path.join(self.directory, "copy")
        done = self.run("fetch", self.url, copy, status=(0, 1) if told == 0 else (0,))
        if done.returncode == 1:
            return None # nothing was shipped yet
        self.run("verify", copy)
        until = self.tail(copy)
        if until < told:
            raise Failed(f"fetched up to {until}, told was {told}")
        if self.records(copy) != self.records(self.store, until):
            raise Failed(f"the {until} records fetched are not the local ones")
        self.fetches += 1
        return copy

    def shipped(self):
        """The last record that a fetch brings; 0: there is no log yet."""
        copy = self.fetch()
        if not copy:
            return 0
        tail = self.tail(copy)
        shutil.rmtree(copy)
        return tail

    def wait_shipped(self, shipper):
        """Until the shipper at work has shipped all that is here now."""
        wanted = self.tail(self.store)
        end = time.monotonic() + WAIT_S
        while shipper.poll() is None:
            got = self.shipped()
            if got >= wanted:
                return
            if time.monotonic() > end:
                raise Failed(f"{WAIT_S} s, and only {got} of {wanted} records are shipped")
            time.sleep(0.2)
        raise Failed(f"the shipper ended: {shipper.returncode}: {shipper.stderr.read()}")

    def fetch_all(self):
        """After a shipper that shipped all: the copy is the store, and goes on as one. The log is
        also read in place."""
        copy = self.fetch()
        tail = self.tail(self.store)
        if self.told != tail:
            raise Failed(f"shipped up to {self.told} of {tail}")
        if self.records(self.url) != self.records(self.store):
            raise Failed(f"the records read from {self.url} are not the local ones")
        subprocess.run([self.tool, "append", copy], input=b"one more\n", check=True)
        self.run("verify", copy)
        return tail


def feed(seed):
    """Lines of many lengths, until nobody reads."""
    dice = random.Random(seed)
    number = 0
    try:
        while True:
            number += 1
            length = dice.choice((1, 20, 100, 400, 3000))
            sys.stdout.write(f"{number}:{'x' * dice.randrange(length)}\n")
            if number % 20 == 0:
                sys.stdout.flush()
                time.sleep(dice.random() * 0.02)
    except BrokenPipeError:
        os._exit(0)


if __name__ == "__main__":
    feed(int(sys.argv[1]))
