//! How the gateway reaches the internet.

use super::check::FieldErrors;
use crate::upstream::proxy;
use serde::{Deserialize, Serialize};
use std::path::Path;
use utoipa::ToSchema;

/// The word for "past every proxy".
const DIRECT: &str = "direct";

/// How the gateway reaches the internet. Certificates are always checked; nothing here changes that.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct NetworkSettings {
    /// The proxy of everything that has no proxy of its own: `http`, `https`, `socks5`, `socks5h`, `socks4` or
    /// `socks4a`, host and port. `direct` is past every proxy; nothing is as the environment says (`HTTPS_PROXY`). When it does not work, nothing is sent.
    #[schema(default = "", max_length = 500)]
    pub proxy: String,
    /// Full path of a PEM file with certificates to trust besides the system's, for networks that inspect traffic.
    #[schema(default = "", max_length = 4096)]
    pub extra_ca_file: String,
}

impl NetworkSettings {
    /// The way of everything that has no way of its own.
    pub(crate) fn common(&self) -> crate::upstream::http::Common {
        use crate::upstream::http::Common;
        match self.proxy.trim() {
            "" => Common::System,
            DIRECT => Common::Direct,
            // Settings are checked before they hold; were one not, nothing may go past the proxy that was meant.
            text => proxy::check(text).map_or(Common::Unusable, Common::Through),
        }
    }

    /// The file of certificates, if one is named.
    pub(crate) fn extra_ca(&self) -> Option<&Path> {
        Some(self.extra_ca_file.trim()).filter(|text| !text.is_empty()).map(Path::new)
    }

    pub(super) fn check(&self, errors: &mut FieldErrors) {
        let proxy = self.proxy.trim();
        if !proxy.is_empty()
            && proxy != DIRECT
            && let Err(wrong) = proxy::check(proxy)
        {
            errors.refuse("network.proxy", "invalid_value", wrong.to_string());
        }
        if self.extra_ca().is_some_and(|path| !path.is_absolute()) {
            errors.refuse("network.extraCaFile", "invalid_value", "give the full path of the file".to_owned());
        }
    }
}
