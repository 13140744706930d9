"""page.py - the soak's report: one HTML file that needs nothing else"""
import html
import itertools
import json

import charts

MIB = 1 << 20
POINTS = 300

HEAD = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>logstore: memory soak</title>
<style>
body { font: 15px/1.5 Helvetica, Arial, sans-serif; color: #222; background: #fff;
       max-width: 900px; margin: 2em auto; padding: 0 1em }
h1 { font-size: 1.5em; margin-bottom: .2em }
table { border-collapse: collapse; margin: 1em 0 }
td, th { padding: .15em 1.2em .15em 0; text-align: right; border-bottom: 1px solid #ddd }
td:first-child, th:first-child { text-align: left }
.bad { color: #b3261e; font-weight: bold } .good { color: #2e6b34; font-weight: bold }
svg { display: block; margin: 1.2em 0; max-width: 100%; height: auto }
pre { font-size: 11px; overflow-x: auto; background: #f6f6f6; padding: 1em; max-height: 30em }
</style></head><body>
"""


def column(samples, name, scale=1):
    return [None if s.get(name) is None else s[name] / scale for s in samples]


def rates(samples, name, scale=1):
    """Change per second since the sample before."""
    found = [None]
    for then, now in zip(samples, samples[1:]):
        found.append((now[name] - then[name]) / scale / max(now["s"] - then["s"], 1e-9))
    return found


def latency_series(samples, what):
    return [(name.replace("999", "99.9"),
             [None if s[what][name] is None else s[what][name] / 1000 for s in samples])
            for name in ("p50", "p99", "p999", "max")]


def thin(samples):
    """At most POINTS samples: of each group the last, with the group's worst durations."""
    size = -(-len(samples) // POINTS)
    found = []
    for at in range(0, len(samples), size):
        group = samples[at:at + size]
        worst = {what: {name: max((s[what][name] for s in group if s[what][name] is not None),
                                  default=None) for name in group[0][what]}
                 for what in ("append", "sync", "get")}
        found.append({**group[-1], **worst})
    return found


def all_charts(samples, limit):
    samples = thin(samples)
    times = column(samples, "s")
    numbers = itertools.count()

    def chart(title, unit, series, **more):
        return charts.line_chart(title, unit, times, series, name=f"chart{next(numbers)}", **more)

    yield chart("Throughput", "MiB of payload per second", [
        ("appended", rates(samples, "appended_bytes", MIB)),
        ("scanned", rates(samples, "scanned_bytes", MIB))])
    for what in ("append", "sync", "get"):
        yield chart(f"{what.capitalize()} latency", "microseconds", latency_series(samples, what),
                    log=True)
    yield chart("Memory under the limit, all processes", "MiB", [
        ("page cache", column(samples, "cache", MIB)),
        ("dirty", column(samples, "dirty", MIB)),
        ("anonymous", column(samples, "anon", MIB))], limit=limit / MIB)
    yield chart("Bytes of the library that the kernel cannot evict", "MiB", [
        ("writer: anonymous", column(samples, "library_anonymous", MIB)),
        ("writer: heap", column(samples, "library_heap", MIB)),
        ("writer: private copies", column(samples, "library_copied", MIB)),
        ("reader: anonymous", column(samples, "reader_anonymous", MIB)),
        ("reader: heap", column(samples, "reader_heap", MIB))])
    yield chart("Writer: resident memory", "MiB", [
        ("of files", column(samples, "rss_file", MIB)),
        ("anonymous", column(samples, "rss_anon", MIB))])
    yield chart("Page faults of the writer", "per second", [
        ("minor", rates(samples, "minor")), ("major", rates(samples, "major"))])


def milliseconds(nanoseconds):
    return "-" if nanoseconds is None else f"{nanoseconds / 1e6:,.3f}"


def tables(result):
    latencies = "".join(
        f"<tr><td>{what}</td>" + "".join(f"<td>{milliseconds(result[f'{what}_{name}_ns'])}</td>"
                                         for name in ("p50", "p99", "p999", "max")) + "</tr>"
        for what in ("append", "sync", "get", "reopen"))
    rest = "".join(f"<tr><td>{html.escape(name)}</td><td>{value:,}</td></tr>"
                   for name, value in result.items()
                   if isinstance(value, int) and not name.endswith("_ns"))
    return ("<table><tr><th>milliseconds</th><th>p50</th><th>p99</th><th>p99.9</th><th>max</th>"
            f"</tr>{latencies}</table><table>{rest}</table>")


def write(path, result, samples):
    good = result["wrong"] == 0 and result["oom_kills"] == 0 and result["failed"] == 0
    verdict = ("<span class=good>no record was wrong, nothing was killed</span>" if good else
               f"<span class=bad>{result['wrong']} wrong, {result['failed']} failed, "
               f"{result['oom_kills']} OOM kills</span>")
    with open(path, "w", encoding="utf-8") as file:
        file.write(HEAD)
        file.write(f"<h1>Memory soak: {result['bytes'] / MIB:,.0f} MiB of payload under a limit of "
                   f"{result['limit'] / MIB:,.0f} MiB</h1>\n<p>{verdict}. "
                   f"{html.escape(result['when'])}, {html.escape(result['kernel'])}, "
                   f"<code>{html.escape(result['command'])}</code></p>\n")
        if len(samples) > 1:
            try:
                file.write("\n".join(all_charts(samples, result["limit"])))
            except FileNotFoundError:
                file.write("<p>No charts: gnuplot is not installed.</p>\n")
        file.write(tables(result))
        file.write("<details><summary>Raw samples, JSON lines</summary><pre>")
        for sample in samples:
            file.write(html.escape(json.dumps(sample), quote=False) + "\n")
        file.write("</pre></details></body></html>\n")
