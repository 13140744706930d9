"""fuzz_place.py - a root of its own for the fuzzed tool, in which every change shows

The tool's root is an overlay: what is changed of the whole machine's tree lies in its upper folder
and nowhere else. Below it /world is a small tmpfs for what the tool is given, /dev has a few
harmless devices, and /proc is read-only.
"""
import contextlib
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import zlib

INSIDE = "FUZZ_TOOL_INSIDE"
WORLD_BYTES = 96 << 20
DEVICES = {"null": (1, 3), "zero": (1, 5), "full": (1, 7), "urandom": (1, 9), "tty": (5, 0)}


def go_inside():
    """Into a mount namespace; ends with 77, loudly, where there is none with an overlay."""
    works = False
    script = ("cd $1 && mount -t tmpfs none . && cd $1 && mkdir up work root && mount -t overlay "
              "-o lowerdir=/,upperdir=up,workdir=work none root")
    with contextlib.suppress(OSError), tempfile.TemporaryDirectory() as folder:
        tried = subprocess.run(["unshare", "-m", "sh", "-c", script, "sh", folder],
                               capture_output=True, check=False)
        works = tried.returncode == 0
    if works:
        os.environ[INSIDE] = "yes"
        os.execvp("unshare", ["unshare", "-m", sys.executable, *sys.argv])
    print("fuzz: tool: DID NOT RUN: needs a mount namespace of its own, and an overlay in it",
          file=sys.stderr)
    sys.exit(77)


def mount(*words):
    subprocess.run(["mount", *words], check=True)


class Place:
    def __init__(self, tool):
        self.base = tempfile.mkdtemp(prefix="logstore-fuzz-")
        mount("-t", "tmpfs", "-o", "size=512M", "none", self.base)
        for name in ("upper", "work", "root", "templates", "lower"):
            os.mkdir(f"{self.base}/{name}")
        self.upper, self.root = f"{self.base}/upper", f"{self.base}/root"
        self.templates, self.world = f"{self.base}/templates", f"{self.root}/world"
        mount("-t", "overlay", "-o", f"lowerdir=/,upperdir={self.upper},"
              f"workdir={self.base}/work", "none", self.root)
        self.lower = f"{self.base}/lower"  # without what is mounted on it, as the overlay has it
        mount("--bind", "/", self.lower)
        for name in ("world", "reports"):
            os.mkdir(f"{self.root}/{name}")
        mount("-t", "tmpfs", "-o", f"size={WORLD_BYTES},mode=777", "none", self.world)
        mount("-t", "tmpfs", "none", f"{self.root}/reports")
        mount("-t", "tmpfs", "none", f"{self.root}/dev")
        for name, numbers in DEVICES.items():
            os.mknod(f"{self.root}/dev/{name}", stat.S_IFCHR | 0o666, os.makedev(*numbers))
            os.chmod(f"{self.root}/dev/{name}", 0o666)
        os.chmod(f"{self.root}/reports", 0o777)
        mount("--bind", "/proc", f"{self.root}/proc")
        mount("-o", "bind,remount,ro", f"{self.root}/proc")
        shutil.copy(tool, f"{self.root}/tool")
        self.bare = f"{self.base}/bare"  # the same without /proc
        os.mkdir(self.bare)
        mount("--bind", self.root, self.bare)
        for name in ("world", "reports", "dev"):
            mount("--bind", f"{self.root}/{name}", f"{self.bare}/{name}")
        self.first = self.outside()

    def close(self):
        subprocess.run(["umount", "-R", "-l", self.base], check=False)
        os.rmdir(self.base)

    def clear(self):
        """Remove what a case has made."""
        made = [f"{self.world}/{name}" for name in os.listdir(self.world)]
        made += [self.bare + path for path in self.outside().keys() - self.first.keys()
                 if not os.path.lexists(self.lower + path)]
        for path in made:
            if os.path.isdir(path) and not os.path.islink(path):
                shutil.rmtree(path, ignore_errors=True)
            else:
                with contextlib.suppress(FileNotFoundError):  # gone with its folder
                    os.unlink(path)
        os.chown(self.world, 0, 0)
        os.chmod(self.world, 0o777)

    def outside(self):
        """What differs from the machine's tree, /world apart."""
        found = {f"/{path}": state for path, state in tree(self.upper).items()
                 if path != "."}
        return {path: state for path, state in found.items() if not self.is_same(path, state)}

    def state(self):
        """Everything: names below /world as they are there, others with a slash in front."""
        devices = {f"/dev/{path}": state for path, state in tree(f"{self.root}/dev").items()}
        return self.outside() | devices | tree(self.world)

    def is_same(self, path, state):
        """A copy that the overlay made of a file that was opened for writing and not written."""
        return look(self.lower + path) == state

    def reports(self):
        """What a sanitizer wrote."""
        text = ""
        for name in os.listdir(f"{self.root}/reports"):
            with open(f"{self.root}/reports/{name}", encoding="utf-8", errors="replace") as file:
                text += file.read()
            os.unlink(f"{self.root}/reports/{name}")
        return text


def look(path):
    """What one name is, but the time of its last reading and how many names it has."""
    try:
        st = os.lstat(path)
    except FileNotFoundError:
        return None
    state = (stat.S_IFMT(st.st_mode), stat.S_IMODE(st.st_mode), st.st_uid, st.st_gid)
    if stat.S_ISLNK(st.st_mode):
        return state + (os.readlink(path),)
    if stat.S_ISREG(st.st_mode):
        with open(path, "rb") as file:
            check = zlib.crc32(file.read(1 << 20))
            file.seek(max(1 << 20, st.st_size - 65536))
            check = zlib.crc32(file.read(65536), check)
        return state + (st.st_size, st.st_mtime_ns, check)
    return state + ((st.st_rdev,) if not stat.S_ISDIR(st.st_mode) else ())


def tree(top):
    found = {".": look(top)}
    for folder, folders, files in os.walk(top):
        for name in folders + files:
            path = os.path.join(folder, name)
            found[os.path.relpath(path, top)] = look(path)
    return found


def changes(before, after):
    return sorted(path for path in before.keys() | after.keys()
                  if before.get(path) != after.get(path))
