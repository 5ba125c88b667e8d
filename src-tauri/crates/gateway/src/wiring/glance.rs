//! The gateway at a glance.

use super::Gateway;
use crate::account::CutShort;
use crate::http::listener::Server;
use crate::status::{AccountCounts, RefreshStatus, Status, StoreStatus};

impl Gateway {
    /// The gateway at a glance.
    pub fn status(&self) -> Status {
        let parts = &self.parts;
        let census = parts.book.leases.census();
        let credentials = &parts.book.credentials;
        let door = self.door();
        Status {
            version: crate::VERSION.to_owned(),
            state: door.state,
            addresses: door.server.as_ref().map(Server::addresses).unwrap_or_default(),
            port: door.server.as_ref().map_or_else(|| self.settings().listener.port, Server::port),
            started_at: parts.started_at,
            data_dir: parts.dir.path().display().to_string(),
            in_flight: parts.flows.in_flight(),
            accounts: AccountCounts { total: census.total, usable: census.usable, demo: census.demo },
            store: StoreStatus { kind: credentials.kind(), state: credentials.state() },
            refreshes: self.refreshes(),
            problem: door.problem.clone(),
            simulated: census.simulated,
        }
    }

    fn refreshes(&self) -> RefreshStatus {
        let tokens = &self.parts.book.tokens;
        let CutShort { refreshes, logins_lost } = tokens.cut_short();
        RefreshStatus { unsaved: tokens.unsaved().len(), cut_short: refreshes, logins_lost }
    }
}
