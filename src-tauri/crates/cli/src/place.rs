//! From the environment and the command line to the gateway's [`Options`]. The environment is read by `main` and handed in.

use std::sync::Arc;

use kiro_gateway::{KeySource, LogChoice, OpenError, Options, Override, OverrideSource, StoreChoice, VaultKeySource};

use crate::args::{Place, Serve};
use crate::exit::{Exit, Trouble};
use crate::passphrase::Ask;
use crate::words::{self, say};
use serde_json::{Value, json};

/// Reads one environment variable.
pub(crate) type Env<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Options for a command that only looks after state.
pub(crate) fn options(place: &Place, env: Env<'_>) -> Result<Options, Trouble> {
    let mut options = Options::from_env(env).map_err(|error| open_trouble(&error))?;
    if let Some(path) = &place.data_dir {
        options.data_dir = Some(path.clone());
    }
    options.store = store(place, env, options.store, options.data_dir.as_deref());
    options.log = LogChoice::File;
    Ok(options)
}

/// The first way to the vault's key that is configured: a systemd credential, a key file, a passphrase, the environment, the
/// key beside the vault. A vault that was made with a passphrase asks for it without being told.
fn store(place: &Place, env: Env<'_>, given: StoreChoice, data_dir: Option<&std::path::Path>) -> StoreChoice {
    let ask = Arc::new(Ask { under_systemd: env("INVOCATION_ID").is_some() });
    let vault = StoreChoice::Vault;
    match given {
        _ if place.vault_recover => vault(VaultKeySource::Recovery(ask)),
        StoreChoice::Vault(VaultKeySource::SystemdCredential(path)) => vault(VaultKeySource::SystemdCredential(path)),
        given => match &place.vault_key_file {
            Some(file) => vault(VaultKeySource::File(file.clone())),
            None if place.vault_ask => vault(VaultKeySource::Passphrase(ask)),
            None => match given {
                StoreChoice::Vault(source) => vault(source),
                _ if place.vault_auto_key => vault(VaultKeySource::AutoKeyFile),
                StoreChoice::Auto
                    if ask.can_ask() && kiro_gateway::recorded_key_source(data_dir) == Some(KeySource::Passphrase) =>
                {
                    vault(VaultKeySource::Passphrase(ask))
                }
                other @ (StoreChoice::Auto | StoreChoice::Memory | StoreChoice::Keychain) => other,
            },
        },
    }
}

/// Flags of `serve` as overrides, in the order in which they win: named flags over `--set`.
pub(crate) fn overrides(serve: &Serve) -> Result<Vec<Override>, Trouble> {
    let flag = |path: &str, value: String| Override {
        path: path.to_owned(),
        value,
        source: OverrideSource::Flag,
        variable: None,
    };
    let mut overrides = Vec::new();
    for set in &serve.set {
        let Some((path, value)) = set.split_once('=') else {
            return Err(Trouble::new(
                Exit::Usage,
                "override_malformed",
                say!("--set {} has no `=`", set),
                "nothing was started",
                "write it as --set section.field=value, for example --set listener.port=9000",
            ));
        };
        overrides.push(flag(path.trim(), value.to_owned()));
    }
    overrides.extend(serve.port.map(|port| flag("listener.port", port.to_string())));
    overrides.extend(serve.host.iter().map(|host| flag("listener.host", host.clone())));
    overrides.extend(serve.log_level.iter().map(|level| flag("logs.level", level.clone())));
    Ok(overrides)
}

