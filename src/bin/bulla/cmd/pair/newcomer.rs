//! The new machine: it pairs under an identity that it throws away, becomes one of the identity's that
//! is handed over, and tells the contacts.

use std::io::Write as _;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use bulla::age::Opener;
use bulla::contact::backup::{self, Backup, Inside};
use bulla::contact::pairing::Invite;
use bulla::contact::{self, Machine, Own, Pairs};
use bulla::files::{self, Access, AtomicFile, Existing};
use bulla::identity::{self, Card, Fingerprint, Identity};
use bulla::letter::{self, Content, Notice, Proof};
use bulla::relay::protocol::MAX_LIST;
use serde_json::json;

use super::super::restore::{self, Here};
use super::super::{notice, relay};
use super::handover;
use super::machine::{TYPE, close, is_denied, open_between};
use super::step::{self, Look};
use super::{LONGEST_LOOK, PAUSE, open_for_letters};
use crate::app::{App, Me, first, now};
use crate::cli::time::deadline;
use crate::cli::{self, Method, Network};
use crate::exit::{Exit, Fail};
use crate::record::json_line;
use crate::source::Source;
use crate::unlock::Unlock;

/// Returns whether this machine is being taken into use.
///
/// An identity that came to it in another way meanwhile ends that.
pub(super) fn is_underway(app: &App, args: &cli::Pair) -> Result<bool> {
    if !app.home.newcomer().is_some_and(|path| path.exists()) {
        return Ok(false);
    }
    let newcomer = Newcomer::read(app)?;
    if newcomer.me.takeover_file()?.read()?.installing || !handover::has_identity(app, args) {
        return Ok(true);
    }
    app.ui.note("this machine has an identity of its own now: the invite for it is given up");
    newcomer.give_up(&args.network)?;
    Ok(false)
}

/// Returns whether this machine is being taken into use by this invite.
pub(super) fn knows(app: &App, args: &cli::Pair, invite: &Invite) -> Result<bool> {
    if !is_underway(app, args)? {
        return Ok(false);
    }
    let pairs = Newcomer::read(app)?.me.pairs()?;
    Ok(pairs.underway().iter().any(|one| one.pairing.is_of(invite)))
}

/// Accepts an invite of another machine of one's own.
pub(super) fn join(app: &App, args: &cli::Pair, invite: &Invite) -> Result<Exit> {
    if args.name.is_some() {
        let fail = Fail::usage("this invite is for a machine of your own, which has no other name");
        return Err(fail.hint("leave --as out").into());
    }
    if !knows(app, args, invite)? {
        begin(app, args)?;
    }
    let newcomer = Newcomer::read(app)?;
    if let Err(error) = super::join(app, &newcomer.me, args, invite, Some(Method::Device)) {
        // What was not begun leaves nothing.
        if newcomer.me.pairs()?.underway().is_empty() {
            newcomer.forget()?;
        }
        return Err(error);
    }
    if args.wait == 0 {
        app.ui.note("the invite is accepted: bulla pair goes on, here and on your other machine");
        return Ok(Exit::Done);
    }
    go_on(app, args)
}

/// Makes the identity that this machine throws away, where it has none of its own.
fn begin(app: &App, args: &cli::Pair) -> Result<()> {
    let path = place(app)?;
    // Another invite before this one is given up.
    if is_underway(app, args)? {
        if handover::has_identity(app, args) {
            let fail = Fail::new(Exit::Conflict, "this machine is being taken into use already");
            return Err(fail.hint("bulla pair goes on with that").into());
        }
        handover::refuse_unconfirmed(app, args.fingerprint)?;
        Newcomer::read(app)?.give_up(&args.network)?;
    }
    handover::refuse_identity(app, args)?;
    handover::refuse_unconfirmed(app, args.fingerprint)?;
    if let Some(folder) = path.parent() {
        files::create_private_folder(folder)?;
    }
    let identity = Identity::generate()?;
    let text = identity::render(&identity, now());
    // First: it is never there without what it is to become.
    if let Some(expected) = &args.fingerprint {
        expect(&Me::new(identity, &app.home), expected)?;
    }
    let mut file = AtomicFile::create(&path, Existing::Keep, Access::Private)?;
    file.write_all(text.as_bytes())?;
    Ok(file.commit().map(drop)?)
}

