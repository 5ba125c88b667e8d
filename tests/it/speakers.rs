//! The four protocols as their clients speak them: where a question goes, and what is read from an answer.

use http::StatusCode;
use serde_json::{Value, json};

use crate::harness::{Stream, World};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Api {
    Anthropic,
    Chat,
    Responses,
    Gemini,
}

pub const ALL: [Api; 4] = [Api::Anthropic, Api::Chat, Api::Responses, Api::Gemini];
const MODEL: &str = "claude-sonnet-4-5";

impl Api {
    /// The name of its fixtures.
    pub fn name(self) -> &'static str {
        match self {
            Api::Anthropic => "anthropic",
            Api::Chat => "openai-chat",
            Api::Responses => "openai-responses",
            Api::Gemini => "gemini",
        }
    }

    pub fn path(self, stream: bool) -> String {
        match self {
            Api::Anthropic => "/v1/messages".into(),
            Api::Chat => "/v1/chat/completions".into(),
            Api::Responses => "/v1/responses".into(),
            Api::Gemini if stream => format!("/v1beta/models/{MODEL}:streamGenerateContent?alt=sse"),
            Api::Gemini => format!("/v1beta/models/{MODEL}:generateContent"),
        }
    }

    pub fn ask(self, text: &str, stream: bool) -> Value {
        match self {
            Api::Anthropic => {
                json!({"model": MODEL, "max_tokens": 1024, "stream": stream, "messages": [{"role": "user", "content": text}]})
            }
            Api::Chat => json!({"model": MODEL, "stream": stream, "messages": [{"role": "user", "content": text}]}),
            Api::Responses => json!({"model": MODEL, "stream": stream, "input": text}),
            Api::Gemini => json!({"contents": [{"role": "user", "parts": [{"text": text}]}]}),
        }
    }

    /// With one tool that writes files.
    pub fn ask_with_tool(self, text: &str, stream: bool) -> Value {
        let mut body = self.ask(text, stream);
        let schema = json!({"type": "object", "properties": {"file_path": {"type": "string"}, "content": {"type": "string"}}, "required": ["file_path", "content"]});
        let (name, about) = ("Write", "Writes a file");
        body["tools"] = match self {
            Api::Anthropic => json!([{"name": name, "description": about, "input_schema": schema}]),
            Api::Chat => {
                json!([{"type": "function", "function": {"name": name, "description": about, "parameters": schema}}])
            }
            Api::Responses => json!([{"type": "function", "name": name, "description": about, "parameters": schema}]),
            Api::Gemini => {
                json!([{"functionDeclarations": [{"name": name, "description": about, "parametersJsonSchema": schema}]}])
            }
        };
        body
    }

    /// The same conversation after the answer's tool call was run.
    pub fn with_result(self, mut body: Value, answer: &Value, result: &str) -> Value {
        match self {
            Api::Anthropic => {
                let call = find(&answer["content"], "tool_use");
                let said = body["messages"].as_array_mut().unwrap();
                said.push(json!({"role": "assistant", "content": answer["content"]}));
                said.push(json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": call["id"], "content": result}]}));
            }
            Api::Chat => {
                let message = &answer["choices"][0]["message"];
                let said = body["messages"].as_array_mut().unwrap();
                said.push(message.clone());
                said.push(json!({"role": "tool", "tool_call_id": message["tool_calls"][0]["id"], "content": result}));
            }
            Api::Responses => {
                let call = find(&answer["output"], "function_call");
                let mut input = vec![json!({"role": "user", "content": body["input"]})];
                input.extend(answer["output"].as_array().unwrap().iter().cloned());
                input.push(json!({"type": "function_call_output", "call_id": call["call_id"], "output": result}));
                body["input"] = Value::Array(input);
            }
            Api::Gemini => {
                let content = &answer["candidates"][0]["content"];
                let said = body["contents"].as_array_mut().unwrap();
                said.push(content.clone());
                said.push(json!({"role": "user", "parts": [{"functionResponse": {"name": "Write", "response": {"output": result}}}]}));
            }
        }
        body
    }

    /// The text of a whole answer.
    pub fn text(self, answer: &Value) -> String {
        let texts = |list: &Value, kind: &str| -> String {
            let of_kind = list.as_array().into_iter().flatten().filter(|item| item["type"] == kind);
            of_kind.filter_map(|item| item["text"].as_str()).collect()
        };
        match self {
            Api::Anthropic => texts(&answer["content"], "text"),
            Api::Chat => answer["choices"][0]["message"]["content"].as_str().unwrap_or_default().to_owned(),
            Api::Responses => {
                let items = answer["output"].as_array().into_iter().flatten();
                items.map(|item| texts(&item["content"], "output_text")).collect()
            }
            Api::Gemini => parts(answer).iter().filter_map(|part| part["text"].as_str()).collect(),
        }
    }

    /// Name and arguments of the tool that a whole answer calls.
    pub fn call(self, answer: &Value) -> (String, Value) {
        let parsed =
            |text: &Value| serde_json::from_str(text.as_str().unwrap_or_default()).expect("arguments are JSON");
        let (name, input) = match self {
            Api::Anthropic => {
                let call = find(&answer["content"], "tool_use");
                (call["name"].clone(), call["input"].clone())
            }
            Api::Chat => {
                let call = &answer["choices"][0]["message"]["tool_calls"][0]["function"];
                (call["name"].clone(), parsed(&call["arguments"]))
            }
            Api::Responses => {
                let call = find(&answer["output"], "function_call");
                (call["name"].clone(), parsed(&call["arguments"]))
            }
            Api::Gemini => {
                let all = parts(answer);
                let call = all.iter().find_map(|part| part.get("functionCall")).expect("a call").clone();
                (call["name"].clone(), call["args"].clone())
            }
        };
        (name.as_str().expect("a name").to_owned(), input)
    }

    /// The text of a stream.
    pub fn streamed_text(self, stream: &Stream) -> String {
        let data = data(&stream.body);
        match self {
            Api::Anthropic => stream.text(),
            Api::Chat => data.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str()).collect(),
            Api::Responses => {
                let deltas = data.iter().filter(|event| event["type"] == "response.output_text.delta");
                deltas.filter_map(|event| event["delta"].as_str()).collect()
            }
            Api::Gemini => data.iter().map(|chunk| self.text(chunk)).collect(),
        }
    }

    /// The arguments of the tool that a stream calls, put together from their pieces.
    pub fn streamed_input(self, stream: &Stream) -> Value {
        let data = data(&stream.body);
        let text: String = match self {
            Api::Anthropic => return stream.tool_calls().remove(0).1,
            Api::Gemini => {
                let call = data.iter().flat_map(parts).find_map(|part| part.get("functionCall").cloned());
                return call.expect("a call")["args"].clone();
            }
            Api::Chat => {
                let pieces = data.iter().map(|chunk| &chunk["choices"][0]["delta"]["tool_calls"][0]["function"]);
                pieces.filter_map(|piece| piece["arguments"].as_str()).collect()
            }
            Api::Responses => {
                let deltas = data.iter().filter(|event| event["type"] == "response.function_call_arguments.delta");
                deltas.filter_map(|event| event["delta"].as_str()).collect()
            }
        };
        serde_json::from_str(&text).unwrap_or_else(|_| panic!("{self:?}: arguments are not JSON: {text}"))
    }

    /// Whether a stream says that the answer is whole.
    pub fn is_complete(self, stream: &Stream) -> bool {
        let data = data(&stream.body);
        match self {
            Api::Anthropic => stream.complete(),
            Api::Chat => {
                let finish = data.iter().any(|chunk| chunk["choices"][0]["finish_reason"].is_string());
                let done = stream.body.contains("data: [DONE]");
                assert_eq!(finish, done, "a reason and the end mark go together: {}", stream.body);
                done
            }
            Api::Responses => data.iter().any(|event| event["type"] == "response.completed"),
            Api::Gemini => data.iter().any(|chunk| chunk["candidates"][0]["finishReason"].is_string()),
        }
    }

    /// Whether a stream tells of a failure in the protocol's own form.
    pub fn tells_failure(self, stream: &Stream) -> bool {
        let data = data(&stream.body);
        match self {
            Api::Anthropic => stream.error().is_some(),
            Api::Chat | Api::Gemini => data.iter().any(|chunk| chunk["error"]["message"].is_string()),
            Api::Responses => data.iter().any(|event| event["type"] == "response.failed"),
        }
    }

    /// The form of a failure's body.
    pub fn assert_failure_form(self, what: &str, body: &Value) {
        let error = &body["error"];
        assert!(error["message"].as_str().is_some_and(|message| !message.is_empty()), "{what}: {body}");
        match self {
            Api::Anthropic => {
                assert_eq!(body["type"], "error", "{what}: {body}");
                assert!(error["type"].is_string(), "{what}: {body}");
            }
            Api::Chat | Api::Responses => {
                assert!(error["type"].is_string() && error.get("code").is_some(), "{what}: {body}");
                assert!(error.get("param").is_some() && body.get("type").is_none(), "{what}: {body}");
            }
            Api::Gemini => {
                assert!(error["code"].is_u64() && error["status"].is_string(), "{what}: {body}");
            }
        }
    }
}

