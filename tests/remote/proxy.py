"""A proxy between a shipper and its object store, which does what networks and servers do.

    proxy = Proxy("http://127.0.0.1:1234", seed=1)
    proxy.rates = {"lose": 0.2}     of each request
    ... $AWS_ENDPOINT_URL=proxy.url ...
    proxy.stop()

What may happen to a request is a function named fault_NAME below. proxy.counts has how often each
was done. Signatures stay as they are: a client signs the Host of the proxy, which is passed on.
"""

import http.client
import random
import socket
import threading
import time

TIMEOUT_S = 60
LATE_S = 6.0   # at most so long after its sender gave up does a request arrive
SLOW_S = 0.5


class Gone(Exception):
    """The client has no answer to come: end the connection."""


class Request:
    def __init__(self, line, headers, body):
        self.method, self.path, _ = line.split(" ", 2)
        self.headers = headers
        self.body = body


class Proxy:
    def __init__(self, endpoint, seed):
        self.host, port = endpoint.removeprefix("http://").split(":")
        self.port = int(port)
        self.dice = random.Random(seed)
        self.rates = {}
        self.counts = {}
        self.down = False
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def stop(self):
        self.listener.close()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    # One connection

    def serve(self, client):
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        stream = client.makefile("rwb")
        try:
            while request := self.read(stream):
                fault = self.choose()
                reply = getattr(self, "fault_" + fault)(request)
                stream.write(reply)
                stream.flush()
                if fault == "cut":
                    break
        except (Gone, OSError, ValueError):
            pass
        finally:
            try:
                stream.close()
            except OSError:
                pass
            client.close()

    @staticmethod
    def read(stream):
        line = stream.readline().decode("latin-1").strip()
        if not line:
            return None
        headers = {}
        while text := stream.readline().decode("latin-1").strip():
            name, _, value = text.partition(":")
            headers[name] = value.strip()
        lower = {name.lower(): value for name, value in headers.items()}
        size = int(lower.get("content-length", 0))
        if "expect" in lower:
            stream.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            stream.flush()
        body = stream.read(size)
        return Request(line, headers, body) if len(body) == size else None

    def choose(self):
        with self.lock:
            fault = "none"
            if self.down:
                fault = "refuse"
            else:
                point = self.dice.random()
                for name, rate in self.rates.items():
                    if point < rate:
                        fault = name
                        break
                    point -= rate
            self.counts[fault] = self.counts.get(fault, 0) + 1
            return fault

    def random(self):
        with self.lock:
            return self.dice.random()

    # To the server

    def ask(self, request):
        """The bytes of its reply."""
        server = http.client.HTTPConnection(self.host, self.port, timeout=TIMEOUT_S)
        try:
            server.putrequest(request.method, request.path, skip_host=True,
                              skip_accept_encoding=True)
            for name, value in request.headers.items():
                if name.lower() not in ("expect", "connection"):
                    server.putheader(name, value)
            server.endheaders(request.body)
            reply = server.getresponse()
            body = reply.read()
        except (OSError, http.client.HTTPException) as error:
            raise Gone from error
        finally:
            server.close()
        lines = [f"HTTP/1.1 {reply.status} {reply.reason}"]
        lines += [f"{name}: {value}" for name, value in reply.getheaders()
                  if name.lower() not in ("connection", "transfer-encoding", "content-length")]
        length = reply.headers.get("Content-Length", "0") if request.method == "HEAD" else len(body)
        lines.append(f"Content-Length: {length}")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body

    def ask_later(self, request, seconds):
        def ask():
            time.sleep(seconds)
            try:
                self.ask(request)
            except Gone:
                pass
        threading.Thread(target=ask, daemon=True).start()

    # What happens to a request

    def fault_none(self, request):
        return self.ask(request)

    def fault_refuse(self, request):
        """It does not arrive."""
        raise Gone

    def fault_half(self, request):
        """Half of its body arrives."""
        with socket.create_connection((self.host, self.port), timeout=TIMEOUT_S) as server:
            head = f"{request.method} {request.path} HTTP/1.1\r\n"
            head += "".join(f"{name}: {value}\r\n" for name, value in request.headers.items()
                            if name.lower() != "expect")
            server.sendall(head.encode("latin-1") + b"\r\n" + request.body[:len(request.body) // 2])
        raise Gone

    def fault_lose(self, request):
        """It takes effect, and nobody says so."""
        self.ask(request)
        raise Gone

    def fault_cut(self, request):
        """It takes effect; of the reply the first half comes."""
        reply = self.ask(request)
        return reply[:len(reply) // 2]

    def fault_late(self, request):
        """It arrives after its sender gave up, and may then have asked again, or ended."""
        self.ask_later(request, self.random() * LATE_S)
        raise Gone

    def fault_twice(self, request):
        """It arrives twice. The reply is that to the second one."""
        self.ask(request)
        return self.ask(request)

    def fault_again(self, request):
        """It arrives twice, the second time much later."""
        reply = self.ask(request)
        self.ask_later(request, self.random() * LATE_S)
        return reply

    def fault_slow(self, request):
        time.sleep(self.random() * SLOW_S)
        return self.ask(request)

    def fault_409(self, request):
        return self.status(409, "Conflict", "OperationAborted")

    def fault_429(self, request):
        return self.status(429, "Too Many Requests", "TooManyRequests")

    def fault_500(self, request):
        return self.status(500, "Internal Server Error", "InternalError")

    def fault_503(self, request):
        return self.status(503, "Slow Down", "SlowDown")

    def fault_500_after(self, request):
        """It takes effect, and the server says that it failed."""
        self.ask(request)
        return self.status(500, "Internal Server Error", "InternalError")

    def fault_html(self, request):
        """A machine in between says something, as it does in a wireless network."""
        return self.status(502, "Bad Gateway", None)

    def fault_skew(self, request):
        """What a server says to a machine whose clock is wrong."""
        return self.status(403, "Forbidden", "RequestTimeTooSkewed")

    def fault_expired(self, request):
        """What it says once the session that a token belongs to is over."""
        return self.status(400, "Bad Request", "ExpiredToken")

    @staticmethod
    def status(number, reason, code):
        if code:
            body = f"<Error><Code>{code}</Code><Message>made by the proxy</Message></Error>"
        else:
            body = "<html><body>Please log in</body></html>"
        date = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime())
        return (f"HTTP/1.1 {number} {reason}\r\nDate: {date}\r\n"
                f"Content-Length: {len(body)}\r\n\r\n{body}").encode()
