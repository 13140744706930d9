#!/usr/bin/python3
"""A URL in the place of DIR: the log that was shipped there is read as from the store itself."""

import json
import os
import subprocess

from support import (SMALL, TOOL, case, command, complaint, contains, equal, main, out, run,
                     wait_until)


def shipped(tmp, lines=400):
    """A store, and the URL where it is: objects, and a tail."""
    store, url = f"{tmp}/s", f"file:{tmp}/b"
    os.mkdir(f"{tmp}/b")
    text = b"".join(b"%d %s\n" % (i, b"x" * (i % 700)) for i in range(1, lines + 1))
    run("append", "--segment-size", SMALL, store, input=text)
    run("append", store, input=b"no \x01 text\xff\n\n")
    run("ship", store, url)
    return store, url


@case
def same_output(tmp):
    """read and get print the same as from the store, with all options"""
    store, url = shipped(tmp)
    for options in ([], ["-o", "jsonl"], ["-o", "short"], ["-o", "hex"], ["-o", "len32"],
                    ["-o", "raw"], ["-z"], ["-r"], ["--from", "100", "--to", "200"],
                    ["--from", "-7"], ["-n", "3"], ["-r", "-n", "3"], ["-g", "77"],
                    ["-i", "-v", "-g", "X"], ["-c"], ["-c", "-g", "9"], ["--redact", "[0-9]+"],
                    ["--since", "today"], ["--until", "-1h"], ["--since", "-1h", "--own-time"],
                    ["--to", "first"], ["--from", "last", "-o", "jsonl"], ["--cache", "1M"]):
        local = [word for word in options if word not in ("--cache", "1M")]
        equal(out("read", *options, url), out("read", *local, store), options)
    for words in (["1"], ["402", "1", "77"], ["first", "last"], ["--", "-1", "-400"]):
        equal(out("get", "-o", "jsonl", url, *words) if words[0] != "--" else
              out("get", url, *words),
              out("get", "-o", "jsonl", store, *words) if words[0] != "--" else
              out("get", store, *words), words)


@case
def same_no(tmp):
    """what is not there is one line and status 1, from the one as from the other"""
    store, url = shipped(tmp, 20)
    for words in (["get", None, "0"], ["get", None, "23"], ["read", "--from", "23", None],
                  ["read", "--from", "0", None], ["get", None, "--", "-99"]):
        for place in (store, url):
            complaint(*[place if word is None else word for word in words], status=1)


@case
def wrong_usage(tmp):
    """what makes no sense is wrong usage, and says so"""
    store, url = shipped(tmp, 20)
    for words in (["append", url], ["repair", url], ["copy", url, f"{tmp}/new"], ["mem", url],
                  ["warm", url], ["evict", url], ["ship", url, url]):
        contains(complaint(*words, status=2), "works on a directory")
    for words in (["read", "--unverified"], ["read", "--drop-behind"], ["read", "--network-ok"],
                  ["info", "--shared-dir-ok"], ["segments", "--local-time"],
                  ["read", "--interval", "1s"], ["read", "--cache", "0"],
                  ["read", "-f", "--interval", "0"], ["trim"], ["trim", "--before", "0"],
                  ["trim", "--keep-count", "1", "--network-ok"]):
        complaint(*words, url, status=2)
    for words in (["read", "--endpoint", "http://x"], ["info", "--cache", "1M"],
                  ["verify", "--quick"]):
        contains(complaint(*words, store, status=2), "goes with a URL")
    complaint("read", "s3://", status=2)


@case
def no_log(tmp):
    """where nothing was shipped the status is 1; a directory that looks like a URL is ./NAME"""
    os.mkdir(f"{tmp}/nothing")
    for verb in (["read"], ["info"], ["segments"], ["verify"], ["trim", "--before", "2"]):
        contains(complaint(*verb, f"file:{tmp}/nothing", status=1), "no log was shipped here")
    os.makedirs(f"{tmp}/file:")
    run("append", "./file:/s", input=b"a\n", cwd=tmp)
    equal(out("read", "./file:/s", cwd=tmp), b"a\n")


@case
def described(tmp):
    """info and segments tell what is in the bucket"""
    store, url = shipped(tmp)
    here, there = (json.loads(out("info", "-o", "json", place)) for place in (store, url))
    for key in ("uuid", "first", "tail", "records", "segments", "segment_bytes", "file_mode"):
        equal(there[key], here[key], key)
    contains(out("info", url).decode(), here["uuid"])
    here, there = (json.loads(out("segments", "-o", "json", place)) for place in (store, url))
    equal([(s["id"], s["first"], s["records"]) for s in there],
          [(s["id"], s["first"], s["records"]) for s in here])
    assert there[0]["object"] and there[0]["sealed"] and not there[-1]["object"], there
    equal(len(out("segments", url).splitlines()), len(here) + 1)


