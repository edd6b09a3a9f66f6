//! Published vectors, each age file under its own name: C2SP/CCTV for sealed files, HPKE and
//! X-Wing. Those of Wycheproof are in the library, with the primitives.
//!
//! They are read from the folder `BULLA_VECTORS`, or `../shared/vectors`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, and this one has no harness to tell clippy so"
)]

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fs;
use std::io::{Cursor, Read};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use bulla::age::{
    ArmorReader, ArmorWriter, Dearmored, Error, HybridIdentity, Identity, Opener, Recipient,
    ScryptIdentity, ScryptRecipient, Sealer, X25519Identity, inspect,
};
use bulla::crypto;
use bulla::secret::Secret;
use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::XWing;
use hpke::rand_core::{TryCryptoRng, TryRng};
use hpke::{Deserializable as _, Kem as _, OpModeR, OpModeS, Serializable as _};
use libtest_mimic::{Arguments, Trial};
use serde_json::Value;

/// Checks a whole file of vectors, by panicking.
type Check = fn(&Value);

/// Age files in the published set.
const AGE_FILES: usize = 143;

fn main() {
    let arguments = Arguments::from_args();
    let folder = std::env::var_os("BULLA_VECTORS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/vectors"),
        PathBuf::from,
    );
    let trials = if folder.is_dir() {
        trials(&folder)
    } else {
        eprintln!("NO VECTORS in {}: nothing of age_vectors is tested", folder.display());
        Vec::new()
    };
    libtest_mimic::run(&arguments, trials).exit();
}

