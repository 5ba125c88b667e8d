//! Web search through MCP (kiro-upstream §11).

use http::Response;
use serde_json::{Value, json};

use crate::account::AccountSeed;
use crate::auth;
use crate::http_server::ResponseBody;
use crate::refusal::{Refusal, json_response};
use crate::router::Call;
use crate::script::Answer;

pub(crate) fn answer(call: &Call, caller: &AccountSeed, wish: &Answer) -> Result<Response<ResponseBody>, Refusal> {
    let arn = call.header("x-amzn-kiro-profile-arn").map(str::to_owned);
    auth::check_arn(call, caller, arn.as_deref())?;
    let body = call.json()?;
    let method = body["method"].as_str();
    let id = body.get("id").filter(|id| id.is_string() || id.is_number());
    let (Some(method), Some(id)) = (method, id) else {
        return Err(Refusal::malformed("mcp", "id and method are required").reason("REQUEST_BODY_INVALID"));
    };
    let reply = match method {
        "tools/call" => match (search(&body["params"]), wish) {
            (Ok(_), Answer::RpcError(code)) => Err((*code, "Simulated failure of the search".to_owned())),
            (Ok(_), Answer::ToolFailed(text)) => Ok(tool_answer(text, true)),
            (Ok(_), Answer::Text(text)) => Ok(tool_answer(text, false)),
            (searched, _) => searched,
        },
        "initialize" => Ok(json!({
            "protocolVersion": "2025-03-26",
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "kiro-simulator", "version": env!("CARGO_PKG_VERSION")},
        })),
        "notifications/initialized" => Ok(json!({})),
        "tools/list" => Ok(tools()),
        other => Err((-32601, format!("Method not found: {other}"))),
    };
    let mut answer = json!({"jsonrpc": "2.0", "id": id});
    match reply {
        Ok(result) => answer["result"] = result,
        Err((code, message)) => answer["error"] = json!({"code": code, "message": message}),
    }
    Ok(json_response(200, &answer))
}

fn tools() -> Value {
    json!({"tools": [{
        "name": "web_search",
        "description": "Searches the web (simulated).",
        "inputSchema": {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]},
    }]})
}

fn search(params: &Value) -> Result<Value, (i64, String)> {
    let name = params["name"].as_str().unwrap_or_default();
    if name != "web_search" {
        return Err((-32602, format!("Unknown tool: {name}")));
    }
    let Some(query) = params["arguments"]["query"].as_str().filter(|q| !q.is_empty()) else {
        return Err((-32602, "query is required".to_owned()));
    };
    let found = json!({
        "results": [
            {
                "title": format!("Simulated result for {query}"),
                "url": "https://example.com/a",
                "snippet": format!("Grüße: this text was made up for the query {query:?} — 多字节."),
                "publishedDate": 1_763_900_000_000_i64,
                "id": "r1",
                "domain": "example.com",
                "maxVerbatimWordLimit": 30,
                "publicDomain": false,
            },
            {"title": "Second page", "url": "https://example.org/b"},
        ],
        "totalResults": 2,
        "query": query,
    });
    Ok(tool_answer(&found.to_string(), false))
}

fn tool_answer(text: &str, failed: bool) -> Value {
    json!({"content": [{"type": "text", "text": text}], "isError": failed})
}
