//! HTTP/2 through a real socket, frame by frame: the rules of RFC 9113 as h2spec tries them, and the ways to wear a server out.

mod frames;

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use kit::{
    edge::{Edge, Trust},
    routes::Routes,
    server::{Limits, Server},
};
use poem::{Endpoint, Request, Response, Result};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use self::frames::{
    ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, Frame, GO_AWAY, HEADERS, PADDED, PING, PREFACE,
    PRIORITY, PUSH_PROMISE, Peer, RESET, SETTINGS, WINDOW_UPDATE, fields, frame, request,
};

const PROTOCOL: u8 = 1;
const FLOW_CONTROL: u8 = 3;
const STREAM_CLOSED: u8 = 5;
const FRAME_SIZE: u8 = 6;
const REFUSED: u8 = 7;
const COMPRESSION: u8 = 9;

/// The code that the rules give, and the one by which h2 tells it.
const SIZE: [u8; 2] = [FRAME_SIZE, PROTOCOL];

#[derive(Clone, Default)]
struct App {
    called: Arc<AtomicUsize>,
    /// Requests whose body was whole.
    whole: Arc<AtomicUsize>,
    entered: Arc<Notify>,
    leave: Arc<Notify>,
}

impl Endpoint for App {
    type Output = Response;

    async fn call(&self, mut request: Request) -> Result<Response> {
        self.called.fetch_add(1, Ordering::SeqCst);
        match request.uri().path() {
            "/wait" => {
                self.entered.notify_one();
                self.leave.notified().await;
                Ok(Response::from("done"))
            }
            "/large" => Ok(Response::from(vec![b'x'; 8 << 20])),
            "/fields" => {
                let field = |name: &str| request.header(name).unwrap_or("-").to_owned();
                Ok(Response::from(format!("{} {}", field("host"), field("cookie"))))
            }
            _ => {
                request.take_body().into_vec().await?;
                self.whole.fetch_add(1, Ordering::SeqCst);
                Ok(Response::from("done"))
            }
        }
    }
}

struct Running {
    address: SocketAddr,
    app: App,
    shutdown: CancellationToken,
    ended: tokio::task::JoinHandle<()>,
}

async fn start(limits: Limits) -> Running {
    let server = Server::bind(([127, 0, 0, 1], 0).into(), limits).await.unwrap();
    let (address, app, shutdown) = (server.address(), App::default(), CancellationToken::new());
    let edge = Edge::new(app.clone(), "test", Arc::new(Routes::default()), Trust::Nobody);
    let ended = tokio::spawn(server.run(edge, shutdown.clone()));
    Running { address, app, shutdown, ended }
}

fn number(number: u32) -> [u8; 4] {
    number.to_be_bytes()
}

fn setting(name: u8, value: u32) -> Vec<u8> {
    [&[0, name][..], &number(value)].concat()
}

