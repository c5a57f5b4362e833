//! A changed configuration takes the place of the running one while requests go on.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use gateway::{Config, RateRule};
use kit::{
    client_address::TrustedProxies,
    config::Declared,
    cors::Origins,
    testing::{Fault, FaultServer, TestDatabase},
};
use serde_json::{Value, json};

use crate::support::{Gateway, config, named};

/// `GET /a`, which anybody may call.
fn document() -> Value {
    json!({
        "openapi": "3.1.0",
        "info": { "title": "Small", "version": "1" },
        "paths": { "/a": {
            "get": { "operationId": "readA", "responses": { "200": { "description": "" } } },
            "post": { "operationId": "writeA", "responses": { "200": { "description": "" } } },
        } },
    })
}

/// A service of these settings, whose answers nobody looks into.
fn service(name: &str, folder: &Path, url: &str, more: &str) -> Declared {
    named(name, folder, url, &document(), &format!("access = \"public\"\ncontract = \"off\"\n{more}"))
}

/// A service whose answers tell which configuration they passed.
fn version(folder: &Path, url: &str, version: usize) -> Declared {
    service("echo", folder, url, &format!("[response.headers]\nset = {{ x-version = \"{version}\" }}"))
}

struct Place {
    gateway: Gateway,
    folder: tempfile::TempDir,
    _database: TestDatabase,
}

impl Place {
    async fn start(services: impl FnOnce(&Path) -> Vec<Declared>) -> Self {
        let (database, folder) = (TestDatabase::sqlite(), tempfile::tempdir().unwrap());
        let mut config = config(&database, "http://127.0.0.1:1").await;
        config.services = services(folder.path());
        Self { gateway: Gateway::start(config).await, folder, _database: database }
    }

    async fn reload(&self, change: impl FnOnce(&mut Config)) -> Result<(), String> {
        let mut config = self.gateway.config.clone();
        change(&mut config);
        self.gateway.reloader.reload(&config).await.map_err(|error| error.to_string())
    }

