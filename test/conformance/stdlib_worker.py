"""A worker in Python's standard library: the RPCs are POST requests with JSON. No gRPC, no packages.

What it leaves out: Attach (a killed worker's leases return after 500 ms, not 30 s), renewals during a pass, a drain.
"""

import json
import os
import time
import urllib.request

SERVER = os.environ.get("RECONCILE_SERVER", "http://127.0.0.1:8080")


def call(method, **request):
    url = f"{SERVER}/reconcile.v1.ReconcilerService/{method}"
    post = urllib.request.Request(url, json.dumps(request).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(post, timeout=60) as answer:
        return json.load(answer)


def run_pass(item):
    resource = item["resource"]
    report = {"key": resource["key"], "leaseToken": item["leaseToken"]}
    try:
        status = {"greeting": f"Hello, {json.loads(resource['specJson'])['name']}"}
    except Exception as error:
        return {**report, "result": "PASS_RESULT_ERROR", "error": repr(error)}
    end = {"result": "PASS_RESULT_SUCCESS", "observedGeneration": resource["generation"]}
    return {**report, **end, "statusJson": json.dumps(status)}


def work():
    me = {"name": "greeter", "instanceId": f"stdlib-{os.getpid()}", "language": "python"}
    session = call("Register", **me, kinds=[{"resourceGroup": "demo", "kind": "greeting"}])["sessionId"]
    while True:
        items = call("Lease", sessionId=session, maxItems=10, wait="10s").get("items", [])
        if items:
            call("Report", sessionId=session, reports=[run_pass(item) for item in items])
        call("Renew", sessionId=session)  # at the latest 30 s after the last one; no lease is held here


while True:
    try:
        work()
    except OSError as error:  # the server is away, or does not know the session any more: register again
        print(error, flush=True)
        time.sleep(1)