/// Goes on with taking this machine into use.
pub(super) fn go_on(app: &App, args: &cli::Pair) -> Result<Exit> {
    let newcomer = Newcomer::read(app)?;
    let me = &newcomer.me;
    let expected = newcomer.me.takeover_file()?.read()?.expected().or(args.fingerprint);
    if newcomer.is_over()? {
        return Err(newcomer.expired()?.into());
    }
    handover::refuse_unconfirmed(app, expected)?;
    let until = deadline(Duration::from_secs(args.wait));
    let mut again = true;
    loop {
        let wait = until.saturating_duration_since(Instant::now()).min(LONGEST_LOOK);
        let standing = step::go_on(app, me, &args.network, Look { only: None, again, wait })?;
        again = false;
        if let Some(exit) = standing.ended {
            newcomer.forget()?;
            return Ok(exit);
        }
        if let Some(confirmed) = newcomer.confirm(args)?
            && let Some(backup) = newcomer.receive(&args.network, wait, &confirmed)?
        {
            return newcomer.become_one(args, backup);
        }
        if newcomer.is_over()? {
            return Err(newcomer.expired()?.into());
        }
        if Instant::now() >= until {
            app.ui.note("waits for your other machine: bulla pair goes on, here and there");
            return Ok(Exit::Negative);
        }
        sleep(PAUSE);
    }
}

/// Remembers which identity is to come.
fn expect(newcomer: &Me, fingerprint: &Fingerprint) -> Result<()> {
    newcomer.takeover_file()?.update(|takeover| {
        takeover.expect(fingerprint);
        Ok::<_, contact::Error>(())
    })?;
    Ok(())
}

fn place(app: &App) -> Result<PathBuf> {
    Ok(app.home.newcomer().ok_or_else(crate::home::homeless)?)
}

/// This machine under the identity that it throws away.
struct Newcomer<'a> {
    app: &'a App,
    path: PathBuf,
    me: Me,
}

impl<'a> Newcomer<'a> {
    fn read(app: &'a App) -> Result<Self> {
        let path = place(app)?;
        let keys = app.keys(Some(&Source::File(path.clone())), None)?.unwrap_or_default();
        Ok(Self { app, path, me: Me::new(first(keys)?, &app.home) })
    }

    /// Returns whether nothing can come any more.
    fn is_over(&self) -> Result<bool> {
        let pairs = self.me.pairs()?;
        Ok(pairs.underway().is_empty() && pairs.mailboxes().next().is_none())
    }

    /// Forgets an invite of which nothing comes any more.
    fn expired(&self) -> Result<Fail> {
        self.forget()?;
        let fail = Fail::new(Exit::Conflict, "the invite for this machine has expired");
        Ok(fail.hint("make another one there: bulla invite --device"))
    }

    /// Confirms the identity at the other end once it is known, and returns it. One that is not the
    /// user's leaves nothing here.
    fn confirm(&self, args: &cli::Pair) -> Result<Option<Fingerprint>> {
        let Some(other) = self.me.pairs()?.contacts().into_iter().next() else { return Ok(None) };
        let other = Fingerprint::from_bytes(other);
        let remembered = self.me.takeover_file()?.read()?.expected();
        let name = match self.me.book()?.by_fingerprint(&other) {
            Some(contact) => contact.card()?.name().to_owned(),
            None => String::new(),
        };
        // Given again, it has to be the same.
        let expected: Vec<_> = [args.fingerprint, remembered].into_iter().flatten().collect();
        if let Err(refused) = handover::confirm(self.app, other, &name, &expected) {
            self.give_up(&args.network)?;
            return Err(refused);
        }
        expect(&self.me, &other)?;
        Ok(Some(other))
    }

