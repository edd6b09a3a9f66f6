//! Recipients and identities from their text.

use crate::age::error::{Error, KeyError};
use crate::age::hybrid::{self, HybridIdentity, HybridRecipient};
use crate::age::recipient::{Identity, Recipient};
use crate::age::x25519::{self, X25519Identity, X25519Recipient};

/// Parses a recipient: `age1…` or `age1pq1…`.
pub fn parse_recipient(text: &str) -> Result<Box<dyn Recipient>, Error> {
    if text.starts_with("age1pq1") {
        return Ok(Box::new(HybridRecipient::parse(text)?));
    }
    if let Some(rest) = text.strip_prefix("age1") {
        // The data part of Bech32 has no `1`, so another one ends the name of a plugin.
        return match rest.rsplit_once('1') {
            Some((name, _)) => Err(plugin(name, KeyError::UnknownRecipient)),
            None => Ok(Box::new(X25519Recipient::parse(text)?)),
        };
    }
    Err(match text {
        _ if is_ssh(text) => KeyError::Ssh,
        _ if is_secret(text) => KeyError::IsIdentity,
        _ => KeyError::UnknownRecipient,
    }
    .into())
}

/// Parses an identity: `AGE-SECRET-KEY-1…` or `AGE-SECRET-KEY-PQ-1…`.
pub fn parse_identity(text: &str) -> Result<Box<dyn Identity>, Error> {
    if has_prefix(text, hybrid::SECRET_PREFIX) {
        return Ok(Box::new(HybridIdentity::parse(text)?));
    }
    if has_prefix(text, x25519::SECRET_PREFIX) {
        return Ok(Box::new(X25519Identity::parse(text)?));
    }
    if let Some((name, _)) = text.strip_prefix("AGE-PLUGIN-").and_then(|t| t.rsplit_once("-1")) {
        return Err(plugin(&name.to_ascii_lowercase(), KeyError::UnknownIdentity));
    }
    Err(match text {
        _ if is_ssh(text) => KeyError::Ssh,
        _ if text.starts_with("age1") => KeyError::IsRecipient,
        _ => KeyError::UnknownIdentity,
    }
    .into())
}

fn has_prefix(text: &str, prefix: &str) -> bool {
    text.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('1'))
}

fn is_secret(text: &str) -> bool {
    ["AGE-SECRET-KEY-", "AGE-PLUGIN-"].iter().any(|prefix| {
        text.get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix))
    })
}

fn is_ssh(text: &str) -> bool {
    ["ssh-", "ecdsa-sha2-", "sk-ssh-", "-----BEGIN OPENSSH"].iter().any(|p| text.starts_with(p))
}

/// Names the plugin, when the name is one (RUSTSEC-2024-0433: such names are not to be trusted).
fn plugin(name: &str, otherwise: KeyError) -> Error {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"+-._".contains(&byte);
    if (1..=32).contains(&name.len()) && name.bytes().all(plain) {
        KeyError::Plugin(name.to_owned()).into()
    } else {
        otherwise.into()
    }
}
