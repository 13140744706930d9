#!/usr/bin/python3
"""Statuses: what the tool answers to a wrong call, and to a store that it cannot use."""

import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import time

from support import (SMALL, TOOL, Skip, case, complaint, contains, content, equal, lines_of, main,
                     out, run, started, wait_until)

READERS = ("read", "get", "info", "segments", "verify", "mem", "warm", "evict")
VERBS = ("append", "read", "get", "info", "segments", "verify", "repair", "trim", "copy", "mem",
         "warm", "evict")


def arguments_of(verb, store):
    extra = {"get": ["1"], "copy": [f"{store}-copy"], "trim": ["--keep-count", "1"]}
    return [verb, store, *extra.get(verb, [])]


def picture(directory):
    """Names, contents and times of all beneath, to see that nothing was changed."""
    found = []
    for path, _, names in sorted(os.walk(directory)):
        for name in sorted(names):
            full = os.path.join(path, name)
            status = os.lstat(full)
            with open(full, "rb") as file:
                found.append((full, file.read(), status.st_mtime_ns, status.st_ctime_ns,
                              status.st_mode))
    return found


def refused(store, verbs, *parts):
    for verb in verbs:
        line = complaint(*arguments_of(verb, store), status=3)
        for part in parts:
            contains(line, part)


@case
def no_verb(tmp):
    """no verb, or one that there is not, is status 2"""
    equal(subprocess.run([TOOL], capture_output=True).returncode, 2)
    complaint("reed", status=2)


@case
def wrong_options(tmp):
    """unknown options, bad values and wrong counts of arguments are status 2 and a hint"""
    run("append", f"{tmp}/s", input=b"a\n")
    for arguments in (["read"], ["read", f"{tmp}/s", "x"], ["read", f"{tmp}/s", "--nonsense"],
                      ["read", f"{tmp}/s", "-o", "xml"], ["read", f"{tmp}/s", "-n", "x"],
                      ["read", f"{tmp}/s", "-n"], ["read", f"{tmp}/s", "--from", "x"],
                      ["read", f"{tmp}/s", "--from", "-0"], ["read", f"{tmp}/s", "--to", "1x"],
                      ["read", f"{tmp}/s", "-S", "noon"], ["read", f"{tmp}/s", "-U", "2026-13-01"],
                      ["read", f"{tmp}/s", "-g", "("], ["read", f"{tmp}/s", "-r", "-f"],
                      ["read", f"{tmp}/s", "-z", "-o", "raw"], ["get", f"{tmp}/s"],
                      ["get", f"{tmp}/s", "one"], ["append"], ["append", f"{tmp}/t", "-i", "csv"],
                      ["append", f"{tmp}/t", "--sync", "often"],
                      ["append", f"{tmp}/t", "--sync", "interval=1"],
                      ["append", f"{tmp}/t", "--batch", "-1"],
                      ["append", f"{tmp}/t", "--keep-time=5", "--wait=soon"],  # one of them is told
                      ["append", f"{tmp}/t", "--ack", "-T"], ["append", f"{tmp}/t", "-D", ""],
                      ["append", f"{tmp}/t", "-D", "a", "-i", "len32"],
                      ["append", f"{tmp}/t", "-D", "\\q"], ["info", f"{tmp}/s", "-o", "yaml"],
                      ["trim", f"{tmp}/s"], ["trim", f"{tmp}/s", "--keep-size", "some"],
                      ["trim", f"{tmp}/s", "--keep-time", "5"], ["mem", f"{tmp}/s", "-o", "x"],
                      ["mem", f"{tmp}/s", "--pid", "me"], ["copy", f"{tmp}/s"],
                      ["warm", f"{tmp}/s", "a..b"], ["verify"], ["help", "reed"],
                      ["read", f"{tmp}/s", "--progress", "some"]):
            complaint(*arguments, status=2)
    assert not os.path.exists(f"{tmp}/t"), "a wrong call made a store"


@case
def help_for_every_verb(tmp):
    """help VERB and VERB --help say the same, on standard output, with every option"""
    summary = out("help").decode()
    equal(out("--help").decode(), summary)
    for verb in VERBS:
        assert re.search(rf"^  {verb} +DIR", summary, re.M), f"{verb} is not in the summary"
        text = out("help", verb)
        equal(out(verb, "--help"), text)
        contains(text.decode(), f"Usage: logstore {verb} [OPTION...] DIR")


@case
def version(tmp):
    """--version is the project's version"""
    text = out("--version").decode()
    assert re.fullmatch(r"logstore \d+\.\d+\.\d+\n", text), text


