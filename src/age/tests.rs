use std::fmt::Debug;
use std::io;

use super::*;
use crate::age::hybrid::HYBRID_RECIPIENT;
use crate::age::passphrase::MAX_WORK_FACTOR;
use crate::crypto;
use crate::secret::{Secret, SecretString};

/// Known pair: the secret is 32 times 0x42.
const SECRET: &str = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX";
const PUBLIC: &str = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj";

fn seal(recipients: &[&dyn Recipient], plain: &[u8]) -> Result<Vec<u8>, Error> {
    let mut sealed = Vec::new();
    let length = Sealer::new(recipients)?.seal(plain, &mut sealed)?;
    assert_eq!(length, plain.len() as u64);
    Ok(sealed)
}

fn open(sealed: &[u8], identities: &[&dyn Identity]) -> Result<Vec<u8>, Error> {
    let mut opened = Vec::new();
    Opener::new(sealed, identities)?.open(&mut opened)?;
    Ok(opened)
}

fn phrase(text: &str) -> SecretString {
    text.to_owned().into()
}

fn scrypt(text: &str) -> ScryptRecipient {
    ScryptRecipient::new(phrase(text)).work_factor(2).unwrap()
}

fn key_error<T>(result: Result<T, Error>) -> KeyError {
    match result {
        Err(Error::Key(error)) => error,
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("accepted"),
    }
}

#[test]
fn every_kind_there_and_back() {
    let classic = X25519Identity::generate().unwrap();
    let hybrid = HybridIdentity::generate().unwrap();
    let known = ScryptIdentity::new(phrase("pass"));
    let pairs: [(&dyn Recipient, &dyn Identity); 3] = [
        (classic.recipient(), &classic),
        (&hybrid.recipient(), &hybrid),
        (&scrypt("pass"), &known),
    ];
    for (i, (recipient, identity)) in pairs.iter().enumerate() {
        assert_eq!(recipient.class(), identity.class());
        let sealed = seal(&[*recipient], b"hello").unwrap();
        assert_ne!(sealed, seal(&[*recipient], b"hello").unwrap());
        assert_eq!(open(&sealed, &[*identity]).unwrap(), b"hello");
        for (j, (_, other)) in pairs.iter().enumerate() {
            assert_eq!(open(&sealed, &[*other]).is_ok(), i == j);
            assert_eq!(open(&sealed, &[*other, *identity]).unwrap(), b"hello");
        }
    }
}

#[test]
fn one_file_for_many() {
    let identities: Vec<_> = (0..300).map(|_| X25519Identity::generate().unwrap()).collect();
    let recipients: Vec<_> = identities.iter().map(|i| i.recipient() as &dyn Recipient).collect();
    let sealed = seal(&recipients, b"to all").unwrap();
    for identity in identities.iter().step_by(99) {
        assert_eq!(open(&sealed, &[identity]).unwrap(), b"to all");
    }
    // Thousands fit in a header, and more than fit are refused when sealing.
    struct Stamp(usize);
    impl Recipient for Stamp {
        fn wrap(&self, _: &FileKey) -> Result<Vec<Stanza>, Error> {
            let stanza =
                Stanza { kind: "X25519".into(), args: vec!["A".repeat(43)], body: vec![0; 32] };
            Ok(vec![stanza; self.0])
        }
        fn class(&self) -> Class {
            Class::Classic
        }
    }
    assert!(Sealer::new(&[&Stamp(10_000)]).is_ok());
    assert!(matches!(Sealer::new(&[&Stamp(20_000)]), Err(Error::HeaderTooLong { .. })));
}

#[test]
fn the_header_seen_when_sealing_is_the_one_seen_when_opening() {
    let identity = X25519Identity::generate().unwrap();
    let sealer = Sealer::new(&[identity.recipient()]).unwrap();
    let header = sealer.header().to_vec();
    assert!(header.starts_with(b"age-encryption.org/v1\n-> X25519 ") && header.ends_with(b"\n"));
    let mut sealed = Vec::new();
    sealer.seal(io::empty(), &mut sealed).unwrap();
    assert!(sealed.starts_with(&header));
    assert_eq!(sealed.len(), header.len() + 16 + 16);
    assert_eq!(Opener::new(sealed.as_slice(), &[&identity]).unwrap().header(), header);
}

