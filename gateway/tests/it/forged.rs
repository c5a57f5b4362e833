//! Tokens that are signed with the gateway's own key, or nearly, and wrong in one thing each.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use aws_lc_rs::{hmac, signature::Ed25519KeyPair, signature::KeyPair};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD},
};
use kit::testing::TestDatabase;
use serde_json::{Value, json};

use crate::support::{Forge, Gateway, UsersDouble, config, problem};

struct Door {
    gateway: Gateway,
    forge: Forge,
    /// Claims that are taken as they are.
    claims: Value,
    database: TestDatabase,
    _users: UsersDouble,
}

impl Door {
    async fn open() -> Self {
        let database = TestDatabase::sqlite();
        let users = UsersDouble::bind().await;
        let gateway = Gateway::start(config(&database, &users.url()).await).await;
        users.serve(&gateway.url(""));
        let token = gateway.sign_in("bob@example.com").await.access;
        let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
        let claims: Value = serde_json::from_slice(&claims).unwrap();
        let forge = Forge::of(&gateway, &database, "access").await;
        let door = Self { gateway, forge, claims, database, _users: users };
        assert_eq!(
            door.knock(&door.with(|_, _| {})).await,
            200,
            "what is right must open, or nothing is tested"
        );
        door
    }

    /// A genuine token, but for this change.
    fn with(&self, change: impl FnOnce(&mut Value, &mut Value)) -> String {
        let (mut header, mut claims) = (self.forge.header(), self.claims.clone());
        change(&mut header, &mut claims);
        self.forge.sign(&header.to_string(), &claims.to_string())
    }

    /// With one claim set to this, or taken out where it is null.
    fn claim(&self, name: &str, value: Value) -> String {
        self.with(|_, claims| set(claims, name, value))
    }

    fn header(&self, name: &str, value: Value) -> String {
        self.with(|header, _| set(header, name, value))
    }

    async fn knock(&self, token: &str) -> u16 {
        self.gateway.me(token).await
    }

    /// 401 with the challenge for a bad token, on a route of the gateway and on one of a service.
    async fn refuses(&self, what: &str, token: &str) {
        for path in ["/api_v1/users/me", "/api_v1/auth/sessions"] {
            let answer = self.gateway.get(path).bearer_auth(token).send().await.unwrap();
            assert_eq!(answer.status(), 401, "{path}: {what}");
            let challenge = answer.headers()["www-authenticate"].to_str().unwrap().to_owned();
            assert!(challenge.contains("error=\"invalid_token\""), "{what}: {challenge}");
            let told = problem(answer).await.to_string();
            assert!(!told.contains(token) && !told.contains("signature"), "{what}: {told}");
        }
    }
}

fn set(object: &mut Value, name: &str, value: Value) {
    if value.is_null() {
        object.as_object_mut().unwrap().remove(name);
    } else {
        object[name] = value;
    }
}

fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
}

#[tokio::test]
async fn only_this_audience_opens() {
    let door = Door::open().await;
    assert_eq!(door.knock(&door.claim("aud", json!(["other", "platform"]))).await, 200);
    for audience in
        [json!("other"), Value::Null, json!([]), json!(""), json!(["other"]), json!(7), json!("Platform")]
    {
        door.refuses(&format!("aud {audience}"), &door.claim("aud", audience)).await;
    }
}

#[tokio::test]
async fn only_this_issuer_opens() {
    let door = Door::open().await;
    let own = door.claims["iss"].as_str().unwrap().to_owned();
    let others = [
        json!("http://other.test"),
        json!(format!("{own}/")),
        json!(own.to_uppercase()),
        json!([own]),
        json!(""),
    ];
    for issuer in others.into_iter().chain([Value::Null]) {
        door.refuses(&format!("iss {issuer}"), &door.claim("iss", issuer)).await;
    }
}

#[tokio::test]
async fn only_access_tokens_open_whatever_else_the_gateway_signs() {
    let door = Door::open().await;
    for kind in ["at+jwt", "AT+JWT"] {
        assert_eq!(door.knock(&door.header("typ", json!(kind))).await, 200, "{kind}");
    }
    let kinds =
        ["JWT", "int+jwt", "rt+jwt", "password-reset+jwt", "invitation+jwt", "application/at+jwt", ""];
    for kind in kinds.map(|kind| json!(kind)).into_iter().chain([Value::Null]) {
        door.refuses(&format!("typ {kind}"), &door.header("typ", kind)).await;
    }
    // Under the internal key, as an internal token and as an access token.
    let internal = Forge::of(&door.gateway, &door.database, "internal").await;
    for kind in ["int+jwt", "at+jwt"] {
        let header = json!({ "typ": kind, "alg": "EdDSA", "kid": internal.kid });
        door.refuses(kind, &internal.sign(&header.to_string(), &door.claims.to_string())).await;
    }
}

