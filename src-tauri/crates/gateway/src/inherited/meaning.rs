//! Every name of the predecessor's environment and what it means here.

use super::InheritedEffect as Effect;
use super::value::{self, Reading};

/// What a name means.
#[derive(Clone, Copy)]
pub(super) enum Meaning {
    /// It sets this setting, to what the reader makes of its value.
    Setting(&'static str, fn(&str) -> Reading),
    /// It sets this setting to the address of a proxy, which may have a login in it.
    Proxy(&'static str),
    /// It sets nothing.
    Told(Effect),
    /// It sets nothing, and `off` is what holds anyhow.
    Switch(Effect),
}

use Meaning::{Proxy, Setting, Switch, Told};

pub(super) const MEANINGS: [(&str, Meaning); 40] = [
    ("KIRO_SERVER_HOST", Setting("listener.host", value::loopback)),
    ("KIRO_SERVER_PORT", Setting("listener.port", value::as_it_is)),
    ("KIRO_VPN_PROXY_URL", Proxy("network.proxy")),
    ("KIRO_REGION", Told(Effect::PerAccount)),
    ("KIRO_API_REGION", Told(Effect::PerAccount)),
    ("KIRO_PROFILE_ARN", Told(Effect::PerAccount)),
    ("KIRO_CREDS_FILE", Told(Effect::Login)),
    ("KIRO_CLI_DB_FILE", Told(Effect::Login)),
    ("KIRO_SQLITE_READONLY", Told(Effect::Login)),
    ("KIRO_TOKEN_REFRESH_THRESHOLD", Told(Effect::AlwaysSo)),
    ("KIRO_MAX_RETRIES", Setting("limits.retries", |text| value::between(text, 0, 5))),
    ("KIRO_BASE_RETRY_DELAY", Setting("limits.retryDelayMilliseconds", |text| value::millis(text, 100, 10_000))),
    ("KIRO_MAX_PAYLOAD_BYTES", Told(Effect::AlwaysSo)),
    ("KIRO_AUTO_TRIM_PAYLOAD", Told(Effect::AlwaysSo)),
    ("KIRO_TRUNCATION_RECOVERY", Told(Effect::AlwaysSo)),
    ("KIRO_THINKING_ENABLED", Told(Effect::ByRequest)),
    ("KIRO_THINKING_MAX_TOKENS", Told(Effect::ByRequest)),
    ("KIRO_THINKING_BUDGET_CAP", Told(Effect::ByRequest)),
    ("KIRO_THINKING_HANDLING", Setting("openai.reasoning", value::reasoning)),
    ("KIRO_THINKING_INITIAL_BUFFER_SIZE", Told(Effect::AlwaysSo)),
    // A model that thinks first is silent for longer than the predecessor's quarter of a minute, which it never applied.
    ("KIRO_FIRST_TOKEN_TIMEOUT", Setting("limits.firstEventSeconds", |text| value::between(text, 60, 1800))),
    ("KIRO_FIRST_TOKEN_MAX_RETRIES", Told(Effect::OneBudget)),
    ("KIRO_STREAMING_READ_TIMEOUT", Setting("limits.idleSeconds", |text| value::between(text, 10, 1800))),
    ("KIRO_MODEL_CACHE_TTL", Told(Effect::AlwaysSo)),
    ("KIRO_LOG_LEVEL", Setting("logs.level", value::log_level)),
    ("KIRO_LOG_FILE", Told(Effect::LogFolder)),
    ("KIRO_LOG_MAX_SIZE", Setting("logs.maxFileMebibytes", value::mebibytes)),
    ("KIRO_LOG_RETENTION", Told(Effect::LogFolder)),
    ("KIRO_DEBUG_MODE", Switch(Effect::NoContents)),
    ("KIRO_RATE_LIMIT_MIN_INTERVAL", Setting("pace.gapMilliseconds", |text| value::millis(text, 0, 60_000))),
    ("KIRO_RATE_LIMIT_PER_ACCOUNT_RPM", Setting("pace.accountPerMinute", |text| value::between(text, 0, 6000))),
    ("KIRO_RATE_LIMIT_GLOBAL_RPM", Setting("pace.totalPerMinute", |text| value::between(text, 0, 60_000))),
    ("KIRO_CB_RECOVERY_TIMEOUT", Told(Effect::AlwaysSo)),
    ("KIRO_CB_MAX_BACKOFF", Told(Effect::AlwaysSo)),
    ("KIRO_CB_RETRY_CHANCE", Told(Effect::AlwaysSo)),
    ("KIRO_WEB_SEARCH_ENABLED", Setting("tools.webSearch", value::switch)),
    ("KIRO_UI_LANGUAGE", Setting("look.language", value::language)),
    ("KIRO_PROXY_CA_BUNDLE", Setting("network.extraCaFile", value::as_it_is)),
    ("KIRO_PROXY_INSECURE_TLS", Switch(Effect::NeverInsecure)),
    ("KIRO_PROXY_DEBUG_RESPONSES", Switch(Effect::NoContents)),
];