fn trials(folder: &Path) -> Vec<Trial> {
    let mut files: Vec<_> =
        fs::read_dir(folder.join("age")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let count = files.len();
    let mut trials = vec![Trial::test("age::count", move || {
        assert_eq!(count, AGE_FILES);
        Ok(())
    })];
    for path in files {
        let name = format!("age::{}", path.file_name().unwrap().to_str().unwrap());
        trials.push(Trial::test(name, move || {
            Vector::read(&path).check();
            Ok(())
        }));
    }
    let json: [(&str, &str, Check); 2] = [
        ("hpke::x_wing_hkdf_sha256_chacha20_poly1305", "hpke-pq/test-vectors.json", hpke_base),
        ("x_wing", "hpke-pq/x-wing.json", x_wing),
    ];
    for (name, file, check) in json {
        let path = folder.join(file);
        trials.push(Trial::test(name, move || {
            check(&serde_json::from_slice(&fs::read(path).unwrap()).unwrap());
            Ok(())
        }));
    }
    trials
}

/// One file of C2SP/CCTV `age/testdata`.
struct Vector {
    keys: BTreeMap<String, Vec<String>>,
    file: Vec<u8>,
}

impl Vector {
    fn read(path: &Path) -> Self {
        let bytes = fs::read(path).unwrap();
        let end = bytes.windows(2).position(|pair| pair == b"\n\n").unwrap();
        let mut keys = BTreeMap::<_, Vec<_>>::new();
        for line in std::str::from_utf8(&bytes[..end]).unwrap().lines() {
            let (key, value) = line.split_once(": ").unwrap();
            keys.entry(key.to_owned()).or_default().push(value.to_owned());
        }
        let mut file = bytes[end + 2..].to_vec();
        if let Some(method) = keys.get("compressed") {
            assert_eq!(method, &["zlib"]);
            let packed = std::mem::take(&mut file);
            flate2::read::ZlibDecoder::new(packed.as_slice()).read_to_end(&mut file).unwrap();
        }
        Self { keys, file }
    }

    fn get(&self, key: &str) -> Option<&str> {
        self.keys.get(key).map(|values| values[0].as_str())
    }

    fn armored(&self) -> bool {
        self.get("armored") == Some("yes")
    }

    fn input(&self) -> Box<dyn Read + Send + '_> {
        let file = Cursor::new(&self.file);
        if self.armored() { Box::new(ArmorReader::new(file)) } else { Box::new(file) }
    }

    fn identities(&self) -> Vec<Box<dyn Identity>> {
        let keys = self.keys.get("identity").into_iter().flatten();
        let phrases = self.keys.get("passphrase").into_iter().flatten();
        keys.map(|text| bulla::age::parse_identity(text).unwrap())
            .chain(phrases.map(|text| {
                Box::new(ScryptIdentity::new(text.clone().into())) as Box<dyn Identity>
            }))
            .collect()
    }

    /// Recipients of the identities, for the way back.
    fn recipients(&self) -> Vec<Box<dyn Recipient>> {
        let keys = self.keys.get("identity").into_iter().flatten();
        let phrases = self.keys.get("passphrase").into_iter().flatten();
        keys.map(|text| match text.starts_with("AGE-SECRET-KEY-PQ-") {
            true => {
                Box::new(HybridIdentity::parse(text).unwrap().recipient()) as Box<dyn Recipient>
            }
            false => Box::new(X25519Identity::parse(text).unwrap().recipient().clone()),
        })
        .chain(phrases.map(|text| {
            let recipient = ScryptRecipient::new(text.clone().into()).work_factor(10).unwrap();
            Box::new(recipient) as Box<dyn Recipient>
        }))
        .collect()
    }

    fn check(&self) {
        for workers in [1, 4] {
            self.check_with(NonZeroUsize::new(workers).unwrap());
        }
    }

    fn check_with(&self, workers: NonZeroUsize) {
        let identities = self.identities();
        let identities: Vec<_> = identities.iter().map(AsRef::as_ref).collect();
        let mut released = Vec::new();
        let result = open(self.input(), &identities, workers, &mut released);
        let expected = self.get("expect").unwrap();
        assert_eq!(kind(&result), expected, "{result:?}");
        match self.get("payload") {
            Some(payload) => {
                assert_eq!(bulla::text::hex_encode(&crypto::sha256(&[&released])), payload);
            }
            None => assert!(released.is_empty(), "{} bytes released", released.len()),
        }
        if expected == "success" {
            self.check_success(&identities, workers, &released);
        }
    }

    fn check_success(&self, identities: &[&dyn Identity], workers: NonZeroUsize, plain: &[u8]) {
        let seen = inspect(self.file.as_slice()).unwrap();
        assert_eq!((seen.armored, seen.plaintext), (self.armored(), plain.len() as u64));
        for armored in [false, true] {
            let recipients = self.recipients();
            let recipients: Vec<_> = recipients.iter().map(AsRef::as_ref).collect();
            let sealer = Sealer::new(&recipients).unwrap().workers(workers);
            let mut sealed = Vec::new();
            if armored {
                let mut armor = ArmorWriter::new(&mut sealed);
                sealer.seal(plain, &mut armor).unwrap();
                armor.finish().unwrap();
            } else {
                sealer.seal(plain, &mut sealed).unwrap();
            }
            let input = Dearmored::new(sealed.as_slice()).unwrap();
            assert_eq!(input.is_armored(), armored);
            let mut opened = Vec::new();
            open(input, identities, workers, &mut opened).unwrap();
            assert!(opened == plain);
        }
    }
}

fn open(
    input: impl Read + Send,
    identities: &[&dyn Identity],
    workers: NonZeroUsize,
    released: &mut Vec<u8>,
) -> Result<u64, Error> {
    Opener::new(input, identities)?.workers(workers).open(released)
}

fn kind(result: &Result<u64, Error>) -> &'static str {
    match result {
        Ok(_) => "success",
        Err(Error::NoMatch | Error::WrongPassphrase) => "no match",
        Err(Error::HeaderMac) => "HMAC failure",
        Err(Error::Armor(_)) => "armor failure",
        Err(Error::Payload { .. } | Error::Truncated | Error::Trailing) => "payload failure",
        Err(Error::Header(_) | Error::Mangled(_) | Error::Version | Error::WorkFactor { .. }) => {
            "header failure"
        }
        Err(_) => "another failure",
    }
}

