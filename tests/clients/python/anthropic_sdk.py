"""The official Anthropic SDK for Python against the gateway: stream, whole, tools, thinking, image, counts, errors.

Environment: BASE_URL and KEY of the gateway, SIM_URL of the stand-in upstream. Exits non-zero at the first surprise.
"""

import base64
import json
import os
import struct
import urllib.request
import zlib

import anthropic

BASE, KEY, SIM = os.environ["BASE_URL"], os.environ["KEY"], os.environ["SIM_URL"]
MODEL = "claude-sonnet-4-6"
client = anthropic.Anthropic(base_url=BASE, api_key=KEY, max_retries=0)

WRITE = {
    "name": "write_file",
    "description": "Write a file.",
    "input_schema": {
        "type": "object",
        "properties": {"file_path": {"type": "string"}, "content": {"type": "string"}},
        "required": ["file_path", "content"],
    },
}
ASK = (
    "Create the file notes.txt with exactly this content: alpha. "
    "Use your tool for it. When it is written answer only: FINISHED"
)


def user(content):
    return {"role": "user", "content": content}


def say(text, **more):
    return client.messages.create(model=MODEL, max_tokens=1024, messages=[user(f"SAY: {text}")], **more)


def text_of(message):
    return "".join(block.text for block in message.content if block.type == "text")


def png(side=8):
    raw = b"".join(b"\0" + b"\x20\x80\xc0" * side for _ in range(side))
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")


def whole():
    message = say("Grüße, 你好 👋")
    assert text_of(message) == "Grüße, 你好 👋", message
    assert message.stop_reason == "end_turn" and message.role == "assistant" and message.id.startswith("msg_")
    assert message.usage.input_tokens > 0 and message.usage.output_tokens > 0, message.usage


def stream():
    with client.messages.stream(model=MODEL, max_tokens=1024, messages=[user("SAY: one two three four")]) as s:
        pieces = list(s.text_stream)
        final = s.get_final_message()
    assert "".join(pieces) == "one two three four" and len(pieces) > 1, pieces
    assert final.stop_reason == "end_turn" and final.usage.output_tokens > 0, final


def tool_loop():
    messages = [user(ASK)]
    first = client.messages.create(model=MODEL, max_tokens=1024, messages=messages, tools=[WRITE])
    assert first.stop_reason == "tool_use", first
    call = next(block for block in first.content if block.type == "tool_use")
    assert call.name == "write_file" and call.input == {"file_path": "notes.txt", "content": "alpha"}, call
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "written"}
    messages += [{"role": "assistant", "content": first.content}, user([result])]
    with client.messages.stream(model=MODEL, max_tokens=1024, messages=messages, tools=[WRITE]) as s:
        final = s.get_final_message()
    assert text_of(final).strip() == "FINISHED" and final.stop_reason == "end_turn", final


def tool_stream():
    with client.messages.stream(model=MODEL, max_tokens=1024, messages=[user(ASK)], tools=[WRITE]) as s:
        final = s.get_final_message()
    call = next(block for block in final.content if block.type == "tool_use")
    assert call.input == {"file_path": "notes.txt", "content": "alpha"} and final.stop_reason == "tool_use", final


def thinking():
    ask = dict(model="claude-opus-4-6", max_tokens=4096, thinking={"type": "adaptive"})
    question = user("SAY: after thinking")
    with client.messages.stream(messages=[question], **ask) as s:
        final = s.get_final_message()
    kinds = [block.type for block in final.content]
    assert kinds[0] == "thinking" and final.content[0].signature, final
    assert text_of(final) == "after thinking", final
    # The signature must survive a round trip: the stand-in refuses one that it did not make.
    again = client.messages.create(
        messages=[question, {"role": "assistant", "content": final.content}, user("SAY: second turn")], **ask
    )
    assert text_of(again) == "second turn", again


def image():
    source = {"type": "base64", "media_type": "image/png", "data": base64.b64encode(png()).decode()}
    message = client.messages.create(
        model=MODEL, max_tokens=256, messages=[user([{"type": "image", "source": source}, {"type": "text", "text": "SAY: seen"}])]
    )
    assert text_of(message) == "seen", message


def count_tokens():
    small = client.messages.count_tokens(model=MODEL, messages=[user("hello")]).input_tokens
    large = client.messages.count_tokens(model=MODEL, messages=[user("hello " * 1000)], tools=[WRITE]).input_tokens
    assert 0 < small < 50 < 500 < large, (small, large)


def models():
    listed = list(client.models.list())
    assert listed and all(model.id and model.display_name for model in listed), listed
    assert client.models.retrieve(listed[0].id).id == listed[0].id


def stop_sequence():
    message = say("one two STOP three", stop_sequences=["STOP"])
    assert text_of(message) == "one two " and message.stop_reason == "stop_sequence", message
    assert message.stop_sequence == "STOP", message


def fails(kind, status, call, **expected):
    try:
        call()
    except anthropic.APIStatusError as error:
        assert isinstance(error, kind), (kind, error)
        assert error.status_code == status, (status, error.status_code, error.body)
        assert error.body["type"] == "error", error.body
        for key, value in expected.items():
            assert error.body["error"][key] == value, (expected, error.body)
        return error
    raise AssertionError(f"no {kind.__name__}")


def script(name):
    body = json.dumps({"answer": {"error": name}}).encode()
    request = urllib.request.Request(f"{SIM}/__sim/scripts", body, {"content-type": "application/json"})
    urllib.request.urlopen(request).read()


def errors():
    stranger = anthropic.Anthropic(base_url=BASE, api_key="kp-wrong", max_retries=0)
    ask = dict(model=MODEL, max_tokens=16, messages=[user("SAY: x")])
    fails(anthropic.AuthenticationError, 401, lambda: stranger.messages.create(**ask), type="authentication_error")
    fails(anthropic.NotFoundError, 404, lambda: client.messages.create(**(ask | {"model": "no-such-model"})), type="not_found_error")
    fails(anthropic.BadRequestError, 400, lambda: client.messages.create(**(ask | {"messages": []})), type="invalid_request_error")
    script("prompt-too-long")
    error = fails(anthropic.BadRequestError, 400, lambda: say("x"), type="invalid_request_error")
    assert "prompt is too long" in error.body["error"]["message"], error.body


if __name__ == "__main__":
    for check in (whole, stream, tool_loop, tool_stream, thinking, image, count_tokens, models, stop_sequence, errors):
        check()
        print(f"  ok  anthropic for python: {check.__name__}", flush=True)