    /// Forgets the invite, and closes the mailbox for what is handed over. That of the pairing
    /// expires: if it were closed, the other side could not say what it says again, and would fail.
    fn give_up(&self, network: &Network) -> Result<()> {
        let made = self.me.pairs()?;
        self.forget()?;
        made.mailboxes().for_each(|(own, _)| close(self.app, &self.me, network, own));
        Ok(())
    }

    /// Closes the mailboxes of this machine until now. What stays at the relays is empty, or expires.
    fn close(&self, network: &Network, made: &Pairs) {
        made.mailboxes().for_each(|(own, _)| close(self.app, &self.me, network, own));
        for one in made.underway() {
            if let Ok(client) = relay::client(&one.meeting.relay, network) {
                let _ = client.close(&self.me.identity.meeting_mailbox(&one.meeting.index));
            }
        }
    }

    /// The letter with everything, if it is there. It stays at the relay.
    fn receive(
        &self,
        network: &Network,
        wait: Duration,
        confirmed: &Fingerprint,
    ) -> Result<Option<Backup>> {
        let me = &self.me;
        for (own, _) in me.pairs()?.mailboxes() {
            let client = relay::client(&own.relay, network)?;
            let key = me.identity.contact_mailbox(&own.index);
            for entry in client.list(&key, wait, MAX_LIST)? {
                if entry.size > backup::MAX as u64 * 2 {
                    continue;
                }
                let mut sealed = Vec::new();
                client.fetch(&key, &entry, &mut sealed)?;
                match self.open(&sealed, confirmed) {
                    Ok(backup) => return Ok(Some(backup)),
                    Err(error) => self.app.ui.warn(&format!("a letter is refused: {error:#}")),
                }
            }
        }
        Ok(None)
    }

    fn open(&self, sealed: &[u8], confirmed: &Fingerprint) -> Result<Backup> {
        let args = cli::Open {
            identity: vec![Source::File(self.path.clone())],
            passphrase: None,
            output: cli::Output { output: None, force: false },
            output_dir: None,
            from: None,
            anonymous: false,
            unknown: false,
            again: false,
            file: None,
        };
        // Nothing is erased: the letter may have to be read again, and its keys go with the rest.
        let unlock = Unlock::new(self.app, &args);
        let opener = Opener::new(sealed, &[&unlock]).map_err(|error| unlock.reason(error))?;
        let accept = |content: &Content| -> Result<Inside> {
            match content {
                Content::Letter(letter)
                    if letter.proof == Proof::Pairwise
                        && letter.heading.content_type.as_deref() == Some(TYPE) =>
                {
                    Ok(Inside::default())
                }
                _ => Err(Fail::new(Exit::Malformed, "it does not hand anything over").into()),
            }
        };
        let mine = [self.me.identity.fingerprint()];
        let (content, inside) = letter::open_paired(opener, &mine, &unlock, accept)?;
        let backup = inside.read()?;
        let from = match &content {
            Content::Letter(letter) => letter.from.as_ref().map(Card::fingerprint),
            _ => None,
        };
        if from != Some(*confirmed) || *confirmed != backup.identity.fingerprint() {
            let message = "it hands another identity over than the one that was confirmed";
            return Err(Fail::new(Exit::SenderNotAuthenticated, message).into());
        }
        Ok(backup)
    }

