//! Room for bodies on their way to this relay; what comes to others is seen once it is stored.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::relay::protocol::{CapabilityId, Mailbox};
use crate::relay::store::{Push, Usage};

/// Bodies on their way to this relay.
#[derive(Default)]
pub(super) struct Coming(Mutex<BTreeMap<(Mailbox, CapabilityId), Usage>>);

/// Room for one of them, given back when dropped.
pub(super) struct Room {
    coming: Arc<Coming>,
    at: (Mailbox, CapabilityId),
    size: u64,
}

impl Coming {
    fn all(&self) -> MutexGuard<'_, BTreeMap<(Mailbox, CapabilityId), Usage>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What comes to a mailbox, by capability.
    pub(super) fn to(&self, mailbox: &Mailbox) -> Vec<((Mailbox, CapabilityId), Usage)> {
        let all = self.all();
        let first = (*mailbox, CapabilityId([0; 32]));
        let here = all.range(first..).take_while(|((at, _), _)| at == mailbox);
        here.map(|(at, usage)| (*at, *usage)).collect()
    }
}

impl Room {
    pub(super) fn keep(coming: &Arc<Coming>, push: &Push) -> Self {
        let at = (push.mailbox, push.capability);
        let mut all = coming.all();
        let usage = all.entry(at).or_default();
        usage.messages = usage.messages.saturating_add(1);
        usage.bytes = usage.bytes.saturating_add(push.message.size);
        drop(all);
        Self { coming: coming.clone(), at, size: push.message.size }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let mut all = self.coming.all();
        if let Some(usage) = all.get_mut(&self.at) {
            usage.messages = usage.messages.saturating_sub(1);
            usage.bytes = usage.bytes.saturating_sub(self.size);
            if usage.messages == 0 {
                all.remove(&self.at);
            }
        }
    }
}
