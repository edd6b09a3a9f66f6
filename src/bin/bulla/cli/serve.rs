//! `relay serve` and `relay key`: what an operator types.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};

use crate::cli::operator::OperatorAt;
use crate::cli::shared::Output;
use crate::cli::size::size;
use crate::cli::store::StoreAt;
use crate::cli::time::duration;
use crate::source::Source;

#[derive(Debug, Args)]
#[command(after_long_help = "\
The relay speaks TLS with one of --cert, --acme and --online, and plain HTTP without. It prints
its addresses, one a line, when it is there.

SIGTERM and SIGINT end it when requests under way are answered, at most ten seconds later;
SIGHUP has it read --cert and --online again, which it also does by itself. Under systemd it takes
the socket of a socket unit in place of --listen, says when it is ready, and keeps the watchdog
quiet for as long as its store answers.

Examples:
  bulla relay serve --store store --listen 127.0.0.1:7677
  bulla relay serve --store store --listen 127.0.0.1:7677 --ttl 7d --max-message 64M
  bulla relay serve --store postgres://relay@db1,db2,db3/relay --store-password @ENV:DB_PASSWORD \
      --listen 127.0.0.1:7677")]
pub(crate) struct RelayServe {
    #[command(flatten)]
    pub(crate) at: StoreAt,
    /// Where a store over PostgreSQL keeps long messages, instead of the database: s3://…, gs://…,
    /// az://… or file:///…
    #[arg(long, value_name = "URL")]
    pub(crate) blobs: Option<String>,
    /// Address and port to listen on; port 0 takes a free one, which is printed
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:7677")]
    pub(crate) listen: SocketAddr,
    /// Name that clients reach the relay by, with the port unless it is the scheme's own; may
    /// be given again. Needed when it listens on every address, or behind a proxy
    #[arg(long, value_name = "HOST[:PORT]")]
    pub(crate) name: Vec<String>,
    #[command(flatten)]
    pub(crate) tls: ServeTls,
    /// Believe a proxy on this machine when it says in X-Forwarded-For whom it speaks for. Not
    /// for onion services, where anybody could
    #[arg(long)]
    pub(crate) proxied: bool,
    /// Greatest number of connections, if the process may open so many files
    #[arg(long, value_name = "N", default_value_t = 16_384)]
    pub(crate) connections: usize,
    /// Delete what was not fetched after so long (30d, 12h)
    #[arg(long, value_name = "TIME", default_value = "30d", value_parser = duration)]
    pub(crate) ttl: std::time::Duration,
    /// Greatest message (64M, 1G)
    #[arg(long, value_name = "SIZE", default_value = "1G", value_parser = size)]
    pub(crate) max_message: u64,
    /// Greatest number of messages that wait in one mailbox
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    pub(crate) mailbox_messages: u64,
    /// Greatest size of one mailbox
    #[arg(long, value_name = "SIZE", default_value = "4G", value_parser = size)]
    pub(crate) mailbox_size: u64,
    /// Greatest size of all mailboxes together
    #[arg(long, value_name = "SIZE", default_value = "64G", value_parser = size)]
    pub(crate) store_size: u64,
    /// Who may register a mailbox: anybody, or who shows a token made with relay token new
    #[arg(long, value_name = "WHO", value_enum, default_value_t = Registration::Open)]
    pub(crate) registration: Registration,
    /// Socket file for relay token and relay status [default: admin.sock in the folder of the store]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) admin: Option<PathBuf>,
    /// Serve GET /metrics, for Prometheus, on this address too
    #[arg(long, value_name = "ADDR")]
    pub(crate) metrics: Option<SocketAddr>,
}

/// Who may register a mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Registration {
    /// Anybody
    Open,
    /// Who has a token of the operator
    Token,
}

