//! What operations of an account reach: its relays, and who is told of events.

use crate::account::account::Account;
use crate::account::event::Events;
use crate::relay::client::Relays;
use crate::secret::SecretString;

/// An account, the relays it reaches, and who is told of events.
#[derive(Clone)]
pub struct Context<'a> {
    /// The account.
    pub account: &'a Account,
    /// The way to relays.
    pub relays: &'a dyn Relays,
    /// Who is told.
    pub events: &'a dyn Events,
    /// A relay in place of the one that the account registered at.
    pub relay: Option<String>,
    /// The token that a relay's operator gave out for registering mailboxes.
    pub token: Option<SecretString>,
}

impl<'a> Context<'a> {
    /// Works on an account over these relays.
    pub fn new(account: &'a Account, relays: &'a dyn Relays, events: &'a dyn Events) -> Self {
        Self { account, relays, events, relay: None, token: None }
    }

    /// Names a relay in place of the one that the account registered at.
    #[must_use]
    pub fn at(self, relay: impl Into<String>) -> Self {
        Self { relay: Some(relay.into()), ..self }
    }

    /// Returns the same of another account.
    pub(crate) fn of<'b>(&self, account: &'b Account) -> Context<'b>
    where
        'a: 'b,
    {
        Context { account, ..self.clone() }
    }
}

impl std::fmt::Debug for Context<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context").field("account", &self.account).finish_non_exhaustive()
    }
}
