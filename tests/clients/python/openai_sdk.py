"""The official OpenAI SDK for Python against the gateway, both of its APIs: whole, stream, helpers, tools, output formats, errors.

Environment: BASE_URL and KEY of the gateway. Exits non-zero at the first surprise.
"""

import json
import os

import openai

BASE, KEY = os.environ["BASE_URL"] + "/v1", os.environ["KEY"]
MODEL = "claude-sonnet-4.6"
client = openai.OpenAI(base_url=BASE, api_key=KEY, max_retries=0)

SCHEMA = {
    "type": "object",
    "properties": {"file_path": {"type": "string"}, "content": {"type": "string"}},
    "required": ["file_path", "content"],
}
CHAT_TOOL = {"type": "function", "function": {"name": "write_file", "description": "Write a file.", "parameters": SCHEMA}}
TOOL = {"type": "function", "name": "write_file", "description": "Write a file.", "parameters": SCHEMA}
ASK = (
    "Create the file notes.txt with exactly this content: alpha. "
    "Use your tool for it. When it is written answer only: FINISHED"
)
WISH = {"file_path": "notes.txt", "content": "alpha"}
CITY = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "people": {"type": "integer"}},
    "required": ["city", "people"],
    "additionalProperties": False,
}


def user(content):
    return {"role": "user", "content": content}


# Chat Completions


def chat_whole():
    answer = client.chat.completions.create(model=MODEL, messages=[user("SAY: Grüße, 你好 👋")])
    choice = answer.choices[0]
    assert choice.message.content == "Grüße, 你好 👋", answer
    assert choice.finish_reason == "stop" and answer.object == "chat.completion" and answer.model, answer
    assert answer.usage.prompt_tokens > 0 and answer.usage.completion_tokens > 0, answer.usage
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens, answer.usage


def chat_stream():
    options = {"include_usage": True}
    pieces, reasons, usages, ids = [], [], [], set()
    for chunk in client.chat.completions.create(
        model=MODEL, messages=[user("SAY: one two three four")], stream=True, stream_options=options
    ):
        ids.add(chunk.id)
        if chunk.usage:
            assert chunk.choices == [], chunk
            usages.append(chunk.usage)
        for choice in chunk.choices:
            pieces.append(choice.delta.content or "")
            reasons.append(choice.finish_reason)
    assert "".join(pieces) == "one two three four" and len([p for p in pieces if p]) > 1, pieces
    assert [r for r in reasons if r] == ["stop"] and len(usages) == 1 and len(ids) == 1, (reasons, usages, ids)


def chat_helper():
    with client.chat.completions.stream(model=MODEL, messages=[user("SAY: by the helper")]) as stream:
        kinds = {event.type for event in stream}
        final = stream.get_final_completion()
    assert {"content.delta", "content.done"} <= kinds, kinds
    assert final.choices[0].message.content == "by the helper", final


def chat_tools():
    messages = [user(ASK)]
    with client.chat.completions.stream(model=MODEL, messages=messages, tools=[CHAT_TOOL]) as stream:
        kinds = {event.type for event in stream}
        first = stream.get_final_completion().choices[0]
    assert "tool_calls.function.arguments.done" in kinds, kinds
    assert first.finish_reason == "tool_calls", first
    (call,) = first.message.tool_calls
    assert call.function.name == "write_file" and json.loads(call.function.arguments) == WISH, call
    messages += [
        {"role": "assistant", "content": None, "tool_calls": [call.model_dump(include={"id", "type", "function"})]},
        {"role": "tool", "tool_call_id": call.id, "content": "written"},
    ]
    last = client.chat.completions.create(model=MODEL, messages=messages, tools=[CHAT_TOOL])
    assert last.choices[0].message.content.strip() == "FINISHED", last


def chat_format():
    form = {"type": "json_schema", "json_schema": {"name": "city", "schema": CITY, "strict": True}}
    answer = client.chat.completions.create(model=MODEL, messages=[user("Which city is it?")], response_format=form)
    found = json.loads(answer.choices[0].message.content)
    assert isinstance(found["city"], str) and isinstance(found["people"], int), found


def completions():
    answer = client.completions.create(model=MODEL, prompt="SAY: the old way")
    assert answer.choices[0].text.strip() == "the old way", answer


# Responses


def responses_whole():
    answer = client.responses.create(model=MODEL, input="SAY: Grüße, 你好 👋", instructions="Be brief.")
    assert answer.output_text == "Grüße, 你好 👋", answer
    assert answer.status == "completed" and answer.id.startswith("resp_") and answer.error is None, answer
    assert answer.usage.input_tokens > 0 and answer.usage.output_tokens > 0, answer.usage


def responses_stream():
    events = list(client.responses.create(model=MODEL, input="SAY: one two three four", stream=True))
    assert [e.sequence_number for e in events] == list(range(len(events))), [e.sequence_number for e in events]
    kinds = [e.type for e in events]
    assert kinds[0] == "response.created" and kinds[-1] == "response.completed", kinds
    text = "".join(e.delta for e in events if e.type == "response.output_text.delta")
    assert text == "one two three four" and kinds.count("response.output_text.delta") > 1, kinds
    assert events[-1].response.id == events[0].response.id and events[-1].response.output_text == text


