//! What each kind takes and refuses.

use super::*;

fn text(kind: Kind, value: &str) -> Result<Canonical, String> {
    kind.check(&Raw::Text(value.to_owned()), false)
}

#[test]
fn durations_want_a_unit() {
    let kind = Kind::Duration { minimum_ms: 0, maximum_ms: 100 * 86_400_000 };
    for (written, milliseconds) in [
        ("15m", 900_000),
        ("500ms", 500),
        ("1h30m", 5_400_000),
        ("30d", 2_592_000_000),
        ("0", 0),
        ("10 s", 10_000),
    ] {
        assert!(text(kind, written) == Ok(Canonical::Number(milliseconds)), "{written}");
    }
    for wrong in ["15", "m", "-1s", "1.5h", "15 parsecs", "99999999999999999999d", "1000d", "  "] {
        assert!(text(kind, wrong).is_err(), "{wrong}");
    }
    assert!(kind.check(&Raw::Integer(15), false).is_err_and(|reason| reason.contains("without a unit")));
}

#[test]
fn sizes_know_binary_and_decimal_units() {
    let kind = Kind::Bytes { minimum: 1, maximum: 1 << 30 };
    for (written, bytes) in
        [("1MiB", 1 << 20), ("32KiB", 32 << 10), ("1MB", 1_000_000), ("512", 512), ("7B", 7)]
    {
        assert!(text(kind, written) == Ok(Canonical::Number(bytes)), "{written}");
    }
    for wrong in ["1XB", "-1", "MiB", "2GiB", "99999999999999999999GiB"] {
        assert!(text(kind, wrong).is_err(), "{wrong}");
    }
}

#[test]
fn an_address_that_is_almost_right_gets_a_hint() {
    for (written, hint) in [
        ("8001", "write 127.0.0.1:8001"),
        (":8001", "write 127.0.0.1:8001"),
        ("localhost:8001", "write 127.0.0.1:8001"),
        ("127.0.0.1", "port is missing"),
        ("tcp://10.1.2.3:8080", "enableServiceLinks"),
    ] {
        assert!(text(Kind::Address, written).is_err_and(|reason| reason.contains(hint)), "{written}");
    }
    assert!(text(Kind::Address, "127.0.0.1:70000").is_err());
    assert!(text(Kind::Address, "[::1]:0") == Ok(Canonical::Text("[::1]:0".to_owned())));
}

#[test]
fn networks_are_normalised_and_bounded() {
    assert!(
        text(Kind::Networks, "10.0.0.0/8, ::1")
            == Ok(Canonical::List(vec!["10.0.0.0/8".into(), "::1/128".into()]))
    );
    assert!(text(Kind::Networks, "") == Ok(Canonical::List(Vec::new())));
    for wrong in ["10.0.0.0/33", "example.com", "10.0.0.0/x"] {
        assert!(text(Kind::Networks, wrong).is_err(), "{wrong}");
    }
}

#[test]
fn keys_have_their_length_and_are_no_placeholder() {
    let kind = Kind::Base64Key { bytes: 32 };
    assert!(text(kind, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=").is_err());
    assert!(text(kind, "c2hvcnQ=").is_err_and(|reason| reason.contains("5 bytes")));
    assert!(text(kind, "VGhpcyBpcyBhIGtleSBvZiAzMiBieXRlcyBsZW5ndGg=").is_ok());
}

#[test]
fn log_levels_are_words_or_directives() {
    for right in ["info", "WARN", "info,gateway=debug", "off"] {
        assert!(text(Kind::Directive, right).is_ok(), "{right}");
    }
    for wrong in ["inof", "gateway=louder"] {
        assert!(text(Kind::Directive, wrong).is_err(), "{wrong}");
    }
}

#[test]
fn the_value_of_a_secret_is_never_repeated() {
    for kind in [Kind::DatabaseUrl, Kind::Base64Key { bytes: 32 }] {
        for value in ["S3NT", "S3NT:S3NT", "postgres://S3NT:S3NT@[h/d", "mysql://u:S3NT@h/d"] {
            let reason = kind.check(&Raw::Text(value.to_owned()), true).err().unwrap_or_default();
            assert!(!reason.contains("S3NT"), "{reason}");
        }
    }
}
