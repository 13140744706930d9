"""fuzz_words.py - verbs and options as the tool's own help tells them, and random words for them"""
import os
import re
import subprocess

OPTION = re.compile(r"^ +(?:-(\w), )?--([\w-]+)(?:(\[?)=(\S+))?  ")
NUMBERS = ["1", "2", "3", "4", "7", "10", "first", "last", "0", "-1", "-4", "-0", "010", "0x10",
           "1e3", "", "+5", " 5", "5 ", "18446744073709551615", "18446744073709551616",
           "9223372036854775807", "9223372036854775808", "-9223372036854775808",
           "-9223372036854775809", "9" * 400, "1.5", "1_000", "\u0663", "NaN", "--1", "16777216",
           "16777217", "4294967296"]
SIZES = ["64K", "64k", "128K", "1M", "1MiB", "65536", "65537", "4G", "5G", "8E", "16E", "0", "-1K",
         "1.5M", "64KK", "K", "", " 64K", "64K ", "18446744073709551615", "17179869184G", "1T"]
DURATIONS = ["1s", "10ms", "1h30m", "50ms", "1ns", "0", "0s", "-1s", "1y", "300y", "1e9s", "1d1d",
             "s", "", "5", "9" * 30 + "s", "1us", "1.5s", "1w", "106751d", "106752d", "1m 1s"]
TIMES = ["now", "yesterday", "today", "tomorrow", "2026-02-30", "2026-03-29 01:00", "12:00",
         "24:00", "@0", "@-1", "0001-01-01", "0000-01-01", "9999-12-31T23:59:59.999999999Z",
         "10000-01-01", "2026-11-29T00:00:00+99:99", "2026-11-29T00:00:00+01:00", "-1h", "+1h",
         "1970-01-01", "", "++1:00", "@99999999999999999999", "@9223372036",
         "2026-11-29T00:00:60Z", "-300y", "1s ago", "2026-11-29T23:59:59.1234567891Z", "@1.5",
         "now-1h", "2026-1-1", "2262-04-11T23:47:17Z"]
PATTERNS = ["a", "^", "$", "b+c", "[0-9]+", "a|b", "[", "", "[]", "(", "(" * 3000, "(" * 30000,
            ")", "a{1,255}", "a{1,65535}", "a{2,1}", "\\", "(a|b)*c", "[[:alpha:]]+", "[[:nope:]]",
            ".{0,255}", "\udcff", "x" * 4000, "(((a{1,90}){1,90}){1,90}){1,90}", "a**", "[z-a]",
            ".*", "[^\n]", "\\<", "()|()", "[[.a.]]", r"(.)\1", r"(a|b)*\1"]
TEXTS = ["\\n", "\\0", "ab", "\\xff", "\\x", "\\xf", "\\q", "\\", "ab", "", "x" * 32, "x" * 33,
         "\\r\\n", "\udcff\udcfe", "a", "\n", "%s%n", "--"]
GROUPS = ["0", "root", "65534", "nogroup", "4294967295", "4294967296", "-1", "", "no such group",
          "1"]
PATHS = ["s", "s", "s", "t", "s/", "./s", "/world/s", "../world/s", "missing", "missing/deep",
         "precious", "folder", "folder/", "folder/precious", "link-s", "link-precious",
         "link-folder", "dangling", "loop", "/", "/etc", "/etc/passwd", "/dev/null", "/dev/full",
         "/dev/zero", "/dev", "/proc/self/mem", "/proc/self/fd/1", "/proc/self/fd/0",
         "/proc/1/maps", "/proc/self", "/proc/self/environ", "", ".", "..", "n" * 255, "n" * 256,
         "d/" * 2048, "d/" * 2500, "a\nb", "\x1b[31mred", "%s%n%d", "-", "--", "fifo", "socket",
         "device", "in", "k", "s/control", "s/wake", "s/0000000001.log", "s/../precious", "new",
         "new2", "new.partial", "\udcff\udcfe", "s/new", "s/quarantine", "folder/new", "locked",
         "locked/new", "/world", "/tmp/new", "out", "\u202egnp", "k.partial", "s/k", "folder/k"]
KINDS = {"N": NUMBERS, "SIZE": SIZES, "DURATION": DURATIONS, "TIME": TIMES, "REGEX": PATTERNS,
         "TEXT": TEXTS, "GROUP": GROUPS, "FILE": PATHS, "DESTINATION": PATHS, "RANGE": NUMBERS}
WAITING = {"follow", "watch", "wait", "fifo"}
EVERYTHING = [word for words in KINDS.values() for word in words]


class Verb:
    def __init__(self, name, arguments, options):
        self.name, self.arguments = name, arguments.split()
        self.options = options  # (short or "", long, may be left out, kind or "")


