//! What is limited by nothing else: pushes to public inboxes by work, open registration by
//! address. Both in memory only, both of constant size.

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use crate::crypto;
use crate::relay::protocol::pow::{CHALLENGE, MAX_BITS, Proof, Task};
use crate::relay::protocol::{Id, Mailbox};
use crate::relay::server::http::answer::{Refusal, to_full_hour};

/// Seconds of the slots that challenges are made for: one is good for this slot and the next.
const SLOT: u64 = 60;
/// Least work that is worth asking for.
const FIRST_BITS: u32 = 10;
/// How much less than what is asked now a challenge of a moment ago may have asked.
const SLACK: u32 = 2;

/// Pushes without a capability in this second, and what they cost.
pub(super) struct PublicLoad {
    key: [u8; 32],
    bound: u32,
    now: Mutex<Second>,
}

#[derive(Default)]
struct Second {
    second: u64,
    admitted: u32,
    bits: u32,
}

impl PublicLoad {
    /// Up to `bound` pushes a second are free.
    pub(super) fn new(bound: u32) -> Result<Self, crypto::Error> {
        Ok(Self { key: crypto::random()?, bound, now: Mutex::default() })
    }

    /// Admits a push without a capability, or says what work it takes. The same for every
    /// mailbox, whether it is there or not.
    pub(super) fn admit(
        &self,
        mailbox: &Mailbox,
        id: &Id,
        proof: Option<&Proof>,
        now: u64,
    ) -> Result<(), Refusal> {
        let bits = self.bits(now);
        let shown = || proof.map_or(0, |proof| self.shown(proof, mailbox, id, now));
        // `bits` is more than `SLACK` whenever it is not zero.
        if bits > 0 && shown() + SLACK < bits {
            return Err(Refusal::Work(self.task(bits, now / SLOT)));
        }
        let mut state = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        state.admitted = state.admitted.saturating_add(1);
        Ok(())
    }

    /// Zero bits asked of a push now. Every second that admitted more than the bound asks for
    /// one more, every second under half of it for one less: so the effort settles where the
    /// bound is kept.
    fn bits(&self, now: u64) -> u32 {
        let mut state = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        if state.second != now {
            let quiet = now.saturating_sub(state.second + 1);
            state.bits = match state.admitted {
                admitted if admitted > self.bound => (state.bits + 1).clamp(FIRST_BITS, MAX_BITS),
                admitted if admitted < self.bound / 2 => state.bits.saturating_sub(1),
                _ => state.bits,
            };
            // Seconds without any push let it go, too.
            let quiet = u32::try_from(quiet).unwrap_or(u32::MAX);
            state.bits = state.bits.saturating_sub(quiet);
            if state.bits < FIRST_BITS {
                state.bits = 0;
            }
            (state.second, state.admitted) = (now, 0);
        } else if state.bits == 0 && state.admitted >= self.bound.saturating_mul(2) {
            state.bits = FIRST_BITS;
        }
        state.bits
    }

    /// A challenge needs no memory: it says its bits and its time, under a key of this process.
    fn task(&self, bits: u32, slot: u64) -> Task {
        let mut challenge = [0; CHALLENGE];
        let named = [&bits.to_be_bytes()[..], &slot.to_be_bytes()].concat();
        let mac = crypto::hmac_sha256(&self.key, &[&named]);
        for (to, from) in challenge.iter_mut().zip(named.iter().chain(&mac)) {
            *to = *from;
        }
        Task { bits, challenge }
    }

    /// The bits a proof is worth: those its challenge asked for, or none.
    fn shown(&self, proof: &Proof, mailbox: &Mailbox, id: &Id, now: u64) -> u32 {
        let Some((bits, rest)) = proof.challenge.split_first_chunk::<4>() else { return 0 };
        let Some((slot, _)) = rest.split_first_chunk::<8>() else { return 0 };
        let (bits, slot) = (u32::from_be_bytes(*bits), u64::from_be_bytes(*slot));
        let ours = crypto::equal(&self.task(bits, slot).challenge, &proof.challenge);
        let fresh = (now / SLOT).checked_sub(slot).is_some_and(|age| age <= 1);
        if ours && fresh && proof.bits(mailbox, id) >= bits { bits } else { 0 }
    }
}

/// Counters that addresses share by a keyed hash, so that none is kept and no number of
/// addresses takes more memory.
const COUNTERS: usize = 1 << 14;

/// New mailboxes of each address in this hour of the clock.
pub(super) struct Registrations {
    key: [u8; 32],
    hourly: u32,
    counted: Mutex<Hour>,
}

#[derive(Default)]
struct Hour {
    hour: u64,
    counters: Vec<u32>,
}

impl Registrations {
    /// `hourly` mailboxes for each address.
    pub(super) fn new(hourly: u32) -> Result<Self, crypto::Error> {
        Ok(Self { key: crypto::random()?, hourly, counted: Mutex::default() })
    }

