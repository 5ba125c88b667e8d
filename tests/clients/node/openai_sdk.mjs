// The official OpenAI SDK for TypeScript against the gateway, both of its APIs: whole, stream, helpers, tools, output formats, errors.
// Environment: BASE_URL and KEY of the gateway. Exits non-zero at the first surprise.
import assert from "node:assert/strict";
import OpenAI from "openai";

const { BASE_URL, KEY: apiKey } = process.env;
const baseURL = `${BASE_URL}/v1`;
const model = "claude-sonnet-4.6";
const client = new OpenAI({ baseURL, apiKey, maxRetries: 0 });
const user = (content) => ({ role: "user", content });
const parameters = {
  type: "object",
  properties: { file_path: { type: "string" }, content: { type: "string" } },
  required: ["file_path", "content"],
};
const chatTool = { type: "function", function: { name: "write_file", description: "Write a file.", parameters } };
const tool = { type: "function", name: "write_file", description: "Write a file.", parameters };
const ask =
  "Create the file notes.txt with exactly this content: alpha. Use your tool for it. When it is written answer only: FINISHED";
const wish = { file_path: "notes.txt", content: "alpha" };
// One white pixel.
const pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8/5+hHgAHggJ/PchI7wAAAABJRU5ErkJggg==";
const city = {
  type: "object",
  properties: { city: { type: "string" }, people: { type: "integer" } },
  required: ["city", "people"],
  additionalProperties: false,
};

const checks = {
  async chatWhole() {
    const answer = await client.chat.completions.create({ model, messages: [user("SAY: Grüße, 你好 👋")] });
    assert.equal(answer.choices[0].message.content, "Grüße, 你好 👋");
    assert.equal(answer.choices[0].finish_reason, "stop");
    assert.ok(answer.usage.prompt_tokens > 0 && answer.usage.completion_tokens > 0);
  },
  async chatStream() {
    const pieces = [];
    const stream = client.chat.completions.stream({ model, messages: [user("SAY: one two three four")], stream_options: { include_usage: true } });
    stream.on("content", (piece) => pieces.push(piece));
    const final = await stream.finalChatCompletion();
    assert.equal(pieces.join(""), "one two three four");
    assert.ok(pieces.length > 1);
    assert.equal(final.choices[0].finish_reason, "stop");
    assert.ok(final.usage.total_tokens > 0);
  },
  async chatTools() {
    const messages = [user(ask)];
    const first = await client.chat.completions.stream({ model, messages, tools: [chatTool] }).finalChatCompletion();
    const [call] = first.choices[0].message.tool_calls;
    assert.equal(first.choices[0].finish_reason, "tool_calls");
    assert.deepEqual(JSON.parse(call.function.arguments), wish);
    messages.push({ role: "assistant", content: null, tool_calls: [call] }, { role: "tool", tool_call_id: call.id, content: "written" });
    const last = await client.chat.completions.create({ model, messages, tools: [chatTool] });
    assert.equal(last.choices[0].message.content.trim(), "FINISHED");
  },
  async chatRunTools() {
    const seen = [];
    const runner = client.chat.completions.runTools({
      model,
      messages: [user(ask)],
      tools: [{ type: "function", function: { ...chatTool.function, parse: JSON.parse, function: (input) => (seen.push(input), "written") } }],
    });
    assert.equal((await runner.finalContent()).trim(), "FINISHED");
    assert.deepEqual(seen, [wish]);
  },
  async chatImage() {
    const content = [
      { type: "image_url", image_url: { url: `data:image/png;base64,${pixel}` } },
      { type: "text", text: "SAY: seen" },
    ];
    const answer = await client.chat.completions.create({ model, messages: [user(content)] });
    assert.equal(answer.choices[0].message.content, "seen");
  },
  async chatFormat() {
    const response_format = { type: "json_schema", json_schema: { name: "city", schema: city, strict: true } };
    const answer = await client.chat.completions.create({ model, messages: [user("Which city is it?")], response_format });
    const found = JSON.parse(answer.choices[0].message.content);
    assert.equal(typeof found.city, "string");
    assert.ok(Number.isInteger(found.people));
  },
  async responsesWhole() {
    const answer = await client.responses.create({ model, input: "SAY: Grüße, 你好 👋" });
    assert.equal(answer.output_text, "Grüße, 你好 👋");
    assert.equal(answer.status, "completed");
    assert.ok(answer.usage.input_tokens > 0 && answer.usage.output_tokens > 0);
  },
  async responsesStream() {
    const pieces = [];
    const stream = client.responses.stream({ model, input: "SAY: one two three four" });
    stream.on("response.output_text.delta", (event) => pieces.push(event.delta));
    const final = await stream.finalResponse();
    assert.equal(pieces.join(""), "one two three four");
    assert.ok(pieces.length > 1);
    assert.equal(final.output_text, "one two three four");
  },
  async responsesTools() {
    const input = [user(ask)];
    const first = await client.responses.stream({ model, input, tools: [tool] }).finalResponse();
    const call = first.output.find((item) => item.type === "function_call");
    assert.deepEqual(JSON.parse(call.arguments), wish);
    input.push(...first.output.map(({ parsed_arguments: _, ...item }) => item), { type: "function_call_output", call_id: call.call_id, output: "written" });
    const last = await client.responses.create({ model, input, tools: [tool] });
    assert.equal(last.output_text.trim(), "FINISHED");
  },
  async responsesFormat() {
    const text = { format: { type: "json_schema", name: "city", schema: city, strict: true } };
    const found = JSON.parse((await client.responses.create({ model, input: "Which city is it?", text })).output_text);
    assert.equal(typeof found.city, "string");
    assert.ok(Number.isInteger(found.people));
  },
  async models() {
    const ids = [];
    for await (const entry of client.models.list()) ids.push(entry.id);
    assert.ok(ids.includes(model));
  },
  async errors() {
    const fails = (status, code, promise) =>
      assert.rejects(promise, (error) => {
        assert.equal(error.status, status);
        if (code) assert.equal(error.code, code);
        return true;
      });
    const stranger = new OpenAI({ baseURL, apiKey: "kp-wrong", maxRetries: 0 });
    const messages = [user("SAY: x")];
    await fails(401, undefined, stranger.chat.completions.create({ model, messages }));
    await fails(401, undefined, stranger.responses.create({ model, input: "x", stream: true }));
    await fails(404, "model_not_found", client.chat.completions.create({ model: "no-such-model", messages }));
    await fails(404, "model_not_found", client.responses.create({ model: "no-such-model", input: "x" }));
    await fails(400, undefined, client.chat.completions.create({ model, messages: [] }));
  },
};

for (const [name, check] of Object.entries(checks)) {
  await check();
  console.log(`  ok  openai for typescript: ${name}`);
}
