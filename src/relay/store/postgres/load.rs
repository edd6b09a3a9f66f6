//! Reads a [`Ledger`] for some pushes: with the rows of the mailboxes locked, or only to look.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use tokio_postgres::Row;

use crate::relay::protocol::{CapabilityId, Id, Mailbox, Terms, TokenId};
use crate::relay::store::postgres::cluster::{column, name};
use crate::relay::store::postgres::connection::{Connection, Params, in_time};
use crate::relay::store::postgres::ledger::{Held, Ledger, Purse, Share};
use crate::relay::store::postgres::slots;
use crate::relay::store::{Error, Usage};

/// Rows are locked in the order of their names, first mailboxes, then tokens, so that writers
/// wait for each other but never in a circle. The lock also makes every commit that follows
/// write, and so wait for a standby: an answer "already there" is then as durable as the push it
/// repeats, which a node that crashed may show although no standby has it.
pub(super) const LOCK: &str = "
    WITH b AS (
        SELECT mailbox, token, messages, bytes FROM bulla.mailboxes
        WHERE mailbox = ANY($1) ORDER BY mailbox FOR NO KEY UPDATE
    ), t AS (
        SELECT id, max_bytes, bytes FROM bulla.tokens
        WHERE id IN (SELECT token FROM b WHERE token IS NOT NULL) ORDER BY id FOR NO KEY UPDATE
    )
    SELECT 0, mailbox, token, ARRAY[messages, bytes] FROM b
    UNION ALL
    SELECT 1, id, NULL, ARRAY[max_bytes, bytes] FROM t";
/// The same, only to look.
const SEE: &str = "
    SELECT 0, mailbox, token, ARRAY[messages, bytes] FROM bulla.mailboxes WHERE mailbox = ANY($1)
    UNION ALL
    SELECT 1, id, NULL, ARRAY[max_bytes, bytes] FROM bulla.tokens
    WHERE id IN (SELECT token FROM bulla.mailboxes WHERE mailbox = ANY($1) AND token IS NOT NULL)
    UNION ALL ";
/// What goes with the rows that are locked, as it is once they are.
pub(super) const REST: &str = "
    SELECT 2, c.mailbox, c.id, ARRAY[c.expires, c.max_messages, c.max_bytes, c.hourly, c.total,
           c.pushed, c.messages, c.bytes, c.hour, c.in_hour]
    FROM unnest($2::bytea[], $3::bytea[]) AS p (mailbox, id)
    JOIN bulla.capabilities c ON c.mailbox = p.mailbox AND c.id = p.id
    UNION ALL
    SELECT 3, mailbox, capability, ARRAY[count(*), sum(size)::bigint] FROM bulla.uploads
    WHERE mailbox = ANY($1) GROUP BY mailbox, capability
    UNION ALL
    SELECT 4, m.mailbox, m.id, ARRAY[m.expires]
    FROM unnest($4::bytea[], $5::bytea[]) AS p (mailbox, id)
    JOIN bulla.messages m ON m.mailbox = p.mailbox AND m.id = p.id
    UNION ALL
    SELECT 5, a.mailbox, a.id, ARRAY[a.until]
    FROM unnest($4::bytea[], $5::bytea[]) AS p (mailbox, id)
    JOIN bulla.acked a ON a.mailbox = p.mailbox AND a.id = p.id
    UNION ALL
    SELECT 6, NULL, NULL, ARRAY[sum(bytes + reserved)::bigint] FROM bulla.totals
    UNION ALL
    SELECT 7, NULL, NULL, ARRAY[slot::bigint] FROM bulla.elsewhere WHERE slot = ANY($6)";

/// What a group is about.
#[derive(Default)]
pub(super) struct About {
    pub(super) boxes: BTreeSet<Mailbox>,
    pub(super) shares: BTreeSet<(Mailbox, CapabilityId)>,
    pub(super) messages: BTreeSet<(Mailbox, Id)>,
}

impl About {
    pub(super) fn push(&mut self, mailbox: Mailbox, capability: CapabilityId, id: Id) {
        self.boxes.insert(mailbox);
        self.shares.insert((mailbox, capability));
        self.messages.insert((mailbox, id));
    }
}

