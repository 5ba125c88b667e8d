// AWS's published streaming client holds a conversation that uses a tool with the simulator at SIM_URL, so that a
// misreading of the protocol cannot hide on both of our own sides. Ends with a non-zero code on any difference.

import assert from "node:assert/strict";
import {
  CodeWhispererStreamingClient,
  GenerateAssistantResponseCommand,
  InvokeMCPCommand,
  ValidationException,
} from "@aws/codewhisperer-streaming-client";

const url = process.env.SIM_URL;
assert.ok(url, "SIM_URL names the simulator");

const profileArn = "arn:aws:codewhisperer:us-east-1:699475941385:profile/EHGA3GRVQMUK";
const refreshToken = "EXAMPLE-refresh-demo-".padEnd(140, "0123456789abcdef");

const refreshed = await fetch(`${url}/refreshToken`, {
  method: "POST",
  headers: { "content-type": "application/json" },
  body: JSON.stringify({ refreshToken }),
});
assert.equal(refreshed.status, 200, "the demo account refreshes");
const { accessToken } = await refreshed.json();

const client = new CodeWhispererStreamingClient({
  endpoint: url,
  region: "us-east-1",
  token: { token: accessToken },
  maxAttempts: 1,
});

const modelId = "claude-opus-4.7";
const tools = [
  {
    toolSpecification: {
      name: "Write",
      description: "Writes a file.",
      inputSchema: {
        json: {
          type: "object",
          properties: { file_path: { type: "string" }, content: { type: "string" } },
          required: ["file_path", "content"],
        },
      },
    },
  },
];

async function turn(content, history, userInputMessageContext) {
  const output = await client.send(
    new GenerateAssistantResponseCommand({
      conversationState: {
        conversationId: "00000000-0000-4000-8000-000000000777",
        chatTriggerType: "MANUAL",
        agentTaskType: "vibe",
        history,
        currentMessage: { userInputMessage: { content, modelId, origin: "AI_EDITOR", userInputMessageContext } },
      },
      profileArn,
      agentMode: "vibe",
      additionalModelRequestFields: { thinking: { type: "adaptive", display: "summarized" } },
    }),
  );
  const seen = { text: "", thought: "", signature: "", calls: new Map(), kinds: new Set() };
  for await (const event of output.generateAssistantResponseResponse) {
    const [kind, value] = Object.entries(event)[0];
    seen.kinds.add(kind);
    if (kind === "assistantResponseEvent") seen.text += value.content;
    if (kind === "reasoningContentEvent") {
      seen.thought += value.text ?? "";
      seen.signature = value.signature ?? seen.signature;
    }
    if (kind === "toolUseEvent") {
      const call = seen.calls.get(value.toolUseId) ?? { name: value.name, input: "", stopped: false };
      call.input += value.input ?? "";
      call.stopped ||= value.stop === true;
      seen.calls.set(value.toolUseId, call);
    }
    if (kind === "meteringEvent") assert.ok(value.usage > 0 && value.unit === "credit");
    if (kind === "contextUsageEvent") assert.ok(value.contextUsagePercentage > 0);
    if (kind === "metadataEvent") assert.ok(value.tokenUsage.totalTokens > 0);
  }
  for (const kind of ["messageMetadataEvent", "contextUsageEvent", "metadataEvent", "meteringEvent"]) {
    assert.ok(seen.kinds.has(kind), `${kind} was sent`);
  }
  assert.ok(!seen.kinds.has("$unknown"), "every event is one that AWS's schema knows");
  return seen;
}

const asked =
  "Create the file /tmp/hello.txt with exactly this content: Hello-from-AWS. Use your tool for it. " +
  "When it is written answer only: FINISHED";
const first = await turn(asked, undefined, { tools });
assert.equal(first.calls.size, 1);
const [toolUseId, call] = [...first.calls][0];
assert.ok(call.stopped, "the call was closed");
assert.equal(call.name, "Write");
const input = JSON.parse(call.input);
assert.deepEqual(input, { file_path: "/tmp/hello.txt", content: "Hello-from-AWS" });
assert.ok(first.thought.length > 0 && first.signature.length > 0, "the model thought aloud");

const history = [
  { userInputMessage: { content: asked, modelId, origin: "AI_EDITOR" } },
  {
    assistantResponseMessage: {
      content: first.text,
      toolUses: [{ toolUseId, name: call.name, input }],
      reasoningContent: { reasoningText: { text: first.thought, signature: first.signature } },
    },
  },
];
const second = await turn("", history, {
  tools,
  toolResults: [{ toolUseId, content: [{ text: "File written." }], status: "success" }],
});
assert.equal(second.text, "FINISHED");
assert.equal(second.calls.size, 0);

const search = await client.send(
  new InvokeMCPCommand({
    id: "search-1",
    jsonrpc: "2.0",
    method: "tools/call",
    params: { name: "web_search", arguments: { query: "event streams" } },
    profileArn,
  }),
);
assert.ok(JSON.parse(search.result.content[0].text).results.length > 0, "web search finds something");

// The error of a scripted answer must arrive as the typed exception of AWS's schema.
await fetch(`${url}/__sim/scripts`, {
  method: "POST",
  headers: { "content-type": "application/json" },
  body: JSON.stringify({ target: { account: "demo" }, answer: { error: "content-length" } }),
});
await assert.rejects(turn("hello"), (error) => {
  assert.ok(error instanceof ValidationException, `${error.name}: ${error.message}`);
  assert.equal(error.reason, "CONTENT_LENGTH_EXCEEDS_THRESHOLD");
  return true;
});

console.log("  ok  AWS's streaming client: thinking, a tool call, its result, web search, a typed error");
