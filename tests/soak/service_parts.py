"""service_parts.py - an appender with what feeds it, a follower, a disk and a clock of their own"""
import contextlib
import ctypes
import os
import random
import select
import struct
import subprocess
import tempfile
import threading
import time

PUNCH_HOLE_KEEP_SIZE = 3


class Disk:
    """A small tmpfs that can be filled and freed."""

    def __init__(self, path, size):
        self.path, self.ballast = path, os.path.join(path, "ballast")
        self.full = False
        os.mkdir(path)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", path], check=True)

    def fill(self):
        self.full = True
        with contextlib.suppress(OSError), open(self.ballast, "ab", buffering=0) as file:
            for size in (1 << 20, 4096):
                with contextlib.suppress(OSError):
                    while file.write(bytes(size)):
                        pass

    def free(self):
        os.unlink(self.ballast)
        self.full = False


class Clock:
    """The time of the tool, by clock.c."""

    def __init__(self, path, shim):
        self.path, self.environment = path, {"LD_PRELOAD": shim, "SOAK_CLOCK": path}
        self.set(0)

    def set(self, seconds):
        with open(self.path, "r+b" if os.path.exists(self.path) else "wb") as file:
            file.write(struct.pack("=q", int(seconds * 1e9)))


class Part:
    """A process that is killed and started anew; what it says is kept for when it ends badly."""

    def __init__(self, words, environment, disk, **streams):
        self.said = tempfile.TemporaryFile()
        self.process = subprocess.Popen(words, stderr=self.said, env=os.environ | environment,
                                        **streams)
        self.disk, self.was_full, self.sent = disk, disk.full, set()

    def signal(self, number):
        self.sent.add(number)
        self.process.send_signal(number)

    def fault(self):
        """How it ended that it should not have, or None."""
        code = self.process.wait()
        if -code in self.sent or (self.was_full and code in (3, 4)):
            return None
        self.said.seek(0)
        said = self.said.read()[-2000:].decode(errors="replace")
        return f"{' '.join(self.process.args[1:])}: status {code}: {said}"


class Follower(Part):
    """read -f --cursor-file into a file; what is in it is handed to the ledger."""

    def __init__(self, tool, store, place, environment, disk):
        flags = os.O_CREAT | os.O_APPEND | random.choice((os.O_WRONLY, os.O_RDWR))
        output = os.open(f"{place}/output", flags, 0o600)
        try:
            super().__init__([tool, "read", "-f", "-o", "short", "--cursor-file",
                              f"{place}/cursor", store], environment, disk, stdout=output)
        finally:
            os.close(output)


class Output:
    """Reads what followers print; gives space back that none of them compares any more."""

    KEPT = 4 << 20

    def __init__(self, path, ledger):
        self.path, self.ledger = path, ledger
        self.offset, self.rest, self.punched = 0, b"", 0
        self.libc = ctypes.CDLL(None, use_errno=True)

    def look(self):
        with contextlib.suppress(FileNotFoundError), open(self.path, "r+b", buffering=0) as file:
            file.seek(self.offset)
            data = file.read(1 << 20)
            self.offset += len(data)
            *rows, self.rest = (self.rest + data).split(b"\n")
            for row in rows:
                self.ledger.take(row)
            until = (self.offset - self.KEPT) & -4096
            if until > self.punched + self.KEPT:
                self.libc.fallocate(file.fileno(), PUNCH_HOLE_KEEP_SIZE, ctypes.c_long(0),
                                    ctypes.c_long(until))
                self.punched = until


class Appender(Part, threading.Thread):
    """append --fifo --ack, and the thread that feeds it and waits for what it acknowledges.

    The number of its first record is not known before the first line, alone, was acknowledged.
    """

    def __init__(self, words, fifo, ledger, environment, disk, most_behind):
        threading.Thread.__init__(self, daemon=True)
        Part.__init__(self, words, environment, disk, stdin=subprocess.DEVNULL,
                      stdout=subprocess.PIPE)
        self.fifo, self.ledger, self.most_behind = fifo, ledger, most_behind
        self.rest, self.over, self.ended = b"", threading.Event(), False
        self.pending = []  # lines fed and not acknowledged
        self.number = None  # of the record that was acknowledged last
        self.progress = time.monotonic()
        self.start()

    def run(self):
        with self.process.stdout:
            while not self.over.is_set() and not self.ended:
                if self.ledger.behind() > self.most_behind:
                    time.sleep(0.02)  # retention must not let go of what is not printed yet
                    self.ended = self.process.poll() is not None
                    continue
                self.feed(1 if self.number is None else random.choice((1, 1, 5, 30)))
                while self.pending and not self.ended:
                    self.listen(0.2)
                self.progress = time.monotonic()
                time.sleep(random.random() / 50)
            while not self.ended:
                self.listen(0.2)

    def feed(self, count):
        first, left = self.ledger.feed(count)
        self.pending = list(range(first, first + count))
        fd = None
        while fd is None:
            try:
                fd = os.open(self.fifo, os.O_WRONLY | os.O_NONBLOCK)
            except OSError:  # nobody reads yet, or any more
                if self.process.poll() is not None:
                    return
                time.sleep(0.005)
        try:
            while left:
                try:
                    left = left[os.write(fd, left):]
                except BlockingIOError:
                    self.listen(0.01)
        except BrokenPipeError:
            pass
        finally:
            os.close(fd)

    def listen(self, seconds):
        """Take acknowledgements that come within this time."""
        if not select.select([self.process.stdout], [], [], seconds)[0]:
            return
        data = os.read(self.process.stdout.fileno(), 65536)
        self.ended = not data
        *rows, self.rest = (self.rest + data).split(b"\n")
        for row in rows:
            self.acknowledged(int(row))

    def acknowledged(self, number):
        if self.number is None:
            self.number = number - 1
        while self.number < number and self.pending:
            self.number += 1
            self.ledger.acknowledge(self.number, self.pending.pop(0))
        if self.number != number:
            with self.ledger.lock:
                self.ledger.fault("invented", f"{number} is acknowledged, and was not fed")
            self.number = number
