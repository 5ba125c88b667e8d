//! Logins that the environment names are taken in when the gateway opens, shared with the program whose file it is.

use super::Gateway;
use crate::account::{Account, Added, Link, NewAccount};
use crate::inherited::{GivenLogin, InheritedEffect};
use crate::owner;
use crate::transfer::{ImportContext, from_owner};
use crate::upstream::endpoint::is_region;

impl Gateway {
    /// Takes in every login that is not there yet. What cannot be read is told and keeps nothing from starting.
    pub(super) async fn take_in(&self, given: Vec<GivenLogin>) {
        for login in given {
            let name = login.name;
            if let Err(why) = self.take_in_one(login).await {
                tracing::warn!(name, %why, "the login that the environment names could not be taken in");
                self.parts.settings.tell_inherited(name, InheritedEffect::LoginFailed);
            }
        }
    }

    async fn take_in_one(&self, given: GivenLogin) -> Result<(), String> {
        let path = std::path::absolute(&given.path).map_err(|error| error.to_string())?;
        let mut link = Link::new(given.owner, path.to_string_lossy());
        link.write_back = given.write_back;
        let is_this = |account: &Account| {
            account.link.as_ref().is_some_and(|known| (known.owner, &known.path) == (link.owner, &link.path))
        };
        if self.parts.book.roster.list().iter().any(|account| is_this(account)) {
            return Ok(());
        }
        let context = ImportContext {
            now: self.parts.clock.now(),
            machine_id: self.parts.machine_id.clone(),
            origin: crate::account::AccountOrigin::Imported,
        };
        let read = move || read(&given, &link, &context);
        let new = tokio::task::spawn_blocking(read).await.map_err(|error| error.to_string())??;
        match self.parts.book.add(new).await.map_err(|error| error.to_string())? {
            Added::New(account) => {
                tracing::info!(account = %account.id, "the login that the environment names was taken in")
            }
            Added::Known(account) => {
                tracing::info!(account = %account.id, "the login that the environment names is known")
            }
        }
        Ok(())
    }
}

fn read(given: &GivenLogin, link: &Link, context: &ImportContext) -> Result<NewAccount, String> {
    let login = owner::read(link).map_err(|error| error.to_string())?;
    let mut login = login.ok_or_else(|| "there is no login in this file".to_owned())?;
    login.region = login.region.or_else(|| given.region.clone());
    login.profile_arn = login.profile_arn.or_else(|| given.profile_arn.clone());
    let mut new = from_owner(login, link, true, context).map_err(|rejected| rejected.message)?;
    let region = given.api_region.as_ref().or(given.region.as_ref());
    let known = region.filter(|region| is_region(region));
    new.account.api_region = new.account.api_region.take().or_else(|| known.cloned());
    Ok(new)
}
