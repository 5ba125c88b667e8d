"""botocore's event-stream decoder reads frames of the simulator at SIM_URL, and refuses a damaged one.

Ends with a non-zero code on any difference.
"""

import json
import os
import sys
import urllib.request

from botocore.eventstream import ChecksumMismatch, EventStreamBuffer

URL = os.environ["SIM_URL"]
PROFILE = "arn:aws:codewhisperer:us-east-1:699475941385:profile/EHGA3GRVQMUK"
REFRESH_TOKEN = ("EXAMPLE-refresh-demo-" + "0123456789abcdef" * 9)[:140]
TEXT = "Grüße, 你好, ha ha ha"


def post(path, body, **headers):
    headers = {"content-type": "application/json", "user-agent": "frame-check", **headers}
    request = urllib.request.Request(URL + path, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.read()


def chat(token):
    message = {"content": "SAY: " + TEXT, "modelId": "auto", "origin": "AI_EDITOR"}
    state = {"chatTriggerType": "MANUAL", "currentMessage": {"userInputMessage": message}}
    body = {"conversationState": state, "profileArn": PROFILE}
    return post("/generateAssistantResponse", body, authorization=f"Bearer {token}")


def messages(stream, size):
    """Feeds the decoder `size` bytes at a time."""
    buffer = EventStreamBuffer()
    for at in range(0, len(stream), size):
        buffer.add_data(stream[at : at + size])
        yield from buffer


def main():
    token = json.loads(post("/refreshToken", {"refreshToken": REFRESH_TOKEN}))["accessToken"]
    stream = chat(token)
    for size in (1, 7, len(stream)):
        seen = list(messages(stream, size))
        kinds = [message.headers[":event-type"] for message in seen]
        text = "".join(json.loads(m.payload)["content"] for m, k in zip(seen, kinds) if k == "assistantResponseEvent")
        assert text == TEXT, text
        assert kinds[0] == "messageMetadataEvent" and kinds[-1] == "meteringEvent", kinds
        assert all(m.headers[":message-type"] == "event" for m in seen)
        assert all(m.headers[":content-type"] == "application/json" for m in seen)

    post("/__sim/scripts", {"target": {"account": "demo"}, "faults": {"flip": [{"at": -20, "bit": 0}]}})
    try:
        list(messages(chat(token), 64))
    except ChecksumMismatch:
        pass
    else:
        sys.exit("a flipped bit went unnoticed")

    post("/__sim/scripts", {"target": {"account": "demo"}, "answer": {"scenario": "exception-after-content"}})
    last = list(messages(chat(token), 64))[-1]
    assert last.headers[":message-type"] == "exception", last.headers
    assert last.to_response_dict()["status_code"] == 400
    print("  ok  botocore's decoder: whole answers in any split, a flipped bit, an exception")


if __name__ == "__main__":
    main()
