//! `seal`: an age file for recipients or a passphrase, or letters in an envelope stream.

use std::path::Path;

use anyhow::Result;
use bulla::account::{self, Account, Addressed, LetterSealer};
use bulla::age::{ArmorWriter, Recipient, ScryptRecipient, Sealer};
use bulla::contact::Book;
use bulla::files::Access;
use bulla::letter::Heading;

use crate::app::App;
use crate::cli;
use crate::cli::time::now;
use crate::events::Teller;
use crate::exit::{Exit, Fail};
use crate::output::{Nature, Target, begin_stream, end_stream};
use crate::recipients;
use crate::sealed_input::Bodies;

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
    let bar = app.ui.bar("sealing");
    let mut bodies = Bodies::new(args, 1, bar.as_ref())?;
    // From here on nothing can be typed wrong any more.
    let mut output = target.open(Access::Umask)?;
    if args.armor {
        let mut armor = ArmorWriter::new(output);
        bodies.with(bar.as_ref(), |body| Ok(sealer.seal(body, &mut armor)?))?;
        output = armor.finish()?;
    } else {
        bodies.with(bar.as_ref(), |body| Ok(sealer.seal(body, &mut output)?))?;
    }
    output.finish()?;
    Ok(Exit::Done)
}

fn recipients(app: &App, args: &cli::Seal) -> Result<Vec<Box<dyn Recipient>>> {
    let mut found = recipients::read(&args.recipient, &args.recipients_file)?;
    if found.is_empty() {
        let passphrase = app.new_passphrase(args.keys.passphrase.as_ref(), args.ask_passphrase)?;
        if let Some(passphrase) = passphrase {
            found.push(Box::new(ScryptRecipient::new(passphrase)));
        }
    }
    Ok(found)
}

// ---- letters ----

fn letters(app: &App, args: &cli::Seal) -> Result<Exit> {
    let target = Target::new(&args.output, args.file.as_deref(), Nature::Binary)?;
    let me = if args.anonymous { app.me_if_any(&args.keys)? } else { Some(app.me(&args.keys)?) };
    let book = me.as_ref().map_or(Ok(Book::default()), Account::book)?;
    let mut to: Vec<account::Recipient> = Vec::new();
    for named in &args.to {
        let one = resolve(&book, named)?;
        if to.iter().any(|other| other.is(&one)) {
            app.ui.warn(&format!("{named} is named twice and gets one letter"));
        } else {
            to.push(one);
        }
    }
    let teller = Teller::new(app.ui);
    let sealer = match &me {
        Some(me) if !args.anonymous => LetterSealer::new(me, &teller)?,
        _ => LetterSealer::anonymous(&teller),
    };
    let to = to.into_iter().map(|to| sealer.address(to)).collect::<Result<Vec<_>, _>>()?;
    let heading = heading(args)?;

    let copies = to.iter().map(Addressed::copies).sum();
    let bar = app.ui.bar("sealing");
    let mut bodies = Bodies::new(args, copies, bar.as_ref())?;
    let mut output = target.open(Access::Umask)?;
    let is_file = output.is_file();
    let mut envelopes = begin_stream(&mut output, is_file)?;
    for to in &to {
        sealer.seal(to, &heading, |routing, draft| -> Result<()> {
            let mut envelope = envelopes.begin(routing)?;
            bodies.with(bar.as_ref(), |body| Ok(draft.seal(body, &mut envelope)?))?;
            Ok(envelope.finish().map(drop)?)
        })?;
    }
    end_stream(envelopes)?;
    output.finish()?;
    Ok(Exit::Done)
}

/// Returns a contact by name, or the owner of the card in a file. Letters to a card whose owner is
/// a contact are numbered with the other letters to that contact.
///
/// A file is read only where the value says that it names one: a file that happens to have the name
/// of a contact, or a name that was mistyped, must not choose the key that a letter is sealed to.
fn resolve(book: &Book, to: &str) -> Result<account::Recipient> {
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
        (Ok(_), _) => return Ok(account::Recipient::contact(book, to)?),
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
    Ok(account::Recipient::card(book, super::contact::read_card(Some(path))?)?)
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
