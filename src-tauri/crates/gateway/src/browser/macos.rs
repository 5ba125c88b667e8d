//! Browsers of macOS: application bundles in the two usual folders. Which one links open in is only told by an
//! interface of the system without a safe binding, so none is marked; without a choice the system opens the link itself.

#[cfg(target_os = "macos")]
use super::Desktop;
use super::launch::Launch;
use super::{Browser, BrowserKind};
use std::path::{Path, PathBuf};

/// All that can be found.
#[cfg(target_os = "macos")]
pub(super) fn find(desktop: &Desktop) -> Vec<Browser> {
    let own = desktop.home.as_ref().map(|home| home.join("Applications"));
    let folders: Vec<PathBuf> = std::iter::once(PathBuf::from("/Applications")).chain(own).collect();
    find_in(&folders)
}

fn find_in(folders: &[PathBuf]) -> Vec<Browser> {
    let bundle = |kind: BrowserKind| folders.iter().map(|folder| folder.join(kind.bundle())).find(|path| path.is_dir());
    BrowserKind::ALL
        .into_iter()
        .filter_map(|kind| Some(Browser { kind, default: false, launch: launch(&bundle(kind)?)? }))
        .collect()
}

/// `open` hands arguments only to a new instance (`-n`); the browsers pass them on to the one that runs.
fn launch(bundle: &Path) -> Option<Launch> {
    Some(Launch::new("/usr/bin/open", &["-n", "-a", bundle.to_str()?, "--args"]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bundles_are_found_by_name_in_both_folders() {
        let (system, own) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::create_dir(system.path().join("Firefox.app")).unwrap();
        std::fs::create_dir(own.path().join("Google Chrome.app")).unwrap();
        let found = find_in(&[system.path().to_owned(), own.path().to_owned()]);
        let kinds: Vec<BrowserKind> = found.iter().map(|browser| browser.kind).collect();
        assert_eq!(kinds, [BrowserKind::Chrome, BrowserKind::Firefox]);
        let chrome = own.path().join("Google Chrome.app");
        assert_eq!(
            found[0].launch(true).words(),
            ["/usr/bin/open", "-n", "-a", chrome.to_str().unwrap(), "--args", "--incognito"]
        );
    }
}
