//! Waking those who wait at other relays: one NOTIFY a batch, and a slow poll for what it loses.
//!
//! The notice is sent after the commit it speaks of, in a transaction of its own that waits for
//! no disk: PostgreSQL commits those that notify one after another, and pushes must not queue
//! there.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

use crate::relay::protocol::Mailbox;
use crate::relay::store::Error;
use crate::relay::store::postgres::cluster::name;
use crate::relay::store::postgres::connection::{Connection, in_time};
use crate::relay::store::postgres::shared::Shared;
use crate::text;

/// How often mailboxes that are waited at are looked at.
const POLL: Duration = Duration::from_secs(5);
/// How long a broken connection is left alone.
const PAUSE: Duration = Duration::from_millis(500);
/// Mailboxes in one notice, which holds fewer than 8000 bytes: 43 characters each.
const NAMES: usize = 180;

const NOTIFY: &str = "SELECT pg_notify('bulla', p) FROM unnest($1::text[]) p";
const WAITING: &str = "SELECT p.mailbox FROM unnest($1::bytea[]) AS p (mailbox)
    WHERE EXISTS (SELECT FROM bulla.messages m WHERE m.mailbox = p.mailbox)";

/// Works until the store is dropped.
pub(super) async fn run(
    shared: Arc<Shared>,
    mut announced: mpsc::UnboundedReceiver<HashSet<Mailbox>>,
) {
    loop {
        // What arrived while nobody listened is found by the poll.
        let _ = listen(&shared, &mut announced).await;
        tokio::time::sleep(PAUSE).await;
    }
}

async fn listen(
    shared: &Shared,
    announced: &mut mpsc::UnboundedReceiver<HashSet<Mailbox>>,
) -> Result<(), Error> {
    let (told, mut news) = mpsc::unbounded_channel();
    let db = shared.pool.connect(Some(&told)).await?;
    in_time(db.run("SET synchronous_commit = off; LISTEN bulla")).await?;
    drop(told);
    let mut poll = tokio::time::interval(POLL);
    poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            Some(mut arrived) = announced.recv() => {
                while let Ok(more) = announced.try_recv() {
                    arrived.extend(more);
                }
                let arrived: Vec<Mailbox> = arrived.into_iter().collect();
                let notices: Vec<String> = arrived.chunks(NAMES).map(write).collect();
                in_time(db.ask(NOTIFY, &[&notices])).await?;
            }
            notice = news.recv() => match notice {
                Some(notice) => read(&notice).for_each(|mailbox| shared.arrivals.tell(&mailbox)),
                // The connection has ended.
                None => return Ok(()),
            },
            _ = poll.tick() => look(shared, &db).await?,
        }
    }
}

/// Wakes those at mailboxes with something in them.
async fn look(shared: &Shared, db: &Connection) -> Result<(), Error> {
    let waiting = shared.arrivals.mailboxes();
    for some in waiting.chunks(1000) {
        let names: Vec<&[u8]> = some.iter().map(|mailbox| &mailbox.0[..]).collect();
        for row in &in_time(db.ask(WAITING, &[&names])).await? {
            shared.arrivals.tell(&Mailbox(name(row, 0)?));
        }
    }
    Ok(())
}

fn write(mailboxes: &[Mailbox]) -> String {
    let names = mailboxes.iter().map(|mailbox| text::base64_encode_unpadded(&mailbox.0));
    names.collect::<Vec<_>>().join(" ")
}

fn read(notice: &str) -> impl Iterator<Item = Mailbox> {
    notice.split(' ').filter_map(|name| {
        let bytes = text::base64_decode_unpadded(name.as_bytes()).ok()?;
        bytes.try_into().ok().map(Mailbox)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_is_short_enough_and_comes_back() {
        let many: Vec<Mailbox> = (0..NAMES).map(|n| Mailbox([n as u8; 32])).collect();
        let notice = write(&many);
        assert!(notice.len() < 8000, "{}", notice.len());
        assert_eq!(read(&notice).collect::<Vec<_>>(), many);
        assert_eq!(read("what is this").count(), 0);
    }
}
