//! `keygen`: a secret identity, one line of text.

use std::fs::File;
use std::io::Write as _;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};

use anyhow::Result;
use bulla::age::{HybridIdentity, ScryptRecipient, X25519Identity};
use bulla::files::{self, Access};
use bulla::identity::{self, Identity, Keyfile};
use bulla::secret::SecretString;
use zeroize::Zeroizing;

use crate::app::{App, first};
use crate::cli::time::now;
use crate::cli::{self, AgeKind};
use crate::exit::{Exit, Fail};
use crate::output::{Nature, Target};
use crate::source::Source;
use bulla::text::date;

pub(crate) fn run(app: &App, args: &cli::Keygen) -> Result<Exit> {
    let place: Option<PathBuf> = if args.default {
        Some(app.home.make_identity_place()?)
    } else {
        args.output.output.clone()
    };
    let output = cli::Output { output: place, force: args.output.force };
    if let (true, false, Some(path)) = (args.default, args.output.force, &output.output)
        && path.symlink_metadata().is_ok()
    {
        return Err(exists(app, path).into());
    }
    let target = Target::new(&output, None, Nature::Text)?;

    let made = make(args.age)?;
    let text = match app.new_passphrase(args.passphrase.as_ref(), args.lock)? {
        Some(passphrase) => {
            Zeroizing::new(identity::protect(&made.text, &ScryptRecipient::new(passphrase))?)
        }
        None => made.text,
    };

    if output.output.is_none()
        && files::is_exposed(&File::from(std::io::stdout().as_fd().try_clone_to_owned()?))?
    {
        app.ui
            .warn("the secret identity goes to a file that others can read: use -o, or umask 077");
    }
    let mut out = target.open(Access::Private)?;
    out.write_all(text.as_bytes())?;
    out.finish()?;
    app.ui.note(&made.public);
    if let Some(path) = output.output {
        app.ui.detail(&format!("written to {}", path.display()));
    }
    Ok(Exit::Done)
}

/// The error of a default identity that exists, which says whose it is.
fn exists(app: &App, path: &Path) -> Fail {
    let found = app.key_file(Some(&Source::File(path.to_owned()))).ok().flatten();
    let parsed = found.and_then(|found| Keyfile::parse(&found.bytes).ok());
    let what = match parsed {
        Some(Keyfile::Open(keys)) => match first(keys) {
            Ok(identity) => identity.fingerprint().to_string(),
            Err(_) => "a plain age identity".into(),
        },
        Some(Keyfile::Locked(_)) => "locked with a passphrase".into(),
        None => "a file that cannot be read".into(),
    };
    Fail::new(Exit::OutputExists, format!("there is an identity in {}: {what}", path.display()))
        .hint(
            "make another one beside it: bulla keygen -o FILE\n\
             or, if it was stolen, replace it and tell your contacts: bulla keygen --replace",
        )
}

/// A new identity's text, and what to tell of it.
struct Made {
    text: SecretString,
    public: String,
}

fn make(age: Option<AgeKind>) -> Result<Made> {
    let plain = |line: SecretString, recipient: String| Made {
        text: Zeroizing::new(format!(
            "# created: {}\n# public key: {recipient}\n{}\n",
            date(now()),
            line.as_str()
        )),
        public: format!("public key: {recipient}"),
    };
    Ok(match age {
        None => {
            let identity = Identity::generate()?;
            Made {
                text: identity::render(&identity, now()),
                public: format!("fingerprint: {}", identity.fingerprint()),
            }
        }
        Some(AgeKind::Pq) => {
            let identity = HybridIdentity::generate()?;
            plain(identity.to_text(), identity.recipient().to_string())
        }
        Some(AgeKind::X25519) => {
            let identity = X25519Identity::generate()?;
            plain(identity.to_text(), identity.recipient().to_string())
        }
    })
}
