//! The keys of a relay that no certificate authority knows: one that stays offline and stands in
//! the relay's address, and one it serves with, which the offline one signs anew now and then.
//!
//! Whoever takes the relay's machine gets the online key, good until its certificate ends; the
//! address stays the relay's own.

use std::fmt;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose,
};

use crate::relay::protocol::pin::Pin;
use crate::relay::server::tls::certificate::Error;
use crate::secret::SecretString;

const DAY: u64 = 86_400;
/// Life of the offline key's certificate in days: clients that know the pin do not look at it.
const OFFLINE_DAYS: u64 = 20 * 365;
/// The last second a certificate can name: the end of the year 9999 (RFC 5280, section 4.1.2.5).
const LAST: u64 = 253_402_300_799;

/// The key that signs a relay's online keys: ECDSA over P-256, which every TLS client takes.
pub struct OfflineKey(KeyPair);

impl fmt::Debug for OfflineKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OfflineKey(..)")
    }
}

impl OfflineKey {
    /// A new one.
    ///
    /// # Errors
    ///
    /// [`Error::Making`].
    pub fn generate() -> Result<Self, Error> {
        Ok(Self(KeyPair::generate()?))
    }

    /// Reads what [`OfflineKey::to_pem`] wrote.
    ///
    /// # Errors
    ///
    /// [`Error::Making`] when it is no key in PEM.
    pub fn from_pem(pem: &str) -> Result<Self, Error> {
        Ok(Self(KeyPair::from_pem(pem)?))
    }

    /// The key as PKCS #8 in PEM (RFC 5958, RFC 7468).
    pub fn to_pem(&self) -> SecretString {
        SecretString::from(self.0.serialize_pem())
    }

    /// A certificate of the key itself: beside the online key's, and for programs that take a
    /// file of authorities. Good for twenty years from `now`, in Unix seconds.
    ///
    /// # Errors
    ///
    /// [`Error::Making`].
    pub fn certificate(&self, now: u64) -> Result<OfflineCertificate, Error> {
        let certificate = authority(now).self_signed(&self.0)?;
        Ok(OfflineCertificate { pin: Pin::of(certificate.der())?, pem: certificate.pem() })
    }

    /// Makes an online key for these names and signs it, for `days` from `now`. Its PEM holds
    /// the certificate, that of the offline key, and the online key.
    ///
    /// # Errors
    ///
    /// [`Error::Making`], also for a name that is none.
    pub fn sign(&self, names: &[String], now: u64, days: u64) -> Result<SecretString, Error> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(names)?;
        params.distinguished_name = name("bulla relay, online");
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        validity(&mut params, now, days);
        let certificate = params.signed_by(&key, &Issuer::from_params(&authority(now), &self.0))?;
        let above = self.certificate(now)?.pem;
        let own = SecretString::from(key.serialize_pem());
        Ok(SecretString::from([certificate.pem().as_str(), &above, own.as_str()].concat()))
    }
}

/// An offline key's own certificate.
#[derive(Debug, Clone)]
pub struct OfflineCertificate {
    /// What stands in the relay's address.
    pub pin: Pin,
    /// In PEM.
    pub pem: String,
}

fn authority(now: u64) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = name("bulla relay, offline");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    validity(&mut params, now, OFFLINE_DAYS);
    params
}

fn name(common: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common);
    name
}

/// Valid from the day before, for clocks that are behind.
fn validity(params: &mut CertificateParams, now: u64, days: u64) {
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let end = now.saturating_add(days.saturating_mul(DAY)).min(LAST);
    params.not_before = epoch + Duration::from_secs(now.saturating_sub(DAY).min(LAST));
    params.not_after = epoch + Duration::from_secs(end);
}
