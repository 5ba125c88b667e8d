//! The words of the tray, from the same two catalogues as the window's.

use kiro_gateway::settings::Language;
use serde_json::Value;
use std::sync::LazyLock;

static ENGLISH: LazyLock<Value> = LazyLock::new(|| catalogue(include_str!("../../ui/locales/en.json")));
static CHINESE: LazyLock<Value> = LazyLock::new(|| catalogue(include_str!("../../ui/locales/zh.json")));

/// The words of one language.
#[derive(Clone, Copy)]
pub(crate) struct Words {
    catalogue: &'static Value,
}

impl Words {
    /// The words for a setting; `locale` is what the system says, such as `zh_CN.UTF-8`.
    pub(crate) fn choose(language: Language, locale: Option<&str>) -> Self {
        match language {
            Language::English => Self { catalogue: &ENGLISH },
            Language::SimplifiedChinese => Self { catalogue: &CHINESE },
            Language::System => {
                let chinese = locale.is_some_and(|locale| locale.to_ascii_lowercase().starts_with("zh"));
                Self { catalogue: if chinese { &CHINESE } else { &ENGLISH } }
            }
        }
    }

    /// The text of `tray.<name>`. A missing word shows its name, so that it is noticed.
    pub(crate) fn tray(&self, name: &str) -> String {
        let key = format!("tray.{name}");
        self.catalogue.get(&key).and_then(Value::as_str).unwrap_or(&key).to_owned()
    }

    /// The same with its `{placeholder}`s filled in.
    pub(crate) fn tray_with(&self, name: &str, values: &[(&str, &str)]) -> String {
        values
            .iter()
            .fold(self.tray(name), |text, (placeholder, value)| text.replace(&format!("{{{placeholder}}}"), value))
    }

    /// The text of `tray.<name>` with its `{placeholder}`s filled in, when there is such a word.
    pub(crate) fn find(&self, name: &str, values: &[(&str, &str)]) -> Option<String> {
        self.catalogue.get(format!("tray.{name}")).map(|_| self.tray_with(name, values))
    }

    /// The words for an account's state, as the window has them; a state without words needs attention.
    pub(crate) fn state_of_account(&self, kind: &str) -> String {
        let text = self.catalogue.get(format!("account.{kind}")).and_then(Value::as_str);
        text.map_or_else(|| self.tray("attention.state"), str::to_owned)
    }
}

/// A broken catalogue gives names instead of words; the build's tests refuse it before that.
fn catalogue(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_setting_wins_over_the_system() {
        let english = Words::choose(Language::English, Some("zh_CN.UTF-8")).tray("quit");
        let chinese = Words::choose(Language::SimplifiedChinese, Some("en_US.UTF-8")).tray("quit");
        assert_ne!(english, chinese);
        assert_eq!(Words::choose(Language::System, Some("zh-Hans-CN")).tray("quit"), chinese);
        assert_eq!(Words::choose(Language::System, Some("C")).tray("quit"), english);
        assert_eq!(Words::choose(Language::System, None).tray("quit"), english);
    }
}
