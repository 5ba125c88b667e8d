//! What the command line and the environment ask for.

use kiro_gateway::{LogChoice, Options};

/// How this process begins.
pub(crate) enum Launch {
    /// The app.
    Run(Box<Start>),
    /// Only an answer on standard output.
    Say(String),
}

/// What the app needs to know from outside.
#[derive(Debug)]
pub(crate) struct Start {
    /// Begin in the tray, without a window.
    pub(crate) hidden: bool,
    /// For the gateway.
    pub(crate) options: Options,
    /// The person's language as the system names it, such as `zh_CN`.
    pub(crate) locale: Option<String>,
}

/// The flag for starting without a window; also what the autostart entry passes.
pub(crate) const HIDDEN: &str = "--hidden";

const HELP: &str = "\
Kiro Proxy, the desktop app.

Usage: kiro-proxy-desktop [--hidden]

  --hidden    start in the tray, without a window
  --version   print the version
  --help      print this

Environment: KIRO_PROXY_DATA_DIR moves all state; KIRO_PROXY__<SECTION>__<FIELD> overrides a setting for this run.
Without a screen use the command line program instead: kiro-proxy serve";

impl Launch {
    /// Reads both; `names` are the names of all environment variables, so that a mistyped setting is not ignored.
    /// The error is a sentence for a person.
    pub(crate) fn read(
        arguments: impl Iterator<Item = String>,
        environment: &dyn Fn(&str) -> Option<String>,
        names: impl Iterator<Item = String>,
    ) -> Result<Self, String> {
        let mut hidden = false;
        for argument in arguments {
            match argument.as_str() {
                HIDDEN => hidden = true,
                "--version" | "-V" => {
                    return Ok(Self::Say(format!("kiro-proxy-desktop {}", env!("CARGO_PKG_VERSION"))));
                }
                "--help" | "-h" => return Ok(Self::Say(HELP.to_owned())),
                other => return Err(format!("unknown argument {other:?}. Try --help")),
            }
        }
        if cfg!(target_os = "linux") && !has_display(environment) {
            // The window library ends the process with a panic when there is no display.
            return Err("there is no screen here (neither DISPLAY nor WAYLAND_DISPLAY is set). \
                        Use the command line program instead: kiro-proxy serve"
                .to_owned());
        }
        kiro_gateway::check_environment(names).map_err(|error| error.to_string())?;
        let mut options = Options::from_env(environment).map_err(|error| error.to_string())?;
        options.log = LogChoice::File;
        options.sign_in_windows = true;
        Ok(Self::Run(Box::new(Start { hidden, options, locale: sys_locale::get_locale() })))
    }
}

fn has_display(environment: &dyn Fn(&str) -> Option<String>) -> bool {
    ["DISPLAY", "WAYLAND_DISPLAY"].iter().any(|name| environment(name).is_some_and(|value| !value.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(arguments: &[&str], environment: &[(&str, &str)]) -> Result<Launch, String> {
        let value =
            |name: &str| environment.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        let names = environment.iter().map(|(name, _)| (*name).to_owned());
        Launch::read(arguments.iter().map(|&text| text.to_owned()), &value, names)
    }

    #[test]
    fn starts_with_a_window_unless_told_otherwise() {
        for (arguments, hidden) in [(&[][..], false), (&["--hidden"][..], true)] {
            match read(arguments, &[("DISPLAY", ":0")]) {
                Ok(Launch::Run(start)) => assert_eq!(start.hidden, hidden),
                Ok(Launch::Say(text)) => panic!("said {text}"),
                Err(reason) => panic!("{reason}"),
            }
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn without_a_screen_it_names_the_program_that_needs_none() {
        for environment in [&[][..], &[("DISPLAY", "")][..]] {
            let reason = read(&[], environment).err().unwrap();
            assert!(reason.contains("kiro-proxy serve"), "{reason}");
        }
        assert!(read(&[], &[("WAYLAND_DISPLAY", "wayland-0")]).is_ok());
    }

    #[test]
    fn an_unknown_argument_is_named() {
        assert!(read(&["--hiden"], &[("DISPLAY", ":0")]).err().unwrap().contains("--hiden"));
    }

    #[test]
    fn an_endpoint_outside_this_machine_is_refused_before_anything_starts() {
        let outside = [("DISPLAY", ":0"), ("KIRO_PROXY_ENDPOINTS", "http://192.0.2.1:9")];
        assert!(read(&[], &outside).err().unwrap().contains("KIRO_PROXY_ENDPOINTS"));
    }

    #[test]
    fn a_mistyped_setting_is_named() {
        let mistyped = [("DISPLAY", ":0"), ("KIRO_PROXY__LISTENER__PROT", "9000")];
        assert!(read(&[], &mistyped).err().unwrap().contains("KIRO_PROXY__LISTENER__PROT"));
        assert!(read(&[], &[("DISPLAY", ":0"), ("KIRO_PROXY__LISTENER__PORT", "9000")]).is_ok());
    }

    #[test]
    fn the_version_is_answered_without_a_screen() {
        assert!(matches!(read(&["--version"], &[]), Ok(Launch::Say(text)) if text.contains(env!("CARGO_PKG_VERSION"))));
    }
}
