//! The door for clients.

use super::check::FieldErrors;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The door for clients.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ListenerSettings {
    /// The port clients connect to.
    #[schema(minimum = 1, maximum = 65535, default = 8080)]
    pub port: u16,
    /// The address to listen on. Only this machine for now: `localhost` is both `127.0.0.1` and `::1`; either of them
    /// alone is served alone.
    #[schema(default = "localhost")]
    pub host: String,
    /// Largest request body in MiB.
    #[schema(minimum = 1, maximum = 256, default = 32)]
    pub max_body_mebibytes: u32,
    /// Most client connections at the same time.
    #[schema(minimum = 16, maximum = 16384, default = 2048)]
    pub max_connections: u32,
    /// Seconds a client may take to send its body.
    #[schema(minimum = 5, maximum = 600, default = 60)]
    pub body_read_seconds: u32,
    /// Seconds open answers get to finish when the gateway stops.
    #[schema(minimum = 0, maximum = 300, default = 30)]
    pub drain_seconds: u32,
}

impl Default for ListenerSettings {
    fn default() -> Self {
        Self {
            port: 8080,
            host: "localhost".to_owned(),
            max_body_mebibytes: 32,
            max_connections: 2048,
            body_read_seconds: 60,
            drain_seconds: 30,
        }
    }
}

impl ListenerSettings {
    /// Largest request body in bytes.
    pub fn max_body_bytes(&self) -> usize {
        self.max_body_mebibytes as usize * 1024 * 1024
    }

    pub(super) fn check(&self, errors: &mut FieldErrors) {
        errors.range("listener.maxBodyMebibytes", self.max_body_mebibytes.into(), 1, 256);
        errors.range("listener.maxConnections", self.max_connections.into(), 16, 16384);
        errors.range("listener.bodyReadSeconds", self.body_read_seconds.into(), 5, 600);
        errors.range("listener.drainSeconds", self.drain_seconds.into(), 0, 300);
        if !matches!(self.host.as_str(), "127.0.0.1" | "::1" | "localhost") {
            errors.refuse(
                "listener.host",
                "not_loopback",
                format!(
                    "{:?} is not an address of this machine's loopback. Only 127.0.0.1, ::1 and localhost are served: \
                     reaching the gateway from other machines needs a protected door that does not exist yet",
                    self.host
                ),
            );
        }
    }
}
