#!/usr/bin/python3
"""test_readme.py [LOGSTORE] - what the README shows works as it is written there

The C example compiles without a warning and writes its record; each line of the tool's example
runs; links of the documents lead to files. The tool is the argument or $LOGSTORE, the library
is that of its build. TAP on standard output.
"""
import glob
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TOOL = os.path.abspath((sys.argv[1:] or [os.environ.get("LOGSTORE", "logstore")])[0])
LIBRARY = os.path.join(os.path.dirname(os.path.dirname(TOOL)), "store")


def text(name):
    with open(os.path.join(ROOT, name), encoding="utf-8") as file:
        return file.read()


def run(command, folder, **more):
    env = os.environ | {"PATH": os.path.dirname(TOOL) + ":" + os.environ["PATH"]}
    done = subprocess.run(
        command, cwd=folder, env=env | {"LD_LIBRARY_PATH": LIBRARY},
        capture_output=True, text=True, timeout=60, check=False, **more,
    )  # fmt: skip
    assert done.returncode == 0, f"{command}: exit {done.returncode}: {done.stderr.strip()}"
    return done.stdout


def c_example(folder):
    (source,) = re.findall(r"^```c\n(.*?)^```", text("README.md"), re.DOTALL | re.MULTILINE)
    with open(os.path.join(folder, "example.c"), "w", encoding="utf-8") as file:
        file.write(source)
    run(
        ["cc", "-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-I" + ROOT + "/include",
         "example.c", "-o", "example", "-L" + LIBRARY, "-llogstore"], folder,
    )  # fmt: skip
    run(["./example"], folder)
    run(["./example"], folder)
    assert run([TOOL, "read", "events"], folder) == "hello\nhello\n"


def tool_example(folder):
    section = text("README.md").split("## The tool")[1].split("\n## ")[0]
    lines = re.findall(r"^    (.*)$", section, re.MULTILINE)
    assert len(lines) == 5, lines
    out = [run(line, folder, shell=True) for line in lines]
    assert out[1] == "1\n2\n3\n4\n5\n", out[1]
    assert [line.split(",")[0] for line in out[2].splitlines()] == ['{"number":4', '{"number":5']


def links(_):
    for name in ["README.md"] + glob.glob("docs/*.md", root_dir=ROOT):
        for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text(name)):
            path = os.path.join(ROOT, os.path.dirname(name), link)
            assert os.path.exists(path), f"{name}: {link} is not there"


def main():
    tests, failed = [c_example, tool_example, links], 0
    print(f"1..{len(tests)}")
    for i, test in enumerate(tests, 1):
        with tempfile.TemporaryDirectory(prefix="readme-") as folder:
            try:
                test(folder)
                print(f"ok {i} - {test.__name__}")
            except Exception as error:
                failed += 1
                print(f"not ok {i} - {test.__name__}\n# " + str(error).replace("\n", "\n# "))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
