//! Browsers of Windows: the programs that registered for the start menu (`Software\Clients\StartMenuInternet`), for
//! this person and for everybody.

use super::launch::Launch;
use super::{Browser, BrowserKind};

/// One registered program.
#[derive(Debug, Clone)]
pub(super) struct Registered {
    /// Name of its key, such as `Google Chrome` or `Firefox-308046B0AF4A39CB`.
    pub(super) key: String,
    /// The default value of `shell\open\command`.
    pub(super) command: String,
    /// The `ProgId` it takes `https` with, where it says.
    pub(super) prog_id: Option<String>,
}

/// All that can be found.
#[cfg(windows)]
pub(super) fn find() -> Vec<Browser> {
    use windows_registry::{CURRENT_USER, LOCAL_MACHINE};
    const CLIENTS: &str = r"Software\Clients\StartMenuInternet";
    const CHOICE: &str = r"Software\Microsoft\Windows\Shell\Associations\UrlAssociations\https\UserChoice";
    let mut registered = Vec::new();
    for root in [CURRENT_USER, LOCAL_MACHINE] {
        let Ok(clients) = root.open(CLIENTS) else { continue };
        let Ok(keys) = clients.keys() else { continue };
        for key in keys {
            let command = clients.open(format!(r"{key}\shell\open\command")).and_then(|command| command.get_string(""));
            let taken = clients.open(format!(r"{key}\Capabilities\URLAssociations"));
            let prog_id = taken.and_then(|taken| taken.get_string("https")).ok();
            registered.extend(command.ok().map(|command| Registered { key, command, prog_id }));
        }
    }
    let default = CURRENT_USER.open(CHOICE).and_then(|choice| choice.get_string("ProgId")).ok();
    read(&registered, default.as_deref())
}

/// The browsers among registered programs; `default` is the `ProgId` in which links open.
pub(super) fn read(registered: &[Registered], default: Option<&str>) -> Vec<Browser> {
    registered
        .iter()
        .filter_map(|entry| {
            let program = program(&entry.command)?;
            let kind = kind(program, &entry.key)?;
            let is_default = default.is_some() && entry.prog_id.as_deref() == default;
            Some(Browser { kind, default: is_default, launch: Launch::new(program, &[]) })
        })
        .collect()
}

/// The path of the program in a command, which may be quoted and have arguments.
fn program(command: &str) -> Option<&str> {
    let command = command.trim();
    let path = match command.strip_prefix('"') {
        Some(rest) => rest.split('"').next()?,
        // Unquoted commands of this key are a bare path, spaces included.
        None => &command[..command.to_ascii_lowercase().find(".exe")? + ".exe".len()],
    };
    path.to_ascii_lowercase().ends_with(".exe").then_some(path)
}

/// Chrome and Chromium share the name of their program.
fn kind(program: &str, key: &str) -> Option<BrowserKind> {
    let path = program.to_ascii_lowercase();
    let name = path.rsplit(['\\', '/']).next()?;
    match name {
        "chrome.exe" if path.contains(r"\chromium\") || key.starts_with("Chromium") => Some(BrowserKind::Chromium),
        "chrome.exe" => Some(BrowserKind::Chrome),
        "firefox.exe" => Some(BrowserKind::Firefox),
        "msedge.exe" => Some(BrowserKind::Edge),
        "brave.exe" => Some(BrowserKind::Brave),
        "opera.exe" => Some(BrowserKind::Opera),
        "launcher.exe" if key.starts_with("Opera") => Some(BrowserKind::Opera),
        "vivaldi.exe" => Some(BrowserKind::Vivaldi),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registered(key: &str, command: &str, prog_id: Option<&str>) -> Registered {
        Registered { key: key.to_owned(), command: command.to_owned(), prog_id: prog_id.map(str::to_owned) }
    }

    #[test]
    fn registered_programs_are_told_apart_by_path_and_key() {
        let entries = [
            registered(
                "Google Chrome",
                r#""C:\Program Files\Google\Chrome\Application\chrome.exe""#,
                Some("ChromeHTML"),
            ),
            registered("Chromium.XYZ", r#""C:\Users\p\AppData\Local\Chromium\Application\chrome.exe""#, None),
            registered(
                "Firefox-308046B0AF4A39CB",
                r"C:\Program Files\Mozilla Firefox\firefox.exe",
                Some("FirefoxURL-308046B0AF4A39CB"),
            ),
            registered("OperaStable", r#""C:\Users\p\AppData\Local\Programs\Opera\Launcher.exe""#, None),
            registered("IEXPLORE.EXE", r"C:\Program Files\Internet Explorer\iexplore.exe", None),
            registered("Broken", "", None),
        ];
        let found = read(&entries, Some("FirefoxURL-308046B0AF4A39CB"));
        let kinds: Vec<(BrowserKind, bool)> = found.iter().map(|browser| (browser.kind, browser.default)).collect();
        assert_eq!(
            kinds,
            [
                (BrowserKind::Chrome, false),
                (BrowserKind::Chromium, false),
                (BrowserKind::Firefox, true),
                (BrowserKind::Opera, false)
            ]
        );
        assert_eq!(
            found[2].launch(true).words(),
            [r"C:\Program Files\Mozilla Firefox\firefox.exe", "--private-window"]
        );
        assert!(read(&entries, None).iter().all(|browser| !browser.default));
    }
}
