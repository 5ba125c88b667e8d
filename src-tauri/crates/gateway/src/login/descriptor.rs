//! What the portal means by the address it came back to: a code, a directory to sign in at, a refusal, or nothing of ours. The path says
//! little (it differs by version); the parameters say it (kiro-upstream §5.1, §5.5).

use secrecy::SecretString;

use super::callback::{Came, Query};
use super::pkce::StateToken;
use crate::upstream::identity::sign_in::Descriptor;

/// The one path of the directory's redirect address.
pub(super) const DIRECTORY_PATH: &str = "/oauth/callback";
const EXTERNAL: &str = "external_idp";

/// An arrival, read.
#[derive(Debug)]
pub(super) enum Meaning {
    /// Not ours, whatever it is.
    Foreign,
    /// The portal's code.
    Code { code: SecretString, path: String, login_option: Option<String> },
    /// The code of the directory, the second leg.
    DirectoryCode(SecretString),
    /// Sign in there.
    Directory(Descriptor),
    /// There will be no sign-in.
    Refused(String),
}

/// Reads an arrival of the portal sign-in. `second` is the state of the second leg, once that has begun.
pub(super) fn portal(came: &Came, first: &StateToken, second: Option<&StateToken>) -> Meaning {
    let (path, query) = match came {
        Came::Address { path, query } => (path, query),
        Came::Code(code) if second.is_some() => return Meaning::DirectoryCode(code.as_str().into()),
        Came::Code(code) => {
            return Meaning::Code { code: code.as_str().into(), path: DIRECTORY_PATH.to_owned(), login_option: None };
        }
    };
    let Some(state) = query.get("state") else { return Meaning::Foreign };
    if second.is_some_and(|second| second.matches(state)) {
        if path != DIRECTORY_PATH {
            return Meaning::Foreign;
        }
        return refusal(query).or_else(|| code(query).map(Meaning::DirectoryCode)).unwrap_or(Meaning::Foreign);
    }
    if !first.matches(state) {
        return Meaning::Foreign;
    }
    if let Some(refused) = refusal(query) {
        return refused;
    }
    let login_option = query.get("login_option").map(str::to_owned);
    match code(query) {
        Some(code) => Meaning::Code { code, path: path.clone(), login_option },
        None if login_option.as_deref() == Some(EXTERNAL) => {
            directory(query).map_or(Meaning::Foreign, Meaning::Directory)
        }
        None => Meaning::Foreign,
    }
}

/// Reads an arrival of the authorization code flow of AWS.
pub(super) fn oidc(came: &Came, state: &StateToken) -> Meaning {
    match came {
        Came::Code(code) => Meaning::DirectoryCode(code.as_str().into()),
        Came::Address { path, query } => {
            let ours = path == DIRECTORY_PATH && query.get("state").is_some_and(|given| state.matches(given));
            if !ours {
                return Meaning::Foreign;
            }
            refusal(query).or_else(|| code(query).map(Meaning::DirectoryCode)).unwrap_or(Meaning::Foreign)
        }
    }
}

fn code(query: &Query) -> Option<SecretString> {
    query.get("code").filter(|code| !code.is_empty()).map(SecretString::from)
}

fn refusal(query: &Query) -> Option<Meaning> {
    let error = query.get("error")?;
    let words = query.get("error_description").filter(|words| !words.is_empty()).unwrap_or(error);
    Some(Meaning::Refused(words.chars().filter(|c| !c.is_control()).take(200).collect()))
}

fn directory(query: &Query) -> Option<Descriptor> {
    let filled = |name: &str| query.get(name).filter(|value| !value.is_empty()).map(str::to_owned);
    Some(Descriptor {
        issuer: filled("issuer_url")?,
        client_id: filled("client_id")?,
        scopes: filled("scopes")?,
        login_hint: filled("login_hint"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret as _;

    fn came(address: &str) -> Came {
        let url = url::Url::parse(address).expect("a URL");
        Came::Address { path: url.path().to_owned(), query: Query::parse(url.query().unwrap_or_default()) }
    }

    fn kind(meaning: &Meaning) -> String {
        match meaning {
            Meaning::Foreign => "foreign".to_owned(),
            Meaning::Code { code, path, login_option } => {
                format!("code {} {path} {}", code.expose_secret(), login_option.as_deref().unwrap_or("-"))
            }
            Meaning::DirectoryCode(code) => format!("directory code {}", code.expose_secret()),
            Meaning::Directory(descriptor) => format!("directory {}", descriptor.issuer),
            Meaning::Refused(words) => format!("refused {words}"),
        }
    }

    #[test]
    fn every_address_of_the_fixture_is_read_as_it_says() {
        let flows: serde_json::Value =
            serde_json::from_str(include_str!("../../../../../tests/fixtures/upstream/auth-flows.json")).expect("JSON");
        let (first, second) = (StateToken::random(), StateToken::random());
        let mut seen = Vec::new();
        for flow in flows["flows"].as_array().expect("flows") {
            for step in flow["steps"].as_array().expect("steps") {
                let received = step["received_url"].as_str().map(|url| vec![url]);
                let accepted =
                    step["accepted_urls"].as_array().map(|urls| urls.iter().filter_map(|url| url.as_str()).collect());
                for url in received.or(accepted).unwrap_or_default().into_iter().filter(|url| url.starts_with("http")) {
                    let url = url.replace("state-B", first.text()).replace("state-D", first.text());
                    let url = url.replace("state-E", second.text()).replace("state-C", second.text());
                    seen.push(kind(&portal(&came(&url), &first, Some(&second))));
                }
            }
        }
        assert_eq!(
            seen,
            [
                "code example-code /oauth/callback google",
                "code example-code /signin/callback github",
                "code example-code / -",
                "directory code example-code",
                "directory https://login.microsoftonline.com/00000000-0000-4000-8000-00000000aaaa/v2.0",
                "directory code example-code",
            ]
        );
    }

    #[test]
    fn what_has_another_state_or_none_is_foreign_also_when_it_reports_an_error() {
        let (first, second) = (StateToken::random(), StateToken::random());
        let (one, two) = (first.text(), second.text());
        for address in [
            "http://localhost:3128/?code=x&state=other".to_owned(),
            "http://localhost:3128/?code=x".to_owned(),
            "http://localhost:3128/?error=access_denied&state=other".to_owned(),
            "http://localhost:3128/?error=access_denied".to_owned(),
            format!("http://localhost:3128/?state={one}"),
            format!("http://localhost:3128/?code=&state={one}"),
            format!("http://localhost:3128/?code=a&code=b&state={one}"),
            format!("http://localhost:3128/?code=a&state={one}&state={one}"),
            format!("http://localhost:3128/elsewhere?code=a&state={two}"),
            format!("http://localhost:3128/?login_option=external_idp&client_id=c&state={one}"),
        ] {
            assert_eq!(kind(&portal(&came(&address), &first, Some(&second))), "foreign", "{address}");
        }
        let early = format!("http://localhost:3128/oauth/callback?code=a&state={two}");
        assert_eq!(kind(&portal(&came(&early), &first, None)), "foreign", "the second leg has not begun");
        assert_eq!(kind(&oidc(&came(&early), &first)), "foreign");
        assert_eq!(kind(&oidc(&came(&early), &second)), "directory code a");
        let refused = format!("http://localhost:3128/?error=access_denied&error_description=can%0Acelled&state={one}");
        assert_eq!(kind(&portal(&came(&refused), &first, None)), "refused cancelled");
    }
}
