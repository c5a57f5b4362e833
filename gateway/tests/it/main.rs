//! The gateway through its real HTTP, in front of a scripted service and of one that speaks the users contract.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod account;
mod admin_page;
mod administration;
mod audit;
mod client_credentials;
mod composed;
mod compression;
mod cors;
mod declared;
mod documents;
mod edge;
mod forged;
mod forwarding;
mod framing;
mod handshake;
mod http_rules;
mod issuers;
mod keys;
mod oauth;
mod password;
mod rate_limits;
mod recent_sign_in;
mod refusals;
mod reload;
mod replicas;
mod second_factor;
mod secure_services;
mod service_accounts;
mod sessions;
mod support;
mod telemetry;
mod throttling;
mod tokens;
mod upstream_trouble;
mod websockets;
