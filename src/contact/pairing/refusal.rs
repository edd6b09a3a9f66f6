//! Joiners who come too late, and what they are told.

use crate::contact::pairing::address::{Address, Outgoing};
use crate::contact::pairing::error::Error;
use crate::contact::pairing::key_schedule::Chain;
use crate::contact::pairing::message::{self, Join, Refusal, Sort};
use crate::wire;

/// Reads a joiner's first message; returns it and the transcript after it.
pub(super) fn read_join(begin: &Chain, bytes: &[u8]) -> Result<Option<(Join, Chain)>, Error> {
    let Some(record) = message::open(&begin.outer(), Sort::Join, bytes) else { return Ok(None) };
    let join: Join = wire::decode(&record)?;
    join.reply.check()?;
    let mut joined = begin.clone();
    joined.mix(&record);
    Ok(Some((join, joined)))
}

/// Makes the message that tells a joiner why the invite is not theirs.
pub(super) fn refuse(joined: &Chain, to: &Address, why: Refusal) -> Result<Outgoing, Error> {
    message::send(to, &joined.outer(), Sort::Refusal, &why)
}

/// Answers a joiner who comes too late with a secret invite. The answer to a public one would let
/// everybody who reads it have messages pushed wherever they like.
pub(super) fn turn_away(begin: &Chain, bytes: &[u8]) -> Result<Option<Outgoing>, Error> {
    let Some((join, joined)) = read_join(begin, bytes)? else { return Ok(None) };
    refuse(&joined, &join.reply, Refusal::Used).map(Some)
}
