//! Methods of the store: what each asks of the index, or of the writer.

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;

use crate::relay::protocol::{Capability, CapabilityId, Entry, Id, Mailbox, Terms, TokenId};
use crate::relay::store::embedded::admit::{self, Admitted};
use crate::relay::store::embedded::body;
use crate::relay::store::embedded::open::Embedded;
use crate::relay::store::embedded::record::Fact;
use crate::relay::store::embedded::shared::SMALL;
use crate::relay::store::{
    Answer, Arrivals, Chunks, Error, INLINE, Push, Put, Store, Stored, Token, Totals, Upload, Usage,
};

impl Store for Embedded {
    fn register(&self, mailbox: Mailbox, token: Option<TokenId>, now: u64) -> Answer<'_, bool> {
        let most = self.shared.quotas.mailboxes;
        let low = self.shared.disk_is_low(2);
        Box::pin(self.ask(SMALL, true, move |turn| {
            if turn.index.find(&mailbox).is_some() {
                return Ok(false);
            }
            if let Some(token) = token {
                let licence = turn.index.tokens.get(&token.0);
                let good = licence.and_then(|l| l.good.filter(|good| l.used < good.mailboxes));
                if good.is_none_or(|good| good.expires.is_some_and(|end| end <= now)) {
                    return Err(Error::Token);
                }
            }
            if turn.index.registered >= most || low {
                return Err(Error::RelayFull);
            }
            turn.say(&Fact::Register { mailbox: mailbox.0, token: token.map(|token| token.0) })?;
            Ok(true)
        }))
    }

    fn close(&self, mailbox: Mailbox) -> Answer<'_, bool> {
        Box::pin(self.ask(SMALL, false, move |turn| {
            let there = turn.index.find(&mailbox).is_some();
            if there {
                turn.say(&Fact::Close { mailbox: mailbox.0 })?;
            }
            Ok(there)
        }))
    }

    fn allow(&self, mailbox: Mailbox, id: CapabilityId, terms: Terms) -> Answer<'_, ()> {
        let most = self.shared.quotas.mailbox_capabilities;
        Box::pin(self.ask(SMALL, true, move |turn| {
            let number = turn.index.find(&mailbox).ok_or(Error::NoMailbox)?;
            let known = turn.index.find_grant(&mailbox, &id);
            let known = known.and_then(|number| turn.index.grants.get(number));
            let count = turn.index.inboxes.get(number).map_or(0, |inbox| inbox.grants.len());
            if known.is_none() && count as u64 >= most {
                return Err(Error::MailboxFull);
            }
            let (pushed, hourly) =
                known.map(|grant| (grant.pushed, grant.hourly)).unwrap_or_default();
            turn.say(&Fact::Allow {
                mailbox: mailbox.0,
                capability: id.0,
                terms: terms.into(),
                pushed,
                hourly,
            })
        }))
    }

    fn revoke(&self, mailbox: Mailbox, id: CapabilityId) -> Answer<'_, bool> {
        Box::pin(self.ask(SMALL, false, move |turn| {
            turn.index.find(&mailbox).ok_or(Error::NoMailbox)?;
            let there = turn.index.find_grant(&mailbox, &id).is_some();
            if there {
                turn.say(&Fact::Revoke { mailbox: mailbox.0, capability: id.0 })?;
            }
            Ok(there)
        }))
    }

    fn capabilities(&self, mailbox: Mailbox) -> Answer<'_, Vec<Capability>> {
        Box::pin(std::future::ready(self.shared.index().capabilities(&mailbox)))
    }

    fn put<'a>(&'a self, push: Push, body: &'a mut dyn Chunks) -> Answer<'a, Put> {
        Box::pin(async move {
            let reservation = match admit::admit(&self.shared, &push)? {
                Admitted::Already => return Ok(Put::Already),
                Admitted::Room(reservation) => reservation,
            };
            let body = if push.message.size <= INLINE {
                Ok(body::collect(body, push.message.size).await?.into())
            } else {
                // The file goes with the job: if this request ends now, the writer still has it.
                Err(body::write(&self.shared, body).await?)
            };
            self.answer(self.store(push, reservation, body).await?).await
        })
    }

    fn put_all(
        &self,
        mailbox: Mailbox,
        capability: CapabilityId,
        messages: Vec<(Entry, Bytes)>,
        now: u64,
    ) -> Answer<'_, Vec<Result<Put, Error>>> {
        Box::pin(async move {
            let mut outcomes = Vec::with_capacity(messages.len());
            // Each is a job of its own; queued in their order before the first is waited for, they
            // share groups.
            for (message, body) in messages {
                let push = Push { mailbox, capability, message, now };
                outcomes.push(match admit::admit(&self.shared, &push) {
                    Ok(Admitted::Already) => Ok(None),
                    Ok(Admitted::Room(reservation)) => {
                        self.store(push, reservation, Ok(body)).await.map(Some)
                    }
                    Err(error) => Err(error),
                });
            }
            let mut puts = Vec::with_capacity(outcomes.len());
            for outcome in outcomes {
                puts.push(match outcome {
                    Ok(Some(queued)) => self.answer(queued).await,
                    Ok(None) => Ok(Put::Already),
                    Err(error) => Err(error),
                });
            }
            Ok(puts)
        })
    }

    fn append<'a>(
        &'a self,
        push: Push,
        offset: u64,
        body: &'a mut dyn Chunks,
    ) -> Answer<'a, Upload> {
        Box::pin(self.append_part(push, offset, body))
    }

    fn uploaded(
        &self,
        mailbox: Mailbox,
        capability: CapabilityId,
        id: Id,
        now: u64,
    ) -> Answer<'_, Option<Upload>> {
        Box::pin(std::future::ready(self.part(&mailbox, &capability, &id, now)))
    }

    fn list(&self, mailbox: Mailbox, limit: usize, now: u64) -> Answer<'_, Vec<Entry>> {
        Box::pin(std::future::ready(self.shared.index().list(&mailbox, limit, now)))
    }

    fn get(&self, mailbox: Mailbox, id: Id, from: u64, now: u64) -> Answer<'_, Option<Stored>> {
        Box::pin(self.read_one(mailbox, id, from, now))
    }

    fn take(
        &self,
        mailbox: Mailbox,
        ids: Vec<Id>,
        limit: usize,
        now: u64,
    ) -> Answer<'_, Vec<(Id, Bytes)>> {
        Box::pin(self.read_many(mailbox, ids, limit, now))
    }

    fn ack(&self, mailbox: Mailbox, ids: Vec<Id>, remember: u64) -> Answer<'_, u64> {
        let room = SMALL + 64 * ids.len() as u64;
        Box::pin(self.ask(room, false, move |turn| {
            let number = turn.index.find(&mailbox).ok_or(Error::NoMailbox)?;
            let ids: BTreeSet<Id> = ids.into_iter().collect();
            let there = |id: &Id| turn.index.message(number, id).is_some();
            let there: Vec<Id> = ids.into_iter().filter(there).collect();
            for fact in Fact::gone(mailbox, remember, &there) {
                turn.say(&fact)?;
            }
            Ok(there.len() as u64)
        }))
    }

    fn usage(&self, mailbox: Mailbox) -> Answer<'_, Option<Usage>> {
        let index = self.shared.index();
        let number = index.find(&mailbox);
        let usage = number.and_then(|n| index.inboxes.get(n)).map(|inbox| inbox.held);
        Box::pin(std::future::ready(Ok(usage)))
    }

    fn totals(&self) -> Answer<'_, Totals> {
        let index = self.shared.index();
        let totals = Totals { mailboxes: index.registered, waiting: index.total };
        Box::pin(std::future::ready(Ok(totals)))
    }

    fn add_token(&self, token: Token) -> Answer<'_, ()> {
        Box::pin(self.ask(SMALL, true, move |turn| turn.say(&Fact::token(&token))))
    }

    fn remove_token(&self, id: TokenId) -> Answer<'_, bool> {
        Box::pin(self.ask(SMALL, false, move |turn| {
            let there = turn.index.tokens.get(&id.0).is_some_and(|known| known.good.is_some());
            if there {
                turn.say(&Fact::NoToken { id: id.0 })?;
            }
            Ok(there)
        }))
    }

    fn tokens(&self) -> Answer<'_, Vec<Token>> {
        let index = self.shared.index();
        let tokens = index.tokens.values();
        let tokens = tokens.filter_map(|known| Some(Token { used: known.used, ..known.good? }));
        Box::pin(std::future::ready(Ok(tokens.collect())))
    }

    fn mailboxes(&self, after: Option<Mailbox>, limit: usize) -> Answer<'_, Vec<Mailbox>> {
        Box::pin(std::future::ready(Ok(self.shared.index().names_behind(after, limit))))
    }

    fn sweep(&self, now: u64) -> Answer<'_, u64> {
        Box::pin(self.sweep_all(now))
    }

    fn failure(&self) -> Pin<Box<dyn Future<Output = String> + Send + '_>> {
        let mut failed = self.shared.failed.subscribe();
        Box::pin(async move {
            let why = failed.wait_for(Option::is_some).await.ok().and_then(|why| why.clone());
            why.unwrap_or_default()
        })
    }

    fn arrivals(&self) -> &Arrivals {
        &self.shared.arrivals
    }
}
