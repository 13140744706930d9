#!/usr/bin/python3
"""What cannot run is skipped, never failed: the methods with devices, tried elsewhere.

Usage: test_elsewhere.py CRASH     (the folder of the built methods)
"""

import os
import subprocess
import sys
import tempfile

CRASH = os.path.abspath(sys.argv[1])
HERE = os.path.dirname(os.path.abspath(__file__))
METHODS = {
    "powercut": [f"{HERE}/../crash/powercut/powercut", "--build", f"{CRASH}/../..", "--fs", "ext4"],
    "failed_sync": [f"{CRASH}/device/failed_sync"],
    "full_disk": [f"{CRASH}/device/full_disk"],
}
PLACES = {
    "a user namespace": ["unshare", "-r"],
    "an ordinary user": ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"],
}
CHROOT = """
mkdir "$1/chroot" && cd "$1/chroot" && shift
for name in bin sbin lib lib64 usr etc proc dev tmp var; do
    if [ -L "/$name" ]; then cp -a "/$name" "$name"
    elif [ -d "/$name" ]; then mkdir "$name" && mount --rbind "/$name" "$name" || exit 125
    fi
done
case $1 in
/tmp/* | /usr/* | /var/*) ;;
*)
    top=$(echo "$1" | cut -d/ -f2)
    [ -e "$top" ] || { mkdir "$top" && mount --rbind "/$top" "$top"; }
    ;;
esac
exec chroot . "$@"
"""


def answer(words):
    """A status, and the last line that was said."""
    result = subprocess.run(words, capture_output=True, text=True, timeout=300, check=False)
    said = (result.stdout + result.stderr).strip().splitlines()
    return result.returncode, said[-1] if said else ""


def clear(folder):
    """Remove the mount points, which are empty out here. Never touch what has something mounted."""
    subprocess.run(["find", f"{folder}/chroot", "-xdev", "-depth", "(", "-type", "l", "-o", "-type",
                    "d", "-empty", ")", "-delete"], check=False, stderr=subprocess.DEVNULL)


def judge(prefix, method, folder):
    """What to print behind the name of the case, and whether it failed."""
    if os.geteuid() != 0 or answer([*prefix, "true"])[0] != 0:
        return " # SKIP cannot be had here", False
    clear(folder)
    status, said = answer([*prefix, *method])
    good = status == 0 or (status == 77 and ("DID NOT RUN" in said or "skipped=" in said))
    return "" if good else f"\n# status {status}: {said}", not good


def main():
    number = failed = 0
    print(f"1..{len(METHODS) * (len(PLACES) + 1)}")
    for name, method in METHODS.items():
        folder = tempfile.mkdtemp(prefix="logstore-elsewhere-")
        places = {**PLACES, "a chroot": ["unshare", "-m", "sh", "-c", CHROOT, "sh", folder]}
        for place, prefix in places.items():
            number += 1
            rest, bad = judge(prefix, method, folder)
            failed += bad
            word = "not ok" if bad else "ok"
            print(f"{word} {number} - {name} in {place} runs or is skipped{rest}")
            clear(folder)
        os.rmdir(folder)
    return failed > 0


sys.exit(main())
