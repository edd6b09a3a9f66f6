//! The methods of a store: each finds the cluster of its mailbox, and follows when it moves.

use std::future::Future;
use std::pin::Pin;

use bytes::{Bytes, BytesMut};

use crate::relay::protocol::{Capability, CapabilityId, Entry, Id, Mailbox, Terms, TokenId};
use crate::relay::store::postgres::cluster::Refusal;
use crate::relay::store::postgres::gate::Seen;
use crate::relay::store::postgres::open::{Distributed, stopped};
use crate::relay::store::postgres::upload::Begun;
use crate::relay::store::postgres::{read, sweep};
use crate::relay::store::{
    Answer, Arrivals, Chunks, Error, INLINE, Push, Put, Store, Stored, Token, Totals, Upload, Usage,
};

/// Does something at the cluster of a mailbox, and follows it when it has moved.
macro_rules! at {
    ($this:expr, $mailbox:expr, $cluster:ident => $work:expr) => {{
        let mut steps = 0;
        loop {
            let $cluster = $this.at($mailbox)?;
            match $work.await {
                Ok(done) => break Ok(done),
                Err(Refusal::Store(error)) => break Err(error),
                Err(Refusal::Moved) => $this.follow(&mut steps).await?,
            }
        }
    }};
}

impl Store for Distributed {
    fn register(&self, mailbox: Mailbox, token: Option<TokenId>, now: u64) -> Answer<'_, bool> {
        Box::pin(async move {
            at!(self, &mailbox, cluster => self.register_at(cluster, mailbox, token, now))
        })
    }

    fn close(&self, mailbox: Mailbox) -> Answer<'_, bool> {
        Box::pin(async move { at!(self, &mailbox, cluster => cluster.shared.close(mailbox)) })
    }

    fn allow(&self, mailbox: Mailbox, id: CapabilityId, terms: Terms) -> Answer<'_, ()> {
        Box::pin(
            async move { at!(self, &mailbox, cluster => cluster.shared.allow(mailbox, id, terms)) },
        )
    }

    fn revoke(&self, mailbox: Mailbox, id: CapabilityId) -> Answer<'_, bool> {
        Box::pin(async move { at!(self, &mailbox, cluster => cluster.shared.revoke(mailbox, id)) })
    }

    fn capabilities(&self, mailbox: Mailbox) -> Answer<'_, Vec<Capability>> {
        Box::pin(
            async move { at!(self, &mailbox, cluster => cluster.shared.capabilities(mailbox)) },
        )
    }

    fn put<'a>(&'a self, push: Push, body: &'a mut dyn Chunks) -> Answer<'a, Put> {
        Box::pin(async move {
            if push.message.size <= INLINE {
                let seen = at!(self, &push.mailbox, cluster => cluster.look(push))?;
                let bytes = match seen {
                    Seen::There => None,
                    Seen::Room(_room) => {
                        let mut bytes = BytesMut::new();
                        while let Some(piece) = body.next().await? {
                            bytes.extend_from_slice(&piece);
                        }
                        Some(bytes.freeze())
                    }
                };
                return at!(self, &push.mailbox, cluster => cluster.write(push, bytes.clone()));
            }
            let (shared, begun) = at!(self, &push.mailbox, cluster => async {
                let begun = cluster.shared.begin_upload(push, false).await?;
                Ok((cluster.shared.clone(), begun))
            })?;
            match begun {
                Begun::Whole(put) => Ok(put),
                Begun::Part(upload) => shared.put_long(push, upload, body).await,
            }
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
            let mut outcomes: Vec<Option<Result<Put, Error>>> = Vec::new();
            outcomes.resize_with(messages.len(), || None);
            let mut steps = 0;
            loop {
                let cluster = self.at(&mailbox)?;
                let mut sent = Vec::new();
                for (at, (message, body)) in messages.iter().enumerate() {
                    if outcomes.get(at).is_some_and(Option::is_none) {
                        let push = Push { mailbox, capability, message: *message, now };
                        sent.push((at, cluster.send(push, Some(body.clone())).await?));
                    }
                }
                let mut moved = false;
                for (at, answer) in sent {
                    let outcome = match answer.await.unwrap_or_else(|_| Err(stopped().into())) {
                        Ok(put) => Ok(put),
                        Err(Refusal::Store(error)) => Err(error),
                        Err(Refusal::Moved) => {
                            moved = true;
                            continue;
                        }
                    };
                    if let Some(place) = outcomes.get_mut(at) {
                        *place = Some(outcome);
                    }
                }
                if !moved {
                    return Ok(outcomes.into_iter().flatten().collect());
                }
                self.follow(&mut steps).await?;
            }
        })
    }

    fn append<'a>(
        &'a self,
        push: Push,
        offset: u64,
        body: &'a mut dyn Chunks,
    ) -> Answer<'a, Upload> {
        Box::pin(async move {
            let (shared, begun) = at!(self, &push.mailbox, cluster => async {
                let begun = cluster.shared.begin_upload(push, true).await?;
                Ok((cluster.shared.clone(), begun))
            })?;
            match begun {
                Begun::Whole(put) => Ok(Upload::Whole(put)),
                Begun::Part(upload) => shared.append(push, upload, offset, body).await,
            }
        })
    }

    fn uploaded(
        &self,
        mailbox: Mailbox,
        capability: CapabilityId,
        id: Id,
        now: u64,
    ) -> Answer<'_, Option<Upload>> {
        let message = Entry { id, size: 0, expires: now };
        let push = Push { mailbox, capability, message, now };
        Box::pin(async move { at!(self, &mailbox, cluster => cluster.shared.uploaded(push)) })
    }

    fn list(&self, mailbox: Mailbox, limit: usize, now: u64) -> Answer<'_, Vec<Entry>> {
        Box::pin(
            async move { at!(self, &mailbox, cluster => cluster.shared.list(mailbox, limit, now)) },
        )
    }

    fn get(&self, mailbox: Mailbox, id: Id, from: u64, now: u64) -> Answer<'_, Option<Stored>> {
        Box::pin(async move {
            at!(self, &mailbox, cluster => read::get(&cluster.shared, mailbox, id, from, now))
        })
    }

    fn take(
        &self,
        mailbox: Mailbox,
        ids: Vec<Id>,
        limit: usize,
        now: u64,
    ) -> Answer<'_, Vec<(Id, Bytes)>> {
        Box::pin(async move {
            at!(self, &mailbox, cluster => cluster.shared.take(mailbox, &ids, limit, now))
        })
    }

    fn ack(&self, mailbox: Mailbox, ids: Vec<Id>, remember: u64) -> Answer<'_, u64> {
        Box::pin(async move {
            at!(self, &mailbox, cluster => cluster.ack(mailbox, ids.clone(), remember))
        })
    }

    fn usage(&self, mailbox: Mailbox) -> Answer<'_, Option<Usage>> {
        Box::pin(async move { at!(self, &mailbox, cluster => cluster.shared.usage(mailbox)) })
    }

    fn totals(&self) -> Answer<'_, Totals> {
        Box::pin(async move {
            let mut all = Totals::default();
            for cluster in &self.clusters {
                let totals = cluster.shared.totals().await?;
                all.mailboxes = all.mailboxes.saturating_add(totals.mailboxes);
                let waiting = &mut all.waiting;
                waiting.messages = waiting.messages.saturating_add(totals.waiting.messages);
                waiting.bytes = waiting.bytes.saturating_add(totals.waiting.bytes);
            }
            Ok(all)
        })
    }

    fn add_token(&self, token: Token) -> Answer<'_, ()> {
        Box::pin(async move {
            for cluster in &self.clusters {
                cluster.shared.add_token(&token).await?;
            }
            Ok(())
        })
    }

    fn remove_token(&self, id: TokenId) -> Answer<'_, bool> {
        Box::pin(async move {
            let mut there = false;
            for cluster in &self.clusters {
                there |= cluster.shared.remove_token(id).await?;
            }
            Ok(there)
        })
    }

    fn tokens(&self) -> Answer<'_, Vec<Token>> {
        Box::pin(self.all_tokens())
    }

    fn sweep(&self, now: u64) -> Answer<'_, u64> {
        Box::pin(async move {
            let mut swept: u64 = 0;
            for cluster in &self.clusters {
                swept = swept.saturating_add(sweep::sweep(&cluster.shared, now).await?);
            }
            Ok(swept)
        })
    }

    fn failure(&self) -> Pin<Box<dyn Future<Output = String> + Send + '_>> {
        Box::pin(std::future::pending())
    }

    fn arrivals(&self) -> &Arrivals {
        &self.arrivals
    }
}