COMPLETIONS = (  # words, the last is completed; some of the answers; none of them
    (["re"], {"read", "repair"}, {"help"}),
    (["h"], {"help"}, {"read"}),
    (["help", "re"], {"read", "repair"}, {"--help"}),
    (["completion", ""], {"bash", "zsh", "fish"}, {"read"}),
    (["read", "--curs"], {"--cursor-file"}, set()),
    (["read", "--"], {"--own-time", "--network-ok", "--help"}, {"--keep-size"}),
    (["verify", "--"], {"--progress", "--help"}, {"--network-ok"}),
    (["read", "-o", ""], {"text", "short", "jsonl"}, {"table"}),
    (["read", "--output", "le"], {"len32"}, {"text"}),
    (["read", "--from", ""], {"first", "last"}, {"N", "-N"}),
    (["append", "--sync", "i"], {"interval"}, {"none"}),
    (["append", "--mode", "06"], {"0600", "0640", "0644"}, set()),
    (["verify", "-o", ""], {"table", "json"}, {"text"}),
    (["mem", "-o", "s"], {"svg"}, {"map"}))


def completes(answer):
    for words, some, none in COMPLETIONS:
        got = answer(words)
        assert some <= got and not none & got, (words, got)


@case
def completion(tmp):
    """the completion for bash completes verbs, options and their values"""
    script = ('eval "$("$0" completion)"; COMP_WORDS=(logstore "$@"); COMP_CWORD=$#;'
              ' _logstore logstore "${COMP_WORDS[-1]}" "${COMP_WORDS[-2]}";'
              ' printf "%s\\n" "${COMPREPLY[@]}"')

    def answer(words):
        return set(subprocess.run([shutil.which("bash"), "-c", script, TOOL, *words],
                                  capture_output=True, check=True).stdout.decode().split())
    completes(answer)
    equal(answer(["read", "--output", "=", "sh"]), {"short"})
    equal(answer(["read", "--output", "="]), {"text", "short", "raw", "len32", "jsonl", "hex"})
    equal(out("completion", "bash"), out("completion"))
    complaint("completion", "csh", status=2)
    complaint("completion", "bash", "x", status=2)
    complaint("help", "read", "x", status=2)


@case
def completion_for_fish(tmp):
    """the completion for fish completes verbs, options and their values"""
    fish = shutil.which("fish")
    if not fish:
        raise Skip("fish is not installed")
    with open(f"{tmp}/script", "wb") as file:
        file.write(out("completion", "fish"))

    def answer(words):
        line = " ".join(["logstore", *words])
        got = subprocess.run([fish, "-N", "-c", 'source $argv[1]; complete -C $argv[2]',
                              f"{tmp}/script", line], capture_output=True, check=True, cwd=tmp,
                             env={**os.environ, "HOME": tmp}).stdout.decode()
        return {line.split("\t")[0] for line in got.splitlines()}
    completes(answer)
    equal(answer(["read", "--output=sh"]), {"--output=short"})


def typed(shell, setup, line):
    """What an interactive @shell prints when @line and a tab are typed after @setup."""
    try:
        pid, terminal = pty.fork()
    except OSError as error:
        raise Skip(f"needs terminals: {error}") from error
    if pid == 0:
        os.execvpe(shell[0], shell, {**os.environ, "TERM": "dumb", "HOME": "/nonexistent"})
    got = b""

    def read_until(part, seconds):
        nonlocal got
        end = time.monotonic() + seconds
        while part not in got and time.monotonic() < end:
            if select.select([terminal], [], [], 0.1)[0]:
                got += os.read(terminal, 65536)
    try:
        os.write(terminal, setup)
        read_until(b"READY>", 20)
        os.write(terminal, line + b"\t")
        read_until(b"ANSWER", 20)
        read_until(b"never", 0.3)
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(terminal)
    return got.decode(errors="replace")


@case
def completion_for_zsh(tmp):
    """the completion for zsh completes verbs, options and their values"""
    zsh = shutil.which("zsh")
    if not zsh:
        raise Skip("zsh is not installed")
    with open(f"{tmp}/script", "wb") as file:
        file.write(out("completion", "zsh"))
    with open(f"{tmp}/ask", "w", encoding="ascii") as file:
        file.write(f"autoload -Uz compinit; compinit -u -D; source {tmp}/script\n"
                   "compadd() { local -a hits; builtin compadd -O hits \"$@\";"
                   " print -rl -- ANSWER${^hits}; }\n"
                   "bindkey -e; PS1='READY>'\n")

    def answer(words):
        line = " ".join(["logstore", *words]).encode()
        return set(re.findall(r"ANSWER(\S+)",
                              typed([zsh, "-f", "-i"], f"source {tmp}/ask\n".encode(), line)))
    completes(answer)
    equal(answer(["read", "--output=sh"]), {"short"})