    /// Counts one more from this address, or refuses it. A loopback address, or none, is a
    /// proxy's or the machine's own, and says nothing about who asks.
    pub(super) fn admit(&self, peer: Option<IpAddr>, now: u64) -> Result<(), Refusal> {
        let Some(prefix) = peer.and_then(prefix) else { return Ok(()) };
        let mac = crypto::hmac_sha256(&self.key, &[&prefix]);
        let place = u32::from_le_bytes(crypto::truncate(&mac)) as usize % COUNTERS;
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        if counted.hour != now / 3600 || counted.counters.is_empty() {
            *counted = Hour { hour: now / 3600, counters: vec![0; COUNTERS] };
        }
        let Some(counter) = counted.counters.get_mut(place) else { return Err(Refusal::Busy) };
        if *counter >= self.hourly {
            return Err(Refusal::Rate(to_full_hour(now)));
        }
        *counter += 1;
        Ok(())
    }
}

/// What identifies somebody at least roughly: an IPv4 address, or the /64 of an IPv6 one.
fn prefix(address: IpAddr) -> Option<[u8; 8]> {
    let address = address.to_canonical();
    if address.is_loopback() {
        return None;
    }
    let mut prefix = [0; 8];
    match address {
        IpAddr::V4(four) => prefix.iter_mut().zip(four.octets()).for_each(|(to, b)| *to = b),
        IpAddr::V6(six) => prefix.iter_mut().zip(six.octets()).for_each(|(to, b)| *to = b),
    }
    Some(prefix)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAILBOX: Mailbox = Mailbox([1; 32]);

    fn id(n: u32) -> Id {
        Id(crypto::sha256(&[&n.to_be_bytes()]))
    }

    #[test]
    fn work_is_asked_for_under_load_only() {
        let load = PublicLoad::new(10).unwrap();
        for n in 0..20 {
            load.admit(&MAILBOX, &id(n), None, 1000).unwrap();
        }
        let Err(Refusal::Work(task)) = load.admit(&MAILBOX, &id(20), None, 1000) else {
            panic!("free under load")
        };
        assert_eq!(task.bits, FIRST_BITS);
        let proof = task.solve(&MAILBOX, &id(20)).unwrap();
        load.admit(&MAILBOX, &id(20), Some(&proof), 1000).unwrap();
        // For another message, another mailbox, much later, or with another's challenge: no.
        assert!(load.admit(&Mailbox([9; 32]), &id(20), Some(&proof), 1000).is_err());
        assert!(load.admit(&MAILBOX, &id(21), Some(&proof), 1000).is_err());
        let mut forged = task;
        forged.challenge[3] = 0;
        let forged = Task { bits: 0, ..forged }.solve(&MAILBOX, &id(22)).unwrap();
        assert!(load.admit(&MAILBOX, &id(22), Some(&forged), 1000).is_err());
        // The load goes on: more is asked, and old work for much less is not enough.
        let mut now = 1001;
        let mut last = 0;
        for _ in 0..4 {
            for n in 0..12 {
                let Err(Refusal::Work(task)) = load.admit(&MAILBOX, &id(n), None, now) else {
                    panic!("free under load")
                };
                last = task.bits;
                let proof = task.solve(&MAILBOX, &id(n)).unwrap();
                load.admit(&MAILBOX, &id(n), Some(&proof), now).unwrap();
            }
            now += 1;
        }
        assert!(last > FIRST_BITS + SLACK, "{last}");
        assert!(load.admit(&MAILBOX, &id(20), Some(&proof), now).is_err());
        // Quiet again, it is free again.
        load.admit(&MAILBOX, &id(1), None, now + 60).unwrap();
    }

    #[test]
    fn a_proof_is_not_good_for_ever() {
        let load = PublicLoad::new(0).unwrap();
        let mut now = 1200;
        let task = load.task(FIRST_BITS, now / SLOT);
        let proof = task.solve(&MAILBOX, &id(1)).unwrap();
        assert_eq!(load.shown(&proof, &MAILBOX, &id(1), now), FIRST_BITS);
        now += SLOT;
        assert_eq!(load.shown(&proof, &MAILBOX, &id(1), now), FIRST_BITS);
        now += SLOT;
        assert_eq!(load.shown(&proof, &MAILBOX, &id(1), now), 0);
    }

    #[test]
    fn registrations_by_address() {
        let registrations = Registrations::new(3).unwrap();
        let at = |address: &str| Some(address.parse().unwrap());
        let start = 3600 * 500_000 + 600;
        let full = |outcome| matches!(outcome, Err(Refusal::Rate(seconds)) if seconds == 3000);
        for _ in 0..3 {
            registrations.admit(at("192.0.2.1"), start).unwrap();
            registrations.admit(at("2001:db8::1"), start).unwrap();
        }
        assert!(full(registrations.admit(at("192.0.2.1"), start)));
        assert!(full(registrations.admit(at("::ffff:192.0.2.1"), start)));
        assert!(full(registrations.admit(at("2001:db8::ffff:2"), start)));
        registrations.admit(at("192.0.2.2"), start).unwrap();
        registrations.admit(at("2001:db8:0:1::1"), start).unwrap();
        for nobody in [at("127.0.0.1"), at("::1"), None] {
            (0..9).for_each(|_| registrations.admit(nobody, start).unwrap());
        }
        registrations.admit(at("192.0.2.1"), start + 3000).unwrap();
    }
}
