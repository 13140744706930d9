"""remote_server.py - the object store that bench/remote works against, and who else moves files

The server is a radosgw that tests/remote/rgw started. Its log has a line for each request, so that
requests and bytes are counted where they arrive. Requests of our own are signed as ship signs them,
with a hash of what is sent, and go over a connection that is kept.
"""
import hashlib
import http.client
import os
import re
import shutil
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../tests/remote"))
import make_bucket # pylint: disable=import-error,wrong-import-position

LINE = re.compile(r'beast: .*?"(\w+) /bucket([^ ?]*)\??(\S*) HTTP/1.1" (\d+) (\d+) \S+ \S+ (\S+)')
UNSIGNED = "-Hx-amz-content-sha256: UNSIGNED-PAYLOAD"
SIGNED = '"$@" -H"x-amz-content-sha256: $(openssl dgst -sha256 -r <"$0" | cut -c-64)"'


class Wrong(Exception):
    """What was to be measured did not happen."""


def insist(holds, what):
    if not holds:
        raise Wrong(what)


def run(command, keep=False):
    """Returns its output, if it is to be kept."""
    done = subprocess.run(command, check=False, stderr=subprocess.PIPE,
                          stdout=subprocess.PIPE if keep else subprocess.DEVNULL)
    insist(done.returncode == 0, f"{' '.join(command[:3])}: status {done.returncode}: "
                                 f"{done.stderr[-300:]!r}")
    return done.stdout


def run_at_once(commands, most):
    """Run all, at most so many at once."""
    running = []
    for command in commands:
        if len(running) == most:
            insist(running.pop(0).wait() == 0, f"{command[0]} failed")
        running.append(subprocess.Popen(command))
    for one in running:
        insist(one.wait() == 0, f"{commands[0][0]} failed")


class Bare:
    """One connection to the server, which is kept."""

    def __init__(self, endpoint):
        self.endpoint = endpoint
        self.connection = http.client.HTTPConnection(endpoint.split("//")[1])

    def ask(self, method, path, query="", body=b""):
        """Returns the status and the reply's body."""
        asked = make_bucket.request(self.endpoint, method, "/bucket" + path, query, body)
        target = f"/bucket{path}" + (f"?{query}" if query else "")
        self.connection.request(method, target, body if method == "PUT" else None,
                                dict(asked.header_items()))
        reply = self.connection.getresponse()
        return reply.status, reply.read()


class Server:
    """Whoever uses it gives objects of one measurement a prefix of their own."""

    def __init__(self):
        self.endpoint = os.environ["LOGSTORE_TEST_S3"]
        self.log = os.path.join(os.path.dirname(os.environ["CEPH_CONF"]), "client.rgw.a.log")
        self.bare = Bare(self.endpoint)
        self.marks = 0
        insist(shutil.which("rclone"), "rclone is missing; script/bootstrap bench installs it")
        os.environ.pop("AWS_CA_BUNDLE", None) # rclone wants no other; there is no TLS
        os.environ.update({
            "AWS_ENDPOINT_URL": self.endpoint, "AWS_REGION": "us-east-1",
            "RCLONE_CONFIG_S3_TYPE": "s3", "RCLONE_CONFIG_S3_PROVIDER": "Ceph",
            "RCLONE_CONFIG_S3_ENV_AUTH": "true", "RCLONE_CONFIG_S3_ENDPOINT": self.endpoint,
            "RCLONE_CONFIG_S3_REGION": "us-east-1", "RCLONE_CONFIG_S3_NO_CHECK_BUCKET": "true"})

    def mark(self):
        """A place in the server's log: all requests answered so far are before it. The gateway logs
        a request behind its answer, hence the pause."""
        time.sleep(0.1)
        self.marks += 1
        name = f"/mark/{os.getpid()}-{self.marks}"
        self.bare.ask("GET", name)
        end = time.monotonic() + 30
        while time.monotonic() < end:
            with open(self.log, "rb") as stream:
                at = stream.read().find(name.encode())
            if at >= 0:
                return at
            time.sleep(0.05)
        raise Wrong("the server's log does not say what was asked")

    def requests(self, begin, end, prefix):
        """(method, path, query, status, bytes, range) of those for objects below the prefix."""
        with open(self.log, "rb") as stream:
            stream.seek(begin)
            text = stream.read(end - begin).decode(errors="replace")
        found = [LINE.search(line) for line in text.splitlines()]
        rows = [(method, path, query, int(status), int(size), span)
                for method, path, query, status, size, span
                in (one.groups() for one in found if one)]
        return [row for row in rows if row[1].startswith(f"/{prefix}/") or
                f"prefix={prefix}%2F" in row[2]]

    def objects(self, prefix):
        """{name below the prefix: (size, ETag)}"""
        found, after = {}, ""
        while True:
            query = "list-type=2&prefix=" + prefix.replace("/", "%2F") + "%2F"
            if after:
                query = "continuation-token=" + after.replace("/", "%2F") + "&" + query
            status, body = self.bare.ask("GET", "", query)
            insist(status == 200, f"list: {status} {body[:300]!r}")
            text = body.decode()
            for one in re.findall(r"<Contents>(.*?)</Contents>", text):
                key, tag, size = (re.search(f"<{what}>(.*?)</{what}>", one)[1]
                                  for what in ("Key", "ETag", "Size"))
                found[key[len(prefix) + 1:]] = int(size), tag.replace("&quot;", "")
            more = re.search("<NextContinuationToken>(.*?)</NextContinuationToken>", text)
            if not more:
                return found
            after = more[1]

    def remove(self, *prefixes):
        """With its memory, which the gateway would keep for two hours."""
        for prefix in prefixes:
            for name in self.objects(prefix):
                self.bare.ask("DELETE", f"/{prefix}/{name}")
        run(["radosgw-admin", "-n", "client.rgw.a", "gc", "process", "--include-all"])

    def curl(self, *arguments):
        keys = os.environ["AWS_ACCESS_KEY_ID"] + ":" + os.environ["AWS_SECRET_ACCESS_KEY"]
        return ["curl", "-sSf", "--aws-sigv4", "aws:amz:us-east-1:s3", "--user", keys, *arguments]

    def curl_put(self, path, prefix):
        return self.curl(UNSIGNED, "-T", path, self.url(prefix, path))

    def curl_put_hashed(self, path, prefix):
        return ["sh", "-c", SIGNED, path,
                *self.curl("-T", path, self.url(prefix, path))]

    def curl_gets(self, paths, prefix, most, to=None):
        """One process, which gets so many at once. @to: a directory, or all goes to /dev/null."""
        command = self.curl(UNSIGNED, "--no-progress-meter", "--parallel", "--parallel-immediate",
                            "--parallel-max", str(most))
        for path in paths:
            name = os.path.basename(path)
            command += ["-o", os.path.join(to, name) if to else "/dev/null",
                        self.url(prefix, name)]
        run(command)

    def url(self, prefix, path):
        return f"{self.endpoint}/bucket/{prefix}/{os.path.basename(path)}"


def rclone(verb, most, *arguments):
    """The place "s3:bucket/..." is the server. What is there or not is not looked at file by file
    before: the places are empty."""
    return ["rclone", "--config", "", verb, f"--transfers={most}", "--no-traverse", *arguments]


def digest(path, kind="md5"):
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, kind).hexdigest()
