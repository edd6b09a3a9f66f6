//! `seal`: an age file for recipients or a passphrase, or letters in an envelope stream.

use std::fs::File;
use std::io::{self, Read, Seek as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result};
use bulla::age::{ArmorWriter, Opener, Recipient, ScryptRecipient, Sealer, X25519Identity};
use bulla::contact::pairing::Address;
use bulla::contact::{Book, Pairs, Place};
use bulla::crypto;
use bulla::files::Access;
use bulla::identity::Card;
use bulla::letter::ratchet::{LetterKey, Machine, Next, Sessions};
use bulla::letter::{Draft, EnvelopeWriter, Heading, Notice, Postscript, Routing, Sender};
use bulla::progress::Progress;
use bulla::secret::Secret;

use crate::app::{App, Me, now};
use crate::cli;
use crate::exit::{Exit, Fail};
use crate::input::Input;
use crate::output::{Nature, Target};
use crate::recipients;

pub(crate) fn run(app: &App, args: &cli::Seal) -> Result<Exit> {
    if args.to.is_empty() { plain(app, args) } else { letters(app, args) }
}

// ---- an age file ----

fn plain(app: &App, args: &cli::Seal) -> Result<Exit> {
    let nature = if args.armor { Nature::Text } else { Nature::Binary };
    let target = Target::new(&args.output, args.file.as_deref(), nature)?;
    let recipients = recipients(app, args)?;
    let recipients: Vec<&dyn Recipient> = recipients.iter().map(AsRef::as_ref).collect();
    let sealer = Sealer::new(&recipients)?;
    let (input, bar) = watched(app, args)?;
    let input = Watched { input, bar: bar.as_ref() };
    // From here on nothing can be typed wrong any more.
    let mut output = target.open(Access::Umask)?;
    if args.armor {
        let mut armor = ArmorWriter::new(output);
        sealer.seal(input, &mut armor)?;
        output = armor.finish()?;
    } else {
        sealer.seal(input, &mut output)?;
    }
    output.finish()?;
    Ok(Exit::Done)
}

fn recipients(app: &App, args: &cli::Seal) -> Result<Vec<Box<dyn Recipient>>> {
    let mut found = recipients::read(&args.recipient, &args.recipients_file)?;
    if found.is_empty() {
        let passphrase = match &args.keys.passphrase {
            Some(source) => Some(source.passphrase()?),
            None if args.ask_passphrase => Some(app.ui.ask_new_passphrase()?),
            None => None,
        };
        if let Some(passphrase) = passphrase {
            found.push(Box::new(ScryptRecipient::new(passphrase)));
        }
    }
    Ok(found)
}

// ---- letters ----

/// Somebody a letter is for.
struct To {
    card: Card,
    /// The card with a capability, where there is one: a card from a pairing has none.
    handed: Option<Card>,
    /// The name in the contact book, under which letters are numbered.
    name: Option<String>,
}

/// One of the letters that a recipient gets: one for each machine.
struct Copy {
    routing: Routing,
    /// The secret of the pairing.
    pairwise: Option<Arc<Secret<32>>>,
    /// The machine, whose ratchet seals it.
    machine: Option<Machine>,
}

impl To {
    /// Where letters go: to the mailboxes made in pairing, else to that on the card. One that hides
    /// its sender goes to the card's, since the others say who it is from.
    fn copies(&self, pairs: Option<&Pairs>) -> Result<Vec<Copy>> {
        let fingerprint = self.card.fingerprint();
        let secret = pairs.and_then(|pairs| pairs.pairwise_of(&fingerprint).into_iter().next());
        let machines = pairs.map_or(&[][..], |pairs| pairs.machines_of(&fingerprint));
        if secret.is_none() || machines.is_empty() {
            let handed = self.handed.as_ref();
            let capability = handed.and_then(Card::capability);
            let (Some(card), Some(capability)) = (handed, capability) else {
                return Err(self.no_capability(pairs.is_none()).into());
            };
            let routing = Routing {
                relay: card.relay().map(str::to_owned),
                mailbox: *card.mailbox(),
                capability: Some(capability.clone()),
            };
            return Ok(vec![Copy { routing, pairwise: secret, machine: None }]);
        }
        let copy = |machine: &Address| Copy {
            routing: routing(machine),
            pairwise: secret.clone(),
            machine: Some(machine.mailbox),
        };
        Ok(machines.iter().map(copy).collect())
    }

