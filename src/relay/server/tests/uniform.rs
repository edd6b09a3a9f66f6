//! What strangers learn: the same bytes after the same work, whatever they ask for.

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use crate::relay::protocol::{Capability, CapabilityId, Entry, Id, Mailbox, Terms, TokenId, frame};
use crate::relay::store::{
    Answer, Arrivals, Chunks, Error, Push, Put, Store, Stored, Token, Totals, Upload, Usage,
};
use bytes::Bytes;

use crate::relay::server::tests::harness::*;

/// A store that notes what it is asked, and how many pieces of bodies it read.
struct Noting {
    inner: Arc<dyn Store>,
    asked: Arc<Mutex<Vec<&'static str>>>,
}

impl Noting {
    fn note(&self, what: &'static str) -> &dyn Store {
        // Sweeping is the relay's own work.
        self.asked.lock().unwrap().push(what);
        &*self.inner
    }
}

/// A body that notes when it is read.
struct NotingBody<'a>(&'a mut dyn Chunks, Arc<Mutex<Vec<&'static str>>>);

impl Chunks for NotingBody<'_> {
    fn next(&mut self) -> Answer<'_, Option<Bytes>> {
        self.1.lock().unwrap().push("body");
        self.0.next()
    }
}

impl Store for Noting {
    fn register(&self, mailbox: Mailbox, token: Option<TokenId>, now: u64) -> Answer<'_, bool> {
        self.note("register").register(mailbox, token, now)
    }
    fn close(&self, mailbox: Mailbox) -> Answer<'_, bool> {
        self.note("close").close(mailbox)
    }
    fn allow(&self, mailbox: Mailbox, id: CapabilityId, terms: Terms) -> Answer<'_, ()> {
        self.note("allow").allow(mailbox, id, terms)
    }
    fn revoke(&self, mailbox: Mailbox, id: CapabilityId) -> Answer<'_, bool> {
        self.note("revoke").revoke(mailbox, id)
    }
    fn capabilities(&self, mailbox: Mailbox) -> Answer<'_, Vec<Capability>> {
        self.note("capabilities").capabilities(mailbox)
    }
    fn put<'a>(&'a self, push: Push, body: &'a mut dyn Chunks) -> Answer<'a, Put> {
        let inner = self.note("put");
        let asked = self.asked.clone();
        Box::pin(async move { inner.put(push, &mut NotingBody(body, asked)).await })
    }
    fn put_all(
        &self,
        mailbox: Mailbox,
        capability: CapabilityId,
        messages: Vec<(Entry, Bytes)>,
        now: u64,
    ) -> Answer<'_, Vec<Result<Put, Error>>> {
        self.note("put_all").put_all(mailbox, capability, messages, now)
    }
    fn append<'a>(
        &'a self,
        push: Push,
        offset: u64,
        body: &'a mut dyn Chunks,
    ) -> Answer<'a, Upload> {
        let inner = self.note("append");
        let asked = self.asked.clone();
        Box::pin(async move { inner.append(push, offset, &mut NotingBody(body, asked)).await })
    }
    fn uploaded(
        &self,
        mailbox: Mailbox,
        capability: CapabilityId,
        id: Id,
        now: u64,
    ) -> Answer<'_, Option<Upload>> {
        self.note("uploaded").uploaded(mailbox, capability, id, now)
    }
    fn list(&self, mailbox: Mailbox, limit: usize, now: u64) -> Answer<'_, Vec<Entry>> {
        self.note("list").list(mailbox, limit, now)
    }
    fn get(&self, mailbox: Mailbox, id: Id, from: u64, now: u64) -> Answer<'_, Option<Stored>> {
        self.note("get").get(mailbox, id, from, now)
    }
    fn take(
        &self,
        mailbox: Mailbox,
        ids: Vec<Id>,
        limit: usize,
        now: u64,
    ) -> Answer<'_, Vec<(Id, Bytes)>> {
        self.note("take").take(mailbox, ids, limit, now)
    }
    fn ack(&self, mailbox: Mailbox, ids: Vec<Id>, remember: u64) -> Answer<'_, u64> {
        self.note("ack").ack(mailbox, ids, remember)
    }
    fn usage(&self, mailbox: Mailbox) -> Answer<'_, Option<Usage>> {
        self.note("usage").usage(mailbox)
    }
    fn totals(&self) -> Answer<'_, Totals> {
        self.note("totals").totals()
    }
    fn add_token(&self, token: Token) -> Answer<'_, ()> {
        self.note("add_token").add_token(token)
    }
    fn remove_token(&self, id: TokenId) -> Answer<'_, bool> {
        self.note("remove_token").remove_token(id)
    }
    fn tokens(&self) -> Answer<'_, Vec<Token>> {
        self.note("tokens").tokens()
    }
    fn sweep(&self, now: u64) -> Answer<'_, u64> {
        self.inner.sweep(now)
    }
    fn failure(&self) -> Pin<Box<dyn Future<Output = String> + Send + '_>> {
        self.inner.failure()
    }
    fn arrivals(&self) -> &Arrivals {
        self.inner.arrivals()
    }
}