@case
def directory_missing(tmp):
    """a directory that is not there is status 3; only append makes it"""
    refused(f"{tmp}/none", READERS + ("trim", "copy", "repair"), "none")
    equal(os.listdir(tmp), [])
    run("append", f"{tmp}/none", input=b"")
    equal(out("read", f"{tmp}/none"), b"")
    complaint("append", f"{tmp}/a/b/c", status=3)


@case
def directory_is_a_file(tmp):
    """a file in place of the directory is status 3, and is left alone"""
    with open(f"{tmp}/file", "wb") as file:
        file.write(b"mine")
    before = picture(tmp)
    refused(f"{tmp}/file", VERBS, "file")
    equal(picture(tmp), before)


@case
def empty_arguments(tmp):
    """an empty word where a directory, file, number or range is wanted is status 2"""
    run("append", f"{tmp}/s", input=b"a\n")
    for verb in VERBS:
        contains(complaint(verb, "", *arguments_of(verb, "x")[2:], status=2), "argument 1 is empty")
    for words in (["append", f"{tmp}/s", ""], ["get", f"{tmp}/s", ""], ["copy", f"{tmp}/s", ""],
                  ["warm", f"{tmp}/s", ""], ["repair", f"{tmp}/s", "--salvage="],
                  ["read", f"{tmp}/s", "--cursor-file="], ["append", f"{tmp}/t", "--fifo="],
                  ["append", f"{tmp}/t", "--group="], ["append", f"{tmp}/t", "--on-error="],
                  ["append", f"{tmp}/t", "--keep-count="]):
        complaint(*words, status=2, cwd=tmp)
    equal(os.listdir(tmp), ["s"])


@case
def advice_names_options(tmp):
    """advice is about an option of the verb, and following it helps"""
    run("append", f"{tmp}/s", input=lines_of(3000, width=500))
    os.chmod(f"{tmp}/s", 0o777)
    for verb in VERBS:
        words = arguments_of(verb, f"{tmp}/s")
        if verb == "verify":
            continue
        line = complaint(*words, status=3)
        contains(line, "everyone may write")
        assert "LOGSTORE_" not in line, line
        equal("--shared-dir-ok" in line, verb != "repair", verb)
        if verb != "repair":
            run(*words, "--shared-dir-ok")
    os.chmod(f"{tmp}/s", 0o700)
    line = complaint("copy", f"{tmp}/s", f"{tmp}/t", "--redact", "0", "--budget", "64K", status=1)
    contains(line, "raise --budget")
    run("copy", f"{tmp}/s", f"{tmp}/t", "--redact", "0", "--budget", "64M")
    for size in ("1", "100000", "5G"):
        line = complaint("copy", f"{tmp}/s", f"{tmp}/u", "--segment-size", size, status=2)
        contains(line, "--segment-size")


@case
def not_a_store(tmp):
    """a directory with other things in it is status 3, and is left alone"""
    os.mkdir(f"{tmp}/other")
    with open(f"{tmp}/other/letter", "wb") as file:
        file.write(b"mine")
    before = picture(tmp)
    refused(f"{tmp}/other", VERBS, "other")
    equal(picture(tmp), before)


def checked(page):
    """The page with the checksum of its first sector made right (see the format)."""
    import xxhash  # python3-xxhash, only here
    return page[:504] + xxhash.xxh3_64_intdigest(page[:504]).to_bytes(8, "little") + page[512:]


def with_control(store, offset, value):
    path = f"{store}/control"
    with open(path, "rb") as file:
        page = bytearray(file.read())
    page[offset:offset + 4] = value.to_bytes(4, "little")
    with open(path, "wb") as file:
        file.write(checked(bytes(page)))


@case
def other_version(tmp):
    """a store of another version, or with a flag that this one does not know, is status 3"""
    try:
        import xxhash  # noqa: F401
    except ImportError:
        raise Skip("python3-xxhash is not installed")
    for name, offset, value in (("version", 8, 99), ("flag", 20, 1 << 30)):
        store = f"{tmp}/{name}"
        run("append", store, input=b"a\n")
        with_control(store, offset, value)
        before = picture(store)
        refused(store, VERBS, store)
        equal(picture(store), before, name)


