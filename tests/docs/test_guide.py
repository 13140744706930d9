#!/usr/bin/python3
"""test_guide.py [LOGSTORE] - what docs/GUIDE.md shows happens as it is written there

One shell runs the commands of all its ```console blocks, in the order of the document, in a
directory of their own. Each prints what stands below it; "…" is any text, and alone on a line any
lines. A ```c block is written to the file that its first comment names. Each section is a case: if
one fails, so do those behind it that need it. The tool is the argument or $LOGSTORE, the library
that of its build. TAP on standard output.
"""
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TOOL = os.path.abspath((sys.argv[1:] or [os.environ.get("LOGSTORE", "logstore")])[0])
BUILD = os.path.dirname(os.path.dirname(TOOL))
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def sections():
    with open(os.path.join(ROOT, "docs", "GUIDE.md"), encoding="utf-8") as file:
        parts = re.split(r"^## (.*)$", file.read(), flags=re.MULTILINE)
    return list(zip(parts[1::2], parts[2::2]))


def commands(block):
    """Each command with the lines that it prints."""
    found = []
    for line in block.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        else:
            found[-1][1].append(line)
    return found


def pattern(lines):
    """What these lines match, as a regular expression."""
    parts = [r"(?:.*\n)*" if line == "…" else ".*".join(map(re.escape, line.split("…"))) + r"\n"
             for line in lines]
    return re.compile("".join(parts))


class Shell:
    """One that goes on from block to block."""

    def __init__(self, folder):
        env = os.environ | {
            "PATH": os.path.dirname(TOOL) + ":" + os.environ["PATH"],
            "LD_LIBRARY_PATH": os.path.join(BUILD, "store"),
            "PKG_CONFIG_PATH": os.path.join(BUILD, "meson-uninstalled"),
        }  # fmt: skip
        self.process = subprocess.Popen(["bash"], cwd=folder, env=env, text=True, bufsize=1,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT)

    def run(self, command):
        """What it prints on both streams."""
        self.process.stdin.write(f"{command}\n_status=$?; echo; echo -- done; (exit $_status)\n")
        printed = ""
        for line in self.process.stdout:
            if line == "-- done\n":
                printed = printed[:-1]
                return printed + "\n" * (printed != "" and printed[-1] != "\n")
            printed += line
        raise AssertionError(f"the shell ended at: {command}\n{printed}")

    def end(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(timeout=60)


def run_section(shell, folder, text):
    for kind, block in BLOCK.findall(text):
        if kind == "c":
            (name,) = re.findall(r"^/\* (\S+\.c) \*/", block)
            with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                file.write(block)
            continue
        assert kind == "console", f"a block of kind {kind}"
        for command, lines in commands(block):
            printed = shell.run(command)
            assert pattern(lines).fullmatch(printed), (
                f"$ {command}\nprinted:\n{printed}\nwanted:\n" + "\n".join(lines))


def main():
    good = True
    with tempfile.TemporaryDirectory(prefix="logstore-guide-") as folder:
        shell = Shell(folder)
        todo = [(title, text) for title, text in sections() if BLOCK.search(text)]
        print(f"1..{len(todo)}", flush=True)
        for number, (title, text) in enumerate(todo, 1):
            if "logstore ship" in text and not os.path.exists(TOOL + "-remote"):
                print(f"ok {number} - {title} # SKIP built without object stores", flush=True)
                continue
            try:
                run_section(shell, folder, text)
                print(f"ok {number} - {title}", flush=True)
            except AssertionError as error:
                good = False
                print(f"not ok {number} - {title}", flush=True)
                print("# " + str(error).replace("\n", "\n# "), flush=True)
        shell.end()
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
