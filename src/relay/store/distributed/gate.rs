//! The look before a body is asked for: whether a push would be taken as things stand, for all
//! that wait with one question. The writer decides again, with the rows locked.
//!
//! Room for the bodies that are coming to this relay is kept here; what comes to others is seen
//! once it is stored.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use tokio::sync::mpsc;
use tokio::sync::oneshot;

use super::Shared;
use super::cluster::Refusal;
use super::connection::Connection;
use super::load;
use super::load::About;
use super::load::Lock;
use super::writer::again;
use crate::relay::protocol::CapabilityId;
use crate::relay::protocol::Mailbox;
use crate::relay::store::Error;
use crate::relay::store::Push;
use crate::relay::store::Put;
use crate::relay::store::Usage;

/// Most pushes of one look.
const GROUP: usize = 256;

/// A push, and where the answer goes.
pub(super) type Look = (Push, oneshot::Sender<Result<Seen, Refusal>>);

/// What the look found.
pub(super) enum Seen {
    /// The message is there, it seems.
    There,
    /// There is room for it, kept as long as this lives.
    Room(Room),
}

/// Bodies on their way to this relay.
#[derive(Default)]
pub(super) struct Coming(Mutex<BTreeMap<(Mailbox, CapabilityId), Usage>>);

/// Room for one of them, given back when dropped.
pub(super) struct Room {
    shared: Arc<Shared>,
    at: (Mailbox, CapabilityId),
    size: u64,
}

impl Coming {
    fn all(&self) -> MutexGuard<'_, BTreeMap<(Mailbox, CapabilityId), Usage>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What comes to a mailbox, by capability.
    fn to(&self, mailbox: &Mailbox) -> Vec<((Mailbox, CapabilityId), Usage)> {
        let all = self.all();
        let first = (*mailbox, CapabilityId([0; 32]));
        let here = all.range(first..).take_while(|((at, _), _)| at == mailbox);
        here.map(|(at, usage)| (*at, *usage)).collect()
    }
}

impl Room {
    fn keep(shared: &Arc<Shared>, push: &Push) -> Self {
        let at = (push.mailbox, push.capability);
        let mut all = shared.coming.all();
        let usage = all.entry(at).or_default();
        usage.messages = usage.messages.saturating_add(1);
        usage.bytes = usage.bytes.saturating_add(push.message.size);
        drop(all);
        Self { shared: shared.clone(), at, size: push.message.size }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let mut all = self.shared.coming.all();
        if let Some(usage) = all.get_mut(&self.at) {
            usage.messages = usage.messages.saturating_sub(1);
            usage.bytes = usage.bytes.saturating_sub(self.size);
            if usage.messages == 0 {
                all.remove(&self.at);
            }
        }
    }
}

/// Works until every sender is gone.
pub(super) async fn run(shared: Arc<Shared>, mut queue: mpsc::Receiver<Look>) {
    let mut connection: Option<Connection> = None;
    let mut group = Vec::new();
    while let Some(first) = queue.recv().await {
        group.push(first);
        while group.len() < GROUP {
            let Ok(next) = queue.try_recv() else { break };
            group.push(next);
        }
        let mut outcome = look(&shared, &mut connection, &mut group).await;
        if outcome.is_err() {
            // An idle connection may have died unnoticed; nothing was changed.
            connection = None;
            outcome = look(&shared, &mut connection, &mut group).await;
        }
        if let Err(error) = outcome {
            connection = None;
            for (_, reply) in group.drain(..) {
                let _ = reply.send(Err(Refusal::Store(again(&error))));
            }
        }
    }
}

async fn look(
    shared: &Arc<Shared>,
    connection: &mut Option<Connection>,
    group: &mut Vec<Look>,
) -> Result<(), Error> {
    let db = match connection {
        Some(db) => &*db,
        None => &*connection.insert(shared.pool.connect(None).await?),
    };
    let mut about = About::default();
    for (push, _) in &*group {
        about.push(push.mailbox, push.capability, push.message.id);
    }
    let mut ledger = load::load(db, &about, Lock::No).await?;
    for mailbox in &about.boxes {
        for (at, coming) in shared.coming.to(mailbox) {
            ledger.reserve(at, coming);
        }
    }
    for (push, reply) in group.drain(..) {
        let outcome = if ledger.has_left(&push.mailbox) {
            Err(Refusal::Moved)
        } else {
            match ledger.check(&push, &shared.options.quotas) {
                Ok(Put::Already) => Ok(Seen::There),
                Ok(Put::New) => {
                    let coming = Usage { messages: 1, bytes: push.message.size };
                    ledger.reserve((push.mailbox, push.capability), coming);
                    Ok(Seen::Room(Room::keep(shared, &push)))
                }
                Err(error) => Err(Refusal::Store(error)),
            }
        };
        let _ = reply.send(outcome);
    }
    Ok(())
}
