//! `restore`: what `backup` wrote, put back.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use bulla::account::Keys as _;
use bulla::age::{self, Dearmored, Opener, ScryptRecipient};
use bulla::contact::backup::Backup;
use bulla::files::{Access, Existing};
use bulla::identity::{self, Fingerprint, Keyfile};
use bulla::secret::SecretString;
use bulla::text::date;
use serde_json::json;
use zeroize::Zeroizing;

use crate::app::{App, KeyFile, first};
use crate::cli;
use crate::events::Teller;
use crate::exit::{Exit, Fail};
use crate::input::Input;
use crate::json::json_line;
use crate::output;
use crate::source::Source;
use crate::unlock::Unlock;

pub(crate) fn run(app: &App, args: &cli::Restore) -> Result<Exit> {
    let input = Input::open(args.file.as_deref(), "a backup")?;
    let teller = Teller::new(app.ui);
    let key = Unlock::new(app, &teller, &args.identity, args.passphrase.as_ref()).of_backup();
    let opener = Dearmored::new(input)
        .map_err(age::Error::from)
        .and_then(|input| Opener::new(input, &[&key]))
        .map_err(|error| key.reason(error.into()))?;
    let Backup { created, identity, key_file, book, pairs, .. } = Backup::open(opener)?;

    // Everything that can be refused or asked comes before anything is changed.
    let fingerprint = identity.fingerprint();
    let here = Here { force: args.force, passphrase: args.identity_passphrase.as_ref() };
    let place = place(app, here, &fingerprint, &key_file)?;
    let lock = lock(app, args)?;
    let place = match (place, &lock) {
        (Place::Here(_), Some(_)) => lock_again(app, args)?,
        (place, _) => place,
    };
    let text = match (&place, lock) {
        (_, Some(passphrase)) => {
            let text = match std::str::from_utf8(&key_file) {
                Ok(text) if matches!(Keyfile::parse(&key_file), Ok(Keyfile::Open(_))) => {
                    Zeroizing::new(text.to_owned())
                }
                // It is locked with another passphrase, which is not asked for.
                _ => identity::render(&identity, created),
            };
            let locked = identity::protect(&text, &ScryptRecipient::new(passphrase))?;
            Zeroizing::new(locked.into_bytes())
        }
        (_, None) => key_file,
    };
    let me = app.account(identity);
    let (merged, links) = me.restore(book, pairs, args.force, &teller)?;
    // Last, so that where there is an identity all of it is there: until then a run that was killed
    // left state that nobody can name, and the next run finds it.
    let kept = place.write(&text)?;

    place.tell(app);
    for (name, new) in &merged.renamed {
        app.ui.warn(&format!("{name:?} is another contact here: the restored one is {new:?}"));
    }
    app.ui.note(&format!("fingerprint: {fingerprint}"));
    app.ui.note(&format!(
        "contacts: {} added, {} updated; mailboxes for them: {links} added; backup of {}",
        merged.added,
        merged.updated,
        date(created)
    ));
    if links > 0 {
        app.ui.note(
            "write to each contact once: what they seal for the lost machine cannot be opened here",
        );
    }
    if app.ui.json {
        let object = json!({
            "schema": 1,
            "fingerprint": fingerprint.to_string(),
            "identity": place.word(),
            "kept": kept,
            "created": date(created),
            "contacts_added": merged.added,
            "contacts_updated": merged.updated,
            "mailboxes_added": links,
        });
        writeln!(std::io::stdout(), "{}", json_line(&object))?;
    }
    Ok(Exit::Done)
}

// ---- the identity ----

/// How an identity that is here already is looked at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Here<'a> {
    /// Another one may be replaced.
    pub(super) force: bool,
    /// Its passphrase.
    pub(super) passphrase: Option<&'a Source>,
}

/// What becomes of the identity.
pub(super) enum Place {
    /// It is there already, as its key file or from elsewhere.
    Here(String),
    /// It comes to a place where there is none.
    New(PathBuf),
    /// It takes the place of another, whose fingerprint may not be known.
    Instead(PathBuf, Option<Fingerprint>),
    /// It is there already, and is locked with another passphrase.
    Again(PathBuf, Existing),
}

/// The file where every verb looks for the identity; `None` where it comes from a variable.
pub(super) fn identity_file(app: &App) -> Result<Option<PathBuf>> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    Ok(match set("BULLA_IDENTITY_FILE").filter(|_| set("BULLA_IDENTITY").is_none()) {
        Some(path) => Some(PathBuf::from(path)),
        None if set("BULLA_IDENTITY").or_else(|| set("BULLA_IDENTITY_COMMAND")).is_some() => None,
        None => Some(app.home.make_identity_place()?),
    })
}

