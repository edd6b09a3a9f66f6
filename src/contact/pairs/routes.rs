//! Routes that are known: added by introductions, used by invites, dropped when nothing waits.

use std::sync::Arc;

use crate::contact::error::Error;
use crate::contact::introduction::{Introduced, Introduction};
use crate::contact::pairing::{Role, Waits};
use crate::contact::pairs::Pairs;
use crate::contact::pairs::mailbox::Closing;
use crate::contact::pairs::route::{Route, State};
use crate::contact::trust::Introducer;
use crate::identity::Fingerprint;

/// Routes at once; an introduction that would need one more brings none.
const MAX_ROUTES: usize = 512;
/// Routes by one introducer to one contact: each further introduction brings one.
const MAX_AGAIN: usize = 4;

impl Pairs {
    /// Remembers an introduction and the secret in it.
    ///
    /// # Errors
    ///
    /// As [`Introductions::hear`](crate::contact::Introductions::hear).
    pub(crate) fn hear(
        &mut self,
        by: Introducer,
        told: &Introduction,
        taken: impl Fn(&str) -> bool,
        now: u64,
    ) -> Result<&Introduced, Error> {
        let introducer = by.fingerprint();
        self.introductions.hear(by.clone(), told.clone(), taken, now)?;
        self.add_route(&introducer, told)?;
        let of = told.card()?.fingerprint();
        let same = |one: &&Introduced| one.fingerprint() == of && *one.by() == by;
        let found = self.introductions.waiting(now).find(same);
        found.ok_or_else(|| Error::NotIntroduced(String::new()))
    }

    /// Remembers the secret of an introduction: one that came again has another.
    ///
    /// # Errors
    ///
    /// [`Error::Card`].
    pub(crate) fn add_route(&mut self, by: &Fingerprint, told: &Introduction) -> Result<(), Error> {
        let Some(secret) = told.secret() else { return Ok(()) };
        let (of, by) = (told.card()?.fingerprint().to_bytes(), by.to_bytes());
        if self.routes.iter().any(|route| route.of == of && route.secret == *secret) {
            return Ok(());
        }
        let again = |route: &Route| route.of == of && route.by == by && route.state == State::Fresh;
        if self.routes.iter().filter(|route| again(route)).count() >= MAX_AGAIN
            && let Some(at) = self.routes.iter().position(again)
        {
            self.routes.remove(at);
        }
        if self.routes.len() < MAX_ROUTES {
            self.routes.push(Route { of, by, secret: secret.clone(), state: State::Fresh });
        }
        Ok(())
    }

    /// Returns whether an introduction of a contact brought a secret.
    pub(crate) fn has_route(&self, of: &Fingerprint) -> bool {
        self.routes_of(of).next().is_some()
    }

    /// The routes of a contact that were not used yet.
    pub(crate) fn fresh_routes(&self, of: &Fingerprint) -> Vec<Route> {
        self.routes_of(of).filter(|route| route.state == State::Fresh).cloned().collect()
    }

    /// All routes of a contact.
    pub(crate) fn routes_of(&self, of: &Fingerprint) -> impl Iterator<Item = &Route> {
        let of = of.to_bytes();
        self.routes.iter().filter(move |route| route.of == of)
    }

    /// Remembers that the mailbox on the own card is open to a route's capability.
    pub(crate) fn opened(&mut self, route: &Route, relay: &str) {
        self.change(route, State::Open(relay.to_owned()));
    }

    /// Remembers that the invite was pushed by a route.
    pub(crate) fn sent(&mut self, route: &Route) {
        self.change(route, State::Sent);
    }

    fn change(&mut self, route: &Route, state: State) {
        let same = |one: &&mut Route| one.of == route.of && one.secret == route.secret;
        if let Some(one) = self.routes.iter_mut().find(same) {
            one.state = state;
        }
    }

    /// Forgets routes that nothing waits for, and remembers to revoke the capabilities of those
    /// that are open. `own` is the owner's fingerprint.
    pub(super) fn tidy_routes(&mut self, own: &Fingerprint, now: u64) {
        let (mut kept, mut closing) = (Vec::new(), Vec::new());
        for route in std::mem::take(&mut self.routes) {
            if self.needs(&route, now) {
                kept.push(route);
            } else if let State::Open(relay) = &route.state {
                let capability = Arc::new(route.capability(own));
                closing.push(Closing::Capability { relay: relay.clone(), capability });
            }
        }
        self.routes = kept;
        closing.into_iter().for_each(|closing| self.close_later(closing, u64::MAX));
    }

    fn needs(&self, route: &Route, now: u64) -> bool {
        let mut told = self.introductions.waiting(now);
        let of = Fingerprint::from_bytes(route.of);
        let invites = self.underway.iter().any(|one| {
            one.pairing.role() == Role::Inviter
                && matches!(one.pairing.waits_for(), Waits::Joiner)
                && one.introduced.as_ref().is_some_and(|it| it.fingerprint() == of)
        });
        match route.state {
            State::Fresh => {
                invites || told.any(|one| one.fingerprint() == of && one.is_by(&route.by))
            }
            State::Open(_) => told.any(|one| one.fingerprint() == of && one.awaits_invite()),
            State::Sent => invites,
        }
    }
}
