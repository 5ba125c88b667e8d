//! Everything that speaks HTTP: the door for clients, the admin API and its owner-only local door.

pub(crate) mod admin;
pub(crate) mod answer;
pub(crate) mod body;
pub(crate) mod client_api;
pub(crate) mod connection;
pub(crate) mod converse;
pub(crate) mod dialect;
pub(crate) mod guard;
pub(crate) mod holder;
mod kept_answers;
pub(crate) mod listener;
mod listing;
pub(crate) mod local;
mod overview;
mod query;
pub(crate) mod reply;
pub(crate) mod routes;
