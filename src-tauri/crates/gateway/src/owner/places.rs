//! Where the programs keep their logins on each system.

use std::path::{Path, PathBuf};

use super::kiro_proxy;
use crate::account::{Link, LinkOwner};

/// A family of operating systems, as far as places differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum System {
    /// Linux and other Unix systems.
    Linux,
    /// macOS.
    Mac,
    /// Windows.
    Windows,
}

impl System {
    /// The one this program was built for.
    pub const fn here() -> Self {
        if cfg!(target_os = "macos") {
            Self::Mac
        } else if cfg!(windows) {
            Self::Windows
        } else {
            Self::Linux
        }
    }
}

/// The folders of a user below which programs keep their state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bases {
    /// The home folder.
    pub home: PathBuf,
    /// State that stays on this machine.
    pub local: PathBuf,
    /// State that follows the user between machines; the same as `local` outside Windows.
    pub roaming: PathBuf,
}

impl Bases {
    /// The usual folders below `home`.
    pub fn below(home: &Path, system: System) -> Self {
        let join = |parts: &[&str]| parts.iter().fold(home.to_path_buf(), |path, part| path.join(part));
        let (local, roaming) = match system {
            System::Linux => (join(&[".local", "share"]), join(&[".local", "share"])),
            System::Mac => (join(&["Library", "Application Support"]), join(&["Library", "Application Support"])),
            System::Windows => (join(&["AppData", "Local"]), join(&["AppData", "Roaming"])),
        };
        Self { home: home.to_path_buf(), local, roaming }
    }

    /// This user's, as the system names them; `None` for a user without a home.
    pub fn of_this_user() -> Option<Self> {
        let found = directories::BaseDirs::new()?;
        Some(Self {
            home: found.home_dir().to_path_buf(),
            local: found.data_local_dir().to_path_buf(),
            roaming: found.data_dir().to_path_buf(),
        })
    }
}

/// Every place where a login may be kept on this machine, whether it is there or not; the original KiroProxy's own list says where
/// its logins are. `home` replaces this user's own. Blocks on the file system.
pub fn places(home: Option<&Path>) -> Vec<Link> {
    let bases = match home {
        Some(home) => Some(Bases::below(home, System::here())),
        None => Bases::of_this_user(),
    };
    bases.map(|bases| places_of(&bases).into_iter().chain(listed(&bases)).collect()).unwrap_or_default()
}

/// What the original KiroProxy's list names and no other program has. A list that cannot be read stands for itself, so that whoever
/// reads the places meets the reason.
fn listed(bases: &Bases) -> Vec<Link> {
    let list = kiro_proxy::list_of(&bases.home);
    let files = kiro_proxy::token_files(&list, &bases.home).unwrap_or_else(|_| vec![list]);
    let ide = token_of_the_ide(&bases.home);
    let own = files.into_iter().filter(|path| *path != ide);
    own.map(|path| Link::new(LinkOwner::KiroProxy, path.to_string_lossy())).collect()
}

fn token_of_the_ide(home: &Path) -> PathBuf {
    home.join(".aws").join("sso").join("cache").join("kiro-auth-token.json")
}

/// Where the IDE notes its active profile, when `token_file` is the IDE's own: the id of its extension is written in two ways.
pub(super) fn ide_profiles(token_file: &Path, system: System) -> Vec<PathBuf> {
    let Some(home) = token_file.ancestors().nth(4).filter(|home| token_of_the_ide(home) == token_file) else {
        return Vec::new();
    };
    let data = match system {
        System::Linux => home.join(".config").join("Kiro"),
        System::Mac => home.join("Library").join("Application Support").join("Kiro"),
        System::Windows => home.join("AppData").join("Roaming").join("Kiro"),
    };
    let storage = data.join("User").join("globalStorage");
    ["kiro.kiroagent", "kiro.kiro-agent"].iter().map(|folder| storage.join(folder).join("profile.json")).collect()
}

/// Every place below these folders that is always the same.
pub fn places_of(bases: &Bases) -> Vec<Link> {
    let mut places = vec![(LinkOwner::KiroIde, token_of_the_ide(&bases.home))];
    for (owner, folder) in [(LinkOwner::KiroCli, "kiro-cli"), (LinkOwner::AmazonQ, "amazon-q")] {
        for base in [&bases.local, &bases.roaming] {
            let place = (owner, base.join(folder).join("data.sqlite3"));
            if !places.contains(&place) {
                places.push(place);
            }
        }
    }
    places.into_iter().map(|(owner, path)| Link::new(owner, path.to_string_lossy())).collect()
}