    async fn status(&self, path: &str) -> u16 {
        self.gateway.get(path).send().await.unwrap().status().as_u16()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reloads_under_load_fail_no_request_and_each_passes_one_configuration() {
    const RELOADS: usize = 60;
    let server = FaultServer::start(Fault::None).await;
    let url = server.url();
    let place = Place::start(|folder| vec![version(folder, &url, 0)]).await;
    let (latest, done, answered) =
        (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let clients: Vec<_> = (0..8)
        .map(|_| {
            let (latest, done, answered) = (Arc::clone(&latest), Arc::clone(&done), Arc::clone(&answered));
            let (client, url) = (place.gateway.client.clone(), place.gateway.url("/api/echo/a"));
            tokio::spawn(async move {
                while !done.load(Ordering::SeqCst) {
                    let least = latest.load(Ordering::SeqCst);
                    let answer = client.get(&url).send().await.unwrap();
                    assert_eq!(answer.status(), 200);
                    let version: usize = answer.headers()["x-version"].to_str().unwrap().parse().unwrap();
                    assert_eq!(answer.text().await.unwrap(), "ok");
                    // No older one than was in place when it was sent; the next may be there before this client hears of it.
                    assert!(
                        (least..=latest.load(Ordering::SeqCst) + 1).contains(&version),
                        "{version}, {least}"
                    );
                    answered.fetch_add(1, Ordering::SeqCst);
                }
            })
        })
        .collect();
    for number in 1..=RELOADS {
        let next = version(place.folder.path(), &url, number);
        place.reload(|config| config.services = vec![next]).await.unwrap();
        latest.store(number, Ordering::SeqCst);
    }
    done.store(true, Ordering::SeqCst);
    for client in clients {
        client.await.unwrap();
    }
    let answered = answered.load(Ordering::SeqCst);
    assert!(answered > RELOADS, "{answered} requests were too few to tell");
}

#[tokio::test]
async fn a_request_in_flight_ends_by_what_it_began_with() {
    let server = FaultServer::start(Fault::Delay(Duration::from_millis(300))).await;
    let url = server.url();
    let place = Place::start(|folder| vec![version(folder, &url, 1)]).await;
    let request = place.gateway.get("/api/echo/a").send();
    let reload = async {
        server.saw_requests(1).await;
        place.reload(|config| config.services = Vec::new()).await.unwrap();
        assert_eq!(place.status("/api/echo/a").await, 404);
    };
    let (answer, ()) = tokio::join!(request, reload);
    let answer = answer.unwrap();
    assert_eq!((answer.status().as_u16(), &answer.headers()["x-version"]), (200, &"1".parse().unwrap()));
}

#[tokio::test]
async fn a_refused_configuration_changes_nothing_and_every_fault_is_told_with_its_place() {
    let server = FaultServer::start(Fault::None).await;
    let url = server.url();
    let place = Place::start(|folder| vec![version(folder, &url, 1)]).await;
    let folder = place.folder.path();
    let good = service("good", folder, &url, "");
    let unknown = service("unknown", folder, &url, "[operations.readB]\nhidden = true");
    let missing = service("missing", folder, &url, "");
    std::fs::remove_file(folder.join("missing.json")).unwrap();
    let refused = place
        .reload(|config| {
            config.services = vec![good, unknown, missing];
            config.cors = Origins::parse("https://app.example").unwrap();
        })
        .await
        .unwrap_err();
    assert_eq!(refused.lines().count(), 2, "{refused}");
    for part in ["platform.toml:1: service unknown", "readA", "platform.toml:1: service missing"] {
        assert!(refused.contains(part), "{refused}");
    }
    let answer =
        place.gateway.get("/api/echo/a").header("origin", "https://app.example").send().await.unwrap();
    assert_eq!(answer.headers()["x-version"], "1");
    assert!(!answer.headers().contains_key("access-control-allow-origin"));
    assert_eq!(place.status("/api/good/a").await, 404);
}

#[tokio::test]
async fn what_else_can_change_does_at_once() {
    let server = FaultServer::start(Fault::None).await;
    let url = server.url();
    let place = Place::start(|folder| vec![version(folder, &url, 1)]).await;
    let bucket = RateRule::list("2/h by address").unwrap();
    place
        .reload(|config| {
            config.cors = Origins::parse("https://app.example").unwrap();
            config.docs = false;
            config.rate_limit.clone_from(&bucket);
            config.trusted_proxies = TrustedProxies::parse(["127.0.0.1"]).unwrap();
        })
        .await
        .unwrap();
    assert_eq!(place.status("/docs").await, 404);
    let call = async |client: &str| {
        let request = place.gateway.get("/api/echo/a").header("x-forwarded-for", client);
        request.header("origin", "https://app.example").send().await.unwrap()
    };
    let first = call("192.0.2.1").await;
    assert_eq!(first.headers()["access-control-allow-origin"], "https://app.example");
    assert_eq!((first.status().as_u16(), call("192.0.2.1").await.status().as_u16()), (200, 200));
    assert_eq!(
        (call("192.0.2.1").await.status().as_u16(), call("192.0.2.2").await.status().as_u16()),
        (429, 200)
    );
    // What was counted stays counted.
    place
        .reload(|config| {
            config.rate_limit.clone_from(&bucket);
            config.trusted_proxies = TrustedProxies::parse(["127.0.0.1"]).unwrap();
        })
        .await
        .unwrap();
    assert_eq!((call("192.0.2.1").await.status().as_u16(), place.status("/docs").await), (429, 200));
    place.reload(|_| ()).await.unwrap();
    assert_eq!(call("192.0.2.1").await.status(), 200);
}

#[tokio::test]
async fn what_is_known_of_an_unchanged_instance_outlives_a_reload() {
    let server = FaultServer::start(Fault::Reset).await;
    let url = server.url();
    let place = Place::start(|folder| vec![service("echo", folder, &url, "")]).await;
    let post = async |path: &str| place.gateway.post(path).send().await.unwrap().status().as_u16();
    while post("/api/echo/a").await != 503 {}
    server.set(Fault::None);
    let seen = server.requests();
    let folder = place.folder.path();
    for more in ["", "timeout = \"700ms\"", "[response.headers]\nremove = [\"server\"]"] {
        let next = service("echo", folder, &url, more);
        place.reload(|config| config.services = vec![next]).await.unwrap();
        assert_eq!((post("/api/echo/a").await, server.requests()), (503, seen), "{more}");
    }
    let other = service("other", folder, &url, "");
    place.reload(|config| config.services = vec![other]).await.unwrap();
    assert_eq!((post("/api/other/a").await, server.requests()), (200, seen + 1));
}

/// Bytes of this process in memory.
fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

/// Sockets of this process.
fn sockets() -> usize {
    let links = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
    let names = links.filter_map(|link| std::fs::read_link(link.path()).ok());
    names.filter(|name| name.to_string_lossy().starts_with("socket:")).count()
}

fn tasks() -> usize {
    tokio::runtime::Handle::current().metrics().num_alive_tasks()
}

#[tokio::test]
async fn hundreds_of_reloads_leave_no_task_connection_or_memory_behind() {
    let server = FaultServer::start(Fault::None).await;
    let url = server.url();
    let place = Place::start(|folder| vec![version(folder, &url, 0)]).await;
    let round = async |number: usize| {
        // Another pool each time, which is called and probed.
        let more = format!(
            "connect_timeout = \"{}ms\"\nhealth = \"/a\"\n[response.headers]\nset = {{ x-version = \"{number}\" }}",
            100 + number
        );
        let next = service("echo", place.folder.path(), &url, &more);
        place.reload(|config| config.services = vec![next]).await.unwrap();
        let answer = place.gateway.get("/api/echo/a").send().await.unwrap();
        assert_eq!(answer.headers()["x-version"], *number.to_string());
    };
    for number in 0..50 {
        round(number).await;
    }
    let settled = async |most: (usize, usize)| {
        let fits = async {
            while tasks() > most.0 || sockets() > most.1 {
                tokio::task::yield_now().await;
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(10), fits).await;
        assert!(waited.is_ok(), "{} tasks, {} sockets; at most {most:?}", tasks(), sockets());
    };
    // One pool, one probe, and what the gateway has anyway.
    let usual = (40, 30);
    settled(usual).await;
    let before = resident();
    for number in 50..250 {
        round(number).await;
    }
    settled(usual).await;
    let grown = resident().saturating_sub(before);
    assert!(grown < 16 << 20, "200 reloads kept {grown} bytes");
}
