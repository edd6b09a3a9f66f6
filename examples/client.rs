//! A client of a relay in one file: two people pair over a line, write to each other, and read.
//!
//! ```console
//! $ export RELAY=https://relay.example
//! ann$ client ann invite bob >line        # hand the line to Bob over a private channel
//! bob$ client bob join ann <line
//! ann$ client ann pair                    # each side, until both are contacts
//! bob$ client bob pair
//! ann$ echo 'see you at three' | client ann send bob
//! bob$ client bob receive
//! ```

use std::error::Error;
use std::io::{self, Write as _};
use std::path::Path;
use std::time::Duration;

use bulla::account::{
    Account, Context, Error as AccountError, Event, Events, Expectation, InviteLine, Letters, Look,
    Method,
};
use bulla::files;
use bulla::identity::{self, Identity, Key, Keyfile};
use bulla::letter::Heading;
use bulla::relay::client::{HttpRelays, Options, pull};
use bulla::text::{printable, printable_lines};

/// How long an invite is good: a day.
const INVITE: u64 = 24 * 3600;

/// Prints what happens besides what a command returns.
struct Print;

impl Events for Print {
    fn event(&self, event: Event<'_>) {
        match event {
            Event::Paired { name, fingerprint, .. } => {
                eprintln!("paired with {name}: {fingerprint}")
            }
            Event::LetterRefused { id, error } => eprintln!("letter {id} refused: {error}"),
            other => eprintln!("{other:?}"),
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let usage = "client HOME invite NAME | join NAME | pair | send NAME | receive";
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (home, command) = arguments.split_first().ok_or(usage)?;

    let account = open(Path::new(home))?;
    let relays = HttpRelays::new(Options::default());
    let mut client = Context::new(&account, &relays, &Print);
    client.relay = std::env::var("RELAY").ok();

    match command {
        ["invite", name] => {
            let invitation = client.invite(Method::Secret, Some(name), INVITE)?;
            println!("{}", invitation.line.as_str());
        }
        ["join", name] => {
            let line = io::read_to_string(io::stdin())?;
            let InviteLine::Contact(invite) = InviteLine::parse(&line)? else {
                return Err("this invite is for another device of its maker".into());
            };
            // The line came over a private channel: that is what this example asks for.
            client.join(&invite, Some(name), || Ok::<_, AccountError>(Expectation::Secret))?;
        }
        ["pair"] => {
            let look = Look { again: true, wait: Duration::from_secs(20), only: None };
            let standing = client.advance_pairings(look)?;
            if let Some(ended) = standing.ended {
                return Err(ended.into());
            }
            for error in &standing.failed {
                eprintln!("a pairing could not go on: {error}");
            }
            eprintln!("pairings that wait: {}", standing.waiting);
        }
        ["send", name] => client.send(&[name], &Heading::default(), io::stdin().lock())?,
        ["receive"] => {
            let mut print = Letters::new(|letter, body| {
                let from = letter.contact().map_or("a stranger", |contact| contact.name());
                let text = String::from_utf8_lossy(body);
                // The letter's key is erased when this returns, so the text must be out.
                let mut out = io::stdout().lock();
                writeln!(out, "{}: {}", printable(from), printable_lines(text.trim_end()))?;
                Ok(out.flush()?)
            });
            let report = client.receive(pull::Options::default(), &mut print)?;
            eprintln!("letters: {}", report.delivered);
        }
        _ => return Err(usage.into()),
    }
    Ok(())
}

/// Opens the account whose identity is in a file of `home`, or creates both.
fn open(home: &Path) -> Result<Account, Box<dyn Error>> {
    let path = home.join("identity");
    let identity = if path.exists() {
        let Keyfile::Open(keys) = Keyfile::parse(&std::fs::read(&path)?)? else {
            return Err("the identity is locked with a passphrase".into());
        };
        let ours = keys.into_iter().find_map(|key| match key {
            Key::Bulla(identity) => Some(identity),
            Key::Age(_) => None,
        });
        ours.ok_or("a plain age identity has no mailbox")?
    } else {
        files::create_private_folder(home)?;
        let identity = Identity::generate()?;
        let created = std::time::UNIX_EPOCH.elapsed()?.as_secs();
        files::replace_private(&path, identity::render(&identity, created).as_bytes())?;
        identity
    };
    Ok(Account::open(identity, Some(home)))
}
