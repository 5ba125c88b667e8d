//! `kiro-proxy usage`: what was used, by account, model, key or day.

use super::account_checks::number;
use super::list;
use crate::admin_client::AdminClient;
use crate::args::account_checks::Usage;
use crate::exit::{Exit, Trouble};
use crate::print::{self, Output, member};
use http::Method;

pub(crate) async fn run(client: &AdminClient, wish: &Usage) -> Result<Exit, Trouble> {
    let path = format!("/api/usage?by={}&days={}", wish.by.word(), wish.days);
    let answer = client.call(Method::GET, &path, None).await?;
    match Output::json_when(wish.json.json) {
        Output::Json => print::json(&answer),
        Output::Text => {
            let rows: Vec<Vec<String>> = list(&answer, "rows")
                .iter()
                .map(|row| {
                    vec![
                        member(row, "label"),
                        member(row, "requests"),
                        number(row.get("credits")),
                        member(row, "inputTokens"),
                        member(row, "outputTokens"),
                    ]
                })
                .collect();
            print::table(&[wish.by.word(), "requests", "credits", "input tokens", "output tokens"], &rows);
        }
    }
    Ok(Exit::Ok)
}