/// Where every verb looks for the identity: there it comes, unless it is there.
pub(super) fn place(
    app: &App,
    here: Here<'_>,
    ours: &Fingerprint,
    key_file: &[u8],
) -> Result<Place> {
    let path = identity_file(app)?.unwrap_or_default();
    let is_file = !path.as_os_str().is_empty();
    if is_file && path.symlink_metadata().is_err() {
        return Ok(Place::New(path));
    }
    let Some(found) = app.key_file(None)? else { return Ok(Place::New(path)) };
    if *found.bytes == *key_file {
        return Ok(Place::Here(found.place));
    }
    let theirs = match fingerprint(app, here, &found) {
        Ok(theirs) if theirs == *ours => return Ok(Place::Here(found.place)),
        Ok(theirs) => Some(theirs),
        Err(_) if is_file && here.force => None,
        Err(error) => return Err(error.context("cannot see whether the identity here is the same")),
    };
    if !is_file {
        let message = format!("another identity comes from {}", found.place);
        return Err(Fail::new(Exit::OutputExists, message)
            .hint("unset BULLA_IDENTITY and BULLA_IDENTITY_COMMAND, and restore again")
            .into());
    }
    if !here.force {
        let message = format!("another identity is in {}", path.display());
        return Err(Fail::new(Exit::OutputExists, message)
            .hint("set BULLA_HOME to a new folder; --force keeps the one that is here under another name")
            .into());
    }
    Ok(Place::Instead(path, theirs))
}

/// Place of an identity that is here and is locked with a new passphrase. Nothing stays that the old one
/// opens, unless the file holds more than this identity.
fn lock_again(app: &App, args: &cli::Restore) -> Result<Place> {
    let (Some(path), Some(found)) = (identity_file(app)?, app.key_file(None)?) else {
        let fail = Fail::usage("the identity comes from a variable, where --lock cannot change it");
        return Err(fail.hint("leave --lock out").into());
    };
    if !args.force {
        let fail = Fail::usage("the identity is here already, and --lock would change it");
        return Err(fail.hint("leave --lock out, or lock it again with --force --lock").into());
    }
    let keys = app.unlock(&found, args.identity_passphrase.as_ref()).map_err(other_passphrase)?;
    let existing = if keys.len() == 1 { Existing::Overwrite } else { Existing::Replace };
    Ok(Place::Again(path, existing))
}

fn fingerprint(app: &App, here: Here<'_>, found: &KeyFile) -> Result<Fingerprint> {
    let keys = app.unlock(found, here.passphrase).map_err(other_passphrase)?;
    Ok(first(keys)?.fingerprint())
}

/// Names the flag for the passphrase of the identity, where `--passphrase` is that of the backup.
pub(crate) fn other_passphrase(error: anyhow::Error) -> anyhow::Error {
    hint(error, "give the identity's with --identity-passphrase FILE, @ENV:NAME or @FD:N")
}

fn hint(error: anyhow::Error, hint: &str) -> anyhow::Error {
    match error.downcast::<Fail>() {
        Ok(fail) if fail.exit == Exit::Locked => Fail { hint: Some(hint.into()), ..fail }.into(),
        Ok(fail) => fail.into(),
        Err(error) => error,
    }
}

/// The passphrase that the restored identity is to have.
fn lock(app: &App, args: &cli::Restore) -> Result<Option<SecretString>> {
    match &args.lock {
        Some(Some(source)) => Ok(Some(source.passphrase()?)),
        Some(None) => {
            let asked = app.ui.ask_new_passphrase();
            Ok(Some(
                asked
                    .map_err(|error| hint(error, "give it with --lock=FILE, @ENV:NAME or @FD:N"))?,
            ))
        }
        None => Ok(None),
    }
}

impl Place {
    /// Writes the identity. Returns where a secret key is kept that was in its place.
    pub(super) fn write(&self, text: &[u8]) -> Result<Option<PathBuf>> {
        let (path, existing) = match self {
            Self::Here(_) => return Ok(None),
            Self::New(path) => (path, Existing::Keep),
            Self::Instead(path, _) => (path, Existing::Replace),
            Self::Again(path, existing) => (path, *existing),
        };
        let write = |path: &Path| {
            let mut file = output::begin(path, existing, Access::Private)?;
            file.write_all(text)?;
            output::complete(file, path)
        };
        write(path).with_context(|| format!("cannot write {}", path.display()))
    }

    pub(super) fn tell(&self, app: &App) {
        match self {
            Self::Here(place) => app.ui.note(&format!("the identity is here already, in {place}")),
            Self::New(path) => app.ui.note(&format!("restored the identity to {}", path.display())),
            Self::Instead(path, Some(before)) => app.ui.warn(&format!(
                "the identity in {} was replaced, which was {before}",
                path.display()
            )),
            Self::Instead(path, None) => app.ui.warn(&format!(
                "the identity in {} was replaced, which is locked: if it is the same one, its old \
                 passphrase opens what was kept, so remove that",
                path.display()
            )),
            Self::Again(path, _) => {
                app.ui.note(&format!("locked the identity in {} again", path.display()));
            }
        }
    }

    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Here(_) => "kept",
            Self::New(_) => "restored",
            Self::Instead(..) => "replaced",
            Self::Again(..) => "locked",
        }
    }
}