#[tokio::test]
async fn frames_against_the_rules_end_the_connection_with_the_code_that_the_rules_give() {
    let running = start(Limits::default()).await;
    let get = frame(HEADERS, END_HEADERS | END_STREAM, 1, &request("GET", "/", &[]));
    let open = frame(HEADERS, END_HEADERS, 1, &request("POST", "/wait", &[]));
    let after = |first: &[u8], then: Vec<u8>| [first, &then].concat();
    for (what, sent, codes) in [
        ("DATA on stream 0", frame(DATA, 0, 0, b"x"), [PROTOCOL; 2]),
        ("HEADERS on stream 0", frame(HEADERS, END_HEADERS, 0, &request("GET", "/", &[])), [PROTOCOL; 2]),
        (
            "HEADERS on an even stream",
            frame(HEADERS, END_HEADERS, 2, &request("GET", "/", &[])),
            [PROTOCOL; 2],
        ),
        ("DATA on an idle stream", frame(DATA, 0, 1, b"x"), [PROTOCOL; 2]),
        ("RST_STREAM on an idle stream", frame(RESET, 0, 1, &number(8)), [PROTOCOL; 2]),
        ("RST_STREAM on stream 0", frame(RESET, 0, 0, &number(8)), [PROTOCOL; 2]),
        ("RST_STREAM of three bytes", after(&open, frame(RESET, 0, 1, &[0; 3])), SIZE),
        ("WINDOW_UPDATE on an idle stream", frame(WINDOW_UPDATE, 0, 1, &number(1)), [PROTOCOL; 2]),
        ("WINDOW_UPDATE by nothing", frame(WINDOW_UPDATE, 0, 0, &number(0)), [PROTOCOL; 2]),
        (
            "WINDOW_UPDATE past the largest window",
            frame(WINDOW_UPDATE, 0, 0, &number(0x7fff_ffff)),
            [FLOW_CONTROL, PROTOCOL],
        ),
        ("WINDOW_UPDATE of three bytes", frame(WINDOW_UPDATE, 0, 0, &[0; 3]), SIZE),
        ("SETTINGS of seven bytes", frame(SETTINGS, 0, 0, &[0; 7]), SIZE),
        ("SETTINGS on a stream", frame(SETTINGS, 0, 1, &[]), [PROTOCOL; 2]),
        ("an acknowledgement of SETTINGS with content", frame(SETTINGS, ACK, 0, &setting(3, 1)), SIZE),
        ("ENABLE_PUSH of 2", frame(SETTINGS, 0, 0, &setting(2, 2)), [PROTOCOL; 2]),
        (
            "INITIAL_WINDOW_SIZE past the largest",
            frame(SETTINGS, 0, 0, &setting(4, 0x8000_0000)),
            [FLOW_CONTROL, PROTOCOL],
        ),
        ("MAX_FRAME_SIZE below the least", frame(SETTINGS, 0, 0, &setting(5, 16_383)), [PROTOCOL; 2]),
        ("MAX_FRAME_SIZE past the largest", frame(SETTINGS, 0, 0, &setting(5, 1 << 24)), [PROTOCOL; 2]),
        ("PING of seven bytes", frame(PING, 0, 0, &[0; 7]), SIZE),
        ("PING on a stream", frame(PING, 0, 1, &[0; 8]), [PROTOCOL; 2]),
        ("GOAWAY on a stream", frame(GO_AWAY, 0, 1, &[0; 8]), [PROTOCOL; 2]),
        ("PUSH_PROMISE", after(&open, frame(PUSH_PROMISE, END_HEADERS, 1, &[0; 4])), [PROTOCOL; 2]),
        ("PRIORITY on stream 0", frame(PRIORITY, 0, 0, &[0; 5]), [PROTOCOL; 2]),
        ("CONTINUATION alone", frame(CONTINUATION, END_HEADERS, 1, &[]), [PROTOCOL; 2]),
        (
            "DATA within a head",
            after(&frame(HEADERS, 0, 1, &request("GET", "/", &[])), frame(DATA, 0, 1, b"x")),
            [PROTOCOL; 2],
        ),
        (
            "PING within a head",
            after(&frame(HEADERS, 0, 1, &request("GET", "/", &[])), frame(PING, 0, 0, &[0; 8])),
            [PROTOCOL; 2],
        ),
        (
            "another stream's CONTINUATION",
            after(&frame(HEADERS, 0, 1, &request("GET", "/", &[])), frame(CONTINUATION, END_HEADERS, 3, &[])),
            [PROTOCOL; 2],
        ),
        ("more padding than frame", frame(HEADERS, END_HEADERS | PADDED, 1, &[200, 0]), [PROTOCOL; 2]),
        (
            "a stream opened backwards",
            after(&frame(HEADERS, END_HEADERS | END_STREAM, 5, &request("GET", "/", &[])), get.clone()),
            [PROTOCOL; 2],
        ),
        (
            "an index that HPACK has not",
            frame(HEADERS, END_HEADERS, 1, &[0xff, 0x7f]),
            [COMPRESSION, PROTOCOL],
        ),
        (
            "a text that ends before its length",
            frame(HEADERS, END_HEADERS, 1, &[0, 20, b'a']),
            [COMPRESSION, PROTOCOL],
        ),
        ("a frame larger than was agreed", frame(DATA, 0, 1, &vec![0; 16_385]), SIZE),
    ] {
        let mut peer = Peer::connect(running.address).await;
        peer.write(&sent).await;
        let told: Vec<Frame> =
            peer.rest().await.into_iter().filter(|frame| matches!(frame.kind, RESET | GO_AWAY)).collect();
        assert!(
            told.iter().any(|frame| frame.kind == GO_AWAY && codes.contains(&frame.code())),
            "{what}: {told:?}"
        );
    }
    // None of it has harmed anybody else.
    let mut peer = Peer::connect(running.address).await;
    peer.write(&get).await;
    assert_eq!(peer.outcome().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_malformed_request_is_refused_alone_and_reaches_nobody() {
    let running = start(Limits::default()).await;
    let own = [(":method", "GET"), (":scheme", "http"), (":authority", "g"), (":path", "/")];
    let with = |name: &str, value: &str| fields(&[&own[..], &[(name, value)]].concat());
    let without = |name: &str| fields(&own.into_iter().filter(|field| field.0 != name).collect::<Vec<_>>());
    let instead = |name: &'static str, value: &'static str| {
        fields(&own.map(|field| if field.0 == name { (name, value) } else { field }))
    };
    for (what, head) in [
        ("an upper-case name", with("X-Field", "1")),
        ("transfer-encoding", with("transfer-encoding", "chunked")),
        ("connection", with("connection", "close")),
        ("keep-alive", with("keep-alive", "1")),
        ("proxy-connection", with("proxy-connection", "close")),
        ("upgrade", with("upgrade", "h2c")),
        ("te other than trailers", with("te", "gzip")),
        ("a name with a space", with("x field", "1")),
        ("a name with a colon", with("x:field", "1")),
        ("a name with a line break", with("x\r\nfield", "1")),
        ("an empty name", with("", "1")),
        ("a value with CR and LF", with("x", "1\r\ntransfer-encoding: chunked")),
        ("a value with LF", with("x", "1\nhost: evil")),
        ("a value with NUL", with("x", "1\0")),
        ("an unknown pseudo field", with(":x", "1")),
        ("the status of an answer", with(":status", "200")),
        ("the path twice", with(":path", "/other")),
        ("a pseudo field behind others", fields(&[own[0], own[1], own[2], ("x", "1"), own[3]])),
        ("no method", without(":method")),
        ("no scheme", without(":scheme")),
        ("no path", without(":path")),
        ("an empty path", instead(":path", "")),
        ("a path without a slash", instead(":path", "healthz")),
        ("a path that is a URL", instead(":path", "http://evil/")),
        ("a path with a space", instead(":path", "/a b")),
        ("a path with a line break", instead(":path", "/a\r\nhost: evil")),
        ("a path with NUL", instead(":path", "/a\0")),
        ("dot segments", instead(":path", "/a/../b")),
        ("an encoded slash", instead(":path", "/a%2Fb")),
        ("a method with a space", instead(":method", "GET /")),
        ("an authority with a user", instead(":authority", "a@g")),
        ("an authority with a space", instead(":authority", "a b")),
        ("another host than the authority", with("host", "evil")),
        ("two hosts", fields(&[&own[..], &[("host", "g"), ("host", "g")]].concat())),
        ("no authority and no host", without(":authority")),
        ("two lengths", fields(&[&own[..], &[("content-length", "0"), ("content-length", "0")]].concat())),
        ("a length with a sign", with("content-length", "+0")),
        ("a length that is none", with("content-length", "0x0")),
    ] {
        let mut peer = Peer::connect(running.address).await;
        peer.send(HEADERS, END_HEADERS | END_STREAM, 1, &head).await;
        let told = peer.outcome().await.unwrap_or_else(|| panic!("{what}: the connection ended"));
        let refused = if told.kind == HEADERS { told.status() == 400 } else { told.code() == PROTOCOL };
        assert!(refused, "{what}: {told:?}");
    }
    assert_eq!(running.app.called.load(Ordering::SeqCst), 0);
    let mut peer = Peer::connect(running.address).await;
    peer.get(1, "/", &[("te", "trailers"), ("host", "G")]).await;
    assert_eq!(peer.outcome().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_body_of_another_length_than_was_announced_is_never_taken_for_whole() {
    let running = start(Limits::default()).await;
    for (announced, sent, is_good) in
        [("4", "body", true), ("5", "body", false), ("3", "body", false), ("0", "b", false)]
    {
        let mut peer = Peer::connect(running.address).await;
        let before = running.app.whole.load(Ordering::SeqCst);
        let head = request("POST", "/", &[("content-length", announced)]);
        peer.send(HEADERS, END_HEADERS, 1, &head).await;
        peer.send(DATA, END_STREAM, 1, sent.as_bytes()).await;
        let told = peer.outcome().await.unwrap();
        let is_refused = if told.kind == HEADERS { told.status() >= 400 } else { told.code() == PROTOCOL };
        assert_eq!(is_refused, !is_good, "{announced}: {told:?}");
        assert_eq!(running.app.whole.load(Ordering::SeqCst) - before, usize::from(is_good), "{announced}");
    }
    let mut peer = Peer::connect(running.address).await;
    peer.get(1, "/wait", &[]).await;
    peer.send(DATA, 0, 1, b"late").await;
    let told = peer.outcome().await.unwrap();
    assert!(told.kind != HEADERS && [STREAM_CLOSED, PROTOCOL].contains(&told.code()), "{told:?}");
}

#[tokio::test]
async fn what_http_2_writes_in_its_own_way_reaches_the_layers_above_as_in_http_1() {
    let running = start(Limits::default()).await;
    let mut peer = Peer::connect(running.address).await;
    let ping = *b"12345678";
    peer.send(PING, 0, 0, &ping).await;
    // A frame of an unknown kind is passed over.
    peer.send(0xee, 0xff, 0, b"?").await;
    peer.get(1, "/fields", &[("cookie", "a=1"), ("cookie", "b=2")]).await;
    let mut reply = None;
    loop {
        let frame = peer.next().await.unwrap();
        match frame.kind {
            PING => reply = Some((frame.flags, frame.payload)),
            DATA => break assert_eq!(String::from_utf8(frame.payload).unwrap(), "g a=1; b=2"),
            _ => {}
        }
    }
    assert_eq!(reply, Some((ACK, ping.to_vec())));
    // What only looks like the preface is HTTP/1, and malformed.
    let almost = [&PREFACE[..18], b"XX\r\n\r\n"].concat();
    let mut peer = tokio::net::TcpStream::connect(running.address).await.unwrap();
    let mut answer = Vec::new();
    tokio::io::AsyncWriteExt::write_all(&mut peer, &almost).await.unwrap();
    tokio::io::AsyncReadExt::read_to_end(&mut peer, &mut answer).await.unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 400 "), "{}", String::from_utf8_lossy(&answer));
}

#[tokio::test]
async fn a_head_that_is_too_large_is_431_however_it_is_sent() {
    let running = start(Limits::default()).await;
    let long = "y".repeat(40 * 1024);
    let many: Vec<(String, &str)> = (0..150).map(|number| (format!("x-{number}"), "1")).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    for head in [request("GET", "/", &[("x", &long)]), request("GET", "/", &many)] {
        let mut peer = Peer::connect(running.address).await;
        let mut parts = head.chunks(16_000);
        peer.send(HEADERS, END_STREAM, 1, parts.next().unwrap()).await;
        for part in parts {
            peer.send(CONTINUATION, 0, 1, part).await;
        }
        peer.send(CONTINUATION, END_HEADERS, 1, &[]).await;
        assert_eq!(peer.outcome().await.unwrap().status(), 431);
    }
    assert_eq!(running.app.called.load(Ordering::SeqCst), 0);
}

/// Whether somebody else is served all the while.
async fn is_serving(running: &Running) {
    let mut peer = Peer::connect(running.address).await;
    peer.get(1, "/", &[]).await;
    let mut told = peer.outcome().await.unwrap();
    while told.kind == GO_AWAY && told.code() == 0 {
        told = peer.outcome().await.unwrap();
    }
    assert_eq!(told.status(), 200);
}

#[tokio::test]
async fn requests_taken_back_at_once_again_and_again_cut_their_client_off() {
    let running = start(Limits::default()).await;
    // CVE-2023-44487, all at once and each after it was begun to be answered.
    for waits in [false, true] {
        let before = running.app.called.load(Ordering::SeqCst);
        let mut peer = Peer::connect(running.address).await;
        let mut sent = 0;
        for stream in (1..40_000).step_by(2) {
            if !peer.get(stream, "/wait", &[]).await {
                break;
            }
            if waits {
                let begun =
                    tokio::time::timeout(Duration::from_secs(1), running.app.entered.notified()).await;
                if begun.is_err() {
                    break;
                }
            }
            if !peer.send(RESET, 0, stream, &number(8)).await {
                break;
            }
            sent += 1;
        }
        assert!(sent < 20_000, "{sent} requests were taken back, and nobody minded");
        let called = running.app.called.load(Ordering::SeqCst) - before;
        assert!(called < 1_000, "{called} were begun");
        is_serving(&running).await;
    }
}

#[tokio::test]
async fn a_head_without_an_end_is_cut_off_soon() {
    let running = start(Limits { idle_time: Duration::from_millis(400), ..Limits::default() }).await;
    // CVE-2024-27316: frames without end, with content and without.
    for part in [fields(&[("x", &"y".repeat(8_000))]), Vec::new()] {
        let mut peer = Peer::connect(running.address).await;
        peer.send(HEADERS, END_STREAM, 1, &request("GET", "/", &[])).await;
        let mut sent = 0;
        while sent < 200_000 && peer.send(CONTINUATION, 0, 1, &part).await {
            sent += 1;
        }
        assert!(sent < 200_000, "{sent} frames of {} bytes were taken", part.len());
    }
    // One that stops in the middle.
    let mut peer = Peer::connect(running.address).await;
    peer.send(HEADERS, END_STREAM, 1, &request("GET", "/", &[])).await;
    peer.rest().await;
    is_serving(&running).await;
}

#[tokio::test]
async fn no_more_requests_at_once_are_taken_than_were_agreed() {
    let running = start(Limits::default()).await;
    let mut peer = Peer::connect(running.address).await;
    let settings = peer.next().await.unwrap();
    let agreed = settings.payload.chunks(6).find(|setting| setting[..2] == [0, 3]).unwrap();
    assert_eq!(agreed[2..], number(100));
    for number in 0..120 {
        peer.get(number * 2 + 1, "/wait", &[]).await;
    }
    let mut refused = 0;
    while refused < 20 {
        let told = peer.outcome().await.unwrap();
        assert_eq!((told.kind, told.code()), (RESET, REFUSED), "{told:?}");
        refused += 1;
    }
    let all = async {
        while running.app.called.load(Ordering::SeqCst) < 100 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), all).await.unwrap();
    assert_eq!(running.app.called.load(Ordering::SeqCst), 100);
}

#[tokio::test]
async fn who_takes_nothing_of_an_answer_or_says_nothing_is_cut_off() {
    let limits = Limits { idle_time: Duration::from_millis(400), ..Limits::default() };
    let running = start(limits).await;
    let mut silent = Peer::connect(running.address).await;
    let mut stalled = Peer::connect(running.address).await;
    // No window beyond the first is ever given; pings go on.
    stalled.get(1, "/large", &[]).await;
    let pinging = async {
        while stalled.send(PING, 0, 0, &[0; 8]).await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let (frames, pinged) =
        tokio::join!(silent.rest(), tokio::time::timeout(Duration::from_secs(10), pinging));
    assert!(pinged.is_ok(), "a client that takes nothing is kept");
    assert!(frames.iter().any(|frame| frame.kind == GO_AWAY && frame.code() == 0), "{frames:?}");
    is_serving(&running).await;
}

#[tokio::test]
async fn floods_that_ask_for_replies_cost_their_sender_and_no_memory_here() {
    let running = start(Limits { idle_time: Duration::from_secs(1), ..Limits::default() }).await;
    let resident = || {
        let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
        pages.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
    };
    is_serving(&running).await;
    let before = resident();
    for (kind, payload) in
        [(PING, vec![0; 8]), (SETTINGS, setting(4, 65_535)), (PRIORITY, vec![0, 0, 0, 0, 1])]
    {
        let mut peer = Peer::connect(running.address).await;
        let stream = u32::from(kind == PRIORITY);
        // Nothing that comes back is read: the sender is held up or cut off, or what it sends is worth nothing.
        let many = frame(kind, 0, stream, &payload).repeat(100);
        for _ in 0..2_000 {
            let written = tokio::time::timeout(Duration::from_millis(300), peer.write(&many)).await;
            if !matches!(written, Ok(true)) {
                break;
            }
        }
        is_serving(&running).await;
    }
    let grown = resident().saturating_sub(before);
    assert!(grown < 16 << 20, "{grown} bytes");
}

#[tokio::test]
async fn a_stop_is_told_at_once_and_what_is_in_flight_is_finished() {
    let running = start(Limits { accept_time: Duration::from_millis(300), ..Limits::default() }).await;
    let mut peer = Peer::connect(running.address).await;
    peer.get(1, "/wait", &[]).await;
    running.app.entered.notified().await;
    running.shutdown.cancel();
    let told = peer.outcome().await.unwrap();
    assert_eq!((told.kind, told.code()), (GO_AWAY, 0));
    // Whoever comes before the balancer has seen it is served.
    is_serving(&running).await;
    running.app.leave.notify_one();
    // The ping by which the server sees that its word has arrived.
    let mut status = None;
    while let Some(frame) = peer.next().await {
        match frame.kind {
            PING if frame.flags & ACK == 0 => assert!(peer.send(PING, ACK, 0, &frame.payload).await),
            HEADERS => status = Some(frame.status()),
            _ => {}
        }
    }
    assert_eq!(status, Some(200));
    tokio::time::timeout(Duration::from_secs(5), running.ended).await.unwrap().unwrap();
    assert!(tokio::net::TcpStream::connect(running.address).await.is_err());
}
