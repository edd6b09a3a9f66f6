//! What client and server share: names, ids, bounds and the JSON bodies of version 1.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::crypto;
use crate::text;

/// Name of the protocol in `GET /v1/info`.
#[cfg(any(test, feature = "serve"))]
pub(crate) const NAME: &str = "bulla-relay";
/// The one version there is.
pub(crate) const VERSION: u16 = 1;
/// `tag` parameter of every signature (RFC 9421, section 2.3).
pub(crate) const TAG: &str = "bulla-relay-v1";
/// Seconds a signature's `created` may lie from the relay's clock, either way.
#[cfg(any(test, feature = "serve"))]
pub(crate) const WINDOW: u64 = 90;
/// Seconds that a relay's clock may lie from the client's, either way, for the client to sign by it.
pub(crate) const MAX_SKEW: u64 = 24 * 3600;
/// Greatest JSON body of a request, in bytes.
#[cfg(feature = "serve")]
pub(crate) const MAX_REQUEST_JSON: usize = 128 << 10;
/// Greatest JSON body of an answer, in bytes: a full list is a sixth of it.
pub(crate) const MAX_ANSWER_JSON: u64 = 1 << 20;
/// Most messages one list shows.
pub(crate) const MAX_LIST: usize = 1000;
/// Messages a list shows when `limit` is not given.
#[cfg(any(test, feature = "serve"))]
pub(crate) const DEFAULT_LIST: usize = 100;
/// Most ids one ack or take names.
pub(crate) const MAX_ACK: usize = 1000;
/// Greatest whole body of a batch, in bytes.
pub const MAX_BATCH_BYTES: usize = 8 << 20;
/// Most messages of a batch.
pub const MAX_BATCH: usize = 1000;
/// Greatest message of a batch, in bytes.
pub const MAX_FRAME: u64 = 256 << 10;
/// Media type of a batch: frames, as in [`frame`](crate::relay::protocol::frame).
pub(crate) const MESSAGES: &str = "application/vnd.bulla.messages";
/// Media type of a part of a message (draft-ietf-httpbis-resumable-upload).
pub(crate) const PARTIAL: &str = "application/partial-upload";
/// Longest wait of a list in seconds; below the 60 after which common proxies hang up.
pub(crate) const MAX_WAIT: u64 = 50;

macro_rules! hex_name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub [u8; 32]);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&text::hex_encode(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = text::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text::hex_decode(text).map(Self)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = Cow::<'de, str>::deserialize(from)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

hex_name! {
    /// A mailbox: the 32-byte Ed25519 public key (RFC 8032) of its owner. Printed as 64
    /// lower-case hexadecimal digits.
    Mailbox
}

hex_name! {
    /// A message: the SHA-256 (FIPS 180-4) of its sealed bytes. Printed as 64 lower-case
    /// hexadecimal digits, so `sha256sum` computes it.
    Id
}

hex_name! {
    /// A capability to push to one mailbox: the SHA-256 of its text, which alone the relay
    /// keeps. Printed as 64 lower-case hexadecimal digits.
    CapabilityId
}

hex_name! {
    /// A token of the operator to register mailboxes: the SHA-256 of its text, which alone the
    /// relay keeps. Printed as 64 lower-case hexadecimal digits.
    TokenId
}

impl CapabilityId {
    /// The name of the capability whose text is shown as `Authorization: Bearer`.
    pub fn of(text: &str) -> Self {
        Self(crypto::sha256(&[text.as_bytes()]))
    }

    /// The capability of a push that shows none. An owner who allows it has a public inbox.
    pub fn public() -> Self {
        Self::of("")
    }
}

impl TokenId {
    /// The name of the token with this text.
    pub fn of(text: &str) -> Self {
        Self(crypto::sha256(&[text.as_bytes()]))
    }
}

/// What a capability allows. What is left out is not limited, other than by the mailbox.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// When it ends: Unix time in seconds, rounded up to the hour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<u64>,
    /// Most of its messages that wait at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub messages: Option<u64>,
    /// Most bytes of its messages that wait at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// Most messages it pushes in one hour of the clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hourly: Option<u64>,
    /// Most messages it pushes at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
}

/// A capability as its mailbox's owner sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capability {
    /// SHA-256 of its text.
    pub id: CapabilityId,
    /// What it allows.
    pub terms: Terms,
    /// Messages it has pushed so far.
    pub pushed: u64,
    /// Messages of it that wait.
    pub messages: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Answer of `GET /v1/info`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Info {
    /// `NAME`.
    pub protocol: String,
    /// Versions the relay speaks.
    pub versions: Versions,
    /// What it takes.
    pub limits: Limits,
    /// Who may register a mailbox.
    pub registration: Registration,
}

/// A range of versions, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Versions {
    /// Oldest.
    pub min: u16,
    /// Newest.
    pub max: u16,
}