#[test]
fn mixtures_are_refused() {
    let classic = X25519Identity::generate().unwrap();
    let hybrid = HybridIdentity::generate().unwrap().recipient();
    let (classic, phrase) = (classic.recipient(), scrypt("a"));
    let seal = |recipients: &[&dyn Recipient]| Sealer::new(recipients).map(drop);
    assert!(matches!(seal(&[]), Err(Error::NoRecipients)));
    assert!(matches!(seal(&[classic, &hybrid]), Err(Error::MixedRecipients)));
    assert!(matches!(seal(&[&hybrid, &phrase]), Err(Error::PassphraseNotAlone)));
    assert!(matches!(seal(&[&phrase, &phrase]), Err(Error::PassphraseNotAlone)));
    assert!(seal(&[classic, classic]).is_ok() && seal(&[&hybrid, &hybrid]).is_ok());
}

#[test]
fn known_texts() {
    let identity = X25519Identity::parse(SECRET).unwrap();
    assert_eq!(identity.to_text().as_str(), SECRET);
    assert_eq!(identity.recipient().to_string(), PUBLIC);
    assert_eq!(&X25519Recipient::parse(PUBLIC).unwrap(), identity.recipient());
    assert_eq!(format!("{:?}", identity.recipient()), PUBLIC);
}

#[test]
fn texts_there_and_back() {
    let hybrid = HybridIdentity::generate().unwrap();
    let text = hybrid.to_text();
    assert!(text.starts_with("AGE-SECRET-KEY-PQ-1"));
    let again = HybridIdentity::parse(&text).unwrap();
    assert_eq!(again.recipient(), hybrid.recipient());
    let public = hybrid.recipient().to_string();
    assert!(public.starts_with("age1pq1") && public.len() == 1959);
    assert_eq!(HybridRecipient::parse(&public).unwrap(), hybrid.recipient());
    assert_eq!(
        HybridRecipient::from_bytes(&hybrid.recipient().to_bytes()).unwrap(),
        hybrid.recipient()
    );
    for text in [PUBLIC, &public] {
        parse_recipient(text).unwrap();
        assert!(matches!(key_error(parse_identity(text)), KeyError::IsRecipient));
    }
    for text in [SECRET, &hybrid.to_text()] {
        parse_identity(text).unwrap();
        assert!(matches!(key_error(parse_recipient(text)), KeyError::IsIdentity));
        assert!(matches!(
            key_error(parse_recipient(&text.to_ascii_lowercase())),
            KeyError::IsIdentity
        ));
    }
}

#[test]
fn texts_of_others_are_named() {
    for text in ["ssh-ed25519 AAAA", "ssh-rsa AAAA", "ecdsa-sha2-nistp256 AAAA"] {
        assert!(matches!(key_error(parse_recipient(text)), KeyError::Ssh));
    }
    assert!(matches!(
        key_error(parse_identity("-----BEGIN OPENSSH PRIVATE KEY-----")),
        KeyError::Ssh
    ));
    for (text, name) in [
        ("age1yubikey1qwt50d05nh5vutpdzmlg5wn80xq5negm4uj9ghv0snvdd3yysf5yw3rhl3t", "yubikey"),
        ("age1tag1qt8lw0ual6avlwmwatk888yqnmdamm7xfd0wak53ut6elz5c4swx2yqdj4e", "tag"),
    ] {
        let KeyError::Plugin(got) = key_error(parse_recipient(text)) else { panic!("{text}") };
        assert_eq!(got, name);
    }
    let KeyError::Plugin(got) = key_error(parse_identity("AGE-PLUGIN-YUBIKEY-1QQPQ")) else {
        panic!()
    };
    assert_eq!(got, "yubikey");
    for text in ["", "age1", "age1x", "bob", "age1../../bin/x1qq", "age1\u{1b}[2J1qq", "AGE1"] {
        let error = key_error(parse_recipient(text));
        assert!(matches!(error, KeyError::UnknownRecipient | KeyError::Text(_)), "{text}");
    }
    for text in ["", "AGE-SECRET-KEY-", "AGE-SECRET-KEY-2", "bob", "AGE-PLUGIN-/-1Q"] {
        assert!(matches!(key_error(parse_identity(text)), KeyError::UnknownIdentity), "{text}");
    }
}