/// A relay whose store notes, with one mailbox that is open to [`CAP`] and closed to others,
/// and one that was closed.
struct Scene {
    relay: Relay,
    asked: Arc<Mutex<Vec<&'static str>>>,
    _folder: tempfile::TempDir,
}

impl Scene {
    fn new() -> Self {
        let folder = folder();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let noted = asked.clone();
        let path = folder.path().to_owned();
        let relay = Relay::start_with(
            |config| config.message_bytes = 1 << 20,
            move |config| Arc::new(Noting { inner: embedded(&path, config), asked: noted }),
            |server| server,
        );
        relay.forward_to_hour();
        for byte in [1, 2] {
            relay.mailbox(&key(byte), CAP, Terms::default());
            relay.push(&key(byte), CAP, b"here").is(201);
        }
        relay.owner(&key(2), "DELETE", "").is(204);
        let soon = Some(relay.now());
        relay.allow(&key(1), "expired", Terms { expires: soon, ..Terms::default() });
        relay.allow(&key(1), "used-up", Terms { total: Some(1), ..Terms::default() });
        relay.push(&key(1), "used-up", b"once").is(201);
        relay.allow(&key(1), "revoked", Terms::default());
        let id = CapabilityId::of("revoked");
        relay.owner(&key(1), "DELETE", &format!("/capabilities/{id}")).is(204);
        relay.forward(3600);
        Self { relay, asked, _folder: folder }
    }

    /// The answer without its date, and what the store was asked for it.
    fn ask(&self, ask: &Ask<'_>) -> ((String, Vec<u8>), Vec<&'static str>) {
        self.asked.lock().unwrap().clear();
        let reply = self.relay.send(ask);
        assert_eq!(reply.status, 404, "{}", reply.head);
        let asked = std::mem::take(&mut *self.asked.lock().unwrap());
        (reply.comparable(), asked)
    }
}

#[test]
fn whoever_may_not_push_learns_nothing() {
    let scene = Scene::new();
    let (known, closed, unknown) = (key(1), key(2), key(3));
    let bearers = ["", "nonsense", "expired", "revoked", "used-up"];
    let mut cases = Vec::new();
    for bearer in bearers {
        cases.push((&known, bearer));
    }
    for bearer in ["", "nonsense", CAP] {
        cases.extend([(&closed, bearer), (&unknown, bearer)]);
    }
    let long = vec![7; 300 << 10];
    let mut batch = Vec::new();
    frame::push(&mut batch, &id_of(b"new"), b"new");
    let kinds: [&dyn Fn(&Mailbox) -> Ask<'static>; 8] = [
        &|mailbox| push(mailbox, "", b"new"),
        // There already, and used up for good.
        &|mailbox| push(mailbox, "", b"here"),
        &|mailbox| push(mailbox, "", &long),
        // Larger than the relay takes.
        &|mailbox| {
            let ask = push(mailbox, "", b"").header("content-length", "2000000");
            ask.header("expect", "100-continue")
        },
        &|mailbox| ask("POST", format!("/v1/m/{mailbox}/push")).body(batch.clone()),
        &|mailbox| ask("HEAD", format!("/v1/m/{mailbox}/{}", id_of(b"here"))),
        &|mailbox| ask("HEAD", format!("/v1/m/{mailbox}/{}", id_of(b"new"))),
        &|mailbox| {
            ask("PATCH", format!("/v1/m/{mailbox}/{}", id_of(b"new")))
                .header("content-type", "application/partial-upload")
                .header("upload-offset", "0")
                .header("upload-length", "3")
                .body("ne")
        },
    ];
    let mut answers = BTreeSet::new();
    for (n, kind) in kinds.iter().enumerate() {
        let mut works = BTreeSet::new();
        for (key, bearer) in &cases {
            // One that is used up pushes nothing new, but may ask what became of what it pushed:
            // the answer to its last push may have been lost.
            if *bearer == "used-up" && ![0, 2, 7].contains(&n) {
                continue;
            }
            let (answer, work) = scene.ask(&kind(&Mailbox(key.public())).bearer(bearer));
            assert!(!work.contains(&"body"), "read before it was refused: {n} {work:?}");
            works.insert(work);
            // An answer to HEAD has no body.
            answers.insert((answer.0, if [5, 6].contains(&n) { Vec::new() } else { answer.1 }));
        }
        assert_eq!(works.len(), 1, "{n}: {works:?}");
    }
    let heads: BTreeSet<_> = answers.iter().map(|(head, _)| head).collect();
    assert_eq!((heads.len(), answers.len()), (1, 2), "{answers:?}");
    assert_eq!(scene.relay.listed(&known).len(), 2);
}

