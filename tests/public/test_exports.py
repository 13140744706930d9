#!/usr/bin/python3
"""test_exports.py HEADER LIBRARY - the library exports exactly what the header declares"""
import re
import subprocess
import sys

header, library = sys.argv[1:]
with open(header, encoding="utf-8") as file:
    declared = set(re.findall(r"^LOGSTORE_API[^;(]*?(\w+)\(", file.read(), re.MULTILINE))
symbols = subprocess.run(
    ["nm", "--dynamic", "--defined-only", "--format=posix", library],
    check=True, capture_output=True, text=True,
).stdout
exported = {line.split()[0].split("@")[0] for line in symbols.splitlines()}
exported -= {"LOGSTORE_0"}  # the version node

cases = {
    "the header declares functions": set() if declared else {"none found"},
    "each declared function is exported": declared - exported,
    "each exported symbol is declared": exported - declared,
}
print(f"1..{len(cases)}")
for number, (promise, broken) in enumerate(cases.items(), 1):
    print(f"{'not ok' if broken else 'ok'} {number} - {promise}")
    for symbol in sorted(broken):
        print(f"# {symbol}")
sys.exit(any(cases.values()))
