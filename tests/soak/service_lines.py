"""service_lines.py - what was fed, acknowledged and printed, and whether the three agree

Each line is fed once and tells by itself which one it is, so that what comes twice, out of order,
torn or invented shows. A line that was fed and not acknowledged may be printed, or not.
"""
import re
import sys
import threading
import zlib

PRINTED = re.compile(rb"\S+ (\d+) ((\d+) [0-9a-f]+)")  # read -o short: time, number, text


def text_of(line):
    return b"%d " % line + b"%08x" % zlib.crc32(b"%d" % line) * (1 + line * 7919 % 40)


class Ledger:
    """Numbers are those of records, lines those of what is fed. Threads: any."""

    def __init__(self):
        self.lock = threading.Lock()
        self.next_line = 1
        self.due = {}  # acknowledged, not printed yet: number -> line
        self.early = {}  # printed, not acknowledged yet: number -> line
        self.last_number = self.last_line = 0  # that were printed
        self.faults = {"lost": 0, "twice": 0, "invented": 0}
        self.acknowledged = self.printed = 0

    def fault(self, kind, text):
        self.faults[kind] += 1
        if self.faults[kind] <= 20:
            print(f"soak: {kind}: {text}", file=sys.stderr, flush=True)

    def feed(self, count):
        """The next lines: the first of them, and their bytes."""
        first = self.next_line
        self.next_line += count
        return first, b"".join(text_of(n) + b"\n" for n in range(first, first + count))

    def acknowledge(self, number, line):
        with self.lock:
            self.acknowledged += 1
            early = self.early.pop(number, None)
            if early is None and number <= self.last_number:
                self.fault("lost", f"record {number}, line {line}: passed over, then acknowledged")
            elif early is None:
                self.due[number] = line
            elif early != line:
                self.fault("invented", f"record {number} is line {early}, not {line}")

    def settle(self):
        """Nothing that was printed until now will be acknowledged any more."""
        with self.lock:
            self.early.clear()

    def behind(self):
        return len(self.due)

    def take(self, row):
        """One line of the output."""
        match = PRINTED.fullmatch(row)
        with self.lock:
            if not match or text_of(int(match[3])) != match[2]:
                self.fault("invented", repr(row[:200]))
                return
            number, line = int(match[1]), int(match[3])
            if number <= self.last_number or line <= self.last_line:
                self.fault("twice", f"record {number}, line {line}, behind record "
                                    f"{self.last_number}, line {self.last_line}")
                return
            for missing in range(self.last_number + 1, number):
                if self.due.pop(missing, None):
                    self.fault("lost", f"record {missing} was acknowledged and not printed")
            wanted = self.due.pop(number, None)
            if wanted is None:
                self.early[number] = line
            elif wanted != line:
                self.fault("invented", f"record {number} is line {line}, not {wanted}")
            self.last_number, self.last_line = number, line
            self.printed += 1

    def finish(self):
        with self.lock:
            for number, line in self.due.items():
                self.fault("lost", f"record {number}, line {line}: acknowledged, never printed")
