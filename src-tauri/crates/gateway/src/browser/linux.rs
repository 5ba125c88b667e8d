//! Browsers of a Linux desktop: desktop entries (packages, Flatpak, Snap) first, then programs in `PATH`.
//!
//! Format: freedesktop.org Desktop Entry Specification 1.5 ("The Exec key"); MIME Applications 1.0.1 for the default.

use super::launch::Launch;
use super::{Browser, BrowserKind, Desktop};
use std::path::{Path, PathBuf};

/// All that can be found, several of a kind included.
pub(super) fn find(desktop: &Desktop) -> Vec<Browser> {
    let default = default_entry(desktop);
    let mut found = Vec::new();
    for kind in BrowserKind::ALL {
        for name in kind.entries() {
            let launch = desktop.data.iter().find_map(|folder| read_entry(desktop, folder, name));
            let is_default = default.as_deref() == Some(name);
            found.extend(launch.map(|launch| Browser { kind, default: is_default, launch }));
        }
        let program = kind.programs().iter().find_map(|name| in_path(desktop, name));
        found.extend(program.and_then(|path| path.to_str().map(|path| Launch::new(path, &[]))).map(|launch| Browser {
            kind,
            default: false,
            launch,
        }));
    }
    found
}

fn read_entry(desktop: &Desktop, folder: &Path, name: &str) -> Option<Launch> {
    let text = std::fs::read_to_string(folder.join(format!("applications/{name}.desktop"))).ok()?;
    let launch = command(&text)?;
    // An entry may outlive its program.
    runs(desktop, launch.program()).then_some(launch)
}

/// The command of a desktop entry, without the places for addresses. `None` for a hidden entry.
fn command(text: &str) -> Option<Launch> {
    let mut inside = false;
    let mut exec = None;
    for line in text.lines().map(str::trim) {
        if line.starts_with('[') {
            inside = line == "[Desktop Entry]";
        } else if inside {
            match line.split_once('=').map(|(key, value)| (key.trim(), value.trim())) {
                Some(("Hidden", "true")) => return None,
                Some(("Exec", value)) => exec = Some(value),
                Some(_) | None => {}
            }
        }
    }
    Launch::from_words(words(exec?)?)
}

/// Splits an Exec value by its quoting rules and drops its field codes. `None` when a quote stays open.
fn words(exec: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quoted = false;
    // The value is a string first: its backslashes are escaped once more.
    let unescaped = exec.replace("\\\\", "\\");
    let mut chars = unescaped.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            '\\' if quoted => word.get_or_insert_default().extend(chars.next()),
            ' ' | '\t' if !quoted => words.extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
    }
    if quoted {
        return None;
    }
    words.extend(word);
    // Flatpak brackets the places for files with @@ and @@u.
    let is_place = |word: &String| (word.starts_with('%') && word.len() == 2) || word.starts_with("@@");
    words.retain(|word| !is_place(word));
    Some(words)
}

/// Whether the program of a command is there.
fn runs(desktop: &Desktop, program: &str) -> bool {
    if program.contains('/') { is_program(Path::new(program)) } else { in_path(desktop, program).is_some() }
}

fn in_path(desktop: &Desktop, name: &str) -> Option<PathBuf> {
    desktop.programs.iter().map(|folder| folder.join(name)).find(|path| is_program(path))
}

#[cfg(unix)]
fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    path.is_absolute() && path.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_program(path: &Path) -> bool {
    path.is_absolute() && path.is_file()
}

/// The name of the desktop entry in which links open, without `.desktop`.
fn default_entry(desktop: &Desktop) -> Option<String> {
    let lists = desktop.config.iter().map(|folder| folder.join("mimeapps.list"));
    let old = desktop.data.iter().map(|folder| folder.join("applications/mimeapps.list"));
    lists.chain(old).find_map(|path| default_in(&std::fs::read_to_string(path).ok()?))
}

fn default_in(list: &str) -> Option<String> {
    let mut inside = false;
    for line in list.lines().map(str::trim) {
        if line.starts_with('[') {
            inside = line == "[Default Applications]";
        } else if inside && let Some(value) = line.strip_prefix("x-scheme-handler/https=") {
            return value.split(';').find_map(|entry| entry.trim().strip_suffix(".desktop")).map(str::to_owned);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_of_an_entry_loses_its_places_for_addresses() {
        for (exec, expected) in [
            ("/usr/bin/chromium %U", vec!["/usr/bin/chromium"]),
            (
                "env BAMF_DESKTOP_FILE_HINT=/var/lib/x.desktop /snap/bin/firefox %u",
                vec!["env", "BAMF_DESKTOP_FILE_HINT=/var/lib/x.desktop", "/snap/bin/firefox"],
            ),
            (
                "/usr/bin/flatpak run --branch=stable --command=/app/bin/chrome --file-forwarding com.google.Chrome @@u %U @@",
                vec![
                    "/usr/bin/flatpak",
                    "run",
                    "--branch=stable",
                    "--command=/app/bin/chrome",
                    "--file-forwarding",
                    "com.google.Chrome",
                ],
            ),
            (r#""/opt/A \\"B\\"/vivaldi" --x="1" %U"#, vec![r#"/opt/A "B"/vivaldi"#, "--x=1"]),
        ] {
            let entry = format!("[Desktop Entry]\nType=Application\nExec={exec}\n[Desktop Action new]\nExec=other\n");
            assert_eq!(command(&entry).unwrap().words(), expected, "{exec}");
        }
        assert_eq!(command("[Desktop Entry]\nExec=\"open\n"), None);
        assert_eq!(command("[Desktop Entry]\nHidden=true\nExec=x\n"), None);
        assert_eq!(command("Exec=outside\n"), None);
    }

    #[test]
    fn the_default_browser_is_read_from_its_own_section() {
        let list = "[Added Associations]\nx-scheme-handler/https=opera.desktop;\n[Default Applications]\ntext/html=a.desktop\nx-scheme-handler/https=firefox.desktop;chromium.desktop\n";
        assert_eq!(default_in(list).as_deref(), Some("firefox"));
        assert_eq!(default_in("[Added Associations]\nx-scheme-handler/https=opera.desktop\n"), None);
    }
}
