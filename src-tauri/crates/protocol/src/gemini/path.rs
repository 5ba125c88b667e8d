//! Model and method of a call; both are written in the path: `…/models/{model}:{method}`.

use percent_encoding::percent_decode_str;

/// What a path asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The model as the client wrote it, percent-decoded, without `models/`.
    pub model: String,
    /// What to do.
    pub method: Method,
}

/// The methods that are served here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// One whole answer.
    Generate,
    /// The answer piece by piece.
    StreamGenerate,
    /// How many tokens a request has.
    CountTokens,
}

/// Collections whose members can be asked to generate.
const COLLECTIONS: [&str; 2] = ["/models/", "/tunedModels/"];

impl Call {
    /// Reads a path without its query. `None` when it names no method that is served here. What stands before the
    /// collection (version, prefix, a doubled version, project and location) has no meaning here.
    pub fn parse(path: &str) -> Option<Call> {
        let tail =
            COLLECTIONS.iter().filter_map(|name| path.find(name).map(|at| (at, &path[at + name.len()..]))).min()?.1;
        let tail = percent_decode_str(tail).decode_utf8_lossy();
        let (model, method) = tail.rsplit_once(':')?;
        let method = match method {
            "generateContent" => Method::Generate,
            "streamGenerateContent" => Method::StreamGenerate,
            "countTokens" => Method::CountTokens,
            _ => return None,
        };
        let model = model_name(model);
        (!model.is_empty()).then(|| Call { model: model.to_owned(), method })
    }
}

/// A model's name without the collection, which some clients write although the path has it already.
pub(super) fn model_name(name: &str) -> &str {
    name.strip_prefix("models/").or_else(|| name.strip_prefix("tunedModels/")).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(path: &str) -> Option<(String, Method)> {
        Call::parse(path).map(|call| (call.model, call.method))
    }

    #[test]
    fn model_and_method_are_read_from_every_form_of_the_path() {
        for (path, model, method) in [
            ("/v1beta/models/gemini-3-pro:generateContent", "gemini-3-pro", Method::Generate),
            ("/v1/models/claude-sonnet-4.5:streamGenerateContent", "claude-sonnet-4.5", Method::StreamGenerate),
            ("/v1beta/v1beta/models/m:countTokens", "m", Method::CountTokens),
            ("/gemini/v1beta/models/kiro/claude:generateContent", "kiro/claude", Method::Generate),
            ("/v1beta/models/a%2Fb%3Ac:generateContent", "a/b:c", Method::Generate),
            ("/v1beta/models/m%3AgenerateContent", "m", Method::Generate),
            ("/v1beta/models/models/m:generateContent", "m", Method::Generate),
            ("/v1beta/models/models%2Fm:generateContent", "m", Method::Generate),
            ("/v1beta/tunedModels/mine:generateContent", "mine", Method::Generate),
            ("/v1/projects/p/locations/l/publishers/google/models/m:generateContent", "m", Method::Generate),
            ("/v1beta/models/%ff:generateContent", "\u{fffd}", Method::Generate),
        ] {
            assert_eq!(parsed(path), Some((model.to_owned(), method)), "{path}");
        }
    }

    #[test]
    fn what_is_not_served_is_nothing() {
        for path in [
            "",
            "/v1beta/models",
            "/v1beta/models/m",
            "/v1beta/models/m:embedContent",
            "/v1beta/models/m:GenerateContent",
            "/v1beta/models/:generateContent",
            "/v1beta/models/models/:generateContent",
            "/v1beta/files/f:generateContent",
        ] {
            assert_eq!(parsed(path), None, "{path}");
        }
    }
}
