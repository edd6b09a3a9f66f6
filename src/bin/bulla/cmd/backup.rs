//! `backup`: everything of a person that a lost machine takes away, in one sealed file.

use std::io::Write as _;

use anyhow::Result;
use bulla::age::{ArmorWriter, Recipient, ScryptRecipient};
use bulla::files::Access;
use bulla::identity::{Identity, Key};
use serde_json::json;

use crate::app::{App, first};
use crate::cli;
use crate::exit::{Exit, Fail};
use crate::json::json_line;
use crate::output::{Nature, Target};
use crate::recipients;

pub(crate) fn run(app: &App, args: &cli::Backup) -> Result<Exit> {
    let nature = if args.armor { Nature::Text } else { Nature::Binary };
    let target = Target::new(&args.output, None, nature)?;
    let mut to = recipients::read(&args.recipient, &args.recipients_file)?;
    if to.is_empty() && args.passphrase.is_none() && !args.ask_passphrase {
        let fail =
            Fail::usage("a backup is sealed to a passphrase or to recipients, none is given");
        return Err(fail.hint("bulla backup -p, --passphrase SRC, -r age1… or -R FILE").into());
    }
    let file = app.key_file(args.identity.as_ref())?.ok_or_else(|| app.no_identity())?;
    let keys = unlock(app, args, &file)?;
    let me = app.account(copy(&keys)?).with_key_file(file.bytes);
    let backup = me.backup()?;
    let passphrase = app.new_passphrase(args.passphrase.as_ref(), args.ask_passphrase)?;
    if let Some(passphrase) = passphrase {
        to.push(Box::new(ScryptRecipient::new(passphrase)));
    }
    let to: Vec<&dyn Recipient> = to.iter().map(AsRef::as_ref).collect();

    let is_file = target.is_file();
    let mut output = target.open(Access::Private)?;
    if args.armor {
        let mut armor = ArmorWriter::new(output);
        backup.seal(&to, &keys, &mut armor)?;
        output = armor.finish()?;
    } else {
        backup.seal(&to, &keys, &mut output)?;
    }
    output.finish()?;
    let (contacts, mailboxes) = (backup.book.contacts().len(), backup.pairs.open());
    app.ui.note(&format!("fingerprint: {}", me.fingerprint()));
    app.ui.note(&format!("contacts: {contacts}, mailboxes for them: {mailboxes}"));
    if app.ui.json && is_file {
        let object = json!({
            "schema": 1,
            "fingerprint": me.fingerprint().to_string(),
            "contacts": contacts,
            "mailboxes": mailboxes,
        });
        writeln!(std::io::stdout(), "{}", json_line(&object))?;
    }
    Ok(Exit::Done)
}

/// The identities of the key file; `--passphrase` is the backup's, so the hint names the other.
fn unlock(app: &App, args: &cli::Backup, file: &crate::app::KeyFile) -> Result<Vec<Key>> {
    app.unlock(file, args.identity_passphrase.as_ref()).map_err(super::restore::other_passphrase)
}

/// The first identity of ours, once more.
fn copy(keys: &[Key]) -> Result<Identity> {
    let ours = keys.iter().find_map(|key| match key {
        Key::Bulla(identity) => Some(identity.to_line()),
        Key::Age(_) => None,
    });
    first(
        ours.map(|line| Identity::parse(&line).map(Key::Bulla)).transpose()?.into_iter().collect(),
    )
}
