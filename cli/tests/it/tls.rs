//! A platform whose API speaks TLS, as its own commands meet it.

use std::fs;

use crate::process::Place;

/// A certificate for `platform.test` in the folder; the fault that a client which does not trust it tells.
fn certify(place: &Place) {
    let made = rcgen::generate_simple_self_signed(["platform.test".to_owned()]).unwrap();
    fs::write(place.path().join("api.crt"), made.cert.pem()).unwrap();
    fs::write(place.path().join("api.key"), made.signing_key.serialize_pem()).unwrap();
}

#[test]
fn the_platform_s_own_commands_and_services_go_on_and_a_new_certificate_is_read_on_reload() {
    let place = Place::new();
    certify(&place);
    let text = "[gateway]\ntls_certificate = \"api.crt\"\ntls_key = \"api.key\"\n";
    fs::write(place.path().join("platform.toml"), text).unwrap();
    let platform = place.serve(&[]);
    let place = &platform.place;
    // The users service has the internal keys, the command its token, and who names the URL trusts nobody unknown.
    platform.create("ada@example.com", &["--admin"]);
    let listed = place.run(&["user", "list", "-o", "json"]).done().json();
    assert_eq!(listed[0]["email"], "ada@example.com");
    let named = format!("https://{}", platform.gateway());
    place.run(&["--url", &named, "user", "list"]).failed(5, "can't be reached");
    certify(place);
    place.run(&["reload"]).done();
    place.run(&["user", "list"]).done();
    fs::write(place.path().join("api.crt"), "none").unwrap();
    let refused = place.run(&["reload"]).failed(1, "gateway.tls_certificate");
    assert!(refused.stderr.contains("api.crt"), "{refused:#?}");
    place.run(&["user", "list"]).done();
    fs::write(place.path().join("platform.toml"), "").unwrap();
    place.run(&["reload"]).failed(1, "restart");
}