impl World {
    pub fn post(&self, path: &str) -> reqwest::RequestBuilder {
        self.http.post(format!("{}{path}", self.url)).bearer_auth(&self.key)
    }

    pub fn get(&self, path: &str) -> reqwest::RequestBuilder {
        self.http.get(format!("{}{path}", self.url)).bearer_auth(&self.key)
    }

    /// One whole answer of any protocol.
    pub async fn whole(&self, api: Api, body: &Value) -> (StatusCode, Value) {
        read(self.post(&api.path(false)).json(body)).await
    }

    /// One streamed answer of any protocol.
    pub async fn streamed(&self, api: Api, body: &Value) -> Stream {
        Stream::read(self.post(&api.path(true)).json(body).send().await.expect("an answer")).await
    }
}

/// Status and JSON.
pub async fn read(request: reqwest::RequestBuilder) -> (StatusCode, Value) {
    let answer = request.send().await.expect("an answer");
    let status = answer.status();
    let text = answer.text().await.expect("a body");
    (status, serde_json::from_str(&text).unwrap_or_else(|_| panic!("{status}, not JSON: {text}")))
}

/// The JSON of every `data:` line.
pub fn data(body: &str) -> Vec<Value> {
    let lines = body.lines().filter_map(|line| line.strip_prefix("data: "));
    lines.filter(|text| *text != "[DONE]").map(|text| serde_json::from_str(text).expect("data is JSON")).collect()
}

fn parts(answer: &Value) -> Vec<Value> {
    answer["candidates"][0]["content"]["parts"].as_array().cloned().unwrap_or_default()
}

fn find<'a>(list: &'a Value, kind: &str) -> &'a Value {
    let found = list.as_array().into_iter().flatten().find(|item| item["type"] == kind);
    found.unwrap_or_else(|| panic!("no {kind} in {list}"))
}
