//! `kiro-proxy proxy`: the login at the proxy of the settings. It is asked for, never an argument.

use clap::Subcommand;

use super::Json;

#[derive(Debug, Subcommand)]
#[command(
    after_help = "The proxy itself is the setting network.proxy. Everything goes through it or is not sent; accounts may have one of their own\n(`kiro-proxy accounts proxy`)."
)]
pub(crate) enum Proxy {
    /// Which proxy everything goes through, and whether a login for it is kept
    Show(Json),
    /// Keep a user name and password for it: asked for as `user:password` (piped input: one line), kept where secrets are
    Login(Json),
    /// Forget them
    Logout(Json),
    /// Try the way to the service, without any credential of an account
    Test(Json),
}
