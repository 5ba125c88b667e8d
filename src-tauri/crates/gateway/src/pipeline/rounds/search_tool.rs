//! Web search as the model sees it: a function like others. A function of the client that happens to have its name stays the
//! client's.

use crate::settings::ToolSettings;
use kiro_protocol::codec::Notice;
use kiro_protocol::conversation::{Block, Conversation, JsonObject, ServerTool, ToolChoice, ToolSpec};
use kiro_protocol::event::SearchHit;
use serde_json::json;
use std::fmt::Write as _;

const DESCRIPTION: &str = "Searches the web and returns titles, addresses, dates and pieces of text of the pages found. Use it for \
    facts that are recent or that you are not sure of. Write a short query, as for a search engine.";
/// No limit of the service is known; what is longer is no query.
pub(super) const MAX_QUERY: usize = 1_000;
/// Characters of a page's text that the model reads.
const MAX_SNIPPET: usize = 1_500;

/// A search that the gateway runs.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct SearchTool {
    /// The function's name for the model.
    pub(super) name: String,
    /// At most this many searches in an answer.
    pub(super) max_uses: Option<u32>,
    allowed: Vec<String>,
    blocked: Vec<String>,
}

/// Takes the server's tools out of the conversation and declares a function for the search among them.
pub(super) fn offer(
    conversation: &mut Conversation,
    settings: &ToolSettings,
    notices: &mut Vec<Notice>,
) -> Option<SearchTool> {
    let ServerTool::WebSearch { name: wanted, max_uses, allowed_domains, blocked_domains } =
        std::mem::take(&mut conversation.server_tools).into_iter().next()?;
    let named = conversation.tool_choice == ToolChoice::Tool(wanted.clone())
        && !conversation.tools.iter().any(|tool| tool.name == wanted);
    if !settings.web_search || conversation.tool_choice == ToolChoice::None || max_uses == Some(0) {
        if !settings.web_search {
            notices.push(Notice::new("web_search_off", "tools", "web search is switched off in the settings"));
        }
        if named {
            conversation.tool_choice = ToolChoice::Auto;
        }
        return None;
    }
    let name = free_name(conversation);
    if named {
        conversation.tool_choice = ToolChoice::Tool(name.clone());
    }
    let query = json!({ "type": "string", "description": "What to search for." });
    let schema = JsonObject::from_iter([
        ("type".to_owned(), json!("object")),
        ("properties".to_owned(), json!({ "query": query })),
        ("required".to_owned(), json!(["query"])),
    ]);
    let description = DESCRIPTION.to_owned();
    conversation.tools.push(ToolSpec { name: name.clone(), description, schema, cache: false });
    Some(SearchTool { name, max_uses, allowed: allowed_domains, blocked: blocked_domains })
}

fn free_name(conversation: &Conversation) -> String {
    let called = |name: &str| {
        let blocks = conversation.messages.iter().flat_map(|message| &message.content);
        blocks
            .into_iter()
            .any(|block| matches!(block, Block::ToolUse { name: other, .. } if other.eq_ignore_ascii_case(name)))
    };
    let taken = |name: &str| conversation.tools.iter().any(|tool| tool.name.eq_ignore_ascii_case(name)) || called(name);
    let candidates = ["web_search".to_owned(), "gateway_web_search".to_owned()];
    let numbered = (2..).map(|number| format!("gateway_web_search_{number}"));
    candidates.into_iter().chain(numbered).find(|name| !taken(name)).unwrap_or_default()
}

impl SearchTool {
    /// The hits that the client's lists of domains let through.
    pub(super) fn filter(&self, mut hits: Vec<SearchHit>) -> Vec<SearchHit> {
        hits.retain(|hit| {
            let under = |domains: &[String]| domains.iter().any(|domain| is_under(&hit.url, domain));
            (self.allowed.is_empty() || under(&self.allowed)) && !under(&self.blocked)
        });
        hits
    }
}

/// `domain` may be a host, which stands for its subdomains too, or a host and the beginning of a path.
fn is_under(url: &str, domain: &str) -> bool {
    let domain = domain.trim().to_ascii_lowercase();
    let domain = domain.split_once("://").map_or(domain.as_str(), |(_, rest)| rest).trim_start_matches("*.");
    let (wanted, path) = domain.split_once('/').unwrap_or((domain, ""));
    let Ok(url) = url::Url::parse(url) else { return false };
    let Some(host) = url.host_str() else { return false };
    let fits = host == wanted || host.strip_suffix(wanted).is_some_and(|rest| rest.ends_with('.'));
    fits && !wanted.is_empty() && url.path().trim_start_matches('/').to_ascii_lowercase().starts_with(path)
}