@case
def used_up(tmp):
    """a store whose counts leave no room to go on is status 3, to write"""
    try:
        import xxhash
    except ImportError:
        raise Skip("python3-xxhash is not installed")
    store = f"{tmp}/s"
    run("append", store, input=b"a\n")
    with open(f"{store}/control", "r+b") as file:
        page = file.read()
        file.seek(max(512, 1024, key=lambda at: page[at:at + 8][::-1]))  # the newer slot
        slot = (10 ** 18).to_bytes(8, "little") + page[file.tell() + 8:file.tell() + 56]
        file.write(slot + xxhash.xxh3_64_intdigest(slot).to_bytes(8, "little"))
    for verb in ("append", "trim"):
        contains(complaint(*arguments_of(verb, store), status=3), "used up")
    equal(out("read", store), b"a\n")


@case
def second_writer(tmp):
    """a second writer is status 3 and names the pid of the first; readers go on"""
    with started("append", f"{tmp}/s", stdin=subprocess.PIPE) as writer:
        writer.stdin.write(b"a\n")
        writer.stdin.flush()
        wait_until(lambda: content(f"{tmp}/s") == b"a\n", "the first record")
        for verb in ("append", "trim"):
            line = complaint(*arguments_of(verb, f"{tmp}/s"), status=3)
            contains(line, str(writer.pid))
        equal(json.loads(out("info", f"{tmp}/s", "-o", "json"))["writer_pid"], writer.pid)
        writer.stdin.close()
        equal(writer.wait(), 0)
    run("append", f"{tmp}/s", input=b"b\n")
    equal(out("read", f"{tmp}/s"), b"a\nb\n")


@case
def a_dead_writer(tmp):
    """a writer that was killed has nothing open: info asks the lock, not the pid"""
    with started("append", f"{tmp}/s", stdin=subprocess.PIPE) as writer:
        writer.stdin.write(b"a\n")
        writer.stdin.flush()
        wait_until(lambda: content(f"{tmp}/s") == b"a\n", "the first record")
        contains(out("info", f"{tmp}/s"), b"open for writing")
        writer.kill()
        writer.wait()
    contains(out("info", f"{tmp}/s"), b"not closed: the next writer recovers it")
    info = json.loads(out("info", f"{tmp}/s", "-o", "json"))
    equal((info["locked"], info["writer_pid"]), (False, None))


@case
def no_such_record(tmp):
    """past the tail, number 0, before the first: status 1 and a line"""
    run("append", f"{tmp}/s", "--segment-size", SMALL, input=lines_of(10))
    for number in ("0", "11", "18446744073709551615"):
        complaint("get", f"{tmp}/s", number, status=1)
        complaint("read", f"{tmp}/s", "--from", number, status=1)
    result = run("get", f"{tmp}/s", "1", "11", "2", "-o", "text", status=1)
    equal(result.stdout, b"1\n2\n")
    run("append", f"{tmp}/s", input=lines_of(5000, width=90))
    run("trim", f"{tmp}/s", "--keep-count", "1000")
    complaint("get", f"{tmp}/s", "1", status=1)
    complaint("read", f"{tmp}/s", "--from", "1", status=1)


@case
def empty_store(tmp):
    """in a store with no records, ranges by name are empty and numbers are not there"""
    run("append", f"{tmp}/s")
    for words in ([], ["--from", "first"], ["--from", "last"], ["--from", "-5"], ["-r"],
                  ["--to", "last"], ["-S", "2020-01-01"], ["-U", "now"], ["-n", "1"]):
        equal(out("read", f"{tmp}/s", *words), b"", words)
    complaint("get", f"{tmp}/s", "1", status=1)
    complaint("get", f"{tmp}/s", "last", status=1)


@case
def read_only_changes_nothing(tmp):
    """verbs that read change no content, size, mtime, ctime or mode"""
    run("append", f"{tmp}/s", "--segment-size", SMALL, input=lines_of(3000, width=60))
    before = picture(f"{tmp}/s")
    for verb in READERS:
        run(*arguments_of(verb, f"{tmp}/s"))
    run("read", f"{tmp}/s", "--redact", "0")
    equal(picture(f"{tmp}/s"), before)


@case
def full_output(tmp):
    """output that cannot be written is status 4"""
    run("append", f"{tmp}/s", input=lines_of(100))
    with open("/dev/full", "wb") as full:
        for arguments in (["read", f"{tmp}/s"], ["get", f"{tmp}/s", "1"], ["info", f"{tmp}/s"],
                          ["segments", f"{tmp}/s"], ["help"],
                          ["append", f"{tmp}/s", "-T"], ["append", f"{tmp}/s", "--ack"]):
            result = subprocess.run([TOOL, *arguments], input=b"x\n", stdout=full,
                                    stderr=subprocess.PIPE)
            equal(result.returncode, 4, arguments)
            contains(result.stderr.decode(), "No space left")


main()
