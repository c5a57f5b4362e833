//! The real `platform` binary, end to end: from an empty folder to users, tokens, faults and a clean stop.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that can't go on must fail")]

mod audit;
mod backup;
mod cases_configuration;
mod cases_database;
mod cases_log;
mod cases_volume;
mod completion;
mod configuration;
mod doctor;
mod exchange;
mod explain;
mod forms;
mod from_fastapi;
mod hostile;
mod journey;
mod keys;
mod login;
mod manners;
mod master_key;
mod postgres;
mod process;
mod reload;
mod roles;
mod rolling;
mod secrets;
mod service;
mod service_account;
mod session;
mod starting;
mod status;
mod stopping;
mod storm;
mod terminal;
mod tls;
mod traces;
