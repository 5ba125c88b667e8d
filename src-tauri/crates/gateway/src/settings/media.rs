//! Pictures and documents: how large they may be, and whether pictures behind links are fetched.

use super::check::FieldErrors;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Longest list of hosts, in characters.
const MOST_HOSTS: usize = 4000;

/// Pictures and documents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct MediaSettings {
    /// Fetch pictures that a client names by a link. The site learns this machine's address; addresses of this machine and
    /// of private networks are never asked.
    #[schema(default = false)]
    pub remote_images: bool,
    /// Hosts that pictures may be fetched from, separated by spaces or commas; `*.example.com` are all below example.com.
    /// Without any, every public host.
    #[schema(default = "", max_length = 4000)]
    pub remote_hosts: String,
    /// Most pictures in one request; the newest are sent.
    #[schema(minimum = 1, maximum = 20, default = 20)]
    pub max_images: u32,
    /// Longest side of a picture in pixels; larger ones are made smaller.
    #[schema(minimum = 256, maximum = 8000, default = 1568)]
    pub max_image_edge: u32,
    /// Largest picture in KiB; larger ones are compressed.
    #[schema(minimum = 64, maximum = 3750, default = 400)]
    pub max_image_kibibytes: u32,
    /// All pictures of one request in MiB; the newest are sent.
    #[schema(minimum = 1, maximum = 32, default = 4)]
    pub max_images_mebibytes: u32,
    /// Most text in KiB that is read out of one document for a model that takes none.
    #[schema(minimum = 16, maximum = 512, default = 256)]
    pub max_document_kibibytes: u32,
}

impl Default for MediaSettings {
    fn default() -> Self {
        Self {
            remote_images: false,
            remote_hosts: String::new(),
            max_images: 20,
            max_image_edge: 1568,
            max_image_kibibytes: 400,
            max_images_mebibytes: 4,
            max_document_kibibytes: 256,
        }
    }
}

impl MediaSettings {
    pub(super) fn check(&self, errors: &mut FieldErrors) {
        errors.range("media.maxImages", self.max_images.into(), 1, 20);
        errors.range("media.maxImageEdge", self.max_image_edge.into(), 256, 8000);
        errors.range("media.maxImageKibibytes", self.max_image_kibibytes.into(), 64, 3750);
        errors.range("media.maxImagesMebibytes", self.max_images_mebibytes.into(), 1, 32);
        errors.range("media.maxDocumentKibibytes", self.max_document_kibibytes.into(), 16, 512);
        let wrong = self.hosts().find(|host| !is_host(host));
        if self.remote_hosts.len() > MOST_HOSTS {
            errors.refuse("media.remoteHosts", "out_of_range", format!("at most {MOST_HOSTS} characters"));
        } else if let Some(wrong) = wrong {
            let shown: String = wrong.chars().take(80).collect();
            errors.refuse(
                "media.remoteHosts",
                "invalid_value",
                format!("{shown:?} is not a host; write names such as pictures.example.com or *.example.com"),
            );
        }
    }

    /// The hosts of the list, lower case.
    pub(crate) fn hosts(&self) -> impl Iterator<Item = String> + '_ {
        self.remote_hosts
            .split(|c: char| c == ',' || c.is_whitespace())
            .filter(|host| !host.is_empty())
            .map(str::to_ascii_lowercase)
    }
}

/// A DNS name, perhaps with `*.` in front.
fn is_host(host: &str) -> bool {
    let name = host.strip_prefix("*.").unwrap_or(host);
    let label = |label: &str| {
        (1..=63).contains(&label.len()) && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    name.len() <= 253 && name.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(hosts: &str) -> bool {
        let mut errors = FieldErrors::default();
        MediaSettings { remote_hosts: hosts.to_owned(), ..MediaSettings::default() }.check(&mut errors);
        errors.fields.contains_key("media.remoteHosts")
    }

    #[test]
    fn hosts_are_names_and_nothing_else() {
        for fine in ["", "a.example", "A.example, *.b.example\n c-d.example"] {
            assert!(!refused(fine), "{fine}");
        }
        for wrong in ["http://a.example", "a.example/x", "*", "*.*.example", "a..b", "a.example:80", "user@a.example"] {
            assert!(refused(wrong), "{wrong}");
        }
    }
}
