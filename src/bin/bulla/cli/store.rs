//! Where a relay keeps what it carries: a folder, or PostgreSQL.

use std::ops::RangeInclusive;
use std::path::PathBuf;

use clap::{Args, ValueHint};

use crate::source::Source;

// A store to be opened.
#[derive(Debug, Args)]
pub(crate) struct StoreAt {
    /// The folder with everything the relay keeps, or postgres://USER@HOST[:PORT][,HOST…]/DATABASE;
    /// given again for each further cluster
    #[arg(long, value_name = "DIR|URL", required = true, value_hint = ValueHint::DirPath)]
    pub(crate) store: Vec<PathBuf>,
    /// The password of the databases: a file, -, @ENV:NAME or @FD:N. Without, the file that
    /// PGPASSFILE names
    #[arg(long, value_name = "SRC", value_hint = ValueHint::FilePath)]
    pub(crate) store_password: Option<Source>,
}

#[derive(Debug, Args)]
#[command(after_long_help = "\
Relays go on serving meanwhile; a mailbox that is just being copied takes nothing for that time.
After an interruption the same command goes on, and moving slots to where they are takes back
what is not complete. Name the clusters as relay serve does, first the one with the table of
slots, and restart the relays with a new cluster before the first slot goes there.

Examples:
  bulla relay move --store postgres://a/relay --store postgres://b/relay \\
      --slots 0-511 --to postgres://b/relay")]
pub(crate) struct RelayMove {
    #[command(flatten)]
    pub(crate) at: StoreAt,
    /// The slots, of 0 to 1023
    #[arg(long, value_name = "FIRST-LAST", value_parser = slots)]
    pub(crate) slots: RangeInclusive<u16>,
    /// The cluster they go to, one of those named with --store
    #[arg(long, value_name = "URL")]
    pub(crate) to: String,
}

fn slots(text: &str) -> Result<RangeInclusive<u16>, String> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let number = |text: &str| text.parse::<u16>().ok().filter(|slot| *slot < 1024);
    number(first)
        .zip(number(last))
        .filter(|(first, last)| first <= last)
        .map(|(first, last)| first..=last)
        .ok_or_else(|| "expected FIRST-LAST, from 0 to 1023".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_slots() {
        assert_eq!(slots("0-1023").unwrap(), 0..=1023);
        assert_eq!(slots("7").unwrap(), 7..=7);
        for wrong in ["", "1024", "2-1", "a-b", "-1", "1-"] {
            assert!(slots(wrong).is_err(), "{wrong}");
        }
    }
}
