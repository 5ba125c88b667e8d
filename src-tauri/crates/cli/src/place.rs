//! From the environment and the command line to the gateway's [`Options`]. The environment is read by `main` and handed in.

use kiro_gateway::{LogChoice, OpenError, Options, Override, OverrideSource, StoreChoice, VaultKeySource};

use crate::args::{Place, Serve};
use crate::exit::{Exit, Trouble};

/// Reads one environment variable.
pub(crate) type Env<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Options for a command that only looks after state.
pub(crate) fn options(place: &Place, env: Env<'_>) -> Result<Options, Trouble> {
    let mut options = Options::from_env(env).map_err(|error| open_trouble(&error))?;
    if let Some(path) = &place.data_dir {
        options.data_dir = Some(path.clone());
    }
    if let Some(file) = &place.vault_key_file {
        options.store = StoreChoice::Vault(VaultKeySource::File(file.clone()));
    }
    options.log = LogChoice::File;
    Ok(options)
}

/// Flags of `serve` as overrides, in the order in which they win: named flags over `--set`.
pub(crate) fn overrides(serve: &Serve) -> Result<Vec<Override>, Trouble> {
    let flag = |path: &str, value: String| Override { path: path.to_owned(), value, source: OverrideSource::Flag };
    let mut overrides = Vec::new();
    for set in &serve.set {
        let Some((path, value)) = set.split_once('=') else {
            return Err(Trouble::new(
                Exit::Usage,
                "override_malformed",
                format!("--set {set} has no `=`"),
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
        OpenError::Store(_) => Exit::Store,
        OpenError::Saved(_) | OpenError::Internal(_) => Exit::Failure,
    };
    Trouble::new(
        exit,
        error.code(),
        error.to_string(),
        "nothing was started and nothing on disk was changed",
        error.action(),
    )
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
        let trouble = options(&Place { data_dir: None, vault_key_file: None }, &env).expect_err("refused");
        assert_eq!((trouble.exit, trouble.code.as_str()), (Exit::Settings, "endpoints_not_loopback"));
    }
}
