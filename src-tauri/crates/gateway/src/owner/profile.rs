//! The profile that is active in the Kiro IDE. It stands in a file of its own, far from the token (kiro-upstream §6.1).

use std::path::Path;

use super::places::{System, ide_profiles};
use super::{fields, file};
use crate::upstream::profiles::is_name;

/// It has an ARN and a name.
const LARGEST: u64 = 64 * 1024;

/// The active profile beside this token file; `None` when there is none, or it cannot be one. A hint, no more: the service has the
/// last word on which profiles an account has.
pub(super) fn active(token_file: &Path) -> Option<String> {
    let mut places = ide_profiles(token_file, System::here()).into_iter();
    let found = places.find_map(|path| file::read(&path, LARGEST).ok()?)?;
    let arn = fields::text(&fields::object(&found)?, &["arn", "profileArn"])?;
    is_name(&arn).then_some(arn)
}