def learn(tool):
    """The verbs, from the help of the tool that is fuzzed."""
    def told(*words):
        return subprocess.run([tool, *words], capture_output=True, text=True, check=True,
                              env={"COLUMNS": "200"}).stdout
    verbs = []
    for row in re.findall(r"^  (\w+) +((?:\[?[A-Z|]+(?:\.\.\.)?\]? )+)", told("help"), re.M):
        rows = told("help", row[0]).splitlines()
        options = [match.groups("") for match in map(OPTION.match, rows) if match]
        assert any(option[1] == "help" for option in options), row
        verbs.append(Verb(*row, options))
    assert len(verbs) >= 12, verbs
    return verbs


def mangle(rng, word):
    """A word that is nearly right."""
    place = rng.randrange(len(word) + 1)
    odd = rng.choice(["", " ", "-", "0", "\udcff", "\x1b", "\n", "9" * 20, "e", ".", ":", "K", "="])
    return word[:place] + odd + word[place + rng.randrange(2):]


class Line:
    """Words behind the tool's name: its verb, and whether it may wait because of them.

    A sane one has words that are right, mostly, so that what lies behind the options is met.
    """

    def __init__(self, rng, verbs):
        self.rng, self.waits, self.verb = rng, False, None
        self.sane = rng.random() < 0.5
        if rng.random() < 0.03:
            self.words = self.without_verb(verbs)
            return
        often = [verb for verb in verbs if verb.name in ("append", "read")]
        self.verb = rng.choice(verbs + 2 * often)
        pieces = self.arguments()
        for _ in range(rng.choice((0, 1, 1, 2, 2, 3, 4, 8))):
            self.insert(pieces, self.option())
        if self.verb.name == "read" and rng.random() < 0.6:
            path = "k" if rng.random() < 0.7 else rng.choice(PATHS)
            self.insert(pieces, ["--cursor-file", path])
        words = [word.replace("\0", "") for piece in pieces for word in piece]
        self.words = [self.verb.name, *words]

    def without_verb(self, verbs):
        words = [self.rng.choice(["help", "--help", "-h", "--version", "completion", "", "nonsense",
                                  "reads"])]
        words += self.rng.choices([verb.name for verb in verbs] + ["bash", "zsh", "fish", "", "sh"],
                                  k=self.rng.randrange(3))
        return words[:self.rng.randrange(4)]

    def insert(self, pieces, words):
        places = (0, len(pieces), self.rng.randrange(len(pieces) + 1))
        pieces.insert(self.rng.choice(places), words)

    def arguments(self):
        pieces, rng = [], self.rng
        for kind in self.verb.arguments:
            most = 1 if "..." not in kind else rng.choice((1, 1, 2, 5))
            pieces += [[self.argument(kind.strip("[]."))] for _ in range(most)
                       if "[" not in kind or rng.random() < 0.4]
        if not self.sane and rng.random() < 0.1:
            self.insert(pieces, [rng.choice(EVERYTHING)])
        if not self.sane and rng.random() < 0.06:
            pieces.pop()
        return pieces

    def argument(self, kind):
        if kind == "DIR|URL":
            kind = "DIR" if self.sane or self.rng.random() < 0.9 else "URL"
        if kind == "DIR" and (self.sane or self.rng.random() < 0.7):
            return self.rng.choice(["s"] * 12 + ["t", "new", "link-s"])
        if kind == "FILE" and self.rng.random() < 0.6:
            return "in"
        return self.value(kind)

    def option(self):
        rng = self.rng
        if not self.sane and rng.random() < 0.06:
            return [rng.choice(["--nonsense", "-", "--", "-?", "--=", "---", "-hx", "-\udcff",
                                "--help=1", "-" + "v" * 5000, "--output", "--version", "-o", "-n"])]
        short, name, optional, kind = rng.choice(self.verb.options)
        self.waits |= name in WAITING
        if name == "help" and rng.random() < 0.9:
            return []
        if not kind or (optional and rng.random() < 0.5):
            return [f"-{short}" if short and rng.random() < 0.5 else f"--{name}"]
        word = self.value(kind)
        if short and rng.random() < 0.4:
            return [f"-{short}{word}"] if word and rng.random() < 0.5 else [f"-{short}", word]
        if not optional and rng.random() < 0.5:
            return [f"--{name}", word]
        return [f"--{name}={word}"]

    def value(self, kind):
        rng = self.rng
        if not self.sane and rng.random() < 0.1:
            return rng.choice(EVERYTHING)
        if not self.sane and rng.random() < 0.02:
            return rng.choice(["x", "0", "(", "/", "%s"]) * rng.choice([4096, 65536, 120000])
        if "|" in kind and not kind.startswith("N|"):
            word = rng.choice(kind.replace("[", "").replace("]", "").split("|"))
        else:
            words = KINDS.get(kind.split("|")[0], EVERYTHING)
            word = rng.choice(words[:len(words) // 4] if self.sane else words)
        return mangle(rng, word) if not self.sane and rng.random() < 0.15 else word


def paths(words):
    """Every word, or end of a word, that the tool may have taken for a path."""
    for word in words:
        yield word
        if word.startswith("--"):
            yield word.partition("=")[2]
        elif word.startswith("-"):
            yield word[2:]


def is_long(path):
    return len(os.fsencode(path)) >= 4096 or any(len(os.fsencode(part)) > 255
                                                 for part in path.split("/"))
