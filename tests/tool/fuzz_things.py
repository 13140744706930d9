"""fuzz_things.py - what the fuzzed tool finds: stores, cursor files, inputs, an environment"""
import contextlib
import json
import os
import shutil
import struct
import subprocess

SMALL = "65536"
NOBODY = 65534
ODD_NAMES = ["quarantine", "wake", "new.1", "0000000099.log", "0000000002.idx", "extra",
             "1000000000000000001.log", "control.lock"]
VARIABLES = ["TZ", "TZDIR", "TERM", "COLUMNS", "LINES", "LC_ALL", "LANG", "LC_CTYPE", "HOME",
             "TMPDIR", "POSIXLY_CORRECT", "PATH", "NO_COLOR", "COLORTERM", "PAGER", "LOCPATH",
             "LOGSTORE", "LOGSTORE_DIR", "LOGSTORE_DEBUG", "LOGSTORE_FLAGS", "LOGSTORE_SYNC"]
VALUES = ["", "C", "x" * 10000, "../../etc/passwd", ":/etc/passwd", "%s%n", "\x1b[31m", "-1", "0",
          "1", "99999999999999999999", "\udcff", "UTC+99", "UTC-25:61:61", "Europe/Berlin",
          "<+99>-99", "dumb", "xterm", "C.UTF-8", "tr_TR.UTF-8", "/nonexistent", "80",
          "EST5EDT,M3.2.0,M11.1.0"]


def run(tool, *words, stdin=b"", statuses=(0,)):
    result = subprocess.run([tool, *words], input=stdin, capture_output=True, check=False)
    assert result.returncode in statuses, (words, result)
    return result


