//! The browsers that are told apart, and how each is asked for a private window.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A browser we know by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum BrowserKind {
    /// Google Chrome.
    Chrome,
    /// Chromium.
    Chromium,
    /// Mozilla Firefox.
    Firefox,
    /// Microsoft Edge.
    Edge,
    /// Brave.
    Brave,
    /// Opera.
    Opera,
    /// Vivaldi.
    Vivaldi,
}

impl BrowserKind {
    /// In the order people see them.
    pub const ALL: [Self; 7] =
        [Self::Chrome, Self::Chromium, Self::Firefox, Self::Edge, Self::Brave, Self::Opera, Self::Vivaldi];

    /// Its id in the admin API and in settings.
    pub fn id(self) -> &'static str {
        match self {
            Self::Chrome => "chrome",
            Self::Chromium => "chromium",
            Self::Firefox => "firefox",
            Self::Edge => "edge",
            Self::Brave => "brave",
            Self::Opera => "opera",
            Self::Vivaldi => "vivaldi",
        }
    }

    /// Its name for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Chrome => "Google Chrome",
            Self::Chromium => "Chromium",
            Self::Firefox => "Firefox",
            Self::Edge => "Microsoft Edge",
            Self::Brave => "Brave",
            Self::Opera => "Opera",
            Self::Vivaldi => "Vivaldi",
        }
    }

    /// The argument before the address that opens a private window.
    pub(super) fn private_flag(self) -> &'static str {
        match self {
            Self::Chrome | Self::Chromium | Self::Brave | Self::Vivaldi => "--incognito",
            Self::Firefox => "--private-window",
            Self::Edge => "--inprivate",
            Self::Opera => "--private",
        }
    }

    /// Names of its desktop entries without `.desktop`: of packages, Flatpak and Snap (Linux).
    #[cfg(any(target_os = "linux", test))]
    pub(super) fn entries(self) -> &'static [&'static str] {
        match self {
            Self::Chrome => &["google-chrome", "google-chrome-stable", "com.google.Chrome"],
            Self::Chromium => &["chromium", "chromium-browser", "org.chromium.Chromium", "chromium_chromium"],
            Self::Firefox => &["firefox", "firefox-esr", "org.mozilla.firefox", "firefox_firefox"],
            Self::Edge => &["microsoft-edge", "com.microsoft.Edge"],
            Self::Brave => &["brave-browser", "com.brave.Browser", "brave_brave"],
            Self::Opera => &["opera", "com.opera.Opera", "opera_opera"],
            Self::Vivaldi => &["vivaldi-stable", "com.vivaldi.Vivaldi", "vivaldi_vivaldi"],
        }
    }

    /// Names of its program (Linux).
    #[cfg(any(target_os = "linux", test))]
    pub(super) fn programs(self) -> &'static [&'static str] {
        match self {
            Self::Chrome => &["google-chrome-stable", "google-chrome"],
            Self::Chromium => &["chromium", "chromium-browser"],
            Self::Firefox => &["firefox", "firefox-esr"],
            Self::Edge => &["microsoft-edge-stable", "microsoft-edge"],
            Self::Brave => &["brave-browser-stable", "brave-browser", "brave"],
            Self::Opera => &["opera-stable", "opera"],
            Self::Vivaldi => &["vivaldi-stable", "vivaldi"],
        }
    }

    /// The name of its application bundle (macOS).
    #[cfg(any(target_os = "macos", test))]
    pub(super) fn bundle(self) -> &'static str {
        match self {
            Self::Chrome => "Google Chrome.app",
            Self::Chromium => "Chromium.app",
            Self::Firefox => "Firefox.app",
            Self::Edge => "Microsoft Edge.app",
            Self::Brave => "Brave Browser.app",
            Self::Opera => "Opera.app",
            Self::Vivaldi => "Vivaldi.app",
        }
    }
}
