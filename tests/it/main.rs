//! The behaviour of the whole house: a real gateway on a free port, the strict stand-in behind it, real clients in front. One module for
//! each behaviour; no sleeping, only waiting for what must happen.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "tests start tasks, plant broken files and read the environment; nobody outside uses this program"
)]

mod bad_input;
mod cancellation;
mod cli;
mod connections;
mod contract;
mod converse;
mod cut_calls;
mod demo;
mod doors;
mod failures;
mod flows;
mod flows_cli;
mod guard;
mod harness;
mod home;
mod hostile_accounts;
mod inherited;
mod inspect;
mod kept;
mod kill_hand_over;
mod kill_points;
mod kills;
mod login;
mod login_browser;
mod login_callback;
mod login_cancel;
mod login_cli;
mod login_device;
mod login_keys;
mod login_portal;
mod login_remote;
mod login_trial;
mod models;
mod protocols;
mod proxies;
mod proxy_login;
mod proxy_sign_in;
mod quota;
mod recorder;
mod refresh;
mod removal;
mod retries;
mod scenarios;
mod search;
mod secret_crawl;
mod secrets;
mod selection;
mod settings;
mod shared_login;
mod shutdown;
mod speakers;
mod speed;
mod transcripts;
mod transfer;
mod transfer_cli;
mod truncation;
mod vault;