/// What a relay takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Greatest message in bytes.
    pub message_bytes: u64,
    /// Most messages of one list.
    pub list: usize,
    /// Most ids of one ack or take.
    pub ack: usize,
    /// Most messages of one batch.
    pub batch: usize,
    /// Greatest body of a batch in bytes.
    pub batch_bytes: usize,
    /// Greatest message of a batch in bytes.
    pub frame_bytes: u64,
    /// Longest wait of a list in seconds.
    pub wait_seconds: u64,
    /// Hours after which a message nobody took is deleted.
    pub ttl_hours: u64,
    /// Seconds a signature may lie from the relay's clock.
    pub window_seconds: u64,
}

/// Who may register a mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Registration {
    /// Anybody.
    Open,
    /// Who has a token of the operator.
    Token,
}

/// Answer of `GET /v1/m/{mailbox}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing {
    /// Oldest first.
    pub messages: Vec<Entry>,
}

/// One message of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its id.
    pub id: Id,
    /// Its size in bytes.
    pub size: u64,
    /// When it is deleted: Unix time in seconds, a full hour.
    pub expires: u64,
}

/// Body of `POST /v1/m/{mailbox}/ack` and `POST /v1/m/{mailbox}/take`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ids {
    /// Messages, at most `MAX_ACK`.
    pub ids: Vec<Id>,
}

/// Answer of `POST /v1/m/{mailbox}/ack`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Acked {
    /// How many of them were there.
    pub deleted: u64,
}

/// Answer of `POST /v1/m/{mailbox}/push`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pushes {
    /// What became of each message, in their order.
    pub results: Vec<PushResult>,
}

/// What became of one message of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PushResult {
    /// Its id.
    pub id: Id,
    /// The status a push of this message alone would have been answered with.
    pub status: u16,
    /// The code, unless it is stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Cow<'static, str>>,
}

/// Answer of `GET /v1/m/{mailbox}/capabilities`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Capabilities {
    /// In no order.
    pub capabilities: Vec<Capability>,
}

/// Answer of `GET /v1/m/{mailbox}/status`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Messages waiting.
    pub messages: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Most messages the mailbox holds.
    pub max_messages: u64,
    /// Most bytes it holds.
    pub max_bytes: u64,
}

/// Body of every answer that is an error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Failure {
    /// One of the codes of the protocol page; a client that does not know it goes by the status.
    pub error: String,
    /// For people.
    pub message: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn json_of_version_1() {
        let listing =
            Listing { messages: vec![Entry { id: Id([0xab; 32]), size: 7, expires: 3600 }] };
        let text =
            format!(r#"{{"messages":[{{"id":"{}","size":7,"expires":3600}}]}}"#, "ab".repeat(32));
        assert_eq!(serde_json::to_string(&listing).unwrap(), text);
        assert_eq!(serde_json::from_str::<Listing>(&text).unwrap(), listing);
        let newer = text.replace("\"size\"", "\"colour\":\"red\",\"size\"");
        assert_eq!(serde_json::from_str::<Listing>(&newer).unwrap(), listing);
        assert!(serde_json::from_str::<Ids>(r#"{"ids":["AB"]}"#).is_err());
        let upper = format!(r#"{{"ids":["{}"]}}"#, "AB".repeat(32));
        assert!(serde_json::from_str::<Ids>(&upper).is_err());
    }

    /// What the page shows is what the types read and write.
    #[test]
    fn json_of_the_page() {
        let page = include_str!("PROTOCOL.md");
        let blocks: Vec<&str> =
            page.split("```json\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
        let [info, terms, pushes, listing] = blocks[..] else { panic!("{} blocks", blocks.len()) };
        let terms: Terms = serde_json::from_str(terms).unwrap();
        assert_eq!((terms.hourly, terms.total), (Some(20), Some(1000)));
        let pushes: Pushes = serde_json::from_str(pushes).unwrap();
        assert_eq!(pushes.results[1].error.as_deref(), Some("share_full"));
        let info: Info = serde_json::from_str(info).unwrap();
        assert_eq!((info.protocol.as_str(), info.versions.max), (NAME, VERSION));
        assert_eq!((info.limits.list, info.limits.ack), (MAX_LIST, MAX_ACK));
        assert_eq!((info.limits.batch, info.limits.batch_bytes), (MAX_BATCH, MAX_BATCH_BYTES));
        assert_eq!(info.limits.frame_bytes, MAX_FRAME);
        assert_eq!((info.limits.wait_seconds, info.limits.window_seconds), (MAX_WAIT, WINDOW));
        let listing: Listing = serde_json::from_str(listing).unwrap();
        let id = Id(crypto::sha256(&[b"hello"]));
        assert_eq!((listing.messages[0].id, listing.messages[0].size), (id, 5));
        assert_eq!(listing.messages[0].expires % 3600, 0);
    }

    proptest! {
        #[test]
        fn ids_round_trip(bytes: [u8; 32]) {
            prop_assert_eq!(Id(bytes).to_string().parse::<Id>().unwrap(), Id(bytes));
            let json = serde_json::to_string(&Ids { ids: vec![Id(bytes); 3] }).unwrap();
            prop_assert_eq!(serde_json::from_str::<Ids>(&json).unwrap().ids, vec![Id(bytes); 3]);
        }
    }
}
