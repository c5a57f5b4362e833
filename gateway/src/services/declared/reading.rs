//! Reads a service's document: what `openapi` names or, where a service that is down can't tell it, the copy that was pinned of it.

use kit::config::Declared;
use serde_json::Value;

use super::{
    BindFault, ServiceFault, roots,
    source::{Source, SourceFault},
};

/// The document of a service as it is written now, in JSON.
///
/// # Errors
/// It can't be had.
pub async fn document_of(declared: &Declared) -> Result<Value, BindFault> {
    current(declared).await.map_err(|fault| BindFault {
        origin: declared.origin.clone(),
        named: format!("service {}", declared.settings.name),
        fault,
    })
}

async fn current(declared: &Declared) -> Result<Value, ServiceFault> {
    Ok(source(declared).read(&roots(declared)?).await?)
}

/// The document to bind by. One service that is down must not keep all the others from being served: its pinned copy stands in.
pub(super) async fn to_bind(declared: &Declared) -> Result<Value, ServiceFault> {
    let roots = roots(declared)?;
    let fault = match source(declared).read(&roots).await {
        Err(fault @ SourceFault::Url(..)) => fault,
        read => return Ok(read?),
    };
    let (service, pin) = (&declared.settings.name, declared.pinned_document());
    match Source::File(pin.clone()).read(&roots).await {
        Ok(document) => {
            tracing::warn!(
                %service,
                cause = %fault,
                pinned = %pin.display(),
                "a service does not tell its document: it is bound by the pinned copy until the next reload"
            );
            Ok(document)
        }
        Err(pin) => Err(ServiceFault::Unpinned {
            service: service.to_string(),
            fault: Box::new(fault),
            pin: Box::new(pin),
        }),
    }
}

fn source(declared: &Declared) -> Source {
    Source::named(&declared.settings.openapi, &declared.folder)
}
