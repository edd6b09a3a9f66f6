//! What a relay shows for itself: a certificate from files, read again when they change, or
//! one that an authority renews by ACME.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use x509_cert::der::Decode as _;

use crate::crypto;
use crate::files;
use crate::relay::protocol::pin::Pin;

/// Greatest file of certificates or of a key in bytes.
const MAX_FILE: u64 = 1 << 20;
/// The protocol of a challenge (RFC 8737, section 4).
pub(crate) const ACME_TLS: &[u8] = b"acme-tls/1";

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file that cannot be read.
    #[error("{}: {error}", .file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// What the operating system said.
        error: std::io::Error,
    },
    /// A file that holds something else, or a key that is not the certificate's.
    #[error("{}: {why}", .file.display())]
    Malformed {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The authority refused, or could not be reached.
    #[error("no certificate from the authority: {0}")]
    Authority(String),
    /// A key or certificate of our own could not be made.
    #[error("no certificate could be made: {0}")]
    Making(#[from] rcgen::Error),
    /// rustls refused.
    #[error(transparent)]
    Tls(#[from] rustls::Error),
}

/// TLS of a relay. Clones share what is shown.
#[derive(Clone)]
pub struct Tls {
    pub(crate) config: Arc<ServerConfig>,
    shown: Arc<Shown>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}

impl Tls {
    /// TLS 1.3 and 1.2 that has nothing to show yet: handshakes fail until [`Tls::show`].
    ///
    /// # Errors
    ///
    /// [`Error::Tls`] when the provider lacks what a relay needs.
    pub fn new() -> Result<Self, Error> {
        let shown = Arc::new(Shown::default());
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&TLS13, &TLS12])?
            .with_no_client_auth()
            .with_cert_resolver(shown.clone());
        config.alpn_protocols = [&b"h2"[..], b"http/1.1", ACME_TLS].map(<[u8]>::to_vec).into();
        // The relay remembers no client: neither a session nor a ticket links two connections.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(Self { config: Arc::new(config), shown })
    }

    /// Shows another certificate from the next handshake on; says whether it is another.
    pub fn show(&self, certificate: Certificate) -> bool {
        let mut shown = self.shown.certificate.write().unwrap_or_else(PoisonError::into_inner);
        let other = shown.as_ref().is_none_or(|shown| shown.hash != certificate.hash);
        *shown = Some(certificate);
        other
    }

    /// Answers these challenges of an authority, by name, in place of those before.
    pub(crate) fn answer(&self, challenges: HashMap<String, Certificate>) {
        *self.shown.challenges.write().unwrap_or_else(PoisonError::into_inner) = challenges;
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// A certificate with the chain above it and its key.
#[derive(Clone)]
pub struct Certificate {
    key: Arc<CertifiedKey>,
    /// Of both files: what tells a renewed one from the same.
    hash: [u8; 32],
    begins: u64,
    expires: u64,
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate").field("expires", &self.expires).finish_non_exhaustive()
    }
}

impl Certificate {
    /// Reads a chain, the relay's certificate first, and its key, both in PEM (RFC 7468).
    ///
    /// # Errors
    ///
    /// [`Error::File`]; [`Error::Malformed`], also while only one of the two is renewed.
    pub fn read(certificates: &Path, key: &Path) -> Result<Self, Error> {
        let read = |file: &Path| {
            files::read_bounded(file, MAX_FILE)
                .map_err(|error| Error::File { file: file.to_owned(), error })
        };
        let (chain, secret) = (read(certificates)?, read(key)?);
        Self::from_pem(&chain, &secret).map_err(|(of_key, why)| {
            let file = if of_key { key } else { certificates };
            Error::Malformed { file: file.to_owned(), why }
        })
    }

    /// The pair in memory; what is wrong, and whether with the key.
    pub(crate) fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, (bool, String)> {
        let hash = crypto::sha256(&[&crypto::sha256(&[chain]), key]);
        let chain: Vec<_> = CertificateDer::pem_slice_iter(chain)
            .collect::<Result<_, _>>()
            .map_err(|e| (false, e.to_string()))?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|e| (true, e.to_string()))?;
        let certificate = Self::from_der(chain, key, hash)?;
        let matched = certificate.key.keys_match();
        matched.map_err(|_| (true, "it is not the key of the certificate".into()))?;
        Ok(certificate)
    }

    /// A pair that we made, so that it needs no check that it is one. (rustls would refuse the
    /// answer to a challenge, for an extension that is critical and unknown to it.)
    pub(crate) fn from_der(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
        hash: [u8; 32],
    ) -> Result<Self, (bool, String)> {
        let leaf = chain.first().ok_or((false, "it holds no certificate".into()))?;
        let leaf = x509_cert::Certificate::from_der(leaf).map_err(|e| (false, e.to_string()))?;
        let validity = leaf.tbs_certificate().validity();
        let begins = validity.not_before.to_unix_duration().as_secs();
        let expires = validity.not_after.to_unix_duration().as_secs();
        let key = provider().key_provider.load_private_key(key);
        let key = CertifiedKey::new(chain, key.map_err(|e| (true, e.to_string()))?);
        Ok(Self { key: Arc::new(key), hash, begins, expires })
    }

    /// When it ends, in Unix seconds.
    pub fn expires(&self) -> u64 {
        self.expires
    }

    /// When it is to be renewed, in Unix seconds: after two thirds of its life.
    pub(crate) fn renew_at(&self) -> u64 {
        self.begins + self.expires.saturating_sub(self.begins) / 3 * 2
    }

    /// The pin of the last certificate of the chain, which is that of the offline key where the
    /// relay made its own.
    pub fn pin(&self) -> Option<Pin> {
        self.key.cert.last().and_then(|last| Pin::of(last).ok())
    }
}

/// What handshakes choose from.
#[derive(Default)]
struct Shown {
    certificate: RwLock<Option<Certificate>>,
    challenges: RwLock<HashMap<String, Certificate>>,
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shown")
    }
}

impl ResolvesServerCert for Shown {
    /// One certificate for every name; another for an authority that asks for a challenge,
    /// which it does by offering that protocol alone (RFC 8737, section 4).
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let mut offered = hello.alpn().into_iter().flatten();
        let challenged = offered.next() == Some(ACME_TLS) && offered.next().is_none();
        if challenged {
            let challenges = self.challenges.read().unwrap_or_else(PoisonError::into_inner);
            return challenges.get(hello.server_name()?).map(|answer| answer.key.clone());
        }
        let certificate = self.certificate.read().unwrap_or_else(PoisonError::into_inner);
        certificate.as_ref().map(|certificate| certificate.key.clone())
    }
}
