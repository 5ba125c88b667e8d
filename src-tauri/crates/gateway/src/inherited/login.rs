//! Logins that the predecessor's environment names: shared with the program whose file it is.

use super::value;
use crate::account::LinkOwner;
use std::path::PathBuf;

/// A login in a file of another program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GivenLogin {
    /// The name that names it.
    pub(crate) name: &'static str,
    pub(crate) owner: LinkOwner,
    pub(crate) path: PathBuf,
    /// Whether rotated tokens are written into that file.
    pub(crate) write_back: bool,
    /// Region of the identity instance, where the file says none.
    pub(crate) region: Option<String>,
    /// Region of the service, where the file says none.
    pub(crate) api_region: Option<String>,
    /// The profile, where the file says none.
    pub(crate) profile_arn: Option<String>,
}

/// The logins that are named.
pub(super) fn given(env: &dyn Fn(&str) -> Option<String>) -> Vec<GivenLogin> {
    let places =
        [("KIRO_CREDS_FILE", LinkOwner::KiroIde, false), ("KIRO_CLI_DB_FILE", LinkOwner::KiroCli, may_write(env))];
    let login = |(name, owner, write_back): (&'static str, LinkOwner, bool)| {
        Some(GivenLogin {
            name,
            owner,
            path: PathBuf::from(env(name)?),
            write_back,
            region: env("KIRO_REGION"),
            api_region: env("KIRO_API_REGION"),
            profile_arn: env("KIRO_PROFILE_ARN"),
        })
    };
    places.into_iter().filter_map(login).collect()
}

/// Nothing is written into another program's database unless somebody says so.
fn may_write(env: &dyn Fn(&str) -> Option<String>) -> bool {
    env("KIRO_SQLITE_READONLY").is_some_and(|text| value::is_off(&text))
}