def make_templates(tool, folder):
    """Stores and cursor files to begin with."""
    def store(name, text, *words):
        run(tool, "append", f"{folder}/{name}", "--segment-size", SMALL, *words, stdin=text)
    many = b"".join(b"%d %s\n" % (n, b"abcdefgh" * (n % 60)) for n in range(700))
    store("empty", b"")
    store("few", b"1 a\n2 b\n3 abc\n")
    store("many", many)
    store("trimmed", many, "--keep-size", "192K")
    store("odd", b"\0\0\x1b[31m\0\xff\xfe\0" + bytes(range(256)) + b"\0", "-i", "nul")
    store("killed", many)
    with subprocess.Popen([tool, "append", f"{folder}/killed", "--ack", "--batch=1"],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
        writer.stdin.write(b"and more\n")
        writer.stdin.flush()
        writer.stdout.readline()
        writer.kill()
    for name in ("many", "few"):
        with open(f"{folder}/{name}.out", "wb") as file:
            subprocess.run([tool, "read", "--cursor-file", f"{folder}/{name}.cursor", "-n", "2",
                            f"{folder}/{name}"], stdout=file, check=True)
    return ["empty", "few", "few", "many", "many", "trimmed", "odd", "killed"]


def damage(rng, store):
    names = sorted(os.listdir(store))
    name = f"{store}/{rng.choice(names)}"
    kind = rng.randrange(6)
    if kind < 2 and (os.path.islink(name) or not os.path.isfile(name)):
        return
    if kind == 0:
        with open(name, "r+b") as file:
            size = os.fstat(file.fileno()).st_size
            for _ in range(rng.choice((1, 1, 20))):
                if size:
                    file.seek(rng.randrange(rng.choice((size, min(size, 8192)))))
                file.write(bytes([rng.randrange(256)]))
    elif kind == 1:
        os.truncate(name, rng.choice((0, 1, 100, 4095, 4096, 65535, 1 << 20, 1 << 40)))
    elif kind == 2 and not os.path.isdir(name):
        os.unlink(name)
    elif kind == 3 and not os.path.islink(name):
        os.chmod(name, rng.choice((0, 0o400, 0o222, 0o4777)))
    else:
        if kind == 4 and not os.path.isdir(name):
            os.unlink(name)
        else:
            name = f"{store}/" + rng.choice(ODD_NAMES)
            if os.path.lexists(name):
                return
        rng.choice((lambda: os.symlink("../precious", name), lambda: os.symlink("../folder", name),
                    lambda: os.link(f"{store}/../precious", name), lambda: os.mkfifo(name),
                    lambda: os.mkdir(name), lambda: os.symlink("../missing", name)))()


def make_cursor(rng, folder, name, template):
    """A cursor file, or what it should not be, at @name."""
    def write(data):
        with open(name, "wb") as file:
            file.write(data)
    known = f"{folder}/{template}.cursor"
    with open(known if os.path.exists(known) else f"{folder}/many.cursor", "rb") as file:
        valid = file.read()
    place = os.path.dirname(name)
    choices = [
        lambda: None, lambda: None, lambda: write(valid), lambda: write(valid),
        lambda: write(valid), lambda: write(valid * 3), lambda: write(b""),
        lambda: write(valid[:rng.randrange(len(valid))]),
        lambda: write(valid.replace(b"cursor 1", b"cursor 0")), lambda: write(b"garbage\n"),
        lambda: write(valid.rstrip(b"\n") + b"\0\0\n"), lambda: write(rng.randbytes(200)),
        lambda: write(b"x" * 100000), lambda: os.symlink("precious", name),
        lambda: (write(valid), os.rename(name, f"{place}/k2"), os.symlink("k2", name)),
        lambda: os.symlink("missing-k", name), lambda: os.mkdir(name), lambda: os.mkfifo(name),
        lambda: os.link(f"{place}/precious", name), lambda: (write(valid), os.chmod(name, 0)),
        lambda: (write(valid), os.chmod(name, 0o400)), lambda: os.symlink("k", name),
        lambda: os.symlink("/dev/full", name), lambda: os.symlink("s/control", name),
        lambda: write(bytes(c if rng.random() > 0.02 else rng.choice(b"0159 f\n") for c in valid)),
    ]
    rng.choice(choices)()


def make_world(rng, folder, world, templates):
    """Returns the name of the template that s is still like; None if it was damaged."""
    template = rng.choice(templates)
    shutil.copytree(f"{folder}/{template}", f"{world}/s")
    shutil.copytree(f"{folder}/{rng.choice(templates)}", f"{world}/t")
    os.mkdir(f"{world}/folder")
    os.mkdir(f"{world}/locked", 0o500)
    for name in ("precious", "folder/precious"):
        with open(f"{world}/{name}", "wb") as file:
            file.write(b"precious\n")
    for name, to in (("link-s", "s"), ("link-precious", "precious"), ("link-folder", "folder"),
                     ("dangling", "nothing"), ("loop", "loop")):
        os.symlink(to, f"{world}/{name}")
    os.mkfifo(f"{world}/fifo")
    os.mknod(f"{world}/socket", 0o140666)
    os.mknod(f"{world}/device", 0o20666, os.makedev(1, 7))
    with open(f"{world}/in", "wb") as file:
        file.write(some_input(rng))
    with open(f"{world}/out", "wb") as file:
        if rng.random() < 0.5 and os.path.exists(f"{folder}/{template}.out"):
            with open(f"{folder}/{template}.out", "rb") as before:
                file.write(before.read())
    make_cursor(rng, folder, f"{world}/k", template)
    damages = rng.choice((1, 1, 2, 3)) if rng.random() < 0.3 else 0
    for _ in range(damages):
        damage(rng, f"{world}/s")
    if rng.random() < 0.3:
        for name in ("s", "t", "folder", "k", "out"):
            own(f"{world}/{name}")
    return None if damages else template


def hold(tool, store):
    """A writer that holds the lock, or None where it cannot."""
    holder = subprocess.Popen([tool, "append", store, "--ack", "--batch=1"], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    with contextlib.suppress(BrokenPipeError):
        os.write(holder.stdin.fileno(), b"held\n")
    if holder.stdout.readline():
        return holder
    release(holder)
    return None


def release(holder):
    holder.stdin.close()
    holder.stdout.close()
    holder.wait()


def own(path):
    for folder, folders, files in os.walk(path):
        for name in folders + files:
            os.lchown(os.path.join(folder, name), NOBODY, NOBODY)
    if os.path.lexists(path):
        os.lchown(path, NOBODY, NOBODY)


def some_json(rng):
    good = {"data": rng.choice(("", "a", "\u20ac\0", "x" * 300)), "time": rng.choice(
        (0, 1, -1, 1 << 63, "now", "2026-01-01", None, 1.5, "@1"))}
    if rng.random() < 0.5:
        del good["time"]
    text = json.dumps(good, ensure_ascii=rng.random() < 0.5).encode()
    return rng.choice((
        text, text, text, text[:rng.randrange(len(text))], b"{}", b"", b"[" * 3000,
        b'{"x":' * 2500 + b"1" + b"}" * 2500, b'{"data":"\\ud800"}', b'{"data":"\\u0000"}',
        b'{"data":"a","n":1e999,"m":' + b"9" * 400 + b"}", b'{"data":"a","data":"b"}', b"nonsense",
        b'{"data":"' + b"y" * rng.choice((70000, 300000)) + b'"}', b'{"base64":"AAA="}',
        b'{"data":"\xff"}', text + b" x", b'{"data_base64":"AA=="}', b'{"data":"a"}\0'))


def some_input(rng, asked=()):
    """Something that is one of the formats, mostly that of which the tool was told."""
    words = (b"", b"a", b"abc", b"\xff\xfe", b"a\0b", b"\x1b[2J", b"x" * 1000, "\u20ac".encode(),
             b"\r")
    few = rng.choice((0, 1, 2, 5, 40))
    kind = rng.randrange(8)
    if rng.random() < 0.7:
        told = "".join(asked)
        kind = 1 if "jsonl" in told else 2 if "len32" in told else kind
    if kind == 0:
        return b""
    if kind == 1:
        return b"".join(some_json(rng) + b"\n" for _ in range(few))
    if kind == 2:
        parts = [rng.choice(words) for _ in range(few)]
        ends = (b"", b"", b"\1\0", b"\0\0\0\x80", b"\5\0\0\0abc", b"\xff" * 4)
        return b"".join(struct.pack("<I", len(part)) + part for part in parts) + rng.choice(ends)
    if kind == 3:
        return rng.randbytes(rng.choice((1, 100, 5000, 200000)))
    if kind == 4:
        size = rng.choice((60000, 65536, 70000, 600000, 3 << 20))
        return b"z" * size + rng.choice((b"", b"\n", b"\nend\n"))
    end = rng.choice((b"\n", b"\r\n", b"\0", b"ab"))
    return end.join(rng.choice(words) for _ in range(few)) + rng.choice((b"", end))


def environment(rng):
    """Variables; of what the tool looks at, and of what it should not."""
    if rng.random() < 0.3:
        return {}
    names = rng.sample(VARIABLES, rng.choice((1, 2, 5, len(VARIABLES))))
    return {name: rng.choice(VALUES) for name in names}
