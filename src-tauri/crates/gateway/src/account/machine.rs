//! The machine id in the user agent: one value per installation, made once and kept. An imported account keeps its own. It
//! never follows a token's rotation and is never changed to look like another machine.

use std::io;

use super::hex;
use crate::data_dir::DataDir;
use sha2::{Digest as _, Sha256};

const FILE: &str = "machine-id";

/// This installation's machine id: 64 lower-case hex digits, kept in the data directory.
///
/// It is made once, from the operating system's own id (`of_system`) as the Kiro IDE makes its own; a system without one, such
/// as a container, gets a random value.
pub fn installation_machine_id(dir: &DataDir, of_system: impl FnOnce() -> Option<String>) -> io::Result<String> {
    for found in [dir.read(FILE)?, dir.read_previous(FILE)?].into_iter().flatten() {
        if let Some(id) = String::from_utf8(found).ok().and_then(|text| normal_machine_id(text.trim())) {
            return Ok(id);
        }
    }
    let id = of_system().as_deref().and_then(derived).unwrap_or_else(random);
    dir.replace(FILE, format!("{id}\n").as_bytes())?;
    Ok(id)
}

/// What the operating system calls this machine: `MachineGuid` of Windows, `IOPlatformUUID` of macOS, `/etc/machine-id` of
/// Linux.
pub fn system_machine_id() -> Option<String> {
    machine_uid::get().ok()
}

/// SHA-256 of the system's id in lower case, as the Kiro IDE writes it. `None` for an id that is no one machine's.
fn derived(system: &str) -> Option<String> {
    let system = system.trim().to_lowercase();
    let digits = system.chars().filter(char::is_ascii_hexdigit).collect::<Vec<_>>();
    // Images are delivered with an empty or a zero id, or with the word "uninitialized".
    let is_one_machine = digits.len() >= 16 && digits.iter().any(|digit| *digit != digits[0]);
    is_one_machine.then(|| hex(&Sha256::digest(system.as_bytes())))
}

fn random() -> String {
    let mut random = [0_u8; 32];
    rand::fill(&mut random[..]);
    hex(&random)
}

/// A machine id as programs write it: 64 hex digits, or a UUID, whose 32 digits are written twice.
pub fn normal_machine_id(text: &str) -> Option<String> {
    let is_hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if text.len() == 64 && is_hex(text) {
        return Some(text.to_ascii_lowercase());
    }
    let uuid = uuid::Uuid::try_parse(text).ok()?.simple().to_string();
    Some(format!("{uuid}{uuid}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(system: Option<&str>) -> (tempfile::TempDir, DataDir, String) {
        let root = tempfile::tempdir().expect("temp dir");
        let dir = DataDir::open(Some(root.path().join("state"))).expect("opens");
        let id = installation_machine_id(&dir, || system.map(str::to_owned)).expect("makes one");
        (root, dir, id)
    }

    #[test]
    fn an_installation_keeps_its_machine_id_also_when_the_system_gets_another() {
        let (_root, dir, first) = made(Some("0f1e2d3c4b5a69788796a5b4c3d2e1f0"));
        let other = || Some("ffffffff4b5a69788796a5b4c3d2e1f0".to_owned());
        assert_eq!(installation_machine_id(&dir, other).expect("reads it"), first);
    }

    #[test]
    fn it_is_derived_from_the_systems_id_as_the_ide_does_it() {
        for written in ["0f1e2d3c4b5a69788796a5b4c3d2e1f0", " 0F1E2D3C4B5A69788796A5B4C3D2E1F0\n"] {
            assert_eq!(made(Some(written)).2, "a1bf4dc2c0cea821798c38e16fcc1667d6f0504afa821b181672035fc5967890");
        }
    }

    #[test]
    fn a_system_without_an_id_of_its_own_gets_a_random_one() {
        for system in [None, Some(""), Some("uninitialized"), Some("00000000000000000000000000000000")] {
            let (first, second) = (made(system).2, made(system).2);
            assert_ne!(first, second, "{system:?}");
            assert_eq!(normal_machine_id(&first).as_deref(), Some(&*first));
        }
    }

    #[test]
    fn a_uuid_is_doubled_and_rubbish_is_refused() {
        assert_eq!(
            normal_machine_id("2f1b3c4d-5e6f-4a7b-8c9d-0e1f2a3b4c5d").as_deref(),
            Some("2f1b3c4d5e6f4a7b8c9d0e1f2a3b4c5d2f1b3c4d5e6f4a7b8c9d0e1f2a3b4c5d")
        );
        for bad in ["", "xyz", &"g".repeat(64), &"a".repeat(63), "KiroIDE\r\nX: y"] {
            assert_eq!(normal_machine_id(bad), None, "{bad}");
        }
    }
}