@case
def trimmed(tmp):
    """trim takes whole segments off the log, tells what is left, and a shipper goes on"""
    store, url = shipped(tmp, 2000)
    firsts = [segment["first"] for segment in json.loads(out("segments", "-o", "json", url))]
    assert len(firsts) > 4, firsts
    would = run("trim", "--dry-run", "--before", str(firsts[2] + 1), url)
    equal(would.stdout, b"%d\n" % firsts[2])
    contains(would.stderr.decode(), f"would take off {firsts[2] - 1} records in 2 segments")
    equal(json.loads(out("info", "-o", "json", url))["first"], 1)
    did = run("trim", "--before", str(firsts[2] + 1), url)
    equal(did.stdout, would.stdout)
    contains(did.stderr.decode(), f"took off {firsts[2] - 1} records in 2 segments")
    equal(json.loads(out("info", "-o", "json", url))["first"], firsts[2])
    equal(out("read", url), out("read", "--from", str(firsts[2]), store))
    contains(complaint("get", url, "1", status=1), "trimmed")
    equal(run("verify", url).stdout, b"")
    run("append", store, input=b"more\n")
    run("ship", store, url)
    equal(out("read", url), out("read", "--from", str(firsts[2]), store))
    run("fetch", url, f"{tmp}/copy")
    equal(out("read", f"{tmp}/copy"), out("read", url))
    equal(int(out("trim", "--keep-count", "1", url)), firsts[-1])
    equal(int(out("trim", "--keep-size", "1", url)), firsts[-1])
    contains(run("trim", "--keep-time", "1ms", url).stderr.decode(), "took off 0 records")


def objects(tmp, folder):
    return sorted(os.path.join(tmp, "b", folder, name)
                  for name in os.listdir(os.path.join(tmp, "b", folder)))


@case
def verified(tmp):
    """verify finds what is damaged or missing, and names object and record"""
    _, url = shipped(tmp)
    equal(run("verify", url).stdout, b"")
    equal(run("verify", "--quick", url).stdout, b"")
    victim = objects(tmp, "seg")[0]
    with open(victim, "r+b") as file:
        file.seek(9000)
        file.write(b"spoilt")
    told = run("verify", "-o", "json", url, status=1).stdout.splitlines()
    equal(len(told), 1)
    fault = json.loads(told[0])
    equal(fault["file"], f"seg/{os.path.basename(victim)}")
    assert 1 < fault["number"] < 100 and fault["offset"] > 4096, fault
    equal(run("verify", "--quick", url).stdout, b"")
    contains(run("read", url, status=1).stderr.decode(), f"record {fault['number']}")
    os.unlink(victim)
    for options in ([], ["--quick"]):
        line = run("verify", *options, url, status=1).stdout.decode()
        contains(line, "missing")
        contains(line, os.path.basename(victim))


@case
def repaired(tmp):
    """ship --repair puts again what verify found, if the store still has it"""
    store, url = shipped(tmp, 1200)
    os.unlink(objects(tmp, "seg")[0])
    with open(objects(tmp, "seg")[0], "r+b") as file:
        file.truncate(9000)
    run("verify", url, status=1)
    run("ship", store, url)
    run("verify", "--quick", url, status=1)
    said = run("ship", "--repair", store, url).stderr.decode()
    contains(said, "2 objects and tails were damaged")
    run("verify", url)
    equal(out("read", url), out("read", store))
    said = run("ship", "--repair", store, url).stderr.decode()
    contains(said, "0 objects and tails were damaged")


def content_of(path):
    with open(path, "rb") as file:
        return file.read()


@case
def followed(tmp):
    """read -f prints what is shipped, each record once, also over two runs with a cursor file"""
    store, url = f"{tmp}/s", f"file:{tmp}/b"
    os.mkdir(f"{tmp}/b")
    options = ["-f", "--interval", "20ms", "--cursor-file", f"{tmp}/k"]
    with open(f"{tmp}/out", "ab") as output, open(f"{tmp}/said", "wb") as said:
        for turn in range(2):
            reader = subprocess.Popen(command("read", *options, url), stdout=output, stderr=said)
            if turn == 0:
                wait_until(lambda: b"waiting" in content_of(f"{tmp}/said"), "a line")
            for i in range(3):
                run("append", store, input=b"%d %d\n" % (turn, i))
                run("ship", store, url)
            wait_until(lambda: content_of(f"{tmp}/out").count(b"\n") >= 3 * turn + 3,  # noqa: B023
                       "records")
            reader.kill()
            reader.wait()
    equal(content_of(f"{tmp}/out"), b"0 0\n0 1\n0 2\n1 0\n1 1\n1 2\n")
    run("append", store, input=b"more\n")
    equal(out("read", "--cursor-file", f"{tmp}/k", store), b"more\n")


@case
def without_the_other_program(tmp):
    """without logstore-remote a URL is status 3 and says what is missing; a DIR needs it not"""
    os.symlink(os.path.realpath(TOOL), f"{tmp}/linked")
    copy = f"{tmp}/logstore"
    with open(TOOL, "rb") as file, open(copy, "wb") as to:
        to.write(file.read())
    os.chmod(copy, 0o755)
    result = subprocess.run([copy, "read", "file:/x"], capture_output=True)
    equal(result.returncode, 3)
    contains(result.stderr.decode(), "logstore-remote")
    run("append", f"{tmp}/s", input=b"file:/x\n")
    equal(subprocess.run([copy, "read", "-g", "file:/x", f"{tmp}/s"], capture_output=True).stdout,
          b"file:/x\n")


@case
def memory(tmp):
    """a log that is larger than the memory is read in 64 MiB"""
    store, url = f"{tmp}/s", f"file:{tmp}/b"
    os.mkdir(f"{tmp}/b")
    with subprocess.Popen(command("append", store), stdin=subprocess.PIPE) as process:
        for i in range(150):
            process.stdin.write((b"%06d " % i + b"y" * 992 + b"\n") * 1024)
        process.stdin.close()
    run("ship", store, url)
    for words in (["read", url], ["read", "-r", url], ["verify", url]):
        child = subprocess.Popen(command(*words), stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(child.pid, 0)
        equal(status, 0, words)
        assert usage.ru_maxrss <= 64 << 10, (words, usage.ru_maxrss)


main()
