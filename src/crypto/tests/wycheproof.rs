//! Vectors of Wycheproof for the primitives.
//!
//! They are read from the folder `BULLA_VECTORS`, or `../shared/vectors`.

use std::fs;
use std::path::{Path, PathBuf};

use ml_kem::kem::Decapsulate as _;
use serde_json::Value;

use crate::crypto;
use crate::secret::Secret;
use crate::skip;

/// Calls `check` with every test of a file; it says whether the input was accepted with the right result.
/// What is marked "acceptable" is left to `check` itself to judge.
fn wycheproof(file: &str, mut check: impl FnMut(&Value, &Value) -> bool) {
    let folder = std::env::var_os("BULLA_VECTORS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/vectors"),
        PathBuf::from,
    );
    if !folder.is_dir() {
        return skip::optional(&format!("{} is not there (set BULLA_VECTORS)", folder.display()));
    }
    let file = fs::read(folder.join("wycheproof").join(file)).unwrap();
    let file: Value = serde_json::from_slice(&file).unwrap();
    let mut count = 0;
    for group in file["testGroups"].as_array().unwrap() {
        for test in group["tests"].as_array().unwrap() {
            count += 1;
            let accepted = check(group, test);
            let right = match test["result"].as_str().unwrap() {
                "valid" => accepted,
                "invalid" => !accepted,
                _ => true,
            };
            assert!(right, "test {}: {} {}", test["tcId"], test["comment"], test["flags"]);
        }
    }
    assert_eq!(count, file["numberOfTests"].as_u64().unwrap());
}

#[test]
fn chacha20_poly1305() {
    wycheproof("chacha20_poly1305_test.json", |_, test| {
        let aead = crypto::Aead::new(&secret(&test["key"]));
        // Nonces of other lengths cannot be passed: the type refuses them.
        let Ok(nonce) = hex(&test["iv"]).try_into() else { return false };
        let (aad, plain, sealed) = (hex(&test["aad"]), hex(&test["msg"]), hex(&test["ct"]));
        let tag = hex(&test["tag"]).try_into().unwrap();
        let mut data = sealed.clone();
        if aead.open(&nonce, &aad, &mut data, &tag).is_err() {
            assert_eq!(data, sealed, "a refused chunk stays ciphertext");
            return false;
        }
        assert_eq!(data, plain);
        assert_eq!(aead.seal(&nonce, &aad, &mut data), tag);
        assert_eq!(data, sealed);
        true
    });
}

#[test]
fn x25519() {
    wycheproof("x25519_test.json", |_, test| {
        let public = hex(&test["public"]).try_into().unwrap();
        let shared = crypto::x25519(&secret(&test["private"]), &public);
        // RFC 7748 takes twisted and non-canonical points; a zero secret we always refuse.
        let zero = test["flags"].as_array().unwrap().contains(&"ZeroSharedSecret".into());
        match shared {
            Ok(shared) => {
                assert!(!zero, "test {}", test["tcId"]);
                assert_eq!(shared.expose().to_vec(), hex(&test["shared"]));
                true
            }
            Err(_) => {
                assert!(zero, "test {}", test["tcId"]);
                false
            }
        }
    });
}

#[test]
fn hkdf_sha256() {
    wycheproof("hkdf_sha256_test.json", |_, test| {
        let (material, salt, info) = (hex(&test["ikm"]), hex(&test["salt"]), hex(&test["info"]));
        // The length is a constant in our code, and one that is too long does not compile.
        macro_rules! derive {
            ($($size:literal)*) => {
                match test["size"].as_u64().unwrap() {
                    $($size => crypto::hkdf::<$size>(&material, &salt, &info).expose().to_vec(),)*
                    8161 => return false,
                    size => panic!("a new length of {size}"),
                }
            };
        }
        derive!(20 32 42 56 64 80 82 128 8160) == hex(&test["okm"])
    });
}

#[test]
fn ed25519() {
    wycheproof("ed25519_test.json", |group, test| {
        let public = hex(&group["publicKey"]["pk"]).try_into().unwrap();
        // Signatures of other lengths cannot be passed: the type refuses them.
        let Ok(signature) = hex(&test["sig"]).try_into() else { return false };
        crypto::verify(&public, &hex(&test["msg"]), &signature).is_ok()
    });
}

#[test]
fn ml_kem_768() {
    wycheproof("mlkem_768_semi_expanded_decaps_test.json", |_, test| {
        let (key, sealed) = (hex(&test["dk"]), hex(&test["c"]));
        let Ok(key) = key.as_slice().try_into() else { return false };
        let Ok(sealed) = ml_kem::ml_kem_768::Ciphertext::try_from(sealed.as_slice()) else {
            return false;
        };
        #[allow(deprecated, reason = "the vectors hold expanded keys")]
        let key = ml_kem::ml_kem_768::DecapsulationKey::from_expanded(key);
        key.is_ok_and(|key| key.decapsulate(&sealed).to_vec() == hex(&test["K"]))
    });
}

fn hex(value: &Value) -> Vec<u8> {
    let text = value.as_str().unwrap();
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
}

fn secret<const N: usize>(value: &Value) -> Secret<N> {
    Secret::from_slice(&hex(value)).unwrap()
}
