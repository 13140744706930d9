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


def request(endpoint, bucket):
    host = endpoint.split("//")[1]
    now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    nothing = hashlib.sha256(b"").hexdigest()
    names = "host;x-amz-content-sha256;x-amz-date"
    canonical = (f"PUT\n/{bucket}\n\nhost:{host}\nx-amz-content-sha256:{nothing}\n"
                 f"x-amz-date:{now}\n\n{names}\n{nothing}")
    scope = f"{now[:8]}/us-east-1/s3/aws4_request"
    key = ("AWS4" + os.environ["AWS_SECRET_ACCESS_KEY"]).encode()
    for step in scope.split("/"):
        key = hmac.digest(key, step.encode(), "sha256")
    text = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n" + hashlib.sha256(canonical.encode()).hexdigest()
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    return urllib.request.Request(f"{endpoint}/{bucket}", method="PUT", headers={
        "x-amz-content-sha256": nothing, "x-amz-date": now,
        "Authorization": "AWS4-HMAC-SHA256 Credential="
                         f"{os.environ['AWS_ACCESS_KEY_ID']}/{scope}, SignedHeaders={names}, "
                         f"Signature={signature}"})


def main():
    endpoint, bucket, seconds = sys.argv[1:]
    end = time.monotonic() + float(seconds)
    while True:
        try:
            with urllib.request.urlopen(request(endpoint, bucket), timeout=10):
                return 0
        except (urllib.error.URLError, OSError) as error:
            if time.monotonic() > end:
                print(f"make_bucket: {error}", file=sys.stderr)
                return 1
        time.sleep(0.1)


sys.exit(main())
