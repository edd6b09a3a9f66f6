//! `contact`: the contact book.

mod add;
mod list;
mod revoke;
mod verify;

use anyhow::Result;

use crate::app::App;
use crate::cli;
use crate::events::Teller;
use crate::exit::Exit;
use crate::network::{context, relays};

pub(super) use self::add::read_card;

pub(crate) fn run(app: &App, verb: &cli::Contact) -> Result<Exit> {
    match verb {
        cli::Contact::Add(args) => add::run(app, args),
        cli::Contact::List(args) => list::list(app, args),
        cli::Contact::Show(args) => list::show(app, args),
        cli::Contact::Rename(args) => rename(app, args),
        cli::Contact::Verify(args) => verify::run(app, args),
        cli::Contact::Introduce(args) => introduce(app, args),
        cli::Contact::Remove(args) => revoke::remove(app, args),
        cli::Contact::Renew(args) => renew(app, args),
        cli::Contact::Drop(args) => drop_device(app, args),
        cli::Contact::Revoke(args) => revoke::revoke(app, args),
    }
}

fn rename(app: &App, args: &cli::ContactRename) -> Result<Exit> {
    let book = app.me(&args.keys)?.book_file()?;
    book.update(|book| book.rename(&args.old, &args.new))?;
    app.ui.note(&format!("{} is {} from now on", args.old, args.new));
    Ok(Exit::Done)
}

fn introduce(app: &App, args: &cli::Introduce) -> Result<Exit> {
    let (me, relays, teller) = (app.me(&args.keys)?, relays(&args.network), Teller::new(app.ui));
    let cx = context(&me, &relays, &teller, &args.network);
    let note = args.note.as_deref().unwrap_or_default();
    let [one, other] = cx.introduce(&args.one, &args.other, note)?;
    app.ui.note(&format!("{one} and {other} were told of each other, and pair when both accept"));
    Ok(Exit::Done)
}

fn renew(app: &App, args: &cli::ContactName) -> Result<Exit> {
    app.me(&args.keys)?.renew_keys(&args.name)?;
    app.ui.note(&format!(
        "your next letter to {0} offers new keys; {0}'s answer takes them",
        args.name
    ));
    Ok(Exit::Done)
}

fn drop_device(app: &App, args: &cli::ContactDrop) -> Result<Exit> {
    app.me(&args.keys)?.drop_device(&args.name, &args.machine)?;
    app.ui.note(&format!("{} gets no more letters on that machine", args.name));
    Ok(Exit::Done)
}