    /// Says that there is no card to push to the mailbox on it.
    fn no_capability(&self, anonymous: bool) -> Fail {
        let title = self.title();
        let title =
            if title.is_empty() { self.card.fingerprint().to_string() } else { title.into() };
        let what = if anonymous { "an anonymous letter" } else { "a letter" };
        let name = self.name.as_deref().unwrap_or("NAME");
        Fail::usage(format!(
            "{what} goes to the mailbox on a card that was handed out by hand, and the card of \
             {title} here has no capability to push"
        ))
        .hint(format!(
            "ask {title} for a card made with bulla card, then: bulla contact add {name} CARD"
        ))
    }

    fn title(&self) -> &str {
        self.name.as_deref().unwrap_or_else(|| self.card.name())
    }
}

fn routing(address: &Address) -> Routing {
    Routing {
        relay: Some(address.relay.clone()),
        mailbox: address.mailbox,
        capability: Some(address.capability.clone()),
    }
}

fn letters(app: &App, args: &cli::Seal) -> Result<Exit> {
    let target = Target::new(&args.output, args.file.as_deref(), Nature::Binary)?;
    let me = if args.anonymous { app.me_if_any(&args.keys)? } else { Some(app.me(&args.keys)?) };
    let book = me.as_ref().map_or(Ok(Book::default()), Me::book)?;
    let mut to: Vec<To> = Vec::new();
    for named in &args.to {
        let one = resolve(&book, named)?;
        if to.iter().any(|other| other.card.fingerprint() == one.card.fingerprint()) {
            app.ui.warn(&format!("{named} is named twice and gets one letter"));
        } else {
            to.push(one);
        }
    }
    let card = match &me {
        Some(me) if !args.anonymous => Some((me, super::card::settle(me, |_| ())?)),
        _ => None,
    };
    let pairs = card.as_ref().map(|(me, _)| me.pairs()).transpose()?;
    let with_copies = |to: To| Ok((to.copies(pairs.as_ref())?, to));
    let to = to.into_iter().map(with_copies).collect::<Result<Vec<(Vec<Copy>, To)>>>()?;
    let heading = heading(args)?;

    let copies = to.iter().map(|(copies, _)| copies.len()).sum();
    let (input, bar) = watched(app, args)?;
    let mut bodies = Bodies::new(input, args.file.as_deref(), copies)?;
    let mut output = target.open(Access::Umask)?;
    let mut envelopes = EnvelopeWriter::new(&mut output)?;
    for (copies, to) in &to {
        let (place, keyed) = match (&card, &pairs) {
            (Some((me, _)), Some(pairs)) => keyed(app, me, pairs, to, copies)?,
            _ => (None, copies.iter().map(|copy| (copy, Under::default())).collect()),
        };
        let heading = Heading { place: place.map(in_heading), ..heading.clone() };
        let id = crypto::random()?;
        for (copy, Under { key, postscript, .. }) in keyed {
            if copy.routing.relay.is_none() {
                let title = to.title();
                app.ui.warn(&format!("no relay is on the card of {title}: push with --relay URL"));
            }
            let sender = card.as_ref().map(|(me, card)| copy.sender(me, card));
            let (heading, to) = (heading.clone(), &to.card);
            let draft = Draft { id, to, sender, heading, postscript, key };
            let mut envelope = envelopes.begin(&copy.routing)?;
            bodies.with(bar.as_ref(), |body| Ok(draft.seal(body, &mut envelope)?))?;
            envelope.finish()?;
        }
    }
    envelopes.finish()?;
    output.finish()?;
    Ok(Exit::Done)
}