/// A gateway that could not be opened, in three lines.
pub(crate) fn open_trouble(error: &OpenError) -> Trouble {
    let exit = match error {
        OpenError::Locked { .. } => Exit::Locked,
        OpenError::DataDir { .. } => Exit::DataDir,
        OpenError::Settings(_) | OpenError::Override { .. } | OpenError::Endpoints(_) => Exit::Settings,
        OpenError::Store(error) => Exit::of_code(error.code()),
        OpenError::Saved(_) | OpenError::Internal(_) => Exit::Failure,
    };
    let code = match error {
        OpenError::Store(error) => error.code(),
        OpenError::Locked { .. }
        | OpenError::DataDir { .. }
        | OpenError::Settings(_)
        | OpenError::Override { .. }
        | OpenError::Endpoints(_)
        | OpenError::Saved(_)
        | OpenError::Internal(_) => error.code(),
    };
    let params = match error {
        OpenError::Locked { path, holder } => json!({"path": path.display().to_string(), "holder": holder}),
        OpenError::DataDir { path, .. } => json!({"path": path.display().to_string()}),
        OpenError::Store(error) => json!({"reason": error.code()}),
        OpenError::Settings(_)
        | OpenError::Override { .. }
        | OpenError::Endpoints(_)
        | OpenError::Saved(_)
        | OpenError::Internal(_) => Value::Null,
    };
    let what = words::of_problem(&json!({"code": error.code(), "params": params}), &error.to_string());
    Trouble::new(exit, code, what, "nothing was started and nothing on disk was changed", error.action())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_named_flag_wins_over_set() {
        let serve = Serve {
            port: Some(9000),
            set: vec!["listener.port=1".into(), "logs.level=debug".into()],
            ..Serve::default()
        };
        let overrides = overrides(&serve).expect("well formed");
        let ports: Vec<&str> =
            overrides.iter().filter(|o| o.path == "listener.port").map(|o| o.value.as_str()).collect();
        assert_eq!(ports, ["1", "9000"], "later ones win");
    }

    #[test]
    fn set_without_a_value_is_a_usage_error() {
        let serve = Serve { set: vec!["listener.port".into()], ..Serve::default() };
        assert_eq!(overrides(&serve).expect_err("refused").exit, Exit::Usage);
    }

    #[test]
    fn an_endpoint_outside_this_machine_is_refused_with_a_code() {
        let env = |name: &str| (name == "KIRO_PROXY_ENDPOINTS").then(|| "http://192.0.2.1:80".to_owned());
        let trouble = options(&Place::default(), &env).expect_err("refused");
        assert_eq!((trouble.exit, trouble.code.as_str()), (Exit::Settings, "endpoints_not_loopback"));
    }

    #[test]
    fn the_first_way_to_the_key_that_is_configured_wins() {
        let credentials = tempfile::tempdir().expect("temp dir");
        let home = tempfile::tempdir().expect("temp dir");
        let folder = |dir: &tempfile::TempDir| dir.path().to_str().expect("UTF-8").to_owned();
        let environment = |systemd: bool, key: bool| {
            let (credentials, home) = (folder(&credentials), folder(&home));
            move |name: &str| match name {
                "CREDENTIALS_DIRECTORY" => systemd.then(|| credentials.clone()),
                "KIRO_PROXY_VAULT_KEY" => key.then(|| "a key".to_owned()),
                "KIRO_PROXY_DATA_DIR" => Some(home.clone()),
                _ => None,
            }
        };
        let flags = |file: bool, ask: bool, auto: bool| Place {
            vault_key_file: file.then(|| "key".into()),
            vault_ask: ask,
            vault_auto_key: auto,
            ..Place::default()
        };
        let way = |place: Place, systemd: bool, key: bool| match options(&place, &environment(systemd, key))
            .expect("options")
            .store
        {
            StoreChoice::Vault(source) => source.kind(),
            StoreChoice::Auto | StoreChoice::Memory | StoreChoice::Keychain => None,
        };
        // The folder without our credential in it is somebody else's business.
        assert_eq!(way(flags(false, false, false), true, false), None);
        std::fs::File::create(credentials.path().join("kiro-proxy-vault-key")).expect("makes");
        assert_eq!(way(flags(true, true, true), true, true), Some(KeySource::SystemdCredential));
        assert_eq!(way(flags(true, true, true), false, true), Some(KeySource::KeyFile));
        assert_eq!(way(flags(false, true, true), false, true), Some(KeySource::Passphrase));
        assert_eq!(way(flags(false, false, true), false, true), Some(KeySource::Environment));
        assert_eq!(way(flags(false, false, true), false, false), Some(KeySource::AutoKeyFile));
        assert_eq!(way(flags(false, false, false), false, false), None);
    }
}
