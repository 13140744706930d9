"""fuzz_run.py - one call of the fuzzed tool: how it is started, and what came of it"""
import contextlib
import os
import resource
import select
import shlex
import signal
import subprocess
import tempfile
import time

import fuzz_things
import fuzz_words

PATIENCE = 0.4  # seconds that one may wait which waits by what it was asked for
HANG = 60  # seconds, on a loaded machine
KEPT = 1 << 20  # bytes of its output that are looked at
STDIN = ["open", "null", "closed", "folder", "zero", "write-only"]
STDOUT = ["out", "out", "out-rw", "closed", "full", "broken", "tty", "read-only"]
ENDLESS = ("/dev/zero", "/dev/urandom", "/dev/tty", "fifo", "/proc/")


class Call:
    """Chosen by @rng alone, so that the same seed makes the same call."""

    def __init__(self, rng, verbs, sanitized, bare):
        line = fuzz_words.Line(rng, verbs)
        self.words, self.verb, waits = line.words, line.verb, line.waits
        self.name = rng.choice(["logstore"] * 20 + ["", "\x1b[31m", "x" * 5000, "%s%n"])
        self.input = fuzz_things.some_input(rng, self.words)
        self.stdin = rng.choice(["file"] * 8 + STDIN)
        self.stdout = rng.choice(["pipe"] * 9 + STDOUT)
        self.stderr = rng.choice(["pipe"] * 14 + ["closed", "full", "broken"])
        self.environment = fuzz_things.environment(rng)
        self.user = rng.random() < 0.2
        self.cwd = rng.choice(["/world"] * 12 + ["gone", "/"])
        self.umask = rng.choice((0o022, 0o022, 0o077, 0, 0o777))
        self.no_proc = bare and rng.random() < 0.1
        self.limits = []
        if rng.random() < 0.15:
            self.limits.append(("NOFILE", rng.choice((8, 10, 12, 16, 24))))
        if "tsan" not in sanitized and rng.random() < 0.1:
            self.limits.append(("FSIZE", rng.choice((0, 1, 4096, 65536, 70000, 1 << 20))))
        given = sum(map(len, [*self.words, *self.environment.values()]))  # lies on the stack
        if not sanitized and rng.random() < 0.1 and given < 16384:
            self.limits.append(("STACK", rng.choice((131072, 262144))))
        self.ignored = [number for number in (signal.SIGINT, signal.SIGHUP, signal.SIGPIPE)
                        if rng.random() < 0.1]
        self.ends_by = rng.choice([s for s in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM)
                                   if s not in self.ignored])
        self.waits = waits or self.stdin in ("open", "zero") or any(
            part in word for part in ENDLESS for word in self.words)

    def __str__(self):
        settings = [f"{key}={value!r}" for key, value in vars(self).items() if key in (
            "stdin", "stdout", "stderr", "user", "cwd", "umask", "no_proc", "limits")]
        shown = [word if len(word) < 300 else f"{word[:40]}...({len(word)})" for word in self.words]
        variables = {name: text[:60] for name, text in self.environment.items()}
        return (f"{self.name[:20]!r} {shlex.join(shown)}\n    {' '.join(settings)} "
                f"input={self.input[:40]!r}({len(self.input)}) environment={variables}")

    # ---- in the child, before the tool ----

    def prepare(self, place):
        os.chroot(place.bare if self.no_proc else place.root)
        os.chdir("/world" if self.cwd == "gone" else self.cwd)
        if self.cwd == "gone":
            os.mkdir("gone")
            os.chdir("gone")
            os.rmdir("../gone")
        for name, most in self.limits:
            resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (most, most))
        for number in (signal.SIGPIPE, signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN if number in self.ignored else signal.SIG_DFL)
        os.umask(self.umask)
        if self.user:
            os.setgroups([])
            os.setresgid(*[fuzz_things.NOBODY] * 3)
            os.setresuid(*[fuzz_things.NOBODY] * 3)
        for fd, kind in enumerate((self.stdin, self.stdout, self.stderr)):
            if kind == "closed":
                os.close(fd)

    # ---- descriptors ----

    def open_stdin(self, place, stack):
        """For the child; what is to be kept open meanwhile goes to @stack."""
        if self.stdin == "open":
            r, w = os.pipe()
            os.set_blocking(w, False)
            with contextlib.suppress(BlockingIOError):
                os.write(w, self.input)
            stack.callback(os.close, w)
            return r
        if self.stdin == "file":
            file = stack.enter_context(tempfile.TemporaryFile(dir=place.templates))
            file.write(self.input)
            file.seek(0)
            return os.dup(file.fileno())
        if self.stdin == "write-only":
            r, w = os.pipe()
            stack.callback(os.close, r)
            return w
        name = {"folder": place.world, "zero": "/dev/zero"}.get(self.stdin, "/dev/null")
        return os.open(name, os.O_RDONLY)

    def open_output(self, kind, place, stack):
        """For the child, and a descriptor to read from, or None."""
        if kind == "read-only":
            r, w = os.pipe()
            stack.callback(os.close, w)
            return r, None
        if kind == "tty":
            ours, theirs = os.openpty()
            return theirs, ours
        if kind in ("pipe", "broken"):
            r, w = os.pipe()
            if kind == "pipe":
                return w, r
            os.close(r)
            return w, None
        if kind in ("out", "out-rw"):
            flags = os.O_WRONLY | os.O_APPEND if kind == "out" else os.O_RDWR
            return os.open(f"{place.world}/out", flags), None
        return os.open("/dev/full" if kind == "full" else "/dev/null", os.O_WRONLY), None

    # ---- the call ----

    def run(self, place):
        options = "exitcode=99:log_path=/reports/r:detect_leaks=0:allocator_may_return_null=1:" \
                  "handle_abort=1:print_stacktrace=1:halt_on_error=1"
        environment = self.environment | {f"{name}SAN_OPTIONS": options
                                          for name in ("A", "T", "UB")}
        with contextlib.ExitStack() as stack:
            streams = [self.open_stdin(place, stack),
                       *self.open_output(self.stdout, place, stack),
                       *self.open_output(self.stderr, place, stack)]
            stdin, stdout, out, stderr, err = streams
            try:
                process = subprocess.Popen([self.name, *self.words], executable="/tool",
                                           stdin=stdin, stdout=stdout, stderr=stderr,
                                           env=environment, process_group=0,
                                           preexec_fn=lambda: self.prepare(place))
            except (OSError, subprocess.SubprocessError) as error:
                for fd in filter(None, streams):
                    os.close(fd)
                return None if "too long" in str(error) else error
            for fd in (stdin, stdout, stderr):
                os.close(fd)
            return Result(process, self, out, err)