#[tokio::test]
async fn a_token_has_its_time_and_half_a_minute_for_clocks_that_differ() {
    let door = Door::open().await;
    assert_eq!(door.knock(&door.claim("exp", json!(now() - 15))).await, 200);
    assert_eq!(door.knock(&door.claim("nbf", json!(now() + 15))).await, 200);
    for (name, value) in [
        ("exp", json!(now() - 60)),
        ("exp", Value::Null),
        ("exp", json!("4000000000")),
        ("exp", json!(-1)),
        ("exp", json!(0)),
        ("exp", json!(1e300)),
        ("exp", json!([4_000_000_000_u64])),
        ("nbf", json!(now() + 60)),
        ("nbf", Value::Null),
        ("nbf", json!("0")),
    ] {
        door.refuses(&format!("{name} {value}"), &door.claim(name, value)).await;
    }
    let expired = door.gateway.get("/api_v1/users/me").bearer_auth(door.claim("exp", json!(now() - 60)));
    assert_eq!(problem(expired.send().await.unwrap()).await["detail"], "The token has expired");
}

#[tokio::test]
async fn a_token_is_for_somebody_and_of_a_session() {
    let door = Door::open().await;
    for (name, value) in [
        ("sub", Value::Null),
        ("sub", json!("")),
        ("sub", json!(2)),
        ("sub", json!("anonymous")),
        ("sub", json!("bob@example.com")),
        ("sub", json!("2 ")),
        ("sub", json!("../1")),
        ("sid", Value::Null),
        ("sid", json!(7)),
        ("sid", json!({})),
        ("roles", Value::Null),
        ("roles", json!("admin")),
        ("roles", json!(["Admin Of All"])),
        ("jti", Value::Null),
        ("jti", json!(1)),
    ] {
        door.refuses(&format!("{name} {value}"), &door.claim(name, value)).await;
    }
}

#[tokio::test]
async fn the_algorithm_is_that_of_the_key_and_never_of_the_token() {
    let door = Door::open().await;
    for algorithm in [
        "none", "None", "NONE", "nOnE", "", "HS256", "HS384", "HS512", "RS256", "PS256", "ES256", "ES384",
        "eddsa", "Ed448",
    ] {
        door.refuses(algorithm, &door.header("alg", json!(algorithm))).await;
    }
    for algorithm in [json!(null), json!(["EdDSA"]), json!(1)] {
        door.refuses(&algorithm.to_string(), &door.header("alg", algorithm)).await;
    }
    // Unsigned, with and without the last dot.
    let unsigned = door.header("alg", json!("none"));
    let (unsigned, _) = unsigned.rsplit_once('.').unwrap();
    door.refuses("unsigned", &format!("{unsigned}.")).await;
    door.refuses("unsigned, no third part", unsigned).await;
    // HMAC with the public key as its secret, in every form that a careless verifier may have it.
    let raw = URL_SAFE_NO_PAD.decode(door.forge.public["x"].as_str().unwrap()).unwrap();
    let spki =
        [&[0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00], raw.as_slice()].concat();
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(&spki));
    let secrets = [
        raw,
        spki,
        pem.clone().into_bytes(),
        pem.trim_end().as_bytes().to_vec(),
        door.forge.public["x"].as_str().unwrap().as_bytes().to_vec(),
        door.forge.public.to_string().into_bytes(),
        Vec::new(),
    ];
    for secret in secrets {
        let token = door.header("alg", json!("HS256"));
        let (signed, _) = token.rsplit_once('.').unwrap();
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &secret), signed.as_bytes());
        door.refuses(
            "HMAC with the public key",
            &format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag.as_ref())),
        )
        .await;
    }
}

