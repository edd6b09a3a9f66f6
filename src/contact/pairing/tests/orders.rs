//! Messages in any order, lost and repeated, between programs that start again after every step.

use proptest::prelude::*;

use super::*;

/// Two sides and what is on its way between them.
struct World {
    sides: [Pairing; 2],
    paired: [Option<Paired>; 2],
    mail: Vec<Outgoing>,
}

impl World {
    fn new(way: Way) -> Self {
        let (offered, invite) = ann().offer_by(way);
        let words = (way == Way::Words).then(|| ann().seed().words());
        let joined = match words {
            Some(words) => bob().join_by(&invite, &words),
            None => bob().join(&invite),
        };
        Self { sides: [offered, joined.state], paired: [None, None], mail: joined.send }
    }

    fn take(&mut self, side: usize, step: Step) {
        // As after a restart.
        let stored = step.state.to_bytes().unwrap();
        self.sides[side] = Pairing::from_bytes(&stored).unwrap();
        self.mail.extend(step.send);
        if let Event::Paired(paired) = step.event {
            assert!(self.paired[side].is_none(), "paired twice");
            self.paired[side] = Some(*paired);
        }
    }

    fn deliver(&mut self, at: usize) {
        let Some(mail) = self.mail.get(at).cloned() else { return };
        let side = self.sides.iter().position(|side| *side.mailbox() == mail.address.mailbox);
        let side = side.unwrap();
        // Between honest sides nothing is ever refused.
        if let Some(step) = self.sides[side].receive(&mail.bytes, NOW).unwrap() {
            self.take(side, step);
        }
    }

    /// Somebody types what the other side shows.
    fn type_digits(&mut self, side: usize, wrong_ones: bool) {
        let Waits::OurDigits(_) = self.sides[side].waits_for() else { return };
        let other = &self.sides[1 - side];
        let (Waits::OurDigits(shown) | Waits::TheirDigits(shown)) = other.waits_for() else {
            return;
        };
        let typed = if wrong_ones { wrong(other) } else { shown };
        let step = self.sides[side].confirm(typed, NOW).unwrap();
        self.take(side, step);
    }

    fn resend(&mut self, side: usize) {
        self.mail.extend(self.sides[side].resend().to_vec());
    }

    /// Neither side believes anything false, whatever was lost so far.
    fn check(&self, burnt: bool) {
        match (&self.paired[0], &self.paired[1]) {
            (Some(anns), Some(bobs)) => agree(anns, bobs),
            // By secret the inviter pairs last, by words the joiner; by digits either may be ahead.
            (Some(anns), None) => assert_ne!(anns.trust, Trust::SecretInvite),
            (None, Some(bobs)) => assert_ne!(bobs.trust, Trust::Words),
            (None, None) => {}
        }
        let over = self.sides.iter().map(Pairing::waits_for);
        if burnt {
            assert!(self.paired.iter().all(Option::is_none));
        } else {
            let ends = [End::BurntHere, End::BurntThere, End::Oneself];
            assert!(over.into_iter().all(|w| ends.iter().all(|end| w != Waits::Over(*end))));
        }
    }

    /// The relay does its work again.
    fn calm(&mut self, burnt: bool) {
        for _ in 0..12 {
            for side in [0, 1] {
                self.resend(side);
                if !burnt {
                    self.type_digits(side, false);
                }
            }
            for at in 0..self.mail.len() {
                self.deliver(at);
            }
            self.mail.sort_by_key(|mail| message::name(&mail.bytes));
            self.mail.dedup();
        }
    }
}

fn run(way: Way, acts: &[(u8, usize)], burn: Option<usize>) {
    let mut world = World::new(way);
    for (act, which) in acts {
        let (side, at) = (which % 2, which % world.mail.len().max(1));
        match act {
            0..6 => world.deliver(at),
            6 => drop((at < world.mail.len()).then(|| world.mail.remove(at))),
            7 => world.resend(side),
            _ if burn.is_none() => world.type_digits(side, false),
            _ => {}
        }
        world.check(false);
    }
    if let Some(side) = burn {
        world.calm(true);
        world.type_digits(side, true);
        world.calm(true);
        world.check(true);
        let ends = [world.sides[side].waits_for(), world.sides[1 - side].waits_for()];
        assert_eq!(ends, [Waits::Over(End::BurntHere), Waits::Over(End::BurntThere)]);
        return;
    }
    world.calm(false);
    world.check(false);
    assert!(world.paired.iter().all(Option::is_some));
    for side in &world.sides {
        assert_eq!(side.waits_for(), Waits::Over(End::Paired));
        assert!(side.resend().is_empty());
    }
    // Whatever comes now changes nothing.
    let before = world.sides.clone();
    world.calm(false);
    assert!(world.sides.iter().zip(&before).all(|(now, then)| same(now, then)));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn both_pair_or_neither_believes_anything_false(
        way in prop_oneof![Just(Way::Secret), Just(Way::Public), Just(Way::Words)],
        acts in proptest::collection::vec((0u8..10, any::<usize>()), 0..60),
    ) {
        run(way, &acts, None);
    }

    #[test]
    fn wrong_digits_reach_the_other_side_in_any_order(
        acts in proptest::collection::vec((0u8..8, any::<usize>()), 0..30),
        side in 0usize..2,
    ) {
        run(Way::Public, &acts, Some(side));
    }
}
