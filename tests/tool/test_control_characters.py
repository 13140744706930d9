#!/usr/bin/python3
"""What a terminal is shown: nothing that it would act on, from whoever it comes."""

import json
import os
import subprocess
import sys
import tty
import xml.dom.minidom

from support import case, command, equal, main, needs_proc, out, run, terminal

EVIL = (b"\x1b]0;x\x07\r\x08 \x7f \xc2\x9b31m \xe2\x80\xaeabc \xff\xfe \x00 tab\there "
        b"\xc3\xa9\xf0\x9f\x98\x80")
SHOWN = (rb"\x1b]0;x\x07\x0d\x08 \x7f \xc2\x9b31m \xe2\x80\xaeabc \xff\xfe \x00 tab" + b"\there "
         b"\xc3\xa9\xf0\x9f\x98\x80")


def on_terminal(*arguments, input=None):
    """What the tool writes to standard output that is a terminal."""
    master, slave = terminal()
    tty.setraw(slave)
    process = subprocess.Popen(command(*arguments), stdin=subprocess.PIPE, stdout=slave)
    os.close(slave)
    if input:
        process.stdin.write(input)
    process.stdin.close()
    shown = b""
    try:
        while data := os.read(master, 65536):
            shown += data
    except OSError: # the other end is closed
        pass
    os.close(master)
    equal(process.wait(), 0)
    return shown


@case
def payloads(tmp):
    """payloads on a terminal are safe in every format; --raw-control or a pipe gives the bytes"""
    run("append", f"{tmp}/s", "-i", "len32", input=len(EVIL).to_bytes(4, "little") + EVIL)
    equal(on_terminal("read", f"{tmp}/s"), SHOWN + b"\n")
    equal(on_terminal("get", f"{tmp}/s", "1"), SHOWN)
    equal(on_terminal("read", f"{tmp}/s", "-o", "raw"), SHOWN)
    equal(on_terminal("read", f"{tmp}/s", "-o", "len32")[-len(SHOWN):], SHOWN)
    equal(on_terminal("read", f"{tmp}/s", "-o", "short")[-len(SHOWN) - 1:], SHOWN + b"\n")
    equal(on_terminal("read", f"{tmp}/s", "--raw-control"), EVIL + b"\n")
    equal(on_terminal("get", f"{tmp}/s", "1", "--raw-control"), EVIL)
    equal(out("read", f"{tmp}/s"), EVIL + b"\n")
    equal(out("get", f"{tmp}/s", "1"), EVIL)
    for text in ("\x7f", "\x9b31m", "\u202e"):
        run("append", f"{tmp}/j", input=text.encode())
    shown = on_terminal("read", f"{tmp}/j", "-o", "jsonl")
    equal([byte for byte in shown if (byte < 32 and byte != 10) or byte >= 127], [])


@case
def tee(tmp):
    """append -T to a terminal is safe, too"""
    equal(on_terminal("append", f"{tmp}/s", "-T", input=EVIL + b"\n"), SHOWN + b"\n")
    equal(out("read", f"{tmp}/s"), EVIL + b"\n")


@case
def characters_stay_whole(tmp):
    """characters of several bytes come through whole, wherever the blocks end"""
    for shift in range(4):
        text = "a" * shift + "\u00e9\u20ac\U0001f600" * 40000
        run("append", f"{tmp}/{shift}", input=text.encode())
        equal(on_terminal("read", f"{tmp}/{shift}"), text.encode() + b"\n", shift)


@case
def messages(tmp):
    """in messages what is not printable is escaped, whoever named it"""
    evil = f"{tmp}/\x1b[31mred\r\n\udcff\u009b\u202e"
    shown = rb"\x1b[31mred\x0d\x0a\xff\xc2\x9b\xe2\x80\xae"
    run("append", f"{tmp}/s", input=b"a\n")
    os.mkdir(evil)
    with open(evil + "/f", "wb"):
        pass
    for words, status in ((["read", evil], 3), (["append", evil], 3),
                          (["append", f"{tmp}/s", evil], 4),
                          (["verify", evil], 3), (["repair", evil], 3), (["mem", evil], 3),
                          (["copy", f"{tmp}/s", evil], 1), (["trim", evil, "--before", "2"], 3),
                          (["read", f"{tmp}/s", "--cursor-file", evil], 4),
                          (["read", f"{tmp}/s", "-g", "(" + evil], 2),
                          (["read", f"{tmp}/s", "--from", evil], 2), (["read", "--" + evil], 2),
                          (["read", f"{tmp}/s", "-o", evil], 2), ([evil], 2), (["help", evil], 2),
                          (["append", f"{tmp}/s", "-D", evil * 10], 2)):
        result = subprocess.run(command(*words), input=b"", capture_output=True, timeout=60)
        equal(result.returncode, status, (words, result.stderr))
        text = result.stdout + result.stderr
        equal([byte for byte in text if (byte < 32 and byte != 10) or byte >= 127], [], words)
        assert shown in text, (words, text)
    os.unlink(evil + "/f")
    run("repair", f"{tmp}/s", "--salvage", evil)
    os.rename(evil, evil + "x")
    text = run("repair", f"{tmp}/s", "--salvage", evil).stdout
    assert b"\x1b" not in text and shown in text, text


@case
def name_of_the_store(tmp):
    """mem escapes a store's own name, too, where it puts it into a picture, which is well-formed"""
    names = (b"\x1b]0;x\x07", b"\xff<&\"'>", "\x9b31m\u202e".encode(), b"\x01\n")
    for number, name in enumerate(names):
        store = os.path.join(os.fsencode(tmp), name)
        run("append", os.fsdecode(store), input=b"a\n")
        picture = subprocess.run([*command("mem"), store, "-o", "svg"], capture_output=True,
                                 check=True).stdout
        xml.dom.minidom.parseString(picture)
        assert not any(sign in picture for sign in (b"\x1b", b"\x07", b"\xff", b"\xc2\x9b", b"\x01",
                                                    "\u202e".encode())), (number, picture)


HOLDER = """
import ctypes, mmap, os, sys
name = b"e\\x1b[31m)\\n\\xff\\xc2\\x9b"
ctypes.CDLL(None).prctl(15, name, 0, 0, 0)
fd = os.open(sys.argv[1], os.O_RDONLY)
held = mmap.mmap(fd, 0, prot=mmap.PROT_READ)
print("ready", flush=True)
sys.stdin.read()
"""


@case
def names_of_processes(tmp):
    """mem shows the names of other people's processes escaped, in every format"""
    needs_proc()
    run("append", f"{tmp}/s", input=b"a\n")
    shown = rb"e\x1b[31m)\x0a\xff\xc2\x9b"
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, f"{tmp}/s/0000000001.log"],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        holder.stdout.readline()
        table = out("mem", f"{tmp}/s", "--all", "-o", "table")
        assert shown in table and b"\x1b" not in table, table
        lines = [json.loads(line)
                 for line in out("mem", f"{tmp}/s", "--all", "-o", "jsonl").splitlines()]
        assert shown.decode() in [line.get("command") for line in lines], lines
        for words in (["--all"], ["--all", "-o", "svg"], ["--pid", holder.pid]):
            assert b"\x1b[31m)" not in out("mem", f"{tmp}/s", *words), words
    finally:
        holder.communicate()


main()