#[tokio::test]
async fn a_key_comes_from_the_gateway_s_own_set_and_nothing_named_by_a_token_is_fetched_or_read() {
    let door = Door::open().await;
    // The attacker's own key, served where the token points, with the kid of the gateway's and with one of its own.
    let attacker = Ed25519KeyPair::generate().unwrap();
    let jwk = |kid: &str| json!({ "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": kid, "x": URL_SAFE_NO_PAD.encode(attacker.public_key().as_ref()) });
    let (url, connections) = trap().await;
    for kid in [door.forge.kid.as_str(), "attacker"] {
        for (name, value) in [
            ("jwk", jwk(kid)),
            ("jku", json!(url)),
            ("x5u", json!(url)),
            ("x5c", json!([STANDARD.encode(b"no certificate")])),
            ("kid", json!(kid)),
        ] {
            let mut header = door.forge.header();
            header["kid"] = json!(kid);
            header[name] = value;
            let signed = format!(
                "{}.{}",
                URL_SAFE_NO_PAD.encode(header.to_string()),
                URL_SAFE_NO_PAD.encode(door.claims.to_string())
            );
            let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(attacker.sign(signed.as_bytes())));
            door.refuses(&format!("{name} under {kid}"), &token).await;
            // Refused as well where the gateway's own key signed it.
            if name != "kid" {
                door.refuses(
                    &format!("{name}, own key"),
                    &door.forge.sign(&header.to_string(), &door.claims.to_string()),
                )
                .await;
            }
        }
    }
    let kids = [
        json!("../../dev/null"),
        json!("/dev/null"),
        json!("' OR 1=1"),
        json!("' UNION SELECT 'x'--"),
        json!("k".repeat(5_000)),
        json!(url),
        json!(""),
        json!(["a"]),
        json!({}),
        json!(1),
        json!(null),
        json!(format!("{} ", door.forge.kid)),
        json!("\u{0}"),
    ];
    for kid in kids {
        door.refuses(&format!("kid {kid:.40}"), &door.header("kid", kid)).await;
    }
    assert_eq!(connections.load(Ordering::SeqCst), 0, "what a token names was fetched");
}

/// A listener that counts who comes.
async fn trap() -> (String, Arc<AtomicUsize>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/jwks.json", listener.local_addr().unwrap());
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&connections);
    tokio::spawn(async move {
        while listener.accept().await.is_ok() {
            counted.fetch_add(1, Ordering::SeqCst);
        }
    });
    (url, connections)
}

#[tokio::test]
async fn a_header_that_asks_for_more_than_is_understood_is_refused() {
    let door = Door::open().await;
    for (name, value) in [
        ("crit", json!(["exp"])),
        ("crit", json!([])),
        ("crit", json!(["b64"])),
        ("crit", json!("exp")),
        ("zip", json!("DEF")),
        ("enc", json!("A256GCM")),
    ] {
        door.refuses(&format!("{name} {value}"), &door.header(name, value)).await;
    }
    let unencoded = door.with(|header, _| {
        header["crit"] = json!(["b64"]);
        header["b64"] = json!(false);
    });
    door.refuses("b64", &unencoded).await;
    // What is only told, and asks for nothing, is passed over (RFC 7515 §4).
    assert_eq!(door.knock(&door.header("x-note", json!("harmless"))).await, 200);
}

#[tokio::test]
async fn a_member_that_stands_twice_is_never_read_either_way() {
    let door = Door::open().await;
    let mut claims = door.claims.clone();
    claims["scope"] = json!("users:read");
    let (header, claims) = (door.forge.header().to_string(), claims.to_string());
    let twice = |text: &str, member: &str| format!("{},{member}}}", text.strip_suffix('}').unwrap());
    for member in [
        r#""sub":"1""#,
        r#""exp":4000000000"#,
        r#""aud":"platform""#,
        r#""iss":"http://platform.test""#,
        r#""roles":["admin","user"]"#,
        r#""s\u0075b":"1""#,
        r#""nbf":0"#,
        r#""jti":"x""#,
        r#""scope":"users:write""#,
    ] {
        door.refuses(member, &door.forge.sign(&header, &twice(&claims, member))).await;
    }
    for member in [
        r#""alg":"EdDSA""#,
        r#""alg":"none""#,
        r#""typ":"at+jwt""#,
        r#""kid":"other""#,
        r#""\u0061lg":"EdDSA""#,
    ] {
        door.refuses(member, &door.forge.sign(&twice(&header, member), &claims)).await;
    }
}