/// Whether others may change what was read before the transaction ends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Lock {
    Yes,
    No,
}

/// All it takes to decide about pushes, in one round trip once it is prepared.
pub(super) async fn load(of: &Connection, about: &About, lock: Lock) -> Result<Ledger, Error> {
    let names: Vec<&[u8]> = about.boxes.iter().map(|mailbox| &mailbox.0[..]).collect();
    let (at, by): (Vec<&[u8]>, Vec<&[u8]>) =
        about.shares.iter().map(|(mailbox, id)| (&mailbox.0[..], &id.0[..])).unzip();
    let (of_box, ids): (Vec<&[u8]>, Vec<&[u8]>) =
        about.messages.iter().map(|(mailbox, id)| (&mailbox.0[..], &id.0[..])).unzip();
    let touched: BTreeSet<i16> = about.boxes.iter().map(slots::of).collect();
    let touched: Vec<i16> = touched.into_iter().collect();
    let params: Params<'_> = &[&names, &at, &by, &of_box, &ids, &touched];
    let rows = match lock {
        Lock::No => in_time(of.ask(look(), params)).await?,
        Lock::Yes => {
            of.prepare(&[LOCK, REST]).await?;
            let both = async {
                tokio::try_join!(
                    biased;
                    async { of.ask(LOCK, &[&names]).await },
                    async { of.ask(REST, params).await },
                )
            };
            let (mut locked, rest) = in_time(both).await?;
            locked.extend(rest);
            locked
        }
    };
    let mut ledger = Ledger::default();
    for row in &rows {
        read(row, &mut ledger)?;
    }
    Ok(ledger)
}

/// [`SEE`] and [`REST`] in one statement, so of one moment.
fn look() -> &'static str {
    static LOOK: LazyLock<String> = LazyLock::new(|| format!("{SEE}{REST}"));
    &LOOK
}

/// One row of what was asked, by its kind. Rows of mailboxes come before what goes with them.
fn read(row: &Row, ledger: &mut Ledger) -> Result<(), Error> {
    let numbers: Vec<Option<i64>> = column(row, 3)?;
    let bound = |at: usize| {
        numbers.get(at).copied().flatten().map(|number| u64::try_from(number).unwrap_or(0))
    };
    let count = |at| bound(at).unwrap_or(0);
    let usage = |at| Usage { messages: count(at), bytes: count(at + 1) };
    match column::<i32>(row, 0)? {
        0 => {
            let token: Option<&[u8]> = column(row, 2)?;
            let token = token.and_then(|token| token.try_into().ok()).map(TokenId);
            let held = Held { token, taken: usage(0), added: Usage::default() };
            ledger.boxes.insert(Mailbox(name(row, 1)?), held);
        }
        1 => {
            let purse = Purse { most: bound(0), taken: count(1), added: 0 };
            ledger.purses.insert(TokenId(name(row, 1)?), purse);
        }
        2 => {
            let terms = Terms {
                expires: bound(0),
                messages: bound(1),
                bytes: bound(2),
                hourly: bound(3),
                total: bound(4),
            };
            let share = Share {
                terms,
                pushed: count(5),
                taken: usage(6),
                hour: count(8),
                in_hour: count(9),
                added: Usage::default(),
            };
            ledger.shares.insert((Mailbox(name(row, 1)?), CapabilityId(name(row, 2)?)), share);
        }
        3 => {
            let at = (Mailbox(name(row, 1)?), CapabilityId(name(row, 2)?));
            ledger.uploading(at, usage(0));
        }
        kind @ (4 | 5) => {
            let key = (Mailbox(name(row, 1)?), Id(name(row, 2)?));
            let deadline = ledger.known.entry(key).or_default();
            *deadline = (*deadline).max(count(0));
            if kind == 4 {
                ledger.waiting.insert(key);
            }
        }
        6 => ledger.total = count(0),
        _ => _ = ledger.elsewhere.insert(i16::try_from(count(0)).unwrap_or(i16::MAX)),
    }
    Ok(())
}
