//! A relay's key in its address, for relays that no certificate authority knows.

use std::fmt;
use std::str::FromStr;

use rustls::pki_types::CertificateDer;
use rustls::server::ParsedCertificate;

use crate::crypto;
use crate::text;

/// The SHA-256 (FIPS 180-4) of the `SubjectPublicKeyInfo` (RFC 5280, section 4.1.2.7) of a
/// relay's offline key, which signs the keys the relay serves with. Printed as `sha256-` and 43
/// characters of base64url (RFC 4648, section 5): the fragment of `relay+https://host#sha256-…`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Pin(pub [u8; 32]);

impl Pin {
    /// The pin of a certificate's key.
    ///
    /// # Errors
    ///
    /// What rustls says of bytes that are no certificate.
    pub(crate) fn of(certificate: &CertificateDer<'_>) -> Result<Self, rustls::Error> {
        let key = ParsedCertificate::try_from(certificate)?.subject_public_key_info();
        Ok(Self(crypto::sha256(&[&key])))
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256-{}", text::base64url_encode(&self.0))
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Pin {
    type Err = text::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.strip_prefix("sha256-").ok_or(text::Error::Base64)?;
        let bytes = text::base64url_decode(digits.as_bytes())?;
        bytes.try_into().map(Self).map_err(|_| text::Error::Base64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn other_spellings_are_refused() {
        let good = Pin([0xfb; 32]).to_string();
        assert_eq!(good.len(), 7 + 43);
        assert!(good.parse::<Pin>().is_ok());
        let digits = &good[7..];
        for wrong in [
            format!("sha256-{digits}="),
            format!("SHA256-{digits}"),
            format!("sha256-{}", digits.replace('-', "+")),
            format!("sha256-{}", &digits[1..]),
            format!("sha256-{digits}AAAA"),
            // The bits that belong to no byte are zero.
            format!("sha256-{}_", &digits[..42]),
            "sha256-".to_owned(),
            String::new(),
        ] {
            assert!(wrong.parse::<Pin>().is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn pins_round_trip(bytes: [u8; 32]) {
            prop_assert_eq!(Pin(bytes).to_string().parse::<Pin>().unwrap(), Pin(bytes));
        }
    }
}
