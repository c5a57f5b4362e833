//! Faults of the certificate.

use std::fs;

use rcgen::{CertificateParams, KeyPair};
use time::{Duration, OffsetDateTime};

use super::{examined, only_fault};
use crate::process::Place;

/// A certificate for `platform.test`, good between these days from now, and its key.
fn certify(place: &Place, from: i64, until: i64) {
    let mut params = CertificateParams::new(vec!["platform.test".to_owned()]).unwrap();
    params.not_before = OffsetDateTime::now_utc() + Duration::days(from);
    params.not_after = OffsetDateTime::now_utc() + Duration::days(until);
    let key = KeyPair::generate().unwrap();
    fs::write(place.path().join("api.crt"), params.self_signed(&key).unwrap().pem()).unwrap();
    fs::write(place.path().join("api.key"), key.serialize_pem()).unwrap();
}

#[test]
fn a_certificate_that_can_t_be_used_out_of_time_or_of_another_name_is_found() {
    let place = Place::new()
        .with("PLATFORM__GATEWAY__TLS_CERTIFICATE", "api.crt")
        .with("PLATFORM__GATEWAY__TLS_KEY", "api.key")
        .with("PLATFORM__GATEWAY__PUBLIC_URL", "https://platform.test");
    only_fault(&place, &[], "certificate", "api.crt");
    certify(&place, -10, -1);
    only_fault(&place, &[], "certificate", "expired");
    certify(&place, 1, 90);
    only_fault(&place, &[], "certificate", "good from");
    certify(&place, -1, 90);
    assert_eq!(examined(&place, &[]).0, Some(0));
    let other = "https://elsewhere.test";
    only_fault(
        &place,
        &["--set", &format!("gateway.public_url={other}")],
        "certificate-name",
        "elsewhere.test",
    );
    fs::write(place.path().join("api.key"), KeyPair::generate().unwrap().serialize_pem()).unwrap();
    only_fault(&place, &[], "certificate", "does not fit the certificate");
}

#[test]
fn one_that_ends_soon_is_a_warning() {
    let place = Place::new()
        .with("PLATFORM__GATEWAY__TLS_CERTIFICATE", "api.crt")
        .with("PLATFORM__GATEWAY__TLS_KEY", "api.key")
        .with("PLATFORM__GATEWAY__PUBLIC_URL", "https://platform.test");
    certify(&place, -80, 5);
    let (code, rows) = examined(&place, &[]);
    assert_eq!(code, Some(0));
    assert!(rows.iter().any(|row| row["verdict"] == "warning" && row["check"] == "certificate"), "{rows:#?}");
}
