//! The private session bus.

use crate::PATIENCE;
use anyhow::{Context as _, Result};
use futures_util::StreamExt as _;
use zbus::Connection;
use zbus::fdo::DBusProxy;
use zbus::names::BusName;

/// The name that the one running app owns.
pub(crate) const SINGLE_INSTANCE: &str = "dev.kiroproxy.desktop.SingleInstance";

/// The process that owns `name` on the session bus.
pub(crate) async fn owner_of(name: &str) -> Result<u32> {
    let bus = Connection::session().await?;
    Ok(DBusProxy::new(&bus).await?.get_connection_unix_process_id(BusName::try_from(name)?).await?)
}

/// Waits until nobody owns `name` on the session bus: the program that did is really gone.
pub(crate) async fn name_is_free(name: &str) -> Result<()> {
    let bus = Connection::session().await?;
    let names = DBusProxy::new(&bus).await?;
    let mut changes = names.receive_name_owner_changed_with_args(&[(0, name)]).await?;
    let free = async {
        while names.name_has_owner(BusName::try_from(name)?).await? {
            changes.next().await;
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(PATIENCE, free).await.with_context(|| format!("{name} still has an owner"))?
}