#[test]
fn whoever_is_not_the_owner_learns_nothing() {
    let scene = Scene::new();
    let (known, closed, unknown, stranger) = (key(1), key(2), key(3), key(4));
    let here = format!("/{}", id_of(b"here"));
    let ids = format!(r#"{{"ids":["{}"]}}"#, id_of(b"here"));
    let capability = format!("/capabilities/{}", CapabilityId::of(CAP));
    let routes: [(&str, &str, Option<&str>); 11] = [
        ("GET", "?wait=0", None),
        ("GET", "?wait=50", None),
        ("GET", "/events", None),
        ("GET", &here, None),
        ("GET", "/status", None),
        ("GET", "/capabilities", None),
        ("PUT", &capability, Some("{}")),
        ("DELETE", &capability, None),
        ("POST", "/take", Some(&ids)),
        ("POST", "/ack", Some(&ids)),
        ("DELETE", "", None),
    ];
    let (mut answers, mut works) = (BTreeSet::new(), BTreeSet::new());
    for (method, tail, body) in routes {
        for (mailbox, key) in [
            (&unknown, &unknown),
            (&closed, &closed),
            (&known, &stranger),
            (&closed, &stranger),
            (&unknown, &stranger),
        ] {
            let mut ask = ask(method, format!("/v1/m/{}{tail}", Mailbox(mailbox.public())));
            if let Some(body) = body {
                ask = ask.body(body);
            }
            let (answer, work) = scene.ask(&ask.signed(key));
            answers.insert(answer);
            works.insert(work);
        }
    }
    // Registering in somebody else's name is the same, only that nothing is looked up at all.
    let (answer, _) =
        scene.ask(&ask("PUT", format!("/v1/m/{}", Mailbox(known.public()))).signed(&stranger));
    answers.insert(answer);
    assert_eq!(answers.len(), 1, "{answers:#?}");
    assert_eq!(works, BTreeSet::from([vec!["usage"]]));
    assert_eq!(scene.relay.listed(&known).len(), 2);
}

/// The clock sees no more than the count of work does, only less sharply.
#[test]
#[ignore = "compares times: for a quiet machine"]
fn refusals_take_the_same_time() {
    let scene = Scene::new();
    let time = |mailbox: &crate::crypto::SigningSecret, bearer: &str| {
        let ask = push(&Mailbox(mailbox.public()), bearer, b"new");
        let one = |_| {
            let start = std::time::Instant::now();
            scene.relay.send(&ask).is(404);
            start.elapsed()
        };
        let mut times: Vec<_> = (0..2000).map(one).collect();
        times.sort();
        times[times.len() / 2].as_secs_f64()
    };
    let known = time(&key(1), "nonsense");
    for (mailbox, bearer) in [(key(3), "nonsense"), (key(2), CAP), (key(1), "used-up")] {
        let other = time(&mailbox, bearer);
        assert!((other / known - 1.0).abs() < 0.2, "{known} {other}");
    }
}