// -- HPKE and X-Wing --

type PrivateKey = <XWing as hpke::Kem>::PrivateKey;
type PublicKey = <XWing as hpke::Kem>::PublicKey;
type EncappedKey = <XWing as hpke::Kem>::EncappedKey;

/// The randomness a vector was made with.
struct Known(Vec<u8>);

impl TryRng for Known {
    type Error = Infallible;
    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        panic!("only whole seeds are drawn")
    }
    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        panic!("only whole seeds are drawn")
    }
    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        let rest = self.0.split_off(out.len());
        out.copy_from_slice(&std::mem::replace(&mut self.0, rest));
        Ok(())
    }
}

impl TryCryptoRng for Known {}

fn hpke_base(vectors: &Value) {
    let ours = |v: &&Value| {
        (&v["kem_id"], &v["kdf_id"], &v["aead_id"]) == (&0x647a.into(), &1.into(), &3.into())
    };
    let all: Vec<_> = vectors.as_array().unwrap().iter().filter(ours).collect();
    let [vector] = all.as_slice() else { panic!("{} vectors of our suite", all.len()) };
    let private = PrivateKey::from_bytes(&hex(&vector["skRm"])).unwrap();
    let public = PublicKey::from_bytes(&hex(&vector["pkRm"])).unwrap();
    assert!(XWing::sk_to_pk(&private) == public);
    let info = hex(&vector["info"]);
    let (enc, mut sender) = hpke::setup_sender_with_rng::<ChaCha20Poly1305, HkdfSha256, XWing>(
        &OpModeS::Base,
        &public,
        &info,
        &mut Known(hex(&vector["ikmE"])),
    )
    .unwrap();
    assert_eq!(enc.to_bytes().to_vec(), hex(&vector["enc"]));
    let mut receiver = hpke::setup_receiver::<ChaCha20Poly1305, HkdfSha256, XWing>(
        &OpModeR::Base,
        &private,
        &enc,
        &info,
    )
    .unwrap();
    for message in vector["encryptions"].as_array().unwrap() {
        let (aad, plain, sealed) = (hex(&message["aad"]), hex(&message["pt"]), hex(&message["ct"]));
        assert_eq!(sender.seal(&plain, &aad).unwrap(), sealed);
        assert_eq!(receiver.open(&sealed, &aad).unwrap(), plain);
    }
    for export in vector["exports"].as_array().unwrap() {
        let mut out = vec![0; export["L"].as_u64().unwrap() as usize];
        receiver.export(&hex(&export["exporter_context"]), &mut out).unwrap();
        assert_eq!(out, hex(&export["exported_value"]));
    }
}

fn x_wing(vectors: &Value) {
    let vectors = vectors.as_array().unwrap();
    assert_eq!(vectors.len(), 3);
    for vector in vectors {
        let identity = HybridIdentity::from_seed(&secret(&vector["seed"])).unwrap();
        assert_eq!(identity.recipient().to_bytes().to_vec(), hex(&vector["pk"]));
        let public = PublicKey::from_bytes(&hex(&vector["pk"])).unwrap();
        let mut random = Known(hex(&vector["eseed"]));
        let (shared, enc) = XWing::encap_with_rng(&public, None, &mut random).unwrap();
        assert_eq!(shared.0.to_vec(), hex(&vector["ss"]));
        assert_eq!(enc.to_bytes().to_vec(), hex(&vector["ct"]));
        let private = PrivateKey::from_bytes(&hex(&vector["sk"])).unwrap();
        let enc = EncappedKey::from_bytes(&hex(&vector["ct"])).unwrap();
        let shared = XWing::decap(&private, None, &enc).unwrap();
        assert_eq!(shared.0.to_vec(), hex(&vector["ss"]));
    }
}

fn hex(value: &Value) -> Vec<u8> {
    let text = value.as_str().unwrap();
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
}

fn secret<const N: usize>(value: &Value) -> Secret<N> {
    Secret::from_slice(&hex(value)).unwrap()
}
