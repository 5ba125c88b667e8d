//! Web browsers of this machine: which there are, which of them open a private window, and opening a sign-in page in one.
//!
//! Only sign-in pages of the compiled list are ever opened ([`address`]), parsed and written anew, as one argument of a
//! program, without a shell. On a machine without a screen nothing is found and nothing is opened.

mod address;
mod kind;
mod launch;
#[cfg(any(target_os = "linux", test))]
mod linux;
#[cfg(any(target_os = "macos", test))]
mod macos;
#[cfg(any(windows, test))]
mod windows;

pub use address::{AddressError, SignInPages};
pub use kind::BrowserKind;

use launch::{Launch, LaunchError};
use std::collections::HashSet;
use std::path::PathBuf;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use url::Url;

/// What of the environment decides about browsers; read once, at the edge. The default finds and opens nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Desktop {
    /// Whether there is a screen that a window can appear on.
    pub display: bool,
    /// Folders in which programs are looked for (`PATH`).
    pub programs: Vec<PathBuf>,
    /// Folders with an `applications` folder in them, strongest first (XDG base directories; Linux).
    pub data: Vec<PathBuf>,
    /// Folders with a `mimeapps.list` in them, strongest first (XDG base directories; Linux).
    pub config: Vec<PathBuf>,
    /// The person's home.
    pub home: Option<PathBuf>,
}

impl Desktop {
    /// Reads it through `env`.
    pub fn from_env(env: &dyn Fn(&str) -> Option<String>) -> Self {
        let said = |name: &str| env(name).filter(|value| !value.is_empty());
        let home = said(if cfg!(windows) { "USERPROFILE" } else { "HOME" }).map(PathBuf::from);
        // A relative folder would depend on where the program was started.
        let folders = |list: String| std::env::split_paths(&list).filter(|path| path.is_absolute()).collect::<Vec<_>>();
        let under_home = |rest: &str| home.as_ref().map(|home| home.join(rest));
        let own_data = said("XDG_DATA_HOME").map(PathBuf::from).or_else(|| under_home(".local/share"));
        let own_config = said("XDG_CONFIG_HOME").map(PathBuf::from).or_else(|| under_home(".config"));
        let mut data: Vec<PathBuf> = own_data.iter().cloned().collect();
        data.extend(folders(said("XDG_DATA_DIRS").unwrap_or_else(|| "/usr/local/share:/usr/share".to_owned())));
        // Some sessions do not name these.
        data.extend(own_data.map(|own| own.join("flatpak/exports/share")));
        data.extend(["/var/lib/flatpak/exports/share", "/var/lib/snapd/desktop"].map(PathBuf::from));
        let mut config: Vec<PathBuf> = own_config.into_iter().collect();
        config.extend(folders(said("XDG_CONFIG_DIRS").unwrap_or_else(|| "/etc/xdg".to_owned())));
        let display = if cfg!(target_os = "linux") {
            said("DISPLAY").or_else(|| said("WAYLAND_DISPLAY")).is_some()
        } else {
            // Over a remote shell nobody sees this machine's screen.
            said("SSH_CONNECTION").is_none()
        };
        Self { display, programs: folders(said("PATH").unwrap_or_default()), data, config, home }
    }
}

/// One browser of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Browser {
    /// Which one; there is at most one of a kind.
    pub kind: BrowserKind,
    /// Whether links open in it.
    pub default: bool,
    launch: Launch,
}

/// Why no page was opened.
#[derive(Debug, thiserror::Error)]
pub enum BrowserError {
    /// The address is not one that may be opened.
    #[error("this address is never opened: {0}")]
    Address(#[from] AddressError),
    /// There is no screen here.
    #[error("there is no screen on this machine")]
    NoDisplay,
    /// No browser of that name was found.
    #[error("the browser {0:?} was not found on this machine")]
    Unknown(String),
    /// No browser was found that can be told to open a private window.
    #[error("no browser was found that can open a private window")]
    NoPrivateWindow,
    /// The program could not be started, or ended at once with a failure.
    #[error("the browser could not be started: {0}")]
    Start(String),
}

impl BrowserError {
    /// Stable name for faces.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Address(_) => "address_refused",
            Self::NoDisplay => "no_display",
            Self::Unknown(_) => "unknown_browser",
            Self::NoPrivateWindow => "no_private_window",
            Self::Start(_) => "not_started",
        }
    }

    /// What a person can do.
    pub fn action(&self) -> &'static str {
        match self {
            Self::Address(_) => "Start the sign-in again.",
            Self::NoDisplay => "Copy the link and open it on a device with a browser.",
            Self::Unknown(_) => "Choose another browser, or copy the link.",
            Self::NoPrivateWindow => "Open it without a private window, or copy the link into one.",
            Self::Start(_) => "Copy the link and open it yourself.",
        }
    }
}