class Result:
    def __init__(self, process, call, out, err):
        self.texts, self.sent, self.hangs = {out: b"", err: b""}, None, False
        self.listen(process, call, [fd for fd in (out, err) if fd is not None])
        self.status = process.wait()
        self.out, self.err = self.texts[out], self.texts[err]
        if out is None:
            self.out = b""
        if err is None:
            self.err = b""

    def listen(self, process, call, fds):
        """Until it has ended; one that waits is ended, by a signal that it must answer."""
        started = time.monotonic()
        until = started + (PATIENCE if call.waits else HANG)
        open_fds, step = list(fds), 0.002
        while process.poll() is None or open_fds:
            if process.returncode is not None:  # what it started goes with it
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
            ready = select.select(open_fds, [], [], step)[0] if open_fds else time.sleep(step) or []
            step = min(step * 1.5, 0.05)
            for fd in ready:
                data = b""
                with contextlib.suppress(OSError):  # a terminal whose other side has closed
                    data = os.read(fd, 65536)
                if not data:
                    open_fds.remove(fd)
                elif len(self.texts[fd]) < KEPT:
                    self.texts[fd] += data
            if time.monotonic() > until and process.returncode is None:
                if self.sent or not call.waits:
                    self.hangs = True
                    os.killpg(process.pid, signal.SIGKILL)
                    until += HANG
                else:
                    self.sent = call.ends_by
                    os.killpg(process.pid, self.sent)
                    until = time.monotonic() + HANG
        for fd in fds:
            os.close(fd)
