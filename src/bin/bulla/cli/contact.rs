//! `contact`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};

use crate::cli::pair::Introduce;
use crate::cli::shared::{Keys, Network};
use crate::source::Source;

#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(crate) enum Contact {
    /// Add somebody by a card
    Add(ContactAdd),
    /// List the contacts
    List(ContactList),
    /// Show one contact whole
    Show(ContactShow),
    /// Give a contact another name
    Rename(ContactRename),
    /// Tell two contacts of each other, so that they can pair
    Introduce(Introduce),
    /// Compare 60 digits with a contact, to be sure that no one is in between
    Verify(ContactVerify),
    /// Offer new keys to a contact whose letters do not open any more
    Renew(ContactName),
    /// Send no more letters to one machine of a contact's
    Drop(ContactDrop),
    /// Close the mailboxes that were made for a contact, and refuse what the contact signs
    Revoke(ContactRevoke),
    /// Revoke a contact and forget them; or refuse someone who was introduced, or give up a pairing
    /// that has not finished
    Remove(ContactRemove),
}

#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  bulla contact add bob bob.card
  ssh host bulla card | bulla contact add host")]
pub(crate) struct ContactAdd {
    #[command(flatten)]
    pub(crate) keys: Keys,
    /// The name you give
    pub(crate) name: String,
    /// The card's file; - or nothing for stdin
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) card: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ContactList {
    #[command(flatten)]
    pub(crate) keys: Keys,
}

#[derive(Debug, Args)]
pub(crate) struct ContactName {
    #[command(flatten)]
    pub(crate) keys: Keys,
    /// The contact's name
    pub(crate) name: String,
}

#[derive(Debug, Args)]
pub(crate) struct ContactDrop {
    #[command(flatten)]
    pub(crate) keys: Keys,
    /// The contact's name
    pub(crate) name: String,
    /// The machine as contact show prints it, or enough of its beginning
    pub(crate) machine: String,
}

#[derive(Debug, Args)]
pub(crate) struct ContactShow {
    #[command(flatten)]
    pub(crate) keys: Keys,
    /// The contact's name
    pub(crate) name: String,
    /// Print the contact's card
    #[arg(long)]
    pub(crate) card: bool,
}

#[derive(Debug, Args)]
#[command(after_long_help = "\
Both sides run it and see the same 60 digits, over both fingerprints and the pairing between them.
Compare them over a channel where you know each other: face to face, or by voice. They may be
compared at any time, and again. On a terminal the program asks whether they are the same; a script
gives the digits that the other side sees.

Examples:
  bulla contact verify bob
  bulla contact verify carol --digits digits")]
pub(crate) struct ContactVerify {
    #[command(flatten)]
    pub(crate) keys: Keys,
    /// The digits that the contact sees, blanks ignored: a file, -, @ENV:NAME or @FD:N
    #[arg(long, value_name = "SRC", value_hint = ValueHint::FilePath)]
    pub(crate) digits: Option<Source>,
    /// The contact's name
    pub(crate) name: String,
}

#[derive(Debug, Args)]
pub(crate) struct ContactRename {
    #[command(flatten)]
    pub(crate) keys: Keys,
    /// The name so far
    pub(crate) old: String,
    /// The name from now on
    pub(crate) new: String,
}

#[derive(Debug, Args)]
#[command(after_long_help = "\
Closes every mailbox that was made for the contact, on all your machines that this one knows of, and
refuses letters that the contact signs, whatever way they come. Letters without a sender cannot be
refused: a card that you handed out by hand lets every reader of it push, until bulla relay register
--renew. Pairing with the contact again lifts the revocation.

Examples:
  bulla contact revoke bob
  bulla contact revoke --undo bob")]
pub(crate) struct ContactRevoke {
    #[command(flatten)]
    pub(crate) keys: Keys,
    #[command(flatten)]
    pub(crate) network: Network,
    /// Accept letters that the contact signs again; mailboxes stay closed
    #[arg(long)]
    pub(crate) undo: bool,
    /// The contact's name, or a whole fingerprint
    pub(crate) name: String,
}

#[derive(Debug, Args)]
pub(crate) struct ContactRemove {
    #[command(flatten)]
    pub(crate) keys: Keys,
    #[command(flatten)]
    pub(crate) network: Network,
    /// The contact's name
    pub(crate) name: String,
}
