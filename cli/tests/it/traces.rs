//! Spans, by OTLP, to a collector that keeps what it gets.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message as _;

use crate::process::{Place, wait_for};

/// A span, with the service that exported it.
#[derive(Debug, Clone)]
struct Seen {
    service: String,
    name: String,
    trace: Vec<u8>,
    id: Vec<u8>,
    parent: Vec<u8>,
}

/// A collector on a port of its own.
struct Collector {
    url: String,
    spans: Arc<Mutex<Vec<Seen>>>,
}

impl Collector {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let spans = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&spans);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let kept = Arc::clone(&kept);
                std::thread::spawn(move || collect(&stream.unwrap(), &kept));
            }
        });
        Self { url, spans }
    }

    fn find(&self, service: &str, name: &str) -> Option<Seen> {
        let spans = self.spans.lock().unwrap();
        spans.iter().find(|span| span.service == service && span.name == name).cloned()
    }
}

fn collect(stream: &TcpStream, kept: &Mutex<Vec<Seen>>) {
    let mut reader = BufReader::new(stream);
    loop {
        let (mut head, mut length) = (String::new(), 0);
        while reader.read_line(&mut head).is_ok_and(|read| read > 0) && !head.ends_with("\r\n\r\n") {}
        if head.is_empty() {
            return;
        }
        assert!(head.starts_with("POST /v1/traces HTTP/1.1\r\n"), "{head}");
        for line in head.to_lowercase().lines() {
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        let request = ExportTraceServiceRequest::decode(&*body).unwrap();
        for resource in request.resource_spans {
            let attributes = resource.resource.unwrap().attributes;
            let service = attributes.iter().find(|attribute| attribute.key == "service.name").unwrap();
            let service = format!("{:?}", service.value);
            let service = if service.contains("gateway") { "gateway" } else { "users" };
            for span in resource.scope_spans.into_iter().flat_map(|scope| scope.spans) {
                kept.lock().unwrap().push(Seen {
                    service: service.to_owned(),
                    name: span.name,
                    trace: span.trace_id,
                    id: span.span_id,
                    parent: span.parent_span_id,
                });
            }
        }
        let mut writer = stream;
        writer
            .write_all(
                b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n",
            )
            .unwrap();
    }
}

#[test]
fn a_request_is_one_trace_through_gateway_and_service_and_the_log_names_it() {
    let collector = Collector::start();
    let platform = Place::new().with("PLATFORM__TELEMETRY__OTLP_ENDPOINT", &collector.url).serve(&[]);
    platform.place.run(&["user", "list"]).done();
    let asked = wait_for("the gateway's span", || collector.find("gateway", "list_users"));
    let call = wait_for("the span of the call", || {
        let spans = collector.spans.lock().unwrap();
        spans.iter().find(|span| span.name == "call users" && span.trace == asked.trace).cloned()
    });
    let answered = wait_for("the service's span", || collector.find("users", "list_users"));
    assert_eq!((&call.trace, &call.parent), (&asked.trace, &asked.id));
    assert_eq!((&answered.trace, &answered.parent), (&asked.trace, &call.id));
    assert!(asked.parent.is_empty(), "{asked:?}");
    let id = format!("{:032x}", u128::from_be_bytes(asked.trace.try_into().unwrap()));
    let lines = platform.log().lines().filter(|line| line.contains(&id)).count();
    assert_eq!(lines, 2, "one line of the gateway, one of the service:\n{}", platform.log());
}

#[test]
fn a_collector_that_is_gone_touches_no_request_and_keeps_no_process() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let mut platform = Place::new().with("PLATFORM__TELEMETRY__OTLP_ENDPOINT", &url).serve(&[]);
    for _ in 0..5 {
        platform.place.run(&["user", "list"]).done();
    }
    wait_for("the warning", || platform.log().contains("takes no spans").then_some(()));
    let begun = Instant::now();
    platform.signal("TERM");
    assert_eq!(platform.end(), Some(0));
    assert!(begun.elapsed().as_secs() < 20);
    assert_eq!(platform.log().matches("takes no spans").count(), 1);
}
