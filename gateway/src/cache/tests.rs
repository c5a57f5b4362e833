//! The cache before a service of a test, in memory and in Valkey.

use std::sync::atomic::{AtomicUsize, Ordering};

use http::Request;
use http_body_util::BodyExt;
use kit::testing::TestValkey;
use secrecy::SecretString;
use tokio::sync::Notify;

use super::*;
use crate::valkey::ValkeyUrl;

type Answering = dyn Fn(&Parts) -> Result<Response<CacheBody>, Problem> + Send + Sync;

/// A service that counts its calls and answers each by `answer`.
#[derive(Clone)]
struct Service {
    calls: Arc<AtomicUsize>,
    answer: Arc<Answering>,
    held: Option<Arc<Notify>>,
}

impl Service {
    fn new(answer: impl Fn(&Parts) -> Result<Response<CacheBody>, Problem> + Send + Sync + 'static) -> Self {
        Self { calls: Arc::default(), answer: Arc::new(answer), held: None }
    }

    /// Always this.
    fn says(fields: &'static [(&'static str, &'static str)], body: &'static str) -> Self {
        Self::new(move |_| Ok(reply(200, fields, body)))
    }

    /// Answers only once it is told to.
    fn held(self) -> (Self, Arc<Notify>) {
        let held = Arc::new(Notify::new());
        (Self { held: Some(Arc::clone(&held)), ..self }, held)
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    fn fetch(&self) -> impl Call {
        let service = self.clone();
        move |request: Parts| {
            let service = service.clone();
            service.calls.fetch_add(1, Ordering::SeqCst);
            async move {
                if let Some(held) = &service.held {
                    held.notified().await;
                }
                (service.answer)(&request)
            }
        }
    }
}

fn reply(status: u16, fields: &[(&str, &str)], body: &str) -> Response<CacheBody> {
    let mut response = Response::builder().status(status);
    for (name, value) in fields {
        response = response.header(*name, *value);
    }
    response.body(give::whole(Bytes::copy_from_slice(body.as_bytes()))).unwrap()
}

fn memory() -> Arc<Cache> {
    Arc::new(Cache::new(Kept::Memory { bytes: 1 << 20 }, 1024))
}

fn request(method: &str, target: &str, fields: &[(&str, &str)]) -> Parts {
    let mut request = Request::builder().method(method).uri(target).header("host", "gateway");
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

/// Status, `Cache-Status`, body.
async fn ask_as(
    cache: &Arc<Cache>,
    service: &Service,
    identity: Identity,
    request: Parts,
) -> (u16, String, String) {
    match cache.answer("tried", identity, request, service.fetch()).await {
        Ok(answer) => {
            let (head, body) = answer.into_parts();
            let told = head.headers["cache-status"].to_str().unwrap().to_owned();
            let body = body.collect().await.unwrap().to_bytes();
            (head.status.as_u16(), told, String::from_utf8(body.to_vec()).unwrap())
        }
        Err(problem) => (problem.kind.status().as_u16(), String::new(), String::new()),
    }
}

async fn ask(cache: &Arc<Cache>, service: &Service, request: Parts) -> (u16, String, String) {
    ask_as(cache, service, Identity::Nobody, request).await
}

fn get(target: &str) -> Parts {
    request("GET", target, &[])
}

#[tokio::test]
async fn each_language_gets_its_own_and_a_change_ends_them_all() {
    let cache = memory();
    let service = Service::new(|request| {
        let language = request.headers["accept-language"].to_str().unwrap().to_owned();
        Ok(reply(200, &[("vary", "Accept-Language"), ("cache-control", "public, max-age=60")], &language))
    });
    let in_language = |language| request("GET", "/x", &[("accept-language", language)]);
    for language in ["de", "it", "de"] {
        assert_eq!(ask(&cache, &service, in_language(language)).await.2, language);
    }
    assert_eq!(service.calls(), 2);
    let (_, told, body) = ask(&cache, &service, request("HEAD", "/x", &[("accept-language", "it")])).await;
    assert!(told.starts_with("platform; hit; ttl="), "{told}");
    assert_eq!((service.calls(), body.as_str()), (2, ""));
    ask(&cache, &service, request("POST", "/x", &[("accept-language", "de")])).await;
    for language in ["de", "it"] {
        ask(&cache, &service, in_language(language)).await;
    }
    assert_eq!(service.calls(), 5);
}

#[tokio::test]
async fn what_varies_by_everything_is_never_reused_and_two_orders_of_a_query_are_two_answers() {
    let cache = memory();
    let service = Service::says(&[("vary", "*"), ("cache-control", "max-age=60")], "x");
    for calls in 1..4 {
        ask(&cache, &service, get("/star")).await;
        assert_eq!(service.calls(), calls);
    }
    let service = Service::says(&[("cache-control", "max-age=60")], "x");
    for target in ["/x?a=1&b=2", "/x?b=2&a=1", "/x?a=1&b=2"] {
        ask(&cache, &service, get(target)).await;
    }
    assert_eq!(service.calls(), 2);
}

#[tokio::test]
async fn no_answer_is_given_to_another_caller_and_none_with_a_cookie_is_kept() {
    let cache = memory();
    let service = Service::says(&[("cache-control", "max-age=60")], "x");
    for (user, calls) in [("a", 1), ("b", 2), ("a", 2), ("b", 2)] {
        ask_as(&cache, &service, Identity::User(user.into()), get("/me")).await;
        assert_eq!(service.calls(), calls);
    }
    ask(&cache, &service, get("/me")).await;
    assert_eq!(service.calls(), 3);
    let service = Service::says(&[("cache-control", "public, max-age=60"), ("set-cookie", "a=b")], "x");
    for calls in 1..3 {
        ask(&cache, &service, get("/cookie")).await;
        assert_eq!(service.calls(), calls);
    }
}

#[tokio::test]
async fn a_hundred_who_ask_at_once_cost_one_call_also_when_the_first_goes_away() {
    let cache = memory();
    let (service, held) = Service::says(&[("cache-control", "no-cache"), ("etag", "\"v1\"")], "x").held();
    let ask_in_task = || {
        let (cache, service) = (Arc::clone(&cache), service.clone());
        tokio::spawn(async move { ask(&cache, &service, get("/x")).await })
    };
    let first = ask_in_task();
    while service.calls() == 0 {
        tokio::task::yield_now().await;
    }
    let others: Vec<_> = (0..99).map(|_| ask_in_task()).collect();
    tokio::task::yield_now().await;
    first.abort();
    held.notify_one();
    for other in others {
        assert_eq!(other.await.unwrap().2, "x");
    }
    assert_eq!(service.calls(), 1);
}

#[tokio::test]
async fn followers_of_what_can_t_be_kept_call_themselves_and_a_failed_call_is_one() {
    for (service, calls, status) in [
        (Service::says(&[("cache-control", "no-store")], "x"), 10, 200),
        (Service::new(|_| Err(Problem::new(ProblemKind::Unavailable, "gone"))), 1, 503),
    ] {
        let cache = memory();
        let (service, held) = service.held();
        let asked: Vec<_> = (0..10)
            .map(|_| {
                let (cache, service) = (Arc::clone(&cache), service.clone());
                tokio::spawn(async move { ask(&cache, &service, get("/x")).await })
            })
            .collect();
        while service.calls() == 0 {
            tokio::task::yield_now().await;
        }
        tokio::task::yield_now().await;
        for call in 1..=calls {
            while service.calls() < call {
                tokio::task::yield_now().await;
            }
            held.notify_one();
        }
        for each in asked {
            // Woken one by one, so each call in turn.
            held.notify_one();
            assert_eq!(each.await.unwrap().0, status);
        }
        assert_eq!(service.calls(), calls);
    }
}

#[tokio::test]
async fn a_stale_answer_is_given_out_at_once_and_asked_about_behind_it() {
    let cache = memory();
    let service = Service::says(&[("cache-control", "max-age=0, stale-while-revalidate=60")], "x");
    ask(&cache, &service, get("/x")).await;
    let (_, told, _) = ask(&cache, &service, get("/x")).await;
    assert!(told.starts_with("platform; hit; ttl="), "{told}");
    while service.calls() < 2 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn what_may_no_longer_be_kept_ends_what_was_kept() {
    let cache = memory();
    let kept = Service::says(&[("cache-control", "max-age=0, stale-if-error=60")], "old");
    ask(&cache, &kept, get("/x")).await;
    let private = Service::says(&[("cache-control", "private")], "mine");
    assert_eq!(ask(&cache, &private, get("/x")).await.2, "mine");
    let broken = Service::new(|_| Err(Problem::new(ProblemKind::Unavailable, "gone")));
    assert_eq!(ask(&cache, &broken, get("/x")).await.0, 503);
}

#[tokio::test]
async fn a_stale_answer_stands_in_for_a_service_that_is_out_of_order() {
    for failure in [503_u16, 0] {
        let cache = memory();
        let first = Service::says(&[("cache-control", "max-age=0, stale-if-error=60")], "x");
        ask(&cache, &first, get("/x")).await;
        let broken = Service::new(move |_| match failure {
            0 => Err(Problem::new(ProblemKind::Unavailable, "gone")),
            status => Ok(reply(status, &[], "")),
        });
        let (status, told, body) = ask(&cache, &broken, get("/x")).await;
        assert_eq!((status, body.as_str(), broken.calls()), (200, "x", 1));
        assert!(told.contains("fwd=stale; fwd-status=503; detail=stale-if-error"), "{told}");
    }
}

#[tokio::test]
async fn a_client_that_has_it_gets_304_and_a_range_is_cut_out_of_what_is_whole() {
    let cache = memory();
    let service = Service::says(&[("cache-control", "max-age=60"), ("etag", "\"v1\"")], "0123456789");
    let weak = request("GET", "/x", &[("if-none-match", "W/\"v1\"")]);
    for _ in 0..2 {
        let (status, _, body) = ask(&cache, &service, weak.clone()).await;
        assert_eq!((status, body.as_str()), (304, ""));
    }
    let (status, _, body) = ask(&cache, &service, request("GET", "/x", &[("range", "bytes=2-4")])).await;
    assert_eq!((status, body.as_str()), (206, "234"));
    let under_another = request("GET", "/x", &[("range", "bytes=2-4"), ("if-range", "\"v0\"")]);
    assert_eq!(ask(&cache, &service, under_another).await.0, 200);
    assert_eq!(service.calls(), 1);
}

#[tokio::test]
async fn an_answer_that_is_too_long_goes_through_whole_and_is_not_kept() {
    let cache = memory();
    let long: &'static str = "x".repeat(5000).leak();
    let service = Service::says(&[("cache-control", "max-age=60")], long);
    for calls in 1..3 {
        assert_eq!(ask(&cache, &service, get("/x")).await.2.len(), 5000);
        assert_eq!(service.calls(), calls);
    }
}

#[tokio::test]
async fn an_answer_asked_for_before_a_change_is_not_kept_after_it() {
    let cache = memory();
    let (service, held) = Service::says(&[("cache-control", "max-age=60")], "old").held();
    let asked = tokio::spawn({
        let (cache, service) = (Arc::clone(&cache), service.clone());
        async move { ask(&cache, &service, get("/x")).await }
    });
    while service.calls() == 0 {
        tokio::task::yield_now().await;
    }
    let change = request("PUT", "/x", &[]);
    cache.changed(&change, StatusCode::NO_CONTENT, &HeaderMap::new()).await;
    held.notify_one();
    asked.await.unwrap();
    let after = Service::says(&[("cache-control", "max-age=60")], "new");
    assert_eq!(ask(&cache, &after, get("/x")).await.2, "new");
}

/// A replica that shares its answers.
async fn replica(valkey: &TestValkey) -> Arc<Cache> {
    let url = ValkeyUrl::new(&SecretString::from(valkey.url())).unwrap();
    Arc::new(Cache::new(Kept::Valkey(Arc::new(Valkey::open(url).await)), 1024))
}

#[tokio::test]
async fn replicas_share_answers_and_a_change_at_one_ends_them_at_the_other() {
    let valkey = TestValkey::start();
    let (first, second) = (replica(&valkey).await, replica(&valkey).await);
    let service = Service::says(&[("cache-control", "max-age=60"), ("vary", "a")], "x");
    assert!(ask(&first, &service, get("/x")).await.1.ends_with("; stored"));
    assert!(ask(&second, &service, get("/x")).await.1.starts_with("platform; hit"));
    assert_eq!(service.calls(), 1);
    ask_as(&second, &service, Identity::User("7".into()), get("/x")).await;
    assert_eq!(service.calls(), 2);
    second.changed(&request("DELETE", "/x", &[]), StatusCode::NO_CONTENT, &HeaderMap::new()).await;
    let (_, told, _) = ask(&first, &service, get("/x")).await;
    assert!(told.starts_with("platform; fwd=") && told.ends_with("; stored"), "{told}");
    assert_eq!(service.calls(), 3);
}

#[tokio::test]
async fn valkey_that_is_gone_costs_nothing_but_hits() {
    let mut valkey = TestValkey::start();
    let cache = replica(&valkey).await;
    let service = Service::says(&[("cache-control", "max-age=60")], "x");
    ask(&cache, &service, get("/x")).await;
    valkey.stop();
    for calls in 2..4 {
        let (status, told, body) = ask(&cache, &service, get("/x")).await;
        assert_eq!((status, body.as_str(), service.calls()), (200, "x", calls));
        assert!(!told.contains("stored"), "{told}");
    }
}
