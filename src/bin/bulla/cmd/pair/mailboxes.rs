//! The mailboxes that are made for a pairing: one to meet in, one for the letters to come.

use anyhow::Result;
use bulla::contact::pairing::{Address, Pairing};
use bulla::contact::{self, Introduced, Purpose, Underway};
use bulla::crypto::{self, SigningSecret};
use bulla::relay::client::{Transport, bearer_text};
use bulla::relay::protocol::{CapabilityId, Terms};
use bulla::secret::{Secret, SecretString};

use crate::app::Me;
use crate::source::Source;

/// How long after the end of an invite its mailbox takes messages: as long as a relay keeps them.
const AFTER: u64 = 30 * 24 * 3600;

/// The two mailboxes that are made for a pairing.
pub(crate) struct Made {
    pub(crate) meeting: contact::Own,
    pub(crate) mailbox: contact::Own,
}

impl Made {
    pub(crate) fn new(client: &dyn Transport) -> Result<Self> {
        let own =
            || -> Result<_> { Ok(contact::Own { relay: client.url(), index: crypto::random()? }) };
        Ok(Self { meeting: own()?, mailbox: own()? })
    }

    pub(crate) fn underway(
        self,
        name: Option<String>,
        pairing: Pairing,
        introduced: Option<Introduced>,
    ) -> Underway {
        let purpose = Purpose::Contact;
        Underway {
            purpose,
            name,
            meeting: self.meeting,
            mailbox: self.mailbox,
            pairing,
            introduced,
        }
    }

    pub(crate) fn meeting_address(&self, me: &Me) -> Address {
        let index = &self.meeting.index;
        Address {
            relay: self.meeting.relay.clone(),
            mailbox: me.identity.meeting_mailbox(index).public(),
            capability: me.identity.meeting_capability(index).into(),
        }
    }

    pub(crate) fn register(
        &self,
        me: &Me,
        client: &dyn Transport,
        token: Option<&Source>,
        expires: u64,
    ) -> Result<()> {
        let token = token.map(|source| source.line("the token")).transpose()?;
        let terms = Terms {
            expires: Some(expires.saturating_add(AFTER).div_ceil(3600) * 3600),
            messages: Some(16),
            ..Terms::default()
        };
        let (meeting, identity) = (&self.meeting.index, &me.identity);
        let (key, capability) =
            (identity.meeting_mailbox(meeting), identity.meeting_capability(meeting));
        open(client, &key, &capability, &terms, token.as_ref())?;
        open_for_letters(me, client, &self.mailbox, token.as_ref())
    }
}

/// Registers a mailbox, and allows the capability to push to it.
pub(crate) fn open(
    client: &dyn Transport,
    key: &SigningSecret,
    capability: &Secret<32>,
    terms: &Terms,
    token: Option<&SecretString>,
) -> Result<()> {
    client.register(key, token)?;
    Ok(client.allow(key, &CapabilityId::of(&bearer_text(capability)), terms)?)
}

/// The same for a mailbox that letters come to.
pub(super) fn open_for_letters(
    me: &Me,
    client: &dyn Transport,
    own: &contact::Own,
    token: Option<&SecretString>,
) -> Result<()> {
    let key = me.identity.contact_mailbox(&own.index);
    let capability = me.identity.contact_capability(&own.index, 0);
    open(client, &key, &capability, &Terms::default(), token)
}