/// Seals a letter for the program of the recipient: for each of their machines, or for one address.
/// `name` is theirs in the contact book, if they are there.
pub(super) fn notice(
    app: &App,
    me: &Me,
    to: &Card,
    name: Option<&str>,
    at: Option<&Address>,
    notice: &Notice,
) -> Result<Vec<(Routing, Vec<u8>)>> {
    let (pairs, card) = (me.pairs()?, super::card::settle(me, |_| ())?);
    let handed = handed(&me.book()?, to)?;
    let to = To { card: to.clone(), handed, name: name.map(str::to_owned) };
    let copies = match at {
        Some(address) => vec![Copy { routing: routing(address), pairwise: None, machine: None }],
        None => to.copies(Some(&pairs))?,
    };
    let (place, keyed) = keyed(app, me, &pairs, &to, &copies)?;
    let heading = Heading { place: place.map(in_heading), date: now(), ..Heading::default() };
    let id = crypto::random()?;
    let letters = keyed.into_iter().map(|(copy, Under { key, mut postscript, .. })| {
        let sender = Some(copy.sender(me, &card));
        postscript.notice = Some(notice.clone());
        let (heading, to) = (heading.clone(), &to.card);
        let mut sealed = Vec::new();
        Draft { id, to, sender, heading, postscript, key }.seal(io::empty(), &mut sealed)?;
        Ok((copy.routing.clone(), sealed))
    });
    letters.collect()
}

/// Copies of a letter, each with how it is sealed.
type Keyed<'a> = Vec<(&'a Copy, Under)>;

/// Keys and number of the next letter to somebody. They are passed durably before there is any
/// ciphertext: neither is used twice.
fn keyed<'a>(
    app: &App,
    me: &Me,
    pairs: &Pairs,
    to: &To,
    copies: &'a [Copy],
) -> Result<(Option<Place>, Keyed<'a>)> {
    let keyed = copies.iter().map(|copy| Ok((copy, copy.key(app, me, pairs, to)?)));
    let keyed: Keyed<'a> = keyed.collect::<Result<_>>()?;
    let Some(name) = to.name.as_ref().filter(|_| me.has_home()) else { return Ok((None, keyed)) };
    let anew = keyed.iter().any(|(_, under)| under.anew);
    let place = me.book_file()?.update(|book| {
        if anew {
            book.begin_stream(&to.card.fingerprint());
        }
        book.next_outgoing(name)
    })?;
    Ok((Some(place), keyed))
}

fn in_heading(Place { stream, seq }: Place) -> ([u8; 16], u64) {
    (stream, seq)
}

/// How a copy is sealed: to the card, unless there is a key.
#[derive(Default)]
struct Under {
    key: Option<LetterKey>,
    postscript: Postscript,
    /// There was no state: what was numbered before is not known either.
    anew: bool,
}

impl Copy {
    fn sender<'a>(&'a self, me: &'a Me, card: &'a Card) -> Sender<'a> {
        Sender { identity: &me.identity, card, pairwise: self.pairwise.as_deref() }
    }

    /// Takes the key of the next letter to a machine, or offers new ones where they are not here.
    fn key(&self, app: &App, me: &Me, pairs: &Pairs, to: &To) -> Result<Under> {
        let (Some(machine), Some(secret)) = (&self.machine, &self.pairwise) else {
            return Ok(Under::default());
        };
        let contact = to.card.fingerprint();
        match Sessions::next(&me.sessions_file(&contact)?, machine, secret, now())? {
            Next::Key(key) => Ok(Under { key: Some(*key), ..Under::default() }),
            Next::Offer { offer, new } => {
                let name = to.title();
                app.ui.warn(&format!(
                    "until {name} answers, letters to {name} have no forward secrecy: new keys are \
                     offered"
                ));
                let postscript = Postscript {
                    machine: Some(*machine),
                    reply: pairs.mailbox_of(&contact).map(|own| routing(&me.address(own))),
                    offer: Some(offer.encode()?),
                    notice: None,
                };
                Ok(Under { key: None, postscript, anew: new })
            }
        }
    }
}

/// Returns a contact by name, or the owner of the card in a file. Letters to a card whose owner is
/// a contact are numbered with the other letters to that contact.
///
/// A file is read only where the value says that it names one: a file that happens to have the name
/// of a contact, or a name that was mistyped, must not choose the key that a letter is sealed to.
fn resolve(book: &Book, to: &str) -> Result<To> {
    let path = match to.strip_prefix("card:") {
        Some(path) => Some(Path::new(path)),
        None => (to.contains('/') || to.ends_with(".card")).then_some(Path::new(to)),
    };
    let path = match (book.get(to), path) {
        (Ok(_), Some(path)) if path.exists() => {
            let hint = format!("for the card in the file: --to ./{}", path.display());
            return Err(Fail::usage(format!("{to:?} names a contact and a file"))
                .hint(hint)
                .into());
        }
        (Ok(contact), _) => {
            let (card, name) = (contact.card()?, Some(contact.name().into()));
            let handed = book.handed_card(&card.fingerprint())?;
            return Ok(To { card, handed, name });
        }
        (Err(_), Some(path)) => path,
        (Err(unknown), None) => {
            return Err(Fail::usage(unknown.to_string())
                .hint(
                    "bulla contact list shows the contacts; a card in a file is named as ./FILE, \
                     FILE.card or card:FILE",
                )
                .into());
        }
    };
    let card = super::contact::read_card(Some(path))?;
    let name = book.by_fingerprint(&card.fingerprint()).map(|contact| contact.name().to_owned());
    let handed = handed(book, &card)?;
    Ok(To { card, handed, name })
}

