//! Which addresses may be opened for a person: the sign-in pages of the compiled list, and nothing a server makes up.

use crate::upstream::identity::hosts;
use url::{Host, Url};

/// Longer addresses are refused; the longest real one has about 1,500 characters.
const MAX_LENGTH: usize = 8_192;

/// Why an address is not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Neither `https` nor the stand-in on this machine.
    #[error("its scheme is not https")]
    Scheme,
    /// The host is not on the list.
    #[error("its host is not one of the sign-in pages")]
    Host,
    /// A name, a password or an unusual port in it.
    #[error("it names a user or a port")]
    Authority,
    /// Longer than any sign-in page.
    #[error("it is too long")]
    Length,
}

/// Which addresses may be opened in this run.
#[derive(Debug, Clone, Default)]
pub struct SignInPages {
    /// Where all traffic goes when it is redirected to a stand-in on this machine.
    stand_in: Option<Url>,
}

impl SignInPages {
    /// With the base of the stand-in, when traffic is redirected.
    pub fn new(stand_in: Option<Url>) -> Self {
        Self { stand_in }
    }

    /// The address as it is handed to a program: written anew from its parts, so that it starts with `http` and has
    /// no spaces, quotes or control characters.
    pub fn check(&self, url: &Url) -> Result<String, AddressError> {
        if !self.is_stand_in(url) {
            is_sign_in_page(url)?;
        }
        let text = url.as_str();
        if text.len() > MAX_LENGTH {
            return Err(AddressError::Length);
        }
        Ok(text.chars().map(|c| if c == '\'' { "%27".to_owned() } else { c.to_string() }).collect())
    }

    fn is_stand_in(&self, url: &Url) -> bool {
        self.stand_in.as_ref().is_some_and(|base| {
            url.scheme() == "http"
                && is_loopback(url)
                && url.port_or_known_default() == base.port_or_known_default()
                && has_no_user(url)
        })
    }
}

/// Refuses everything that is not a page of the compiled list.
fn is_sign_in_page(url: &Url) -> Result<(), AddressError> {
    if url.scheme() != "https" {
        return Err(AddressError::Scheme);
    }
    if !has_no_user(url) || url.port().is_some() {
        return Err(AddressError::Authority);
    }
    if hosts::is_sign_in_page(url) { Ok(()) } else { Err(AddressError::Host) }
}

fn has_no_user(url: &Url) -> bool {
    url.username().is_empty() && url.password().is_none()
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}