#[tokio::test]
async fn a_token_is_three_parts_of_base64url_without_padding_and_each_is_json() {
    let door = Door::open().await;
    let token = door.with(|_, _| {});
    let parts: Vec<&str> = token.split('.').collect();
    let (header, claims) = (door.forge.header().to_string(), door.claims.to_string());
    for (what, token) in [
        ("four parts", format!("{token}.x")),
        ("five parts, as an encrypted one", format!("{token}..x")),
        ("an empty first part", format!(".{}.{}", parts[1], parts[2])),
        ("an empty second part", format!("{}..{}", parts[0], parts[2])),
        ("no signature", format!("{}.{}.", parts[0], parts[1])),
        ("half a signature", format!("{}.{}.{}", parts[0], parts[1], &parts[2][..43])),
        ("a longer signature", format!("{token}AAAA")),
        ("a signature of zeros", format!("{}.{}.{}", parts[0], parts[1], "A".repeat(86))),
        ("padding", format!("{}.{}.{}==", parts[0], parts[1], parts[2])),
        (
            "padding in the claims",
            format!("{}.{}.{}", parts[0], URL_SAFE.encode(format!("{claims} ")), parts[2]),
        ),
        (
            "the JSON form of a signature",
            json!({ "protected": parts[0], "payload": parts[1], "signature": parts[2] })
                .to_string()
                .replace(' ', ""),
        ),
        ("a header that is a list", door.forge.sign(&format!("[{header}]"), &claims)),
        ("a header that is no JSON", door.forge.sign("EdDSA", &claims)),
        ("claims that are a list", door.forge.sign(&header, &format!("[{claims}]"))),
        ("claims that are no JSON", door.forge.sign(&header, "sub=2")),
        ("no claims", door.forge.sign(&header, "{}")),
        ("two JSON values", door.forge.sign(&header, &format!("{claims}{claims}"))),
        ("a cut claim", door.forge.sign(&header, &claims[..claims.len() - 1])),
        (
            "another's signature",
            format!("{}.{}.{}", parts[0], door.claim("sub", json!("1")).split('.').nth(1).unwrap(), parts[2]),
        ),
    ] {
        door.refuses(what, &token).await;
    }
    // The last character of 64 bytes in base64 carries four bits that mean nothing: only one spelling is taken.
    let (kept, last) = token.split_at(token.len() - 1);
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let twin = alphabet.as_bytes()[alphabet.find(last).unwrap() ^ 1] as char;
    door.refuses("another spelling of the same signature", &format!("{kept}{twin}")).await;
}

#[tokio::test]
async fn a_huge_or_deep_token_is_refused_before_it_costs_anything() {
    let door = Door::open().await;
    door.refuses("claims of 9 KB", &door.claim("note", json!("x".repeat(9_000)))).await;
    door.refuses("20 KB of noise", &"x".repeat(20_000)).await;
    door.refuses("20 KB of dots", &".".repeat(20_000)).await;
    // Nothing recurses: a claim that nobody asked for is passed over, one that is asked for is of another type.
    let deep = format!("{}1{}", "[".repeat(2_500), "]".repeat(2_500));
    let (header, claims) = (door.forge.header().to_string(), door.claims.to_string());
    let with = |text: &str, name: &str| text.replacen('{', &format!("{{\"{name}\":{deep},"), 1);
    assert_eq!(door.knock(&door.forge.sign(&header, &with(&claims, "note"))).await, 200);
    let subject = with(&claims.replace("\"sub\"", "\"of\""), "sub");
    door.refuses("a subject 2,500 deep", &door.forge.sign(&header, &subject)).await;
    let name = with(&header.replace("\"kid\"", "\"of\""), "kid");
    door.refuses("a kid 2,500 deep", &door.forge.sign(&name, &claims)).await;
    assert_eq!(door.knock(&"x".repeat(100_000)).await, 431);
}

#[tokio::test]
async fn a_thousand_made_up_keys_are_401_and_the_good_one_goes_on() {
    let door = Door::open().await;
    let good = door.with(|_, _| {});
    for number in 0..1_000 {
        let token = door.header("kid", json!(format!("made-up-{number}")));
        assert_eq!(door.knock(&token).await, 401);
    }
    assert_eq!(door.knock(&good).await, 200);
}

#[tokio::test]
async fn a_good_token_without_the_role_is_403_and_says_what_is_missing() {
    let door = Door::open().await;
    let token = door.with(|_, _| {});
    for path in ["/api_v1/audit", "/api_v1/keys"] {
        let answer = door.gateway.get(path).bearer_auth(&token).send().await.unwrap();
        assert_eq!(answer.status(), 403, "{path}");
        let challenge = answer.headers()["www-authenticate"].to_str().unwrap().to_owned();
        assert!(
            challenge.contains("error=\"insufficient_scope\"") && challenge.contains("admin"),
            "{challenge}"
        );
        problem(answer).await;
    }
}

#[tokio::test]
async fn what_is_no_refresh_token_refreshes_nothing_also_where_the_gateway_signed_it() {
    let door = Door::open().await;
    for token in [
        door.with(|_, _| {}),
        door.header("typ", json!("rt+jwt")),
        door.claim("scope", json!("refresh")),
        door.gateway.operator().await,
    ] {
        let by_header = door.gateway.refresh(&token).await;
        assert_eq!(by_header.status(), 401);
        problem(by_header).await;
        let body = json!({ "refresh_token": token });
        let by_body = door.gateway.post("/api_v1/auth/refresh").json(&body).send().await.unwrap();
        assert_eq!(by_body.status(), 401);
    }
}
