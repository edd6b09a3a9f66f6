use super::*;
use crate::secret::Secret;
use proptest::prelude::*;

fn key(byte: u8) -> SigningSecret {
    SigningSecret::from_seed(&Secret::from_slice(&[byte; 32]).unwrap())
}

fn get() -> Request<'static> {
    Request {
        method: "GET",
        authority: "relay.example:8080",
        path: "/v1/m/00",
        query: Some("wait=5"),
        body: None,
    }
}

/// RFC 9421, appendix B.2.6 with the key of B.1.4.
#[test]
fn ed25519_vector_of_the_rfc() {
    let der =
        text::base64_decode(b"MC4CAQAwBQYDK2VwBCIEIJ+DYvh6SEqVTm50DFtMDoQikTmiCqirVv9mWG9qfSnF")
            .unwrap();
    let signer = SigningSecret::from_seed(&Secret::from_slice(&der[16..]).unwrap());
    let spki = text::base64_decode(b"MCowBQYDK2VwAyEAJrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=")
        .unwrap();
    assert_eq!(signer.public(), spki[12..]);
    let base = base(
        &[
            ("date", "Tue, 20 Apr 2021 02:07:55 GMT"),
            ("@method", "POST"),
            ("@path", "/foo"),
            ("@authority", "example.com"),
            ("content-type", "application/json"),
            ("content-length", "18"),
        ],
        concat!(
            r#"("date" "@method" "@path" "@authority" "content-type" "content-length")"#,
            r#";created=1618884473;keyid="test-key-ed25519""#
        ),
    );
    let signature = text::base64_decode(
        b"wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==",
    )
    .unwrap();
    assert_eq!(signer.sign(base.as_bytes()).as_slice(), signature);
}

#[test]
fn what_is_signed_is_what_is_verified() {
    let request = get();
    let headers = sign(&request, &key(1), 1000, [7; 16]);
    let verified = verify(&request, &headers).unwrap();
    assert_eq!(verified.key, Mailbox(key(1).public()));
    assert_eq!((verified.created, verified.nonce.as_str()), (1000, "07".repeat(16).as_str()));

    for changed in [
        Request { method: "DELETE", ..request },
        Request { authority: "other.example:8080", ..request },
        Request { path: "/v1/m/01", ..request },
        Request { query: None, ..request },
        Request { query: Some("wait=6"), ..request },
    ] {
        assert_eq!(verify(&changed, &headers), Err(Error::Signature), "{changed:?}");
    }
    // A body that was not signed, and one that is not there any more.
    let with = Request { body: Some(b"{}"), ..request };
    assert!(matches!(verify(&with, &headers), Err(Error::Components { .. })));
    let signed = sign(&with, &key(1), 1000, [7; 16]);
    assert!(matches!(verify(&request, &signed), Err(Error::Components { .. })));
    assert!(verify(&with, &signed).is_ok());
    let other = Request { body: Some(b"{ }"), ..request };
    assert_eq!(verify(&other, &signed), Err(Error::Digest));
    let bare = Headers { content_digest: None, ..signed };
    assert_eq!(verify(&with, &bare), Err(Error::Missing("Content-Digest")));
}

#[test]
fn forms_that_are_refused_by_name() {
    let request = get();
    let good = sign(&request, &key(1), 1000, [7; 16]);
    let with = |from: &str, to: &str| {
        assert!(good.input.contains(from), "{from}");
        verify(&request, &Headers { input: good.input.replace(from, to), ..good.clone() })
    };
    let parameter = |name: &str| Err(Error::Parameter(name.into()));
    assert_eq!(with("bulla=", "sig1="), Err(Error::Malformed("Signature-Input")));
    assert_eq!(with("\"@path\" ", ""), Err(Error::Components { expected: COMPONENTS }));
    assert_eq!(with(" \"@query\"", ""), Err(Error::Components { expected: COMPONENTS }));
    assert_eq!(with("created=1000", "created=+1000"), parameter("created"));
    assert_eq!(with("created=1000;", ""), parameter("created"));
    assert_eq!(with("created=1000", "created=1000;created=1001"), parameter("created"));
    assert_eq!(with("created=1000", "created=99999999999999999999"), parameter("created"));
    assert_eq!(with("created=1000", "created=1000;expires=2000"), parameter("expires"));
    assert_eq!(with("created=1000", "created=1000;alg=\"hmac-sha256\""), parameter("alg"));
    assert_eq!(with("bulla-relay-v1", "bulla-relay-v2"), parameter("tag"));
    assert_eq!(with("nonce=\"0707", "nonce=\"07\\\"07"), parameter("nonce"));
    assert_eq!(with(&format!("nonce=\"{}\";", "07".repeat(16)), ""), parameter("nonce"));
    // A well-formed change: the signature is over the parameters as received.
    assert_eq!(with("created=1000", "created=1001"), Err(Error::Signature));
    assert_eq!(with("created=1000", "created=1000;alg=\"ed25519\""), Err(Error::Signature));
    for signature in ["", "bulla=::", "bulla=:AAAA:", "bulla=AAAA"] {
        let headers = Headers { signature: signature.into(), ..good.clone() };
        assert_eq!(verify(&request, &headers), Err(Error::Malformed("Signature")));
    }
}

#[test]
fn parameters_come_in_any_order() {
    let request = get();
    let id = Mailbox(key(1).public());
    let parameters = format!(
        "{COMPONENTS};tag=\"{TAG}\";alg=\"ed25519\";keyid=\"{id}\";nonce=\"abcdefghijklmnop\";created=5"
    );
    let signature = key(1).sign(base_of(&request, None, &parameters).as_bytes());
    let headers = Headers {
        content_digest: None,
        input: format!("bulla={parameters}"),
        signature: format!("bulla=:{}:", text::base64_encode(&signature)),
    };
    assert_eq!(verify(&request, &headers).unwrap().created, 5);
}

proptest! {
    #[test]
    fn round_trip(created: u64, nonce: [u8; 16], body: Option<Vec<u8>>, seed: u8) {
        let request = Request { body: body.as_deref(), ..get() };
        let headers = sign(&request, &key(seed), created, nonce);
        prop_assert_eq!(verify(&request, &headers).unwrap().created, created);
        let other = Headers { signature: sign(&request, &key(!seed), created, nonce).signature, ..headers };
        prop_assert_eq!(verify(&request, &other), Err(Error::Signature));
    }

    #[test]
    fn any_header_is_survived(input in "\\PC*", tail in "[;=\"a-z0-9]*", signature in "\\PC*") {
        let headers = Headers { content_digest: None, input: input.clone(), signature: signature.clone() };
        prop_assert!(verify(&get(), &headers).is_err());
        let headers = Headers { content_digest: None, input: format!("bulla={COMPONENTS}{tail}"), signature };
        prop_assert!(verify(&get(), &headers).is_err());
    }
}
