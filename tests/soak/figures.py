"""figures.py - the counters and histograms of struct shared (soak.h), read while they grow"""
import mmap
import struct

SUB = 64  # as in bench/hist.h
BUCKETS = 59 * SUB
COUNTERS = ("stop", "wrong", "failed",
            "appended_bytes", "appended", "got", "scanned", "scanned_bytes", "followed",
            "snapshots", "edits", "refused_edits", "reopens", "kept_records", "final_records",
            "library_anonymous", "library_heap", "library_copied", "library_mapped",
            "library_resident", "anonymous_peak", "heap_peak", "copied_peak")
STOP_APPENDING, STOP_NOW = 1, 2
HISTOGRAMS = ("append", "sync", "get", "reopen")
HISTOGRAM_BYTES = 8 * (2 + BUCKETS)
QUANTILES = (("p50", 0.5), ("p99", 0.99), ("p999", 0.999))


def bucket_ns(index):
    """The largest duration that falls into a bucket."""
    if index < SUB:
        return index
    return ((SUB + 1 + index % SUB) << (index // SUB - 1)) - 1


class Histogram:
    """Buckets of durations; a difference of two is what came in between."""

    def __init__(self, words):
        self.largest, self.buckets = words[1], words[2:]

    def since(self, earlier):
        return Histogram((0, 0) + tuple(now - then for now, then
                                        in zip(self.buckets, earlier.buckets)))

    def quantiles(self):
        """p50, p99, p999 and max in ns, None if there was nothing."""
        total, found, seen = sum(self.buckets), {}, 0
        wanted = list(QUANTILES) if total else []
        last = 0
        for index, count in enumerate(self.buckets):
            if not count:
                continue
            seen, last = seen + count, bucket_ns(index)
            while wanted and seen >= wanted[0][1] * total:
                found[wanted.pop(0)[0]] = last
        largest = (self.largest or last) if total else None
        return {name: min(found[name], largest) if total else None
                for name, _ in QUANTILES} | {"max": largest}


class Shared:
    """One process's page of figures; the file outlives the process."""

    def __init__(self, path):
        self.path = path
        self.bytes = 8 * len(COUNTERS) + HISTOGRAM_BYTES * len(HISTOGRAMS)
        with open(path, "wb+") as file:
            file.write(bytes(self.bytes))  # charged to the driver, not to the limit
            file.flush()
            self.map = mmap.mmap(file.fileno(), self.bytes)

    def stop(self, how):
        """STOP_APPENDING goes on to the last reading of everything, STOP_NOW does not."""
        struct.pack_into("Q", self.map, 0, how)

    def counters(self):
        return dict(zip(COUNTERS, struct.unpack_from(f"{len(COUNTERS)}Q", self.map)))

    def histograms(self):
        start = 8 * len(COUNTERS)
        return {name: Histogram(struct.unpack_from(f"{2 + BUCKETS}Q", self.map,
                                                   start + i * HISTOGRAM_BYTES))
                for i, name in enumerate(HISTOGRAMS)}
