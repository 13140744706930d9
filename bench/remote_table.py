"""remote_table.py - results of bench/remote, as bench/output.c prints those of logstore-bench

A ratio is ours by theirs: below 1 is worse for rates, and better for times, requests and memory. It
is the median of the turns' ratios, since what ran side by side met the same machine.
"""
import json
import re
import statistics
import sys

import page


def figure(value):
    return page.figure(value) or "-"


def median(values):
    return statistics.median(values) if values else None


def quantile(values, part):
    """The least value that so great a part of them does not exceed."""
    values = sorted(values)
    return values[min(len(values) - 1, int(part * len(values)))]


def ratio(ours, theirs):
    return median([a / b for a, b in zip(ours, theirs) if b]) if theirs else None


class Table:
    """Prints each row at once; with jsonl the table goes to standard error."""

    def __init__(self, jsonl):
        self.jsonl = jsonl
        self.headed = False
        self.failed = False

    def say(self, text):
        print(text, file=sys.stderr, flush=True)

    def spread(self, name, values, unit):
        """What went into a row."""
        self.say(f"    {name}: {figure(median(values))} {unit} "
                 f"({figure(min(values))} to {figure(max(values))}, {len(values)} turns)")

    def row(self, number, name, unit, ours, limit=None, peer=None, required=None):
        """Values of turns; @peer is a name and its values. @required is as in bench/bench.h."""
        peer_name, peer_values = peer or (None, None)
        result = {"row": number, "name": name, "ours": median(ours), "limit": median(limit),
                  "best_peer": median(peer_values), "peer": peer_name, "unit": unit,
                  "ratio_limit": ratio(ours, limit), "ratio_peer": ratio(ours, peer_values),
                  "required": required}
        verdict = ""
        if required:
            most = float(re.fullmatch(r"ours<=(.*)", required)[1])
            verdict = "ok" if result["ours"] <= most else "MORE"
            self.failed |= verdict != "ok"
        self.line(result, verdict)
        if self.jsonl:
            print(json.dumps({key: float(f"{value:.6g}") if isinstance(value, float) else value
                              for key, value in result.items()}), flush=True)

    def line(self, result, verdict):
        to = sys.stderr if self.jsonl else sys.stdout
        form = "{:>3} {:<52} {:>9} {:>9} {:>9} {:<7} {:<9} {:>7} {:>7} {} {}"
        if not self.headed:
            print(form.format("row", "name", "ours", "limit", "best peer", "", "unit", "/limit",
                              "/peer", "", ""), file=to)
        self.headed = True
        print(form.format(result["row"], result["name"], figure(result["ours"]),
                          figure(result["limit"]), figure(result["best_peer"]),
                          result["peer"] or "", result["unit"], figure(result["ratio_limit"]),
                          figure(result["ratio_peer"]), verdict,
                          result["required"] or "").rstrip(), file=to, flush=True)
