"""demos.py - run the demonstrations and put their rows into one table"""
import os
import subprocess

import report

TITLES = {
    "touch": "memory is taken at first touch",
    "heap": "malloc below and above 128 KiB, and free",
    "copies": "one copy against two",
    "views": "who sees a store",
    "beyond": "a file of 5,000 bytes mapped at 15,000",
    "grow": "a file that grows under its mapping",
    "evict": "what the kernel can take back",
    "tmpfs": "tmpfs is shared memory",
}


def run(program, directory):
    """Rows of one program; it fails if it could not measure."""
    done = subprocess.run([program, directory], stdout=subprocess.PIPE, text=True, check=True)
    return [line.split("\t") for line in done.stdout.splitlines()]


def run_all(programs, directory):
    return {name: run(os.path.join(programs, name), directory) for name in TITLES}


def verdict(expected, note):
    if expected == "-":
        return ""
    return f"**no:** {note}" if note else "yes"


def table(shown):
    rows = []
    for name, found in shown.items():
        rows.append([f"**{TITLES[name]}** (`{name}`)", "", "", ""])
        rows += [[what.replace("|", "\\|"), expected, observed, verdict(expected, note)]
                 for what, expected, observed, note in found]
    return report.markdown(("what was done", "commonly expected", "observed", "agrees"), rows)
