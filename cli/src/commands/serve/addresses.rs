//! The addresses to listen on: all of them tried before anything is made, so that one run tells of every one that is taken.

use std::io;
use std::net::SocketAddr;

use kit::config::{Settings, table};
use tokio::net::TcpListener;

use super::start::not_bound;
use crate::failure::Failure;

/// An address that can't be listened on: its setting, and why.
pub(crate) type NotFree = (String, SocketAddr, io::Error);

/// Those of the gateway and of the services that run, which can't be listened on now. Each of the others is held until all have been
/// tried: two settings may name the same.
pub(crate) async fn not_free(
    settings: &Settings,
    gateway: bool,
    runs: impl Fn(&str) -> bool,
) -> Vec<NotFree> {
    let mut addresses: Vec<(String, SocketAddr)> = Vec::new();
    if gateway {
        addresses.push(("gateway.listen".to_owned(), settings.gateway.listen));
        addresses.push(("ops.listen".to_owned(), settings.ops.listen));
    }
    let own = settings.own().into_iter().filter(|own| runs(own.name));
    addresses.extend(own.map(|own| (format!("{}.listen", own.name), own.listen)));
    let (mut held, mut not_free) = (Vec::new(), Vec::new());
    for (setting, address) in addresses {
        match TcpListener::bind(address).await {
            Ok(listener) => held.push(listener),
            Err(error) => not_free.push((setting, address, error)),
        }
    }
    not_free
}

/// All of them in one failure; nothing where there are none.
pub(super) fn failure(not_free: &[NotFree]) -> Option<Failure> {
    if let [(setting, address, error)] = not_free {
        return Some(not_bound(setting, *address, error));
    }
    let told = |(setting, address, error): &NotFree| {
        let failure = not_bound(setting, *address, error);
        format!("{setting} {address}: {}", failure.why.unwrap_or_else(|| error.to_string()))
    };
    let variables: Vec<String> = not_free.iter().map(|(setting, ..)| table::variable(setting)).collect();
    (!not_free.is_empty()).then(|| {
        Failure::failed(format!("can't listen on {} addresses", not_free.len()))
            .because(not_free.iter().map(told).collect::<Vec<_>>().join("; "))
            .next(format!(
                "Stop what listens there, or choose other addresses by {} (port 0 picks a free one).",
                variables.join(", ")
            ))
    })
}
