//! Each fault against each policy, over real sockets.

use std::{
    io,
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use contract::Problem;
use http::{HeaderMap, Method, uri::PathAndQuery};
use http_body_util::{BodyExt, Full};
use kit::testing::{Fault, FaultServer};

use super::*;
use crate::policy::breaker::Position;

fn upstream(urls: Vec<String>) -> Upstream {
    let limits = PoolConfig { connect_time: Duration::from_millis(500), ..PoolConfig::new("tried", urls) };
    Upstream::new(limits).unwrap()
}

fn call(method: Method) -> Call {
    let idempotent = method.is_idempotent();
    let body = if idempotent { Bytes::new() } else { Bytes::from_static(b"{}") };
    Call {
        method,
        target: PathAndQuery::from_static("/a%20b?q=1&q=2"),
        headers: HeaderMap::new(),
        body: CallBody::Whole(body),
        total: Some(Duration::from_millis(500)),
        idempotent,
        hedge: None,
        reads: Reads::Nothing,
    }
}

fn streamed() -> Call {
    let body = Full::new(Bytes::from_static(b"{}")).map_err(|never| match never {}).boxed();
    Call { body: CallBody::Stream(body), idempotent: true, ..call(Method::PUT) }
}

/// The status of the whole answer and the error of its `Proxy-Status`.
async fn ask(upstream: &Upstream, call: Call) -> (u16, Option<&'static str>) {
    let answer = match upstream.send(call).await {
        Ok(answer) => answer,
        Err(fault) => return told(fault),
    };
    let status = answer.status().as_u16();
    match answer.into_body().collect().await {
        Ok(_) => (status, None),
        Err(error) => told(UpstreamFault::of_body(error)),
    }
}

fn told(fault: UpstreamFault) -> (u16, Option<&'static str>) {
    let error = fault.proxy_error();
    let problem = Problem::from(fault);
    let field =
        problem.headers.iter().find(|(name, _)| name == "proxy-status").map(|(_, value)| value.clone());
    assert_eq!(field.unwrap(), format!("platform; error={}", error.unwrap()));
    (problem.kind.status().as_u16(), error)
}

#[tokio::test]
async fn each_fault_has_its_status_and_only_what_may_be_is_sent_again() {
    let table = [
        (Fault::Reset, 502, "connection_terminated", [3, 1, 1]),
        (Fault::HalfHead, 502, "connection_terminated", [3, 1, 1]),
        (Fault::Garbage, 502, "http_protocol_error", [3, 1, 1]),
        (Fault::Truncate, 502, "http_response_incomplete", [1, 1, 1]),
        (Fault::Hang, 504, "http_response_timeout", [1, 1, 1]),
        (Fault::Delay(Duration::from_secs(5)), 504, "http_response_timeout", [1, 1, 1]),
        (Fault::HalfOpen, 504, "http_response_timeout", [0, 0, 0]),
    ];
    for (fault, status, error, requests) in table {
        for (call, requests) in [call(Method::GET), call(Method::POST), streamed()].into_iter().zip(requests)
        {
            let server = FaultServer::start(fault).await;
            let told = ask(&upstream(vec![server.url()]), call).await;
            assert_eq!(told, (status, Some(error)), "{fault:?}");
            assert_eq!(server.requests(), requests, "{fault:?}");
        }
    }
    for call in [call(Method::GET), call(Method::POST), streamed()] {
        let told = ask(&upstream(vec![FaultServer::refusing().await]), call).await;
        assert_eq!(told, (503, Some("connection_refused")));
    }
}

#[tokio::test]
async fn a_kept_connection_that_was_closed_is_unseen_and_a_post_on_it_is_sent_once() {
    for fault in [Fault::CloseKept, Fault::ResetKept] {
        let server = FaultServer::start(fault).await;
        let upstream = upstream(vec![server.url()]);
        for _ in 0..20 {
            assert_eq!(ask(&upstream, call(Method::GET)).await, (200, None));
        }
        let before = server.requests();
        let posted = ask(&upstream, call(Method::POST)).await;
        assert!([(200, None), (502, Some("connection_terminated"))].contains(&posted), "{posted:?}");
        assert_eq!(server.requests(), before + 1);
    }
}

#[tokio::test]
async fn one_sick_instance_of_three_costs_clients_under_one_error_in_a_thousand() {
    let faults = [
        Fault::Reset,
        Fault::Garbage,
        Fault::HalfHead,
        Fault::Truncate,
        Fault::Hang,
        Fault::HalfOpen,
        Fault::Delay(Duration::from_secs(5)),
        Fault::Status(503),
    ];
    for fault in faults {
        let well = [FaultServer::start(Fault::None).await, FaultServer::start(Fault::None).await];
        let sick = FaultServer::start(fault).await;
        let first_byte_time = Some(Duration::from_millis(100));
        let urls = vec![well[0].url(), sick.url(), well[1].url()];
        let config = PoolConfig { first_byte_time, ..PoolConfig::new("tried", urls) };
        let upstream = Upstream::new(config).unwrap();
        let mut errors = 0;
        for _ in 0..1500 {
            let call = Call { reads: Reads::Everything, ..call(Method::GET) };
            errors += u32::from(ask(&upstream, call).await.0 != 200);
        }
        assert!(errors <= 1, "{fault:?}: {errors}");
        assert!(sick.requests() < 50, "{fault:?}: {}", sick.requests());
        assert!(sick.requests() > 0 || fault == Fault::HalfOpen, "{fault:?} was never met");
    }
}

#[tokio::test]
async fn an_instance_that_cannot_be_reached_costs_clients_nothing() {
    let well = [FaultServer::start(Fault::None).await, FaultServer::start(Fault::None).await];
    let upstream = upstream(vec![well[0].url(), FaultServer::refusing().await, well[1].url()]);
    for method in [Method::GET, Method::POST].into_iter().cycle().take(1500) {
        assert_eq!(ask(&upstream, call(method)).await, (200, None));
    }
}

#[tokio::test]
async fn an_answer_that_is_read_whole_and_breaks_off_is_asked_for_again_where_that_is_safe() {
    let table = [(Method::GET, 3), (Method::POST, 1)];
    for (method, requests) in table {
        let server = FaultServer::start(Fault::Truncate).await;
        let upstream = upstream(vec![server.url()]);
        let told = ask(&upstream, Call { reads: Reads::Everything, ..call(method.clone()) }).await;
        assert_eq!(
            (told, server.requests()),
            ((502, Some("http_response_incomplete")), requests),
            "{method}"
        );
        let health = upstream.health().remove(0);
        assert_eq!(health.in_flight, 0);
    }
    let (sick, well) = (FaultServer::start(Fault::Truncate).await, FaultServer::start(Fault::None).await);
    let upstream = upstream(vec![sick.url(), well.url()]);
    while sick.requests() == 0 {
        let call = Call { reads: Reads::Everything, ..call(Method::GET) };
        assert_eq!(ask(&upstream, call).await, (200, None));
    }
}

#[tokio::test]
async fn a_storm_of_failures_adds_a_fifth_of_load_at_most() {
    // Too few failures in a row for a breaker: the budget alone holds retries back. So it does where
    // a kept connection is reset, which looks like one that was closed while idle.
    let server = FaultServer::start(Fault::ResetEverySecond).await;
    for (retries, most) in [(5, 600), (0, 600)] {
        let before = server.requests();
        let config = PoolConfig { retries, ..PoolConfig::new("tried", vec![server.url()]) };
        let upstream = Upstream::new(config).unwrap();
        let mut errors = 0;
        for _ in 0..500 {
            errors += u32::from(ask(&upstream, call(Method::GET)).await.0 != 200);
        }
        let requests = server.requests() - before;
        assert!(requests <= most, "{requests}");
        assert!(errors > 0, "nothing failed");
    }
}

#[tokio::test]
async fn a_client_that_goes_away_closes_the_call_within_a_second_and_nobody_is_blamed() {
    let server = FaultServer::start(Fault::Hang).await;
    let upstream = Arc::new(upstream(vec![server.url()]));
    for gone in 1..=8 {
        let asking = Arc::clone(&upstream);
        let asking =
            tokio::spawn(async move { ask(&asking, Call { total: None, ..call(Method::GET) }).await });
        server.saw_requests(gone).await;
        asking.abort();
        server.saw_closed(gone).await;
    }
    let health = upstream.health().remove(0);
    assert_eq!((health.breaker, health.in_flight, health.is_ejected), (Position::Closed, 0, false));
    assert_eq!(server.requests(), 8, "nothing is tried again for nobody");
}

#[tokio::test]
async fn refusals_of_requests_open_no_breaker_and_failures_do_until_a_probe_goes_well() {
    let server = FaultServer::start(Fault::Status(400)).await;
    let upstream = upstream(vec![server.url()]);
    for _ in 0..20 {
        assert_eq!(ask(&upstream, call(Method::GET)).await, (400, None));
    }
    server.set(Fault::Status(500));
    for _ in 0..5 {
        assert_eq!(ask(&upstream, call(Method::GET)).await, (500, None));
    }
    for _ in 0..10 {
        let problem = Problem::from(upstream.send(call(Method::GET)).await.err().unwrap());
        assert_eq!(problem.kind.status(), 503);
        assert!(problem.headers.iter().any(|(name, value)| name == "retry-after" && value == "2"));
    }
    assert_eq!(server.requests(), 25, "an open breaker lets nothing through");
    server.set(Fault::None);
    let rounds = async {
        loop {
            let calls = (0..10).map(|_| ask(&upstream, call(Method::GET)));
            let through =
                futures_util::future::join_all(calls).await.iter().filter(|told| told.0 == 200).count();
            if through > 0 {
                break through;
            }
        }
    };
    let through = tokio::time::timeout(Duration::from_secs(5), rounds).await.unwrap();
    assert_eq!((through, server.requests()), (1, 26), "one probe");
    assert_eq!(ask(&upstream, call(Method::GET)).await, (200, None));
}

#[tokio::test]
async fn how_many_failures_shut_an_instance_off_is_the_service_s_to_say() {
    let server = FaultServer::start(Fault::Status(500)).await;
    for (failures, through) in [(NonZeroU32::new(3), 3), (None, 20)] {
        let before = server.requests();
        let config =
            PoolConfig { breaker_failures: failures, ..PoolConfig::new("tried", vec![server.url()]) };
        let upstream = Upstream::new(config).unwrap();
        for number in 0..20 {
            let status = if number < through { 500 } else { 503 };
            assert_eq!(ask(&upstream, call(Method::GET)).await.0, status, "call {number}");
        }
        assert_eq!(server.requests() - before, through);
    }
}

#[tokio::test]
async fn more_calls_than_may_be_in_flight_are_shed_at_once() {
    let server = FaultServer::start(Fault::Hang).await;
    let config = PoolConfig { max_in_flight: 2, ..PoolConfig::new("tried", vec![server.url()]) };
    let upstream = Upstream::new(config).unwrap();
    let calls = futures_util::future::join_all((0..5).map(|_| ask(&upstream, call(Method::GET)))).await;
    let shed = calls.iter().filter(|told| **told == (503, Some("connection_limit_reached"))).count();
    assert_eq!((shed, server.requests()), (3, 2));
}

#[tokio::test]
async fn a_name_that_is_not_found_any_more_keeps_its_last_addresses() {
    let server = FaultServer::start(Fault::None).await;
    let (is_lost, address) = (Arc::new(AtomicBool::new(true)), server.address());
    let lost = Arc::clone(&is_lost);
    let config = PoolConfig::new("tried", vec!["http://service.test/base".to_owned()]);
    let upstream = Upstream::with_look_up(
        config,
        Arc::new(move |_, _| {
            let found =
                if lost.load(Ordering::Relaxed) { Err(io::Error::other("lost")) } else { Ok(vec![address]) };
            Box::pin(std::future::ready(found))
        }),
        super::pool::NameTimes { found: Duration::ZERO, lost: Duration::ZERO },
    )
    .unwrap();
    assert_eq!(ask(&upstream, call(Method::GET)).await, (503, Some("dns_error")));
    is_lost.store(false, Ordering::Relaxed);
    assert_eq!(ask(&upstream, call(Method::GET)).await, (200, None), "found again after a short while");
    is_lost.store(true, Ordering::Relaxed);
    for _ in 0..50 {
        assert_eq!(ask(&upstream, call(Method::GET)).await, (200, None));
    }
}

#[tokio::test]
async fn an_instance_that_fails_its_probes_is_left_out_until_it_passes_them() {
    let servers = [FaultServer::start(Fault::None).await, FaultServer::start(Fault::Status(503)).await];
    let health = Some(Probe { path: "/readyz".to_owned(), every: Duration::from_millis(10) });
    let urls = servers.iter().map(FaultServer::url).collect();
    let upstream = Arc::new(Upstream::new(PoolConfig { health, ..PoolConfig::new("tried", urls) }).unwrap());
    let shutdown = tokio_util::sync::CancellationToken::new();
    let watching = tokio::spawn(Arc::clone(&upstream).watch(shutdown.clone()));
    let passes = |upstream: Arc<Upstream>, wanted: bool| async move {
        let waiting = async {
            while upstream.health()[1].passes_probes != wanted {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(5), waiting).await.unwrap();
    };
    passes(Arc::clone(&upstream), false).await;
    for _ in 0..50 {
        assert_eq!(ask(&upstream, call(Method::POST)).await, (200, None));
    }
    servers[1].set(Fault::None);
    passes(Arc::clone(&upstream), true).await;
    shutdown.cancel();
    tokio::time::timeout(Duration::from_secs(1), watching).await.unwrap().unwrap();
}

/// What a service is asked, head by head; it answers each and closes.
async fn telling() -> (String, tokio::sync::mpsc::Receiver<String>) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (tell, told) = tokio::sync::mpsc::channel(64);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut buffer = [0; 4096];
            let count = stream.read(&mut buffer).await.unwrap();
            // A full channel is as good as a closed one: what is waited for came before.
            let _ = tell.try_send(String::from_utf8_lossy(&buffer[..count]).to_ascii_lowercase());
            let _ =
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await;
        }
    });
    (url, told)
}

