//! Everything that speaks HTTP: the door for clients, the admin API and its owner-only local door.

pub(crate) mod admin;
pub(crate) mod body;
pub(crate) mod client_api;
pub(crate) mod connection;
pub(crate) mod guard;
pub(crate) mod holder;
pub(crate) mod listener;
pub(crate) mod local;
pub(crate) mod reply;
