//! The machine id in the user agent: one random value per installation, made once and kept. An imported account keeps its
//! own. It never follows a token's rotation and is never changed to look like another machine.

use std::io;

use super::hex;
use crate::data_dir::DataDir;

const FILE: &str = "machine-id";

/// This installation's machine id: 64 lower-case hex digits.
pub fn installation_machine_id(dir: &DataDir) -> io::Result<String> {
    for found in [dir.read(FILE)?, dir.read_previous(FILE)?].into_iter().flatten() {
        if let Some(id) = String::from_utf8(found).ok().and_then(|text| normal_machine_id(text.trim())) {
            return Ok(id);
        }
    }
    let mut random = [0_u8; 32];
    rand::fill(&mut random[..]);
    let id = hex(&random);
    dir.replace(FILE, format!("{id}\n").as_bytes())?;
    Ok(id)
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

    #[test]
    fn an_installation_keeps_its_machine_id() {
        let root = tempfile::tempdir().expect("temp dir");
        let dir = DataDir::open(Some(root.path().join("state"))).expect("opens");
        let first = installation_machine_id(&dir).expect("makes one");
        assert_eq!(normal_machine_id(&first).as_deref(), Some(&*first));
        assert_eq!(installation_machine_id(&dir).expect("reads it"), first);
        let other = tempfile::tempdir().expect("temp dir");
        let other = DataDir::open(Some(other.path().join("state"))).expect("opens");
        assert_ne!(installation_machine_id(&other).expect("makes one"), first);
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