#[test]
fn errors_never_repeat_a_key() {
    let mistyped = SECRET.replace("GFPYY", "GFPYX");
    let short = crate::text::bech32_encode("AGE-SECRET-KEY-", &[0x42; 31]);
    for text in [mistyped.as_str(), &short, &SECRET.to_ascii_lowercase(), &SECRET[..50]] {
        for error in [key_error(parse_identity(text)), key_error(parse_recipient(text))] {
            for shown in [error.to_string(), format!("{error:?}")] {
                assert!(!shown.to_ascii_uppercase().contains("GFPY"), "{shown}");
            }
        }
    }
}

#[test]
fn secrets_print_nothing() {
    fn shown(value: impl Debug) -> String {
        format!("{value:?}")
    }
    let seed = Secret::from_slice(&[0x42; 32]).unwrap();
    let hybrid = HybridIdentity::from_seed(&seed).unwrap();
    let known = X25519Identity::new(seed);
    let sealer = Sealer::new(&[known.recipient()]).unwrap();
    assert_eq!(shown(&hybrid), "HybridIdentity(..)");
    assert_eq!(shown(scrypt("hunter2")), "ScryptRecipient(..)");
    assert_eq!(shown(ScryptIdentity::new(phrase("hunter2"))), "ScryptIdentity(..)");
    assert_eq!(shown(FileKey::generate().unwrap()), "FileKey(..)");
    assert!(shown(&known).starts_with("X25519Identity { secret: .., recipient: age1"));
    assert!(shown(&sealer).contains("file_key: FileKey(..)"));
}

/// The encodings whose X25519 shared secret is zero (RFC 7748, section 6.1; the list is that
/// of Cremers and Jackson, "Prime, Order Please!", 2019).
fn low_order() -> Vec<[u8; 32]> {
    let hex = crate::text::hex_decode::<32>;
    let mut points = vec![
        [0; 32],
        hex("0100000000000000000000000000000000000000000000000000000000000000").unwrap(),
        hex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800").unwrap(),
        hex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157").unwrap(),
        hex("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f").unwrap(),
        hex("edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f").unwrap(),
        hex("eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f").unwrap(),
    ];
    let mut high = points.clone();
    high.iter_mut().for_each(|point| point[31] |= 0x80);
    points.extend(high);
    points
}

#[test]
fn low_order_keys_are_refused_by_the_sender_too() {
    let good = HybridIdentity::generate().unwrap().recipient().to_bytes();
    for point in low_order() {
        let refused = X25519Recipient::from_bytes(&point);
        assert!(matches!(key_error(refused), KeyError::Invalid), "{point:?}");
        let mut bytes = good;
        bytes[HYBRID_RECIPIENT - 32..].copy_from_slice(&point);
        assert!(matches!(key_error(HybridRecipient::from_bytes(&bytes)), KeyError::Invalid));
    }
    for _ in 0..100 {
        assert!(X25519Recipient::from_bytes(&crypto::random().unwrap()).is_ok());
    }
}

#[test]
fn low_order_shares_are_refused_by_the_recipient() {
    let hybrid = HybridIdentity::generate().unwrap();
    let stanza = hybrid.recipient().wrap(&FileKey::generate().unwrap()).unwrap().remove(0);
    let share = crate::text::base64_decode_unpadded(stanza.args[0].as_bytes()).unwrap();
    for point in low_order() {
        let bytes = [&share[..share.len() - 32], &point].concat();
        let args = vec![crate::text::base64_encode_unpadded(&bytes)];
        let changed = Stanza { args, ..stanza.clone() };
        assert!(matches!(hybrid.unwrap(&[changed]), Err(Error::Header(_))), "{point:?}");
    }
}

