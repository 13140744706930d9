#!/usr/bin/python3
"""Make a bucket on an S3 server, as soon as that answers.

Usage: make_bucket.py ENDPOINT BUCKET SECONDS

Keys come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY. Fails after SECONDS without success.
"""

import hashlib
import hmac
import os
import sys
import time
import urllib.error
import urllib.request


def request(endpoint, method, path, query="", body=b""):
    host = endpoint.split("//")[1]
    now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    check = hashlib.sha256(body).hexdigest()
    names = "host;x-amz-content-sha256;x-amz-date"
    query += "=" if query and "=" not in query else ""
    canonical = (f"{method}\n{path}\n{query}\nhost:{host}\n"
                 f"x-amz-content-sha256:{check}\nx-amz-date:{now}\n\n{names}\n{check}")
    scope = f"{now[:8]}/us-east-1/s3/aws4_request"
    key = ("AWS4" + os.environ["AWS_SECRET_ACCESS_KEY"]).encode()
    for step in scope.split("/"):
        key = hmac.digest(key, step.encode(), "sha256")
    text = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n" + hashlib.sha256(canonical.encode()).hexdigest()
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    return urllib.request.Request(f"{endpoint}{path}?{query}", body, method=method, headers={
        "x-amz-content-sha256": check, "x-amz-date": now,
        "Authorization": "AWS4-HMAC-SHA256 Credential="
                         f"{os.environ['AWS_ACCESS_KEY_ID']}/{scope}, SignedHeaders={names}, "
                         f"Signature={signature}"})


def ask(endpoint, method, path, query="", body=b"", timeout=30):
    """Returns the body of the reply."""
    asked = request(endpoint, method, path, query, body)
    with urllib.request.urlopen(asked, timeout=timeout) as reply:
        return reply.read()


def main():
    endpoint, bucket, seconds = sys.argv[1:]
    end = time.monotonic() + float(seconds)
    while True:
        try:
            ask(endpoint, "PUT", "/" + bucket)
            return 0
        except (urllib.error.URLError, OSError) as error:
            if time.monotonic() > end:
                print(f"make_bucket: {error}", file=sys.stderr)
                return 1
        time.sleep(0.1)


if __name__ == "__main__":
    sys.exit(main())
