//! The look before a body is asked for: whether a push would be taken as things stand, for all
//! that wait with one question. The writer decides again, with the rows locked.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use crate::relay::store::postgres::cluster::Refusal;
use crate::relay::store::postgres::coming::Room;
use crate::relay::store::postgres::connection::Connection;
use crate::relay::store::postgres::load::{self, About, Lock};
use crate::relay::store::postgres::shared::Shared;
use crate::relay::store::postgres::writer::again;
use crate::relay::store::{Error, Push, Put, Usage};

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
                    Ok(Seen::Room(Room::keep(&shared.coming, &push)))
                }
                Err(error) => Err(Refusal::Store(error)),
            }
        };
        let _ = reply.send(outcome);
    }
    Ok(())
}