#[tokio::test]
async fn whatever_an_instance_is_asked_names_the_host_that_it_is_configured_by() {
    let (url, mut told) = telling().await;
    let url = url.replace("127.0.0.1", "localhost");
    let health = Some(Probe { path: "/probe".to_owned(), every: Duration::from_millis(10) });
    let limits = PoolConfig { health, ..PoolConfig::new("tried", vec![url.clone()]) };
    let upstream = Arc::new(Upstream::new(limits).unwrap());
    let shutdown = tokio_util::sync::CancellationToken::new();
    tokio::spawn(Arc::clone(&upstream).watch(shutdown.clone()));
    assert_eq!(ask(&upstream, call(Method::GET)).await, (200, None));
    assert_eq!(upstream.ask_each(&PathAndQuery::from_static("/look"), &HeaderMap::new()).await.len(), 1);
    let mut missing = vec!["get /a%20b?q=1&q=2 ", "get /look ", "get /probe "];
    while !missing.is_empty() {
        let head = tokio::time::timeout(Duration::from_secs(5), told.recv()).await.unwrap().unwrap();
        missing.retain(|line| !head.starts_with(line));
        let host = format!("\r\nhost: {}\r\n", url.trim_start_matches("http://"));
        assert!(head.contains(&host) && head.matches("\r\nhost:").count() == 1, "{head}");
    }
    shutdown.cancel();
}

