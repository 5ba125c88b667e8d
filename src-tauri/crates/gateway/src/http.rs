//! Everything that speaks HTTP: the client API and the admin API.

pub(crate) mod admin;
