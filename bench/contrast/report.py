"""report.py - the figures of all ways as one table, and its place in the documentation"""
import datetime
import errno
import platform
import re
import sys

MIB = 1 << 20


def mib(count):
    return "?" if count is None else f"{count / MIB:,.0f}"


def mib_option(count):
    return f"{count >> 20}M"


def rate(count, nanoseconds):
    return f"{count / MIB / (nanoseconds / 1e9):,.0f}" if nanoseconds else "-"


def end_text(way):
    taken = mib(way["taken_bytes"])
    if way["end"] == "killed":
        return f"killed by the OOM killer after {taken} MiB"
    if way["end"] == "refused":
        return f"refused ({errno.errorcode.get(way['error'], way['error'])}) after {taken} MiB"
    if way["end"] == "wrong":
        return f"WRONG: {way['wrong']} records"
    return f"done, {taken} MiB"


def peak(way, name):
    return max((s[name] for s in way["samples"] if s[name] is not None), default=None)


def early_rate(way, limit):
    """The rate while the data were smaller than the memory, over the same stretch for each way."""
    for s in way["samples"]:
        if s["taken_bytes"] >= limit * 3 // 4:
            return rate(s["taken_bytes"], s["take_ns"])
    return "-"


COLUMNS = (
    ("way", lambda w: w["way"]),
    ("end", end_text),
    ("MiB/s while it fits", lambda w: early_rate(w, w["limit"])),
    ("MiB/s to the end", lambda w: rate(w["taken_bytes"], w["take_ns"])),
    ("scanned MiB/s", lambda w: rate(w["scanned_bytes"], w["scan_ns"])),
    ("peak resident", lambda w: mib(w["peak_resident"])),
    ("anonymous", lambda w: mib(peak(w, "anon"))),
    ("shared memory", lambda w: mib(peak(w, "shmem"))),
    ("dirty", lambda w: mib(peak(w, "dirty"))),
    ("page cache", lambda w: mib(max(s["cache"] - s["shmem"] for s in w["samples"]))),
    ("charged in all", lambda w: mib(w["peak_charged"])),
    ("minor faults", lambda w: f"{w['minor']:,}"),
    ("major faults", lambda w: f"{w['major']:,}"),
    ("left after its end", lambda w: mib(w["left"]["anon"] + w["left"]["shmem"])),
)


def markdown(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def table(ways, args):
    rows = [[column[1](way) for column in COLUMNS] for way in ways]
    return (f"{datetime.date.today()}, Linux {platform.release()}, cgroup version {args.version}, "
            f"`bench/contrast/run --data {mib_option(args.data)} "
            f"--limit {mib_option(args.limit)}`. "
            "Sizes in MiB, the highest seen.\n\n"
            + markdown([column[0] for column in COLUMNS], rows))


def update(path, texts):
    """Put each text between its markers in the document."""
    with open(path, encoding="utf-8") as file:
        document = file.read()
    for name, text in texts.items():
        pattern = rf"(<!-- {name}:begin -->\n).*?(<!-- {name}:end -->)"
        document, count = re.subn(pattern, lambda m, t=text: m[1] + t + "\n" + m[2], document,
                                  flags=re.DOTALL)
        if count != 1:
            sys.exit(f"contrast: {path} has no markers for {name}")
    with open(path, "w", encoding="utf-8") as file:
        file.write(document)