// What the relay shows for itself.
#[derive(Debug, Args)]
pub(crate) struct ServeTls {
    /// Certificate of an authority with the chain below it (PEM); read again when it changes
    #[arg(long, value_name = "FILE", requires = "key", value_hint = ValueHint::FilePath)]
    pub(crate) cert: Option<PathBuf>,
    /// Key of --cert (PEM)
    #[arg(long, value_name = "FILE", requires = "cert", value_hint = ValueHint::FilePath)]
    pub(crate) key: Option<PathBuf>,
    /// Online key that relay key made; the address then bears the offline key
    #[arg(long, value_name = "FILE", conflicts_with = "cert", value_hint = ValueHint::FilePath)]
    pub(crate) online: Option<PathBuf>,
    /// Get a certificate for this name by ACME over TLS on port 443, and renew it, agreeing to
    /// the authority's terms; may be given again
    #[arg(long, value_name = "DOMAIN", conflicts_with_all = ["cert", "online"])]
    pub(crate) acme: Vec<String>,
    /// Where the authority may write to
    #[arg(long, value_name = "mailto:ADDRESS", requires = "acme", value_hint = ValueHint::EmailAddress)]
    pub(crate) acme_contact: Vec<String>,
    /// Folder for account and certificate; acme in the store, if that is a folder
    #[arg(long, value_name = "DIR", requires = "acme", value_hint = ValueHint::DirPath)]
    pub(crate) acme_cache: Option<PathBuf>,
    /// Directory of the authority
    #[arg(long, value_name = "URL", requires = "acme", default_value = bulla::relay::server::tls::acme::LETS_ENCRYPT, value_hint = ValueHint::Url)]
    pub(crate) acme_directory: String,
}

#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(crate) enum RelayKey {
    /// Make a relay's offline key and its first online key
    #[command(after_long_help = "\
Writes three files and prints the addresses to hand out:
  offline.key  signs online keys: keep it off the relay's machine
  offline.crt  its certificate, for programs that take a file of authorities
  online.pem   what relay serve --online takes

Examples:
  bulla relay key new --name relay.example:7677 --out keys")]
    New(KeyNew),
    /// Make a relay's next online key, signed by its offline key; the address stays
    #[command(after_long_help = "\
Examples:
  bulla relay key rotate --name relay.example:7677 --offline keys/offline.key keys/online.pem")]
    Rotate(KeyRotate),
}

#[derive(Debug, Args)]
pub(crate) struct KeyNew {
    #[command(flatten)]
    pub(crate) online: Online,
    /// Folder to write to; made when it is missing
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) out: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct KeyRotate {
    #[command(flatten)]
    pub(crate) online: Online,
    /// The offline key: a file, -, @ENV:NAME or @FD:N
    #[arg(long, value_name = "SRC", value_hint = ValueHint::FilePath)]
    pub(crate) offline: Source,
    /// The online key to write; one that is there is replaced
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) file: PathBuf,
}

#[derive(Debug, Args)]
#[command(after_long_help = "\
A backup has who registered, who may push, and the tokens: everything but messages. A copy of the
store itself, put back, would bring back messages that were taken since.

Examples:
  bulla relay backup --store store -o relay.backup
  bulla relay restore --store new relay.backup")]
pub(crate) struct RelayBackup {
    #[command(flatten)]
    pub(crate) at: OperatorAt,
    #[command(flatten)]
    pub(crate) output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct RelayRestore {
    /// Where to put it: a store that no relay serves
    #[command(flatten)]
    pub(crate) at: StoreAt,
    /// What relay backup wrote; - or nothing for stdin
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) file: Option<PathBuf>,
}

// What an online key is for.
#[derive(Debug, Args)]
pub(crate) struct Online {
    /// Name that clients reach the relay by, with the port unless it is 443; may be given again
    #[arg(long, value_name = "HOST[:PORT]", required = true)]
    pub(crate) name: Vec<String>,
    /// How long the online key is good for
    #[arg(long, value_name = "TIME", default_value = "365d", value_parser = duration)]
    pub(crate) expires: std::time::Duration,
}