def responses_helper():
    with client.responses.stream(model=MODEL, input="SAY: by the helper") as stream:
        deltas = [event.delta for event in stream if event.type == "response.output_text.delta"]
        final = stream.get_final_response()
    assert "".join(deltas) == "by the helper" == final.output_text, final


def responses_tools():
    items = [user(ASK)]
    with client.responses.stream(model=MODEL, input=items, tools=[TOOL]) as stream:
        kinds = {event.type for event in stream}
        first = stream.get_final_response()
    assert {"response.function_call_arguments.delta", "response.function_call_arguments.done"} <= kinds, kinds
    call = next(item for item in first.output if item.type == "function_call")
    assert call.name == "write_file" and json.loads(call.arguments) == WISH, call
    items += [item.model_dump(exclude_none=True, exclude={"parsed_arguments"}) for item in first.output]
    items.append({"type": "function_call_output", "call_id": call.call_id, "output": "written"})
    last = client.responses.create(model=MODEL, input=items, tools=[TOOL])
    assert last.output_text.strip() == "FINISHED", last


def responses_continued():
    """The second request names the first one only; the gateway remembers the rest."""
    first = client.responses.create(model=MODEL, input=ASK, tools=[TOOL])
    call = next(item for item in first.output if item.type == "function_call")
    result = {"type": "function_call_output", "call_id": call.call_id, "output": "written"}
    last = client.responses.create(model=MODEL, previous_response_id=first.id, input=[result], tools=[TOOL])
    assert last.output_text.strip() == "FINISHED" and last.previous_response_id == first.id, last
    assert client.responses.retrieve(last.id).output_text == last.output_text
    assert client.responses.input_items.list(last.id).data, "no input items"
    client.responses.delete(last.id)
    fails(openai.NotFoundError, 404, lambda: client.responses.retrieve(last.id))


def responses_custom_tool():
    """A tool whose input is plain text: the call comes back in the same kind."""
    patch = {"type": "custom", "name": "apply_patch", "description": "Edit files.", "format": {"type": "grammar", "syntax": "lark", "definition": "start: /.+/"}}
    with client.responses.stream(model=MODEL, input=[user(ASK)], tools=[patch]) as stream:
        kinds = {event.type for event in stream}
        final = stream.get_final_response()
    call = next(item for item in final.output if item.type == "custom_tool_call")
    assert call.name == "apply_patch" and call.input.startswith("*** Begin Patch\n*** Add File: notes.txt\n+alpha"), call
    assert "response.custom_tool_call_input.delta" in kinds, kinds


def responses_format():
    form = {"format": {"type": "json_schema", "name": "city", "schema": CITY, "strict": True}}
    answer = client.responses.create(model=MODEL, input="Which city is it?", text=form)
    found = json.loads(answer.output_text)
    assert isinstance(found["city"], str) and isinstance(found["people"], int), found


# Both


def models():
    ids = [model.id for model in client.models.list()]
    assert MODEL in ids, ids
    assert client.models.retrieve(MODEL).id == MODEL


def fails(kind, status, ask, code=None):
    try:
        ask()
    except kind as error:
        assert error.status_code == status and isinstance(error.body["message"], str), (error, error.body)
        assert code is None or error.code == code, error.body
        return
    raise AssertionError(f"{kind.__name__} was due")


def errors():
    stranger = openai.OpenAI(base_url=BASE, api_key="kp-wrong", max_retries=0)
    one = [user("SAY: x")]
    fails(openai.AuthenticationError, 401, lambda: stranger.chat.completions.create(model=MODEL, messages=one))
    fails(openai.AuthenticationError, 401, lambda: stranger.responses.create(model=MODEL, input="x"))
    fails(openai.AuthenticationError, 401, lambda: stranger.responses.create(model=MODEL, input="x", stream=True))
    unknown = "no-such-model"
    fails(openai.NotFoundError, 404, lambda: client.chat.completions.create(model=unknown, messages=one), "model_not_found")
    fails(openai.NotFoundError, 404, lambda: client.responses.create(model=unknown, input="x"), "model_not_found")
    fails(openai.BadRequestError, 400, lambda: client.chat.completions.create(model=MODEL, messages=[]))
    fails(openai.NotFoundError, 404, lambda: client.responses.retrieve("resp_nothing"))


CHECKS = (
    chat_whole, chat_stream, chat_helper, chat_tools, chat_format, completions,
    responses_whole, responses_stream, responses_helper, responses_tools, responses_continued, responses_custom_tool, responses_format,
    models, errors,
)  # fmt: skip
for check in CHECKS:
    check()
    print(f"  ok  openai {openai.__version__} for python: {check.__name__}", flush=True)
