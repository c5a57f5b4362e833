//! What checks our signatures, against the vectors of Project Wycheproof: forged, malleable, truncated and odd ones.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey};
use wycheproof::{TestResult, ecdsa, eddsa};

fn verifies(signature: &[u8], message: &[u8], key: &DecodingKey, algorithm: Algorithm) -> bool {
    let signature = URL_SAFE_NO_PAD.encode(signature);
    jsonwebtoken::crypto::verify(&signature, message, key, algorithm).unwrap_or(false)
}

#[test]
fn ed25519_signatures_are_taken_and_refused_as_the_vectors_say() {
    let vectors = eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap();
    let mut checked = [0, 0];
    for group in vectors.test_groups {
        let key = DecodingKey::from_ed_components(&URL_SAFE_NO_PAD.encode(&group.key.pk[..])).unwrap();
        for test in group.tests {
            let taken = verifies(&test.sig, &test.msg, &key, Algorithm::EdDSA);
            assert_eq!(taken, test.result == TestResult::Valid, "{}: {}", test.tc_id, test.comment);
            checked[usize::from(taken)] += 1;
        }
    }
    assert!(checked[0] > 50 && checked[1] > 50, "{checked:?}");
}

#[test]
fn es256_signatures_are_taken_and_refused_as_the_vectors_say() {
    let vectors = ecdsa::TestSet::load(ecdsa::TestName::EcdsaSecp256r1Sha256P1363).unwrap();
    let mut checked = [0, 0];
    for group in vectors.test_groups {
        // An uncompressed point: 4, then both coordinates.
        let point = &group.key.key;
        assert_eq!((point[0], point.len()), (4, 65));
        let [x, y] = [&point[1..33], &point[33..]].map(|number| URL_SAFE_NO_PAD.encode(number));
        let key = DecodingKey::from_ec_components(&x, &y).unwrap();
        for test in group.tests {
            let taken = verifies(&test.sig, &test.msg, &key, Algorithm::ES256);
            assert_eq!(taken, test.result == TestResult::Valid, "{}: {}", test.tc_id, test.comment);
            checked[usize::from(taken)] += 1;
        }
    }
    assert!(checked[0] > 50 && checked[1] > 50, "{checked:?}");
}