/// Finds browsers and opens sign-in pages in them.
pub(crate) struct Browsers {
    desktop: Desktop,
    pages: SignInPages,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Browsers {
    /// `pages` says which addresses may be opened; started programs are waited for in `tasks` until `stop`.
    pub(crate) fn new(desktop: Desktop, pages: SignInPages, tasks: TaskTracker, stop: CancellationToken) -> Self {
        Self { desktop, pages, tasks, stop }
    }

    /// Whether a window can appear on this machine's screen.
    pub(crate) fn has_display(&self) -> bool {
        self.desktop.display
    }

    /// The browsers of this machine, in a fixed order. Looks anew each time: people install browsers.
    pub(crate) async fn detect(&self) -> Vec<Browser> {
        let desktop = self.desktop.clone();
        tokio::task::spawn_blocking(move || detect(&desktop)).await.unwrap_or_default()
    }

    /// Opens a sign-in page. `id` is a [`BrowserKind`]'s name; without one it is the system's default browser, or, for a
    /// private window, the first one that has them.
    pub(crate) async fn open(&self, url: &Url, id: Option<&str>, private: bool) -> Result<(), BrowserError> {
        let address = self.pages.check(url)?;
        if !self.has_display() {
            return Err(BrowserError::NoDisplay);
        }
        let launch = match (id, private) {
            (None, false) => match self.system_opener() {
                Some(opener) => opener,
                None => self
                    .usual()
                    .await
                    .ok_or_else(|| BrowserError::Start("xdg-open is missing".to_owned()))?
                    .launch(false),
            },
            (None, true) => self.usual().await.ok_or(BrowserError::NoPrivateWindow)?.launch(true),
            (Some(id), private) => {
                let found = self.detect().await.into_iter().find(|browser| browser.kind.id() == id);
                found.ok_or_else(|| BrowserError::Unknown(id.to_owned()))?.launch(private)
            }
        };
        launch.start(&address, &self.tasks, &self.stop).await.map_err(|LaunchError(reason)| BrowserError::Start(reason))
    }

    /// The browser in which links open, as far as it is known; else the first one.
    async fn usual(&self) -> Option<Browser> {
        let found = self.detect().await;
        found.iter().find(|browser| browser.default).or_else(|| found.first()).cloned()
    }

    /// What opens a link the way the person's system does.
    fn system_opener(&self) -> Option<Launch> {
        if cfg!(target_os = "macos") {
            Some(Launch::new("/usr/bin/open", &[]))
        } else if cfg!(windows) {
            Some(Launch::new("rundll32.exe", &["url.dll,FileProtocolHandler"]))
        } else {
            let mut places = self.desktop.programs.iter().map(|folder| folder.join("xdg-open"));
            Some(Launch::new(places.find(|path| path.is_file())?.to_str()?, &[]))
        }
    }
}

impl Browser {
    /// Whether it can be told to open a private window.
    pub fn has_private_window(&self) -> bool {
        !self.kind.private_flag().is_empty()
    }

    fn launch(&self, private: bool) -> Launch {
        let flag = private.then(|| self.kind.private_flag());
        self.launch.clone().with(flag)
    }
}

/// At most one of each kind, in the order of [`BrowserKind::ALL`].
fn detect(desktop: &Desktop) -> Vec<Browser> {
    if !desktop.display {
        return Vec::new();
    }
    #[cfg(target_os = "linux")]
    let found = linux::find(desktop);
    #[cfg(target_os = "macos")]
    let found = macos::find(desktop);
    #[cfg(windows)]
    let found = windows::find();
    #[cfg(not(any(target_os = "linux", target_os = "macos", windows)))]
    let found: Vec<Browser> = Vec::new();
    one_of_each(found)
}

/// The first of each kind; one that links open in comes before the others of its kind.
fn one_of_each(mut found: Vec<Browser>) -> Vec<Browser> {
    found.sort_by_key(|browser| (BrowserKind::ALL.iter().position(|kind| *kind == browser.kind), !browser.default));
    let mut seen = HashSet::new();
    found.retain(|browser| seen.insert(browser.kind));
    found
}

#[cfg(test)]
mod tests;
