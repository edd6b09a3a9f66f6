//! CPace (draft-irtf-cfrg-cpace-21), suite CPACE-RISTR255-SHA512, in its initiator-responder
//! setting: two who share a password agree on a key, and who does not have the password learns one
//! thing of each run, whether the single password that he tried is the one.
//!
//! The words of the draft: `PRS` is the password, `CI` the channel, `sid` the session, `Y` a share,
//! `AD` what its sender says beside it, `ISK` the key.

use std::fmt;

use curve25519_dalek::ristretto::{CompressedRistretto, RistrettoPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::IsIdentity as _;
use sha2::{Digest as _, Sha512};
use zeroize::{Zeroize as _, Zeroizing};

use crate::secret::Secret;

/// Name of the group environment, section 8.3.
const DSI: &[u8] = b"CPaceRistretto255";
/// The same for the hash that gives the key.
const DSI_ISK: &[u8] = b"CPaceRistretto255_ISK";
/// Bytes of a block of SHA-512.
const BLOCK: usize = 128;

/// What one side says: an encoded group element.
pub(crate) type Share = [u8; 32];

/// Why a share was refused. It depends on the share alone, so it says nothing of the password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the share is no element of ristretto255, or its neutral one")]
pub struct Error;

/// What both sides must have the same, before either speaks.
#[derive(Clone, Copy)]
pub(crate) struct Context<'a> {
    /// What only the two know, however easily it is guessed.
    pub password: &'a [u8],
    /// Who talks with whom, and over what.
    pub channel: &'a [u8],
    /// Bytes that belong to this run alone.
    pub session: &'a [u8],
}

/// A side's secret scalar, for one run.
pub(crate) struct Ephemeral(Zeroizing<Scalar>);

/// A share and what its sender says beside it, which the key is bound to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Said<'a> {
    /// The share.
    pub share: &'a Share,
    /// What else.
    pub data: &'a [u8],
}

/// What was said in a run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Run<'a> {
    /// As in the [`Context`].
    pub session: &'a [u8],
    /// Of the one who spoke first.
    pub first: Said<'a>,
    /// Of the one who answered.
    pub second: Said<'a>,
}

impl Ephemeral {
    /// From 32 random bytes, of which 252 bits count (section 8.3, `sample_scalar`): none of them
    /// is reduced, as the order is greater.
    pub(crate) fn from_random(random: &Secret<32>) -> Self {
        let mut bytes = Zeroizing::new(*random.expose());
        if let Some(last) = bytes.last_mut() {
            *last &= 0x0f;
        }
        Self(Zeroizing::new(Scalar::from_bytes_mod_order(*bytes)))
    }

    /// What this side says.
    pub(crate) fn share(&self, context: &Context<'_>) -> Share {
        let mut generator = generator(context);
        let mut point = generator * *self.0;
        let share = point.compress().to_bytes();
        generator.zeroize();
        point.zeroize();
        share
    }

    /// The key, for the side that spoke first.
    pub(crate) fn key_of_first(&self, run: &Run<'_>) -> Result<Secret<64>, Error> {
        self.key(run.second.share, run)
    }

    /// The key, for the side that answered.
    pub(crate) fn key_of_second(&self, run: &Run<'_>) -> Result<Secret<64>, Error> {
        self.key(run.first.share, run)
    }

    /// `H(lv_cat(DSI ‖ "_ISK", sid, K) ‖ transcript_ir)`, which gives nothing of `K` away.
    fn key(&self, theirs: &Share, run: &Run<'_>) -> Result<Secret<64>, Error> {
        let mut point = CompressedRistretto(*theirs).decompress().ok_or(Error)?;
        point *= *self.0;
        if point.is_identity() {
            return Err(Error);
        }
        let shared = Zeroizing::new(point.compress().to_bytes());
        point.zeroize();
        let Run { session, first, second } = run;
        let said = [DSI_ISK, session, &*shared, first.share, first.data, second.share, second.data];
        Ok(hash(&lv_cat(&said)))
    }
}

/// `G.calculate_generator`: no one knows its logarithm to another password's.
fn generator(context: &Context<'_>) -> RistrettoPoint {
    RistrettoPoint::from_uniform_bytes(hash(&generator_string(context)).expose())
}

/// The zeros fill the first block, whatever the password's length.
fn generator_string(context: &Context<'_>) -> Zeroizing<Vec<u8>> {
    let Context { password, channel, session } = context;
    let before = lv_cat(&[DSI, password]).len() + 1;
    let zeros = vec![0; BLOCK.saturating_sub(before)];
    lv_cat(&[DSI, password, &zeros, channel, session])
}

fn hash(bytes: &[u8]) -> Secret<64> {
    let mut hash = Sha512::digest(bytes).into();
    Secret::take(&mut hash)
}

/// Each part behind its length in LEB128.
fn lv_cat(parts: &[&[u8]]) -> Zeroizing<Vec<u8>> {
    // As long as it will be, so that growing leaves no copy behind.
    let length = parts.iter().map(|part| part.len() + 10).sum();
    let mut out = Zeroizing::new(Vec::with_capacity(length));
    for part in parts {
        let mut rest = part.len();
        while rest >= 0x80 {
            out.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        out.push(rest as u8);
        out.extend_from_slice(part);
    }
    out
}

impl fmt::Debug for Context<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Context(..)")
    }
}

impl fmt::Debug for Ephemeral {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ephemeral(..)")
    }
}