/// The card with a capability: this one, or the one in the book.
fn handed(book: &Book, card: &Card) -> Result<Option<Card>> {
    match card.capability() {
        Some(_) => Ok(Some(card.clone())),
        None => Ok(book.handed_card(&card.fingerprint())?),
    }
}

fn heading(args: &cli::Seal) -> Result<Heading> {
    let own_name = || {
        let path = args.file.as_deref().filter(|path| *path != Path::new("-"))?;
        Some(path.file_name()?.to_string_lossy().into_owned())
    };
    let pairs = args.header.iter().map(|pair| {
        let (key, value) = pair.split_once('=').ok_or_else(|| {
            Fail::usage(format!("--header {pair:?} has no =")).hint("--header KEY=VALUE")
        })?;
        Ok((key.to_owned(), value.to_owned()))
    });
    Ok(Heading {
        place: None,
        date: now(),
        subject: args.subject.clone(),
        file_name: args.name.clone().or_else(own_name),
        content_type: args.content_type.clone(),
        pairs: pairs.collect::<Result<_>>()?,
    })
}

// ---- what is sealed ----

/// The input and a bar over its length.
fn watched(app: &App, args: &cli::Seal) -> Result<(Input, Box<dyn Progress>)> {
    let input = Input::open(args.file.as_deref(), "what is to be sealed")?;
    let bar = app.ui.bar("sealing");
    bar.total(input.length() * args.to.len().max(1) as u64);
    Ok((input, bar))
}

/// A reader that tells its progress.
struct Watched<'a, R> {
    input: R,
    bar: &'a dyn Progress,
}

impl<R: Read> Read for Watched<'_, R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buf)?;
        self.bar.advance(read as u64);
        Ok(read)
    }
}

/// The same body for every recipient.
enum Bodies {
    /// Read once.
    One(Input),
    /// A file is opened again for each.
    File(PathBuf),
    /// A stream is kept, sealed to a key that lives in memory only, in a file without a name.
    Kept { sealed: File, key: X25519Identity },
}

impl Bodies {
    fn new(input: Input, path: Option<&Path>, recipients: usize) -> Result<Self> {
        Ok(match (recipients, path) {
            (0 | 1, _) => Self::One(input),
            (_, Some(path)) if input.is_file() => Self::File(path.to_owned()),
            _ => {
                let key = X25519Identity::generate()?;
                let mut sealed = tempfile::tempfile().context("cannot keep the input")?;
                Sealer::new(&[key.recipient()])?.seal(input, &mut sealed)?;
                Self::Kept { sealed, key }
            }
        })
    }

    /// Lends the body to `seal` for one of the recipients.
    fn with<T>(
        &mut self,
        bar: &dyn Progress,
        seal: impl FnOnce(&mut (dyn Read + Send)) -> Result<T>,
    ) -> Result<T> {
        match self {
            Self::One(input) => seal(&mut Watched { input, bar }),
            Self::File(path) => seal(&mut Watched { input: File::open(path)?, bar }),
            Self::Kept { sealed, key } => {
                let mut sealed = sealed.try_clone()?;
                sealed.rewind()?;
                let opener = Opener::new(sealed, &[key])?;
                let (reader, writer) = io::pipe()?;
                std::thread::scope(|scope| {
                    let opening = scope.spawn(move || opener.open(writer));
                    let result = seal(&mut Watched { input: reader, bar })?;
                    // A body that broke off looks like one that ended: this tells them apart.
                    opening.join().map_err(|_| anyhow::anyhow!("a thread died"))??;
                    Ok(result)
                })
            }
        }
    }
}