/// A service that writes these bytes to whoever connects and then leaves the connection open.
async fn writing(bytes: &'static [u8]) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut buffer = [0; 1024];
            let _ = stream.read(&mut buffer).await;
            stream.write_all(bytes).await.unwrap();
            while let Ok(count @ 1..) = stream.read(&mut buffer).await {
                stream.write_all(&buffer[..count]).await.unwrap();
            }
        }
    });
    url
}

#[tokio::test]
async fn a_silence_in_an_answer_ends_it_and_its_place_is_free_again() {
    let url = writing(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n").await;
    let idle_time = Duration::from_millis(100);
    let config = PoolConfig { idle_time, max_in_flight: 1, ..PoolConfig::new("tried", vec![url]) };
    let upstream = Upstream::new(config).unwrap();
    for _ in 0..3 {
        let mut body = upstream.send(Call { total: None, ..call(Method::GET) }).await.unwrap().into_body();
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "ok");
        assert_eq!(upstream.health()[0].in_flight, 1);
        assert_eq!(body.frame().await.unwrap().unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert!(body.frame().await.is_none());
        assert_eq!(upstream.health()[0].in_flight, 0);
    }
}

#[tokio::test]
async fn trailers_pass_and_an_upgraded_connection_is_the_caller_s() {
    use hyper_util::rt::TokioIo;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let trailing = writing(
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: sum\r\n\r\n2\r\nok\r\n0\r\nsum: 7\r\n\r\n",
    )
    .await;
    let whole =
        upstream(vec![trailing]).send(call(Method::GET)).await.unwrap().into_body().collect().await.unwrap();
    assert_eq!(whole.trailers().unwrap()["sum"], "7");
    let url =
        writing(b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n").await;
    let mut headers = HeaderMap::new();
    headers.insert("connection", "upgrade".parse().unwrap());
    headers.insert("upgrade", "echo".parse().unwrap());
    let answer = upstream(vec![url]).send(Call { headers, ..call(Method::GET) }).await.unwrap();
    assert_eq!(answer.status(), 101);
    let mut tunnel = TokioIo::new(hyper::upgrade::on(answer).await.unwrap());
    tunnel.write_all(b"hello").await.unwrap();
    let mut echoed = [0; 5];
    tunnel.read_exact(&mut echoed).await.unwrap();
    assert_eq!(&echoed, b"hello");
}

#[tokio::test]
async fn a_call_that_takes_long_is_answered_by_another_instance_and_the_first_one_is_given_up() {
    let (slow, fast) = (FaultServer::start(Fault::Hang).await, FaultServer::start(Fault::None).await);
    let upstream = upstream(vec![slow.url(), fast.url()]);
    let hedged = |method| Call { hedge: Some(Duration::from_millis(20)), ..call(method) };
    // No more than the budget grants without any other calls.
    for _ in 0..8 {
        assert_eq!(ask(&upstream, hedged(Method::GET)).await, (200, None));
    }
    while slow.requests() == 0 {
        assert_eq!(ask(&upstream, hedged(Method::GET)).await, (200, None));
    }
    slow.saw_closed(slow.requests()).await;
    for health in upstream.health() {
        assert_eq!((health.breaker, health.in_flight, health.is_ejected), (Position::Closed, 0, false));
    }
    for call in [hedged(Method::POST), Call { hedge: Some(Duration::from_millis(20)), ..streamed() }] {
        let before = slow.requests() + fast.requests();
        let told = ask(&upstream, call).await;
        assert!([(200, None), (504, Some("http_response_timeout"))].contains(&told), "{told:?}");
        assert_eq!(slow.requests() + fast.requests(), before + 1, "what may not be sent twice was");
    }
}

#[tokio::test]
async fn a_hedge_that_fails_changes_nothing_and_all_hedges_stay_within_the_budget() {
    let (late, refusing) =
        (FaultServer::start(Fault::Delay(Duration::from_millis(80))).await, Fault::Status(503));
    let refusing = FaultServer::start(refusing).await;
    let hedge = Some(Duration::from_millis(10));
    let config = PoolConfig { retries: 0, ..PoolConfig::new("tried", vec![late.url(), refusing.url()]) };
    let upstream = Upstream::new(config).unwrap();
    // Until the late one is asked first: it is waited for although the other answers sooner.
    loop {
        let before = refusing.requests();
        let status = ask(&upstream, Call { hedge, ..call(Method::GET) }).await.0;
        if status == 200 && refusing.requests() > before {
            break;
        }
    }
    let both = FaultServer::start(Fault::Delay(Duration::from_millis(15))).await;
    let other = FaultServer::start(Fault::Delay(Duration::from_millis(15))).await;
    let upstream = self::upstream(vec![both.url(), other.url()]);
    let hedge = Some(Duration::from_millis(1));
    for _ in 0..40 {
        assert_eq!(ask(&upstream, Call { hedge, ..call(Method::GET) }).await.0, 200);
    }
    let sent = both.requests() + other.requests();
    assert!((41..=50).contains(&sent), "{sent} for 40 calls");
}
