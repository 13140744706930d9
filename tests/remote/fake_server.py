#!/usr/bin/python3
"""A server that speaks S3, and one that breaks its rules, on a port of its own.

Usage: fake_server.py [CERTIFICATE]

CERTIFICATE is a file with a certificate and its key: then the server speaks TLS. Prints "PORT" and
a newline, then serves until standard input ends. Paths below:

    /BUCKET/...          an S3 of one bucket ("bucket"), which checks signatures by a code of its
                         own: key AKTEST, secret SKTEST0123456789, region us-east-1
    /bad/NAME/...        answers as the function bad_NAME below says
    /imds/..., /sts, /container    services that give keys
"""

import calendar
import base64
import hashlib
import hmac
import http.server
import json
import re
import socket
import ssl
import sys
import threading
import time
import urllib.parse
import xml.sax.saxutils

KEY, SECRET, REGION = "AKTEST", "SKTEST0123456789", "us-east-1"
LOCK = threading.Lock()
OBJECTS = {}   # key: bytes
UPLOADS = {}   # id: (key, {number: bytes})
COUNTS = {}    # what happened how often, for tests to ask by /count/NAME
TO_THE_END = 1 << 60
SKEW_S = 900


def digest(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def utc(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def count(name):
    with LOCK:
        COUNTS[name] = COUNTS.get(name, 0) + 1
        return COUNTS[name]


class Refused(Exception):
    def __init__(self, status, code, message=""):
        super().__init__(code)
        self.status, self.code, self.message = status, code, message


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def handle_expect_100(self):
        count("announced")
        return super().handle_expect_100()

    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def xml(self, status, text, **headers):
        self.answer(status, ('<?xml version="1.0" encoding="UTF-8"?>' + text).encode(), **headers)

    def raw(self, data):
        """These bytes, then the end of the connection."""
        self.wfile.write(data)
        self.wfile.flush()
        self.close_connection = True

    def body(self):
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def do(self):
        parts = urllib.parse.urlsplit(self.path)
        self.query = dict(urllib.parse.parse_qsl(parts.query, keep_blank_values=True))
        first, _, rest = parts.path.lstrip("/").partition("/")
        try:
            if first == "bad":
                getattr(self, "bad_" + rest.split("/")[0].replace("-", "_"))()
            elif first == "count":
                self.answer(200, str(COUNTS.get(rest, 0)).encode())
            elif first in ("imds", "sts", "container"):
                getattr(self, first)(rest)
            else:
                self.s3(first, urllib.parse.unquote(rest), parts)
        except Refused as refused:
            self.xml(refused.status, f"<Error><Code>{refused.code}</Code>"
                                     f"<Message>{refused.message}</Message></Error>")
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    do_GET = do_PUT = do_POST = do_DELETE = do

    # S3 as it should be

    def check_signature(self, parts, body):
        match = re.fullmatch(r"AWS4-HMAC-SHA256 "
                             r"Credential=([^/]+)/(\d{8})/([^/]+)/s3/aws4_request, "
                             r"SignedHeaders=([^,]+), Signature=([0-9a-f]{64})",
                             self.headers.get("Authorization", ""))
        if not match:
            raise Refused(403, "AccessDenied", "no signature")
        access, day, region, names, signature = match.groups()
        if access != KEY:
            raise Refused(403, "InvalidAccessKeyId", "who is that?")
        if region != REGION:
            raise Refused(400, "AuthorizationHeaderMalformed", "</Message><Region>us-east-1"
                          "</Region><Message>wrong region")
        claimed = self.headers["x-amz-content-sha256"]
        md5 = self.headers["content-md5"]
        if md5 and base64.b64encode(hashlib.md5(body).digest()).decode() != md5:
            raise Refused(400, "BadDigest", "the body is another")
        unsigned = claimed == "UNSIGNED-PAYLOAD" and (
            isinstance(self.connection, ssl.SSLSocket) or (md5 and "content-md5" in names))
        if unsigned:
            COUNTS["unsigned"] = COUNTS.get("unsigned", 0) + 1
        elif hashlib.sha256(body).hexdigest() != claimed:
            raise Refused(400, "XAmzContentSHA256Mismatch", "the body is another")
        query = "&".join(sorted((pair if "=" in pair else pair + "=")
                                for pair in parts.query.split("&") if pair))
        headers = "".join(f"{name}:{self.headers[name].strip()}\n" for name in names.split(";"))
        canonical = "\n".join([self.command, parts.path, query, headers, names, claimed])
        date = self.headers["x-amz-date"]
        then = calendar.timegm(time.strptime(date, "%Y%m%dT%H%M%SZ"))
        if abs(then - time.time()) > SKEW_S:
            raise Refused(403, "RequestTimeTooSkewed", "the difference is too large")
        scope = f"{day}/{region}/s3/aws4_request"
        text = "\n".join(["AWS4-HMAC-SHA256", date, scope,
                          hashlib.sha256(canonical.encode()).hexdigest()])
        key = ("AWS4" + SECRET).encode()
        for step in scope.split("/"):
            key = digest(key, step)
        if digest(key, text).hex() != signature:
            raise Refused(403, "SignatureDoesNotMatch", "not what we would sign")
        for need in ("host", "x-amz-content-sha256", "x-amz-date"):
            if need not in names.split(";"):
                raise Refused(403, "AccessDenied", f"{need} is not signed")

    def s3(self, bucket, key, parts):
        body = self.body()
        self.check_signature(parts, body)
        if bucket != "bucket":
            raise Refused(404, "NoSuchBucket")
        with LOCK:
            name = f"s3_{self.command.lower()}_{'object' if key else 'bucket'}"
            getattr(self, name)(key, body)

    def s3_put_object(self, key, body):
        if "uploadId" in self.query:
            upload = UPLOADS.get(self.query["uploadId"])
            if not upload:
                raise Refused(404, "NoSuchUpload")
            upload[1][int(self.query["partNumber"])] = body
        else:
            if self.headers.get("If-None-Match") == "*" and key in OBJECTS:
                raise Refused(412, "PreconditionFailed", "it is there")
            OBJECTS[key] = (body, time.time())
        self.answer(200, ETag=f'"{hashlib.md5(body).hexdigest()}"')

    def s3_post_object(self, key, body):
        if "uploads" in self.query:
            number = str(len(UPLOADS)) + "+/="
            UPLOADS[number] = (key, {})
            self.xml(200, "<InitiateMultipartUploadResult>"
                          f"<UploadId>{number}</UploadId></InitiateMultipartUploadResult>")
            return
        _, got = UPLOADS.pop(self.query["uploadId"])
        wanted = re.findall(rb"<PartNumber>(\d+)</PartNumber><ETag>(\w+)</ETag>", body)
        for number, tag in wanted:
            if hashlib.md5(got[int(number)]).hexdigest() != tag.decode():
                raise Refused(400, "InvalidPart")
        OBJECTS[key] = (b"".join(got[int(number)] for number, _ in wanted), time.time())
        self.answer(200, b'  \n <?xml version="1.0"?>  \n <CompleteMultipartUploadResult>'
                         b"<ETag>x</ETag></CompleteMultipartUploadResult>")

    def s3_get_object(self, key, _):
        if key not in OBJECTS:
            raise Refused(404, "NoSuchKey")
        body = OBJECTS[key][0]
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if not match:
            self.answer(200, body)
            return
        first, last = int(match[1]), int(match[2] or TO_THE_END)
        if first >= len(body):
            raise Refused(416, "InvalidRange")
        last = min(last, len(body) - 1)
        self.answer(206, body[first:last + 1],
                    Content_Range=f"bytes {first}-{last}/{len(body)}")

    def s3_delete_object(self, key, _):
        if "uploadId" in self.query:
            if not UPLOADS.pop(self.query["uploadId"], None):
                raise Refused(404, "NoSuchUpload")
        else:
            OBJECTS.pop(key, None)
        self.answer(204)

    def s3_get_bucket(self, _, __):
        prefix, after = self.query["prefix"], self.query.get("start-after", "")
        most = min(int(self.query["max-keys"]), 1000)
        keys = sorted(k for k in OBJECTS if k.startswith(prefix) and k > after)
        entries = "".join(f"<Contents><Key>{urllib.parse.quote(k)}</Key>"
                          f"<LastModified>{utc(OBJECTS[k][1])}</LastModified>"
                          f"<Size>{len(OBJECTS[k][0])}</Size></Contents>" for k in keys[:most])
        self.xml(200, f"<ListBucketResult><IsTruncated>{str(len(keys) > most).lower()}"
                      f"</IsTruncated><EncodingType>url</EncodingType>{entries}"
                      "</ListBucketResult>")

    # Services that give keys

    def imds(self, rest):
        if self.command == "PUT":
            self.body()
            if not self.headers.get("X-aws-ec2-metadata-token-ttl-seconds"):
                raise Refused(400, "BadRequest")
            self.answer(200, b"a-token")
            return
        if self.headers.get("X-aws-ec2-metadata-token") != "a-token":
            raise Refused(401, "Unauthorized")
        if rest.endswith("security-credentials/"):
            self.answer(200, b"some-role\nanother\n")
            return
        assert rest.endswith("/some-role")
        number = count("imds")
        self.give_keys(f"AKIMDS{number}", "Success")

    def give_keys(self, access, code=None):
        keys = {"AccessKeyId": access, "SecretAccessKey": "secret", "Token": "token",
                "Expiration": utc(time.time() + 3600)}
        if code:
            keys["Code"] = code
        self.answer(200, json.dumps(keys).encode())

    def container(self, rest):
        if self.headers.get("Authorization") != "let me in":
            raise Refused(401, "Unauthorized")
        self.give_keys(f"AKCONTAINER{count('container')}")

    def sts(self, _):
        form = dict(urllib.parse.parse_qsl(self.body().decode()))
        if form.get("WebIdentityToken") != "a web/token" or form["Version"] != "2011-06-15":
            self.xml(400, "<ErrorResponse><Error><Code>InvalidIdentityToken</Code>"
                          "<Message>no such token</Message></Error></ErrorResponse>")
            return
        role = xml.sax.saxutils.escape(form["RoleArn"])
        self.xml(200, "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult>"
                      f"<Credentials><AccessKeyId>AKSTS</AccessKeyId><SecretAccessKey>{role}"
                      "</SecretAccessKey><SessionToken>session</SessionToken>"
                      f"<Expiration>{utc(time.time() + 3600)}</Expiration></Credentials>"
                      "</AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>")

    # What a server must not do

    def bad_status(self):
        """/bad/status/STATUS/CODE/..."""
        _, _, _, status, code, *_ = self.path.split("?")[0].split("/")
        self.body()
        self.xml(int(status), f"<Error><Code>{code}</Code><Message>because\n\x7f&#x9;of "
                              f"{'x' * 2000}</Message></Error>")

    def bad_garbage(self):
        self.body()
        self.answer(200, b"\x00\xff<not xml", ETag='"x"')

    def bad_entities(self):
        self.body()
        self.answer(200, b'<!DOCTYPE a [<!ENTITY b "' + b"x" * 1000 + b'">]><ListBucketResult>'
                         b"<Name>&b;&b;</Name></ListBucketResult>")

    def bad_deep(self):
        self.body()
        self.answer(200, b"<a>" * 10000)

    def bad_empty(self):
        self.body()
        self.answer(200)

    def bad_other_xml(self):
        self.body()
        self.xml(200, "<Something><Else/></Something>")

    def bad_same_page(self):
        self.body()
        self.xml(200, "<ListBucketResult><IsTruncated>true</IsTruncated>"
                      f"<Contents><Key>{self.query['prefix']}a</Key><Size>1</Size></Contents>"
                      "</ListBucketResult>")

    def bad_other_prefix(self):
        self.body()
        self.xml(200, "<ListBucketResult><Contents><Key>a</Key><Size>1</Size></Contents>"
                      "</ListBucketResult>")

    def bad_no_page(self):
        self.body()
        self.xml(200, "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>")

    def bad_many_entries(self):
        self.body()
        self.xml(200, "<ListBucketResult>" + "".join(
            f"<Contents><Key>{i:06}</Key><Size>1</Size></Contents>" for i in range(1500)) +
                 "</ListBucketResult>")

    def bad_size(self):
        self.body()
        self.xml(200, "<ListBucketResult><Contents><Key>a</Key><Size>-1</Size></Contents>"
                      "</ListBucketResult>")

    def bad_half_entry(self):
        self.body()
        self.xml(200, "<ListBucketResult><Contents><Size>1</Size></Contents></ListBucketResult>")

    def bad_redirect(self):
        self.body()
        self.answer(301, b"", Location="http://127.0.0.1:1/", x_amz_bucket_region="eu-central-1")

    def bad_elsewhere(self):
        self.body()
        self.answer(307, b"", Location="http://127.0.0.1:1/")

    def bad_no_range(self):
        self.answer(200, b"0123456789")

    def bad_wrong_range(self):
        self.answer(206, b"0123", Content_Range="bytes 7-10/100")

    def bad_range_nonsense(self):
        self.answer(206, b"0123", Content_Range="bytes 0-99999999999999999999999/4")

    def bad_range_missing(self):
        self.answer(206, b"0123")

    def bad_range_length(self):
        self.answer(206, b"01234", Content_Range="bytes 0-3/100")

    def bad_short_body(self):
        self.raw(b"HTTP/1.1 206 x\r\nContent-Length: 4\r\nContent-Range: bytes 0-3/100\r\n\r\n01")

    def bad_chunks_too_long(self):
        self.raw(b"HTTP/1.1 206 x\r\nTransfer-Encoding: chunked\r\n"
                 b"Content-Range: bytes 0-3/100\r\n\r\n8\r\n01234567\r\n0\r\n\r\n")

    def bad_chunks_too_short(self):
        self.raw(b"HTTP/1.1 206 x\r\nTransfer-Encoding: chunked\r\n"
                 b"Content-Range: bytes 0-3/100\r\n\r\n2\r\n01\r\n0\r\n\r\n")

    def bad_no_answer(self):
        self.body()
        self.close_connection = True

    def bad_reset(self):
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.close_connection = True

    def bad_not_http(self):
        self.raw(b"SSH-2.0-what\r\n\r\n")

    def bad_silence(self):
        time.sleep(20)
        self.close_connection = True

    def bad_silent_body(self):
        self.wfile.write(b"HTTP/1.1 200 x\r\nContent-Length: 4\r\n\r\n01")
        self.wfile.flush()
        time.sleep(20)
        self.close_connection = True

    def drip(self, start, piece):
        self.wfile.write(start)
        for _ in range(400):
            self.wfile.write(piece)
            self.wfile.flush()
            time.sleep(0.1)
        self.close_connection = True

    def bad_slow_body(self):
        self.drip(b"HTTP/1.1 200 x\r\nContent-Length: 1000\r\n\r\n", b"0")

    def bad_slow_headers(self):
        self.drip(b"HTTP/1.1 200 x\r\n", b"X-A: b\r\n")

    def flood(self, start, piece):
        self.wfile.write(start)
        for _ in range(4000):
            self.wfile.write(piece)
        self.close_connection = True

    def bad_endless_body(self):
        self.flood(b"HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n",
                   b"10000\r\n" + b"x" * 65536 + b"\r\n")

    def bad_endless_error(self):
        self.flood(b"HTTP/1.1 500 x\r\nTransfer-Encoding: chunked\r\n\r\n",
                   b"10000\r\n" + b"x" * 65536 + b"\r\n")

    def bad_long_header(self):
        self.raw(b"HTTP/1.1 200 x\r\nX-A: " + b"x" * (1 << 20) + b"\r\n\r\n")

    def bad_many_headers(self):
        self.flood(b"HTTP/1.1 200 x\r\n", b"X-A: " + b"y" * 1000 + b"\r\n")

    def bad_endless_continue(self):
        self.flood(b"", b"HTTP/1.1 103 x\r\nX-A: y\r\n\r\n" * 40)

    def bad_parts_killed(self):
        """Multipart: the third part's connection ends in the middle."""
        if self.command == "PUT" and self.query.get("partNumber") == "3":
            self.rfile.read(1 << 20)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            self.close_connection = True
            return
        self.bad_parts_kept("parts-killed")

    def bad_parts_error(self):
        """Multipart: 200, and then an error in the body."""
        self.bad_parts_kept("parts-error", "<Error><Code>InternalError</Code></Error>")

    def bad_parts_untagged(self):
        self.bad_parts_kept("parts-untagged", tag="<&>")

    def bad_parts_kept(self, name, result="<CompleteMultipartUploadResult/>", tag='"abc"'):
        self.body()
        if self.command == "DELETE":
            count(name + "-aborted")
            self.answer(204)
        elif self.command == "PUT":
            self.answer(200, b"", ETag=tag)
        elif "uploads" in self.query:
            self.xml(200, "<InitiateMultipartUploadResult><UploadId>id</UploadId>"
                          "</InitiateMultipartUploadResult>")
        else:
            self.xml(200, result)


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128

    def handle_error(self, request, client_address):
        pass  # a client that went away; what it met is for the test to judge


def main():
    server = Server(("127.0.0.1", 0), Handler)
    if len(sys.argv) > 1:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[1])
        server.socket = context.wrap_socket(server.socket, server_side=True)
    sys.stdout.write(f"{server.server_port}\n")  # in one piece: the reader closes the pipe then
    sys.stdout.flush()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()


main()
