//! Whether what is declared can be bound, as far as the documents of the services can be read from here.

use gateway::{BindFault, ServiceFault, StartError};
use kit::config::{Composed, Declared, Settings};

use crate::commands::service::refused;
use crate::failure::Outcome;

/// Fails for what `serve` refuses. What could not be looked at is told, a line each: a service may be down where this is asked.
pub(super) async fn examine(settings: &Settings) -> Outcome<Vec<String>> {
    let (services, composed) = (&settings.services, &settings.composed);
    if services.is_empty() && composed.is_empty() {
        return Ok(Vec::new());
    }
    let faults = match gateway::published(services, composed).await {
        Ok(_) => return Ok(Vec::new()),
        Err(StartError::Services(faults)) => faults,
        Err(error) => return Err(refused(&error)),
    };
    let (unread, wrong): (Vec<BindFault>, Vec<BindFault>) =
        faults.into_iter().partition(|fault| matches!(fault.fault, ServiceFault::Unpinned { .. }));
    if !wrong.is_empty() {
        return Err(refused(&StartError::Services(wrong)));
    }
    // What is composed was not looked at over services that could not be bound.
    let is_read = |service: &str| {
        let named = format!("service {service}");
        unread.iter().all(|fault| fault.named != named)
    };
    let read: Vec<Declared> =
        services.iter().filter(|declared| is_read(declared.settings.name.as_str())).cloned().collect();
    let (whole, partly): (Vec<Composed>, Vec<Composed>) = composed
        .iter()
        .cloned()
        .partition(|composed| composed.settings.parts.iter().all(|part| is_read(part.service.as_str())));
    gateway::published(&read, &whole).await.map_err(|error| refused(&error))?;
    let of_services = unread.iter().map(ToString::to_string);
    let of_composed = partly.iter().map(|composed| {
        format!(
            "{}: compose {}: a service of its parts was not read",
            composed.origin, composed.settings.name
        )
    });
    Ok(of_services.chain(of_composed).collect())
}
