//! Looking for logins of other programs on this machine.

use crate::account::{Link, LinkOwner, NewAccount};
use crate::owner::{self, OwnerError};

use super::{ImportContext, from_owner};

/// A login that was found.
#[derive(Debug, Clone)]
pub struct Found {
    /// Where.
    pub link: Link,
    /// The account it would become. Its secrets stay here: a face sees a preview.
    pub new: NewAccount,
    /// When the owner's access token ends.
    pub expires_at: Option<crate::clock::Timestamp>,
}

/// A place that has something which is no usable login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanProblem {
    /// The program.
    pub owner: LinkOwner,
    /// The file.
    pub path: String,
    /// Stable code.
    pub code: &'static str,
    /// Plain words without any secret.
    pub message: String,
}

/// What a look around brought.
#[derive(Debug, Clone, Default)]
pub struct Scanned {
    /// Logins.
    pub found: Vec<Found>,
    /// Places that could not be used.
    pub problems: Vec<ScanProblem>,
}

/// Looks at every place. Places without a login are no problem. Blocks on the file system.
pub fn scan(places: &[Link], context: &ImportContext) -> Scanned {
    let mut scanned = Scanned::default();
    for link in places {
        let problem = |code: &'static str, message: String| ScanProblem {
            owner: link.owner,
            path: link.path.clone(),
            code,
            message,
        };
        match owner::read(link) {
            Ok(None) => {}
            Ok(Some(login)) => {
                let expires_at = login.expires_at;
                match from_owner(login, link, false, context) {
                    Ok(new) => scanned.found.push(Found { link: link.clone(), new, expires_at }),
                    Err(rejected) => scanned.problems.push(problem(rejected.code, rejected.message)),
                }
            }
            Err(error) => scanned.problems.push(problem(error.code(), told(&error))),
        }
    }
    scanned
}

/// The error's words; the path stands beside them.
fn told(error: &OwnerError) -> String {
    error.to_string()
}
