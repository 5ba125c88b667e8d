use super::*;

fn check(table: &[(&str, Route<'_>, Option<Dialect>)]) {
    for (path, route, dialect) in table {
        assert_eq!(find(path), Found { route: *route, dialect: *dialect }, "{path}");
    }
}

const A: Option<Dialect> = Some(Dialect::Anthropic);
const O: Option<Dialect> = Some(Dialect::OpenAi);
const G: Option<Dialect> = Some(Dialect::Gemini);

#[test]
fn each_call_has_its_path() {
    check(&[
        ("/health", Route::Open(Open::Health), None),
        ("/ready", Route::Open(Open::Ready), None),
        ("/usage", Route::Usage, None),
        ("/api/hello", Route::Open(Open::Hello), None),
        ("/v1/messages", Route::Messages, A),
        ("/v1/messages/count_tokens", Route::CountTokens, A),
        ("/v1/chat/completions", Route::Chat, O),
        ("/v1/completions", Route::Completions, O),
        ("/v1/responses", Route::Responses, O),
        ("/v1/responses/input_tokens", Route::CountResponses, O),
        ("/v1/responses/compact", Route::Compact, O),
        ("/v1/responses/resp_1", Route::Kept("resp_1"), O),
        ("/v1/responses/resp_1/input_items", Route::KeptInput("resp_1"), O),
        ("/v1/responses/resp_1/cancel", Route::Cancel("resp_1"), O),
        ("/v1beta/models/gemini-3-pro:generateContent", Route::Gemini("gemini-3-pro", GeminiCall::Generate), G),
        ("/v1beta/models/gemini-3-pro:streamGenerateContent", Route::Gemini("gemini-3-pro", GeminiCall::Stream), G),
        ("/v1/models/gemini-3-pro:countTokens", Route::Gemini("gemini-3-pro", GeminiCall::Count), G),
        ("/v1/models/a:b:generateContent", Route::Gemini("a:b", GeminiCall::Generate), G),
        ("/v1/models/a%3AgenerateContent", Route::Gemini("a", GeminiCall::Generate), G),
        ("/v1/models", Route::Models, None),
        ("/v1beta/models", Route::Models, G),
        ("/v1/models/claude-sonnet-4.5", Route::Model("claude-sonnet-4.5"), None),
        ("/v1beta/models/claude-sonnet-4.5", Route::Model("claude-sonnet-4.5"), G),
        ("/v1/models/a:b", Route::Model("a:b"), None),
    ]);
}

#[test]
fn base_urls_with_a_prefix_a_doubled_version_or_none_work() {
    check(&[
        ("/anthropic/v1/messages", Route::Messages, A),
        ("/anthropic/v1/v1/messages/count_tokens", Route::CountTokens, A),
        ("/v1/v1/messages", Route::Messages, A),
        ("/messages", Route::Messages, A),
        ("/openai/v1/chat/completions", Route::Chat, O),
        ("/openai/chat/completions", Route::Chat, O),
        ("/chat/completions", Route::Chat, O),
        ("/responses", Route::Responses, O),
        ("/gemini/v1beta/models/x:generateContent", Route::Gemini("x", GeminiCall::Generate), G),
        ("/v1beta/v1beta/models/x:streamGenerateContent", Route::Gemini("x", GeminiCall::Stream), G),
        ("/v1/v1beta/models", Route::Models, G),
        ("/models/x:countTokens", Route::Gemini("x", GeminiCall::Count), G),
        ("/models", Route::Models, None),
        ("/anthropic/v1/models", Route::Models, A),
        ("/openai/v1/models", Route::Models, O),
        ("/gemini/v1/models", Route::Models, G),
        // The call is OpenAI's, whatever the base URL says.
        ("/anthropic/v1/chat/completions", Route::Chat, O),
    ]);
}

#[test]
fn telemetry_is_known_in_each_spelling() {
    for path in [
        "/api/event_logging/batch",
        "/v1/api/event_logging/batch",
        "/v1/event_logging/batch",
        "/anthropic/api/event_logging/batch",
        "/api/event_logging/v2/batch",
    ] {
        assert_eq!(find(path).route, Route::Open(Open::Telemetry), "{path}");
    }
}

#[test]
fn what_kiro_has_not_is_known_by_name() {
    check(&[
        ("/v1/embeddings", Route::Absent(Absent::Embeddings), O),
        ("/v1/images/generations", Route::Absent(Absent::Images), O),
        ("/v1/audio/speech", Route::Absent(Absent::Audio), O),
        ("/v1/moderations", Route::Absent(Absent::Moderations), O),
        ("/v1/messages/batches", Route::Absent(Absent::Batches), A),
        ("/v1/messages/batches/msgbatch_1/results", Route::Absent(Absent::Batches), A),
        ("/v1/batches", Route::Absent(Absent::Batches), None),
        ("/v1/files", Route::Absent(Absent::Files), None),
        ("/v1beta/files", Route::Absent(Absent::Files), G),
        ("/v1beta/cachedContents", Route::Absent(Absent::Caches), G),
        ("/v1beta/models/embedding-001:embedContent", Route::Absent(Absent::Embeddings), G),
        ("/v1/assistants", Route::Absent(Absent::Agents), O),
        ("/v1/complete", Route::Absent(Absent::OldCompletions), A),
    ]);
}

#[test]
fn everything_else_is_unknown() {
    for path in [
        "",
        "/",
        "/v1",
        "/v1/",
        "/v1/models/",
        "/v1x/messages",
        "/anthropicx/v1/messages",
        "/v1/v1/v1/messages",
        "/v1/messages/",
        "/v1/messages/other",
        "/v1/responses/",
        "/v1/responses/a/b",
        "/v1/responses//cancel",
        "/v1/models/:generateContent",
        "/api/status",
        "/api/keys",
        "/api/openapi.json",
        "/docs",
    ] {
        let route = find(path).route;
        assert!(matches!(route, Route::Unknown | Route::Model(_)), "{path}: {route:?}");
        assert!(path.contains(":generateContent") || route == Route::Unknown, "{path}: {route:?}");
    }
}

#[test]
fn a_path_takes_its_own_methods() {
    let methods = |path: &str| -> Vec<&str> {
        let route = find(path).route;
        ["GET", "HEAD", "POST", "DELETE", "PUT", "OPTIONS"]
            .into_iter()
            .filter(|method| route.accepts(&method.parse().expect("a method")))
            .collect()
    };
    assert_eq!(methods("/v1/models"), ["GET", "HEAD"]);
    assert_eq!(methods("/v1/responses"), ["POST"]);
    assert_eq!(methods("/v1/responses/resp_1"), ["GET", "HEAD", "DELETE"]);
    assert_eq!(methods("/v1/embeddings").len(), 6);
}

#[test]
fn only_what_tells_nothing_is_open() {
    for path in ["/health", "/ready", "/api/hello", "/api/event_logging/batch"] {
        assert!(matches!(find(path).route, Route::Open(_)), "{path}");
    }
    for path in ["/usage", "/v1/models", "/v1/messages", "/v1/responses/resp_1", "/v1beta/models/x:countTokens"] {
        assert!(!matches!(find(path).route, Route::Open(_)), "{path}");
    }
}
