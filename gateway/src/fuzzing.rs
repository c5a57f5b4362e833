//! What `scripts/verify fuzz` tries with any input; built for it alone.

use std::collections::HashSet;

use contract::operation::Operation;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use kit::{config::ServiceSettings, request_id::RequestId};
use serde::{Deserialize, de::value::MapDeserializer};
use serde_json::{Value, json};

use crate::{
    services::declared::prepare::prepare,
    upstream::headers::{Told, to_client, to_service},
};

/// A service's document, as JSON: bound or refused, never more.
///
/// # Panics
/// What is bound holds an operation outside the service's prefix, or two of one id.
pub fn document(text: &str) {
    let Ok(value) = serde_json::from_str::<Value>(text) else { return };
    let settings = json!({ "name": "it", "openapi": "it.json", "urls": ["http://127.0.0.1:9"] });
    let settings = settings.as_object().cloned().unwrap_or_default().into_iter();
    let settings = ServiceSettings::deserialize(MapDeserializer::new(settings)).expect("they are settings");
    let mut taken = HashSet::new();
    let Ok(prepared) = prepare(&settings, value, &mut taken) else { return };
    let Ok(operations) = Operation::all(&prepared.document) else { return };
    let mut ids = HashSet::new();
    for operation in operations {
        assert!(operation.path.starts_with("/api/it"), "{}", operation.path);
        assert!(ids.insert(operation.id.clone()), "{} twice", operation.id);
    }
}

/// Lines of `name: value`, as a client's request and as a service's answer.
///
/// # Panics
/// One of the gateway's own fields is missing, doubled or not its own, or a field of one connection goes on.
pub fn headers(lines: &str) {
    let mut sent = HeaderMap::new();
    for line in lines.lines().take(64) {
        let Some((name, value)) = line.split_once(':') else { continue };
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_str(value.trim())) {
            sent.append(name, value);
        }
    }
    let own = HeaderValue::from_static("Bearer the-gateway-s-own");
    let request_id = RequestId::fresh();
    let told = Told {
        request_id: &request_id,
        authorization: own.clone(),
        client: std::net::IpAddr::from([192, 0, 2, 1]),
        secure: true,
        host: None,
    };
    let to = to_service(sent.clone(), told);
    let folded = |name: &HeaderName| name.as_str().replace(['_', '.'], "-");
    for (name, value) in [
        ("authorization", own.as_bytes()),
        ("x-forwarded-for", b"192.0.2.1".as_slice()),
        ("x-forwarded-proto", b"https"),
        ("x-request-id", request_id.as_str().as_bytes()),
    ] {
        let all: Vec<_> = to.iter().filter(|(known, _)| folded(known) == name).collect();
        assert!(matches!(all.as_slice(), [(_, one)] if one.as_bytes() == value), "{name}: {all:?}");
    }
    for name in
        ["forwarded", "x-forwarded-host", "x-forwarded-prefix", "x-real-ip", "connection", "te", "upgrade"]
    {
        assert!(!to.keys().any(|known| folded(known) == name), "{name} goes on");
    }
    let mut answer = sent;
    to_client(&mut answer);
    for name in [header::CONNECTION, header::TRANSFER_ENCODING, header::UPGRADE, header::SERVER] {
        assert!(!answer.contains_key(&name), "{name} goes on");
    }
    assert!(!answer.keys().any(|name| name.as_str().starts_with("access-control-")));
}
