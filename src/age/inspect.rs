//! What anybody can see of a sealed file.

use std::io::{self, BufReader, Read};

use super::armor::Dearmored;
use super::error::Error;
use super::header::Header;
use super::hybrid;
use super::key::NONCE;
use super::passphrase;
use super::stream::plaintext_len;
use super::x25519;

/// What a sealed file shows without a key. Nothing of it is authenticated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    /// Whether it is armored.
    pub armored: bool,
    /// Types of the stanzas, in order: text of a stranger, of visible ASCII.
    pub stanzas: Vec<String>,
    /// Whether a quantum computer could not open it, or `None` for types that we do not know.
    pub post_quantum: Option<bool>,
    /// Bytes of the header.
    pub header: u64,
    /// Bytes of nonce and chunks.
    pub payload: u64,
    /// Bytes of the plaintext.
    pub plaintext: u64,
}

/// Reads a sealed file, armored or not, to its end, in constant memory.
pub fn inspect(input: impl Read) -> Result<Inspection, Error> {
    let input = Dearmored::new(input)?;
    let armored = input.is_armored();
    let mut input = BufReader::new(input);
    let header = Header::read(&mut input)?;
    let stanzas: Vec<_> = header.stanzas().iter().map(|stanza| stanza.kind.clone()).collect();
    let payload = io::copy(&mut input, &mut io::sink())?;
    let sealed = payload.checked_sub(NONCE as u64).ok_or(Error::Truncated)?;
    Ok(Inspection {
        armored,
        post_quantum: post_quantum(&stanzas),
        stanzas,
        header: header.bytes().len() as u64,
        payload,
        plaintext: plaintext_len(sealed).ok_or(Error::Truncated)?,
    })
}

/// One stanza that a quantum computer opens decides; else all must be known not to be such.
fn post_quantum(stanzas: &[String]) -> Option<bool> {
    let resists = stanzas.iter().map(|kind| match kind.as_str() {
        hybrid::KIND | passphrase::KIND | "mlkem768p256tag" => Some(true),
        x25519::KIND | "p256tag" | "piv-p256" | "ssh-ed25519" | "ssh-rsa" => Some(false),
        // Stanzas for nobody, which some programs add to keep readers from counting on a set.
        kind if kind.ends_with("-grease") => Some(true),
        _ => None,
    });
    let resists: Vec<_> = resists.collect();
    if resists.contains(&Some(false)) {
        Some(false)
    } else if resists.contains(&None) {
        None
    } else {
        Some(true)
    }
}