/// The vectors of the draft's appendix B.3, and what it demands to be tested.
#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::{hex_decode, hex_encode};

    const SESSION: &str = "7e4b4791d6a8ef019b936c79fb7f2c57";
    const FIRST: &str = "da3d23700a9e5699258aef94dc060dfda5ebb61f02a5ea77fad53f4ff0976d08";
    const FIRST_SHARE: &str = "d40fb265a7abeaee7939d91a585fe59f7053f982c296ec413c624c669308f87a";
    const SECOND: &str = "d2316b454718c35362d83d69df6320f38578ed5984651435e2949762d900b80d";
    const SECOND_SHARE: &str = "08bcf6e9777a9c313a3db6daa510f2d398403319c2341bd506a92e672eb7e307";
    const SCALAR: &str = "7cd0e075fa7955ba52c02759a6c90dbbfc10e6d40aea8d283e407d88cf538a05";

    fn bytes(hex: &str) -> [u8; 32] {
        hex_decode(hex).unwrap()
    }

    fn ephemeral(hex: &str) -> Ephemeral {
        Ephemeral::from_random(&Secret::take(&mut bytes(hex)))
    }

    fn context<'a>(password: &'a [u8], session: &'a [u8]) -> Context<'a> {
        Context { password, channel: b"oc\x0bB_responder\x0bA_initiator", session }
    }

    #[test]
    fn strings() {
        assert_eq!(hex_encode(&lv_cat(&[b"1234", b"5", b"", b"678"])), "043132333401350003363738");
        let long: Vec<u8> = (0..128).collect();
        assert_eq!(lv_cat(&[&long[..127]])[..3], [0x7f, 0, 1]);
        assert_eq!(lv_cat(&[&long])[..4], [0x80, 0x01, 0, 1]);
        // A password longer than the block has no zeros behind it.
        let long = generator_string(&context(&[7; 200], b""));
        assert_eq!(long[DSI.len() + 1..][..2], [0xc8, 0x01]);
        assert_eq!(long[DSI.len() + 3 + 200..][..2], [0, 26]);
    }

    #[test]
    fn generator_and_shares() {
        let session = hex_decode::<16>(SESSION).unwrap();
        let context = context(b"Password", &session);
        let string = generator_string(&context);
        assert_eq!(string.len(), 172);
        assert_eq!(
            hex_encode(hash(&string).expose()),
            "c63a5750e2439c17ccd8213be14fde2f87e1bc637001a97f5929c77b30ea0e08\
             afbc75ace5d3d73b2842a79d01488c5fd7ea30d475ee609545af1bfd1ff77c8e"
        );
        assert_eq!(
            hex_encode(&generator(&context).compress().to_bytes()),
            "a6fc82c3b8968fbb2e06fee81ca858586dea50d248f0c7ca6a18b0902a30b36b"
        );
        assert_eq!(hex_encode(&ephemeral(FIRST).share(&context)), FIRST_SHARE);
        assert_eq!(hex_encode(&ephemeral(SECOND).share(&context)), SECOND_SHARE);
    }

    #[test]
    fn key_of_initiator_and_responder() {
        let session = hex_decode::<16>(SESSION).unwrap();
        let (first, second) = (bytes(FIRST_SHARE), bytes(SECOND_SHARE));
        let run = Run {
            session: &session,
            first: Said { share: &first, data: b"ADa" },
            second: Said { share: &second, data: b"ADb" },
        };
        let expected = "4c5469a16b2364c4b944ebc1a79e51d1674ad47db26e8718154f59faebfaa52d\
                        8346f30aa58377117eb20d527f2cbc5c76381f7fd372e89df8239f87f2e02ed1";
        let key = ephemeral(FIRST).key_of_first(&run).unwrap();
        assert_eq!(hex_encode(key.expose()), expected);
        assert_eq!(ephemeral(SECOND).key_of_second(&run).unwrap(), key);
        // Every word of it is in the key.
        let other = Run { second: Said { data: b"ADc", ..run.second }, ..run };
        assert!(ephemeral(FIRST).key_of_first(&other).unwrap() != key);
        let other = Run { session: b"other", ..run };
        assert!(ephemeral(FIRST).key_of_first(&other).unwrap() != key);
        assert!(ephemeral(SCALAR).key_of_first(&run).unwrap() != key);
    }

    #[test]
    fn shares_that_are_none_are_refused() {
        let good = bytes("2c3c6b8c4f3800e7aef6864025b4ed79bd599117e427c41bd47d93d654b4a51c");
        let mut product = CompressedRistretto(good).decompress().unwrap();
        product *= *ephemeral(SCALAR).0;
        assert_eq!(
            hex_encode(&product.compress().to_bytes()),
            "7c13645fe790a468f62c39beb7388e541d8405d1ade69d1778c5fe3e7f6b600e"
        );
        let mut no_element = good;
        no_element[0] = 0x2b;
        for (share, right) in [(&good, true), (&no_element, false), (&[0; 32], false)] {
            let said = Said { share, data: b"" };
            let run = Run { session: b"", first: said, second: said };
            assert_eq!(ephemeral(SCALAR).key_of_first(&run).is_ok(), right);
            assert_eq!(ephemeral(SCALAR).key_of_second(&run).is_ok(), right);
        }
    }

    #[test]
    fn another_password_gives_another_key() {
        let (one, other) = (context(b"maple", b"s"), context(b"mable", b"s"));
        let (ours, theirs) = (ephemeral(FIRST), ephemeral(SECOND));
        let key = |theirs_by: &Context<'_>| {
            let (first, second) = (ours.share(&one), theirs.share(theirs_by));
            let run = Run {
                session: b"s",
                first: Said { share: &first, data: b"" },
                second: Said { share: &second, data: b"" },
            };
            (ours.key_of_first(&run).unwrap(), theirs.key_of_second(&run).unwrap())
        };
        let (a, b) = key(&one);
        assert!(a == b);
        let (a, b) = key(&other);
        assert!(a != b);
        assert_eq!(format!("{ours:?}{one:?}"), "Ephemeral(..)Context(..)");
    }
}