    /// Becomes a machine of the inviter's identity. All of it may be done twice.
    fn become_one(&self, args: &cli::Pair, backup: Backup) -> Result<Exit> {
        let app = self.app;
        let Backup { identity, key_file, book, pairs, .. } = backup;
        let fingerprint = identity.fingerprint();
        let here = Here { force: false, passphrase: None };
        let place = match restore::place(app, here, &fingerprint, &key_file) {
            Ok(place) => place,
            Err(error) => {
                // Another identity came here meanwhile, which stays.
                if error.downcast_ref::<Fail>().is_some() {
                    self.give_up(&args.network)?;
                }
                return Err(error);
            }
        };
        let me = Me::new(identity, &app.home);
        let network = &args.network;
        // The other machine computes them too, so that it can close them.
        let id = self.me.identity.fingerprint();
        let own = |contact: &Fingerprint, theirs: &Own| -> Result<Own> {
            let url = network.relay.as_ref().unwrap_or(&theirs.relay);
            let relay = relay::client(url, network)?.url();
            let index = me.identity.machine_index(&id.to_bytes(), &contact.to_bytes());
            Ok(Own { relay, index })
        };
        let theirs = self.me.pairs()?.machines_of(&fingerprint).first().cloned();
        let other = theirs.map(|address| Machine::new(&id, true, &address.relay));
        me.pairs_file()?.update(|here| {
            here.take_over(pairs, own)?;
            if let Some(other) = other.clone() {
                here.add_machine(other);
            }
            Ok::<_, anyhow::Error>(me.book_file()?.update(|here| here.merge(book))?)
        })?;
        let token = args.token.as_ref().map(|source| source.line("the token")).transpose()?;
        let pairs = me.pairs()?;
        for (own, _) in pairs.mailboxes() {
            open_for_letters(&me, &*relay::client(&own.relay, network)?, own, token.as_ref())?;
        }
        if let Some(other) = &other {
            open_between(app, &me, network, other, token.as_ref());
        }
        self.me.takeover_file()?.update(|takeover| {
            takeover.installing = true;
            Ok::<_, contact::Error>(())
        })?;
        place.write(&key_file)?;
        let told = tell_contacts(app, &me, network, &pairs)?;
        // From here on it is over; what closing leaves at the relays is empty, or expires.
        let made = self.me.pairs()?;
        self.forget()?;
        self.close(network, &made);
        place.tell(app);
        app.ui.note(&format!("fingerprint: {fingerprint}"));
        app.ui.note(&format!("contacts told of this machine: {told}"));
        if app.ui.json {
            let object = json!({
                "schema": 1,
                "fingerprint": fingerprint.to_string(),
                "identity": place.word(),
                "contacts": me.book()?.contacts().len(),
                "told": told,
            });
            writeln!(std::io::stdout(), "{}", json_line(&object))?;
        }
        Ok(Exit::Done)
    }

    /// Throws away what this machine was until now.
    fn forget(&self) -> Result<()> {
        let folder = self.me.folder()?;
        // A run that is killed here leaves a folder that no identity opens.
        std::fs::remove_file(&self.path)
            .and_then(|()| std::fs::remove_dir_all(folder))
            .with_context(|| format!("cannot remove {}", self.path.display()))
    }
}

/// Writes to every contact that this machine is there, and where it takes letters; says to how many.
fn tell_contacts(app: &App, me: &Me, network: &Network, pairs: &Pairs) -> Result<usize> {
    let (mut told, mut failed) = (0, None);
    for contact in me.book()?.contacts() {
        let fingerprint = contact.fingerprint();
        if pairs.mailbox_of(&fingerprint).is_none() {
            continue;
        }
        let notice = Notice { kind: notice::MACHINE, content: Vec::new() };
        let told_him = contact
            .card()
            .map_err(anyhow::Error::from)
            .and_then(|card| notice::send(app, me, network, &card, Some(contact.name()), notice));
        match told_him {
            Ok(()) => told += 1,
            Err(error) if is_denied(&error) => app.ui.warn(&format!(
                "{0} takes no letters from you, and was not told: pair with {0} again",
                contact.name()
            )),
            // One relay that is away does not keep the others from being asked.
            Err(error) => {
                if let Some(before) = failed.replace(error) {
                    app.ui.error(&before);
                }
            }
        }
    }
    match failed {
        Some(error) => {
            Err(error.context("a contact could not be told of this machine: pair again"))
        }
        None => Ok(told),
    }
}