/// What the model reads of a search.
pub(super) fn words(query: &str, outcome: &Result<Vec<SearchHit>, &'static str>) -> String {
    match outcome {
        Ok(hits) if hits.is_empty() => format!("Nothing was found for {query:?}."),
        Ok(hits) => {
            let mut text = format!("Results for {query:?}:\n");
            for (number, hit) in hits.iter().enumerate() {
                let _ = write!(text, "\n{}. {}\n{}\n", number + 1, hit.title, hit.url);
                if let Some(date) = &hit.published {
                    let _ = writeln!(text, "Published: {date}");
                }
                let snippet: String = hit.snippet.chars().take(MAX_SNIPPET).collect();
                if !snippet.is_empty() {
                    text.push_str(&snippet);
                    text.push('\n');
                }
            }
            text
        }
        Err("max_uses_exceeded") => {
            "No more searches are possible in this answer. Answer with what you know and say what you could not look up.".to_owned()
        }
        Err("query_too_long") => {
            format!("The query is longer than {MAX_QUERY} characters. Search again with a few words.")
        }
        Err("too_many_requests") => {
            "The web search is busy and was not done. Answer without it and say that you could not search.".to_owned()
        }
        Err(_) => {
            "The web search is not available. Answer without it and say that you could not search.".to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kiro_protocol::conversation::{Message, Role};

    fn with(tools: &[&str], choice: ToolChoice) -> Conversation {
        let tool = |name: &&str| ToolSpec {
            name: (*name).into(),
            description: "d".into(),
            schema: JsonObject::new(),
            cache: false,
        };
        Conversation {
            tools: tools.iter().map(tool).collect(),
            tool_choice: choice,
            server_tools: vec![ServerTool::WebSearch {
                name: "web_search".into(),
                max_uses: Some(3),
                allowed_domains: vec!["example.com".into()],
                blocked_domains: vec!["bad.example.com".into()],
            }],
            ..Conversation::default()
        }
    }

    #[test]
    fn the_clients_own_function_keeps_its_name_and_the_search_steps_aside() {
        let mut conversation = with(&["Web_Search"], ToolChoice::Auto);
        let call = Block::ToolUse {
            id: "1".into(),
            name: "gateway_web_search".into(),
            input: JsonObject::new(),
            cache: false,
        };
        conversation.messages.push(Message { role: Role::Assistant, content: vec![call] });
        let tool = offer(&mut conversation, &ToolSettings::default(), &mut Vec::new()).expect("offered");
        assert_eq!(tool.name, "gateway_web_search_2");
        assert_eq!(conversation.tools.len(), 2);
        assert!(conversation.server_tools.is_empty());
    }

    #[test]
    fn a_choice_that_names_the_search_names_its_function() {
        let mut conversation = with(&["x"], ToolChoice::Tool("web_search".into()));
        offer(&mut conversation, &ToolSettings::default(), &mut Vec::new()).expect("offered");
        assert_eq!(conversation.tool_choice, ToolChoice::Tool("web_search".into()));
        let mut own = with(&["web_search"], ToolChoice::Tool("web_search".into()));
        let tool = offer(&mut own, &ToolSettings::default(), &mut Vec::new()).expect("offered");
        assert_eq!(
            (own.tool_choice, tool.name.as_str()),
            (ToolChoice::Tool("web_search".into()), "gateway_web_search")
        );
    }

    #[test]
    fn without_searches_nothing_is_offered_and_nothing_forced() {
        let mut conversation = with(&[], ToolChoice::Tool("web_search".into()));
        let mut notices = Vec::new();
        let off = ToolSettings { web_search: false, ..ToolSettings::default() };
        assert_eq!(offer(&mut conversation, &off, &mut notices), None);
        assert_eq!((conversation.tool_choice, notices[0].code), (ToolChoice::Auto, "web_search_off"));
        assert!(conversation.tools.is_empty());
        assert_eq!(offer(&mut with(&[], ToolChoice::None), &ToolSettings::default(), &mut notices), None);
    }

    #[test]
    fn domains_are_filtered_with_their_subdomains_and_paths() {
        let hit = |url: &str| SearchHit { url: url.into(), ..SearchHit::default() };
        let tool = offer(&mut with(&[], ToolChoice::Auto), &ToolSettings::default(), &mut Vec::new()).expect("offered");
        let urls = [
            "https://example.com/a",
            "https://www.example.com/",
            "https://bad.example.com/",
            "https://notexample.com/",
            "nonsense",
        ];
        let left = tool.filter(urls.map(hit).to_vec());
        assert_eq!(left.iter().map(|hit| hit.url.as_str()).collect::<Vec<_>>(), &urls[..2]);
        assert!(
            is_under("https://a.example/blog/1", "a.example/blog")
                && !is_under("https://a.example/x", "a.example/blog")
        );
        assert!(is_under("https://b.a.example/", "*.a.example") && is_under("https://a.example/", "https://A.example"));
        assert!(!is_under("https://a.example/", ""));
    }

    #[test]
    fn a_snippet_is_cut_at_a_character() {
        let hit = SearchHit {
            title: "t".into(),
            url: "u".into(),
            snippet: "多".repeat(2_000),
            published: Some("2026-01-01".into()),
        };
        let words = words("q", &Ok(vec![hit]));
        assert_eq!(words.matches('多').count(), MAX_SNIPPET);
        assert!(words.contains("Published: 2026-01-01"), "{words}");
    }
}