#[test]
fn ml_kem_coefficients_out_of_range_are_refused() {
    let mut bytes = HybridIdentity::generate().unwrap().recipient().to_bytes();
    bytes[..3].fill(0xff);
    assert!(matches!(key_error(HybridRecipient::from_bytes(&bytes)), KeyError::Invalid));
}

#[test]
fn work_factors_are_bounded() {
    for factor in [0, MAX_WORK_FACTOR + 1, 64, 255] {
        let refused = ScryptRecipient::new(phrase("a")).work_factor(factor);
        assert!(matches!(refused, Err(Error::WorkFactor { got, .. }) if got == factor));
    }
    let sealed = seal(&[&scrypt("a").work_factor(4).unwrap()], b"x").unwrap();
    let careful = ScryptIdentity::new(phrase("a")).max_work_factor(3);
    assert!(matches!(open(&sealed, &[&careful]), Err(Error::WorkFactor { max: 3, got: 4 })));
    let wrong = ScryptIdentity::new(phrase("b"));
    assert!(matches!(open(&sealed, &[&wrong]), Err(Error::WrongPassphrase)));
}

#[test]
fn inspection_needs_no_key() {
    let classic = X25519Identity::generate().unwrap();
    let hybrid = HybridIdentity::generate().unwrap().recipient();
    let plain = vec![0; 200_000];
    let sealed = seal(&[&hybrid, &hybrid], &plain).unwrap();
    let mut armor = ArmorWriter::new(Vec::new());
    io::Write::write_all(&mut armor, &sealed).unwrap();
    for (file, armored) in [(sealed.clone(), false), (armor.finish().unwrap(), true)] {
        let seen = inspect(file.as_slice()).unwrap();
        assert_eq!(seen.armored, armored);
        assert_eq!(seen.stanzas, ["mlkem768x25519", "mlkem768x25519"]);
        assert_eq!(seen.post_quantum, Some(true));
        assert_eq!(seen.plaintext, 200_000);
        assert_eq!(seen.payload, 16 + 200_000 + 4 * 16);
        assert_eq!(seen.header + seen.payload, sealed.len() as u64);
    }
    let header = sealed.len() - 16 - 200_000 - 4 * 16;
    for payload in [0, 15, 16, 31, 16 + 65_552 + 1, 16 + 65_552 + 16] {
        let cut = &sealed[..header + payload];
        assert!(matches!(inspect(cut), Err(Error::Truncated)), "{payload}");
    }
    struct Odd(&'static str);
    impl Recipient for Odd {
        fn wrap(&self, _: &FileKey) -> Result<Vec<Stanza>, Error> {
            Ok(vec![Stanza { kind: self.0.into(), args: vec![], body: vec![] }])
        }
        fn class(&self) -> Class {
            Class::PostQuantum
        }
    }
    let hybrid: &dyn Recipient = &hybrid;
    for (recipients, expected) in [
        (vec![hybrid, &Odd("x-grease")], Some(true)),
        (vec![hybrid, &Odd("new")], None),
        (vec![hybrid, &Odd("ssh-rsa"), &Odd("new")], Some(false)),
        (vec![classic.recipient()], Some(false)),
        (vec![&scrypt("a")], Some(true)),
    ] {
        let seen = inspect(seal(&recipients, b"").unwrap().as_slice()).unwrap();
        assert_eq!(seen.post_quantum, expected, "{:?}", seen.stanzas);
        assert_eq!(seen.plaintext, 0);
    }
}

#[test]
fn an_error_of_the_sink_comes_back_as_it_was() {
    #[derive(Debug, thiserror::Error)]
    #[error("not today")]
    struct Mine;
    struct Refuses;
    impl io::Write for Refuses {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::Error::other(Mine))
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let identity = X25519Identity::generate().unwrap();
    let sealed = seal(&[identity.recipient()], b"x").unwrap();
    let result = Opener::new(sealed.as_slice(), &[&identity]).unwrap().open(Refuses);
    let Err(Error::Io(error)) = result else { panic!("{result:?}") };
    assert!(error.downcast::<Mine>().is_ok());
}

#[test]
fn an_error_of_ours_survives_a_reader() {
    let error: Error = io::Error::from(Error::Truncated).into();
    assert!(matches!(error, Error::Truncated));
}
