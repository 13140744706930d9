"""remote_logs.py - the logs that bench/remote ships: lines as a web server writes them"""
import hashlib
import json
import os
import random
import subprocess

from remote_server import insist, run

BLOCK_LINES = 200000


class Log:
    """A store of about so many MiB, which its files have, and what its lines hash to."""

    def __init__(self, tool, directory, mib, segment_mib=64):
        self.tool = tool
        self.directory = directory
        block = make_block()
        blocks = max(1, round((mib << 20) / sum(
            (24 + len(line) + 7) // 8 * 8 for line in block.splitlines())))
        check = hashlib.sha256()
        with subprocess.Popen([tool, "append", "--sync=batch", f"--segment-size={segment_mib}M",
                               directory], stdin=subprocess.PIPE) as append:
            for _ in range(blocks):
                append.stdin.write(block)
                check.update(block)
        insist(append.returncode == 0, "append failed")
        self.records = blocks * BLOCK_LINES
        self.check = check.hexdigest()
        self.files = sorted(os.path.join(directory, name) for name in os.listdir(directory)
                            if name.endswith(".log"))
        self.file_bytes = sum(map(os.path.getsize, self.files))

    def insist_same(self, place):
        """All of the log is at a directory or URL, and nothing else."""
        with subprocess.Popen([self.tool, "read", place], stdout=subprocess.PIPE) as read:
            got = hashlib.file_digest(read.stdout, "sha256").hexdigest()
        insist(got == self.check, f"{place} is not the log that was shipped")

    def info(self, place):
        return json.loads(run([self.tool, "info", "-o", "json", place], keep=True))


def make_block():
    dice = random.Random(1)
    return "".join(f"2026-11-30T12:00:{line % 60:02} host{line % 7} GET "
                   f"/page/{dice.randrange(10**6)} 200 {dice.randrange(10**5)}\n"
                   for line in range(BLOCK_LINES)).encode()
