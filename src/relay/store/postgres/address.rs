//! Where a cluster is, and how to reach it without telling its password to anybody.

use std::fmt;
use std::path::Path;
use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

use crate::files;
use crate::relay::store::Error;
use crate::relay::store::postgres::options::Options;
use crate::relay::store::postgres::tls::{self, Tls};

/// Longest file of passwords that is read, in bytes.
const PASSWORDS: u64 = 1 << 20;

/// The nodes of one cluster.
pub(super) struct Target {
    pub(super) nodes: Vec<Config>,
    pub(super) tls: Tls,
    place: String,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place)
    }
}

impl Target {
    /// Reads `postgres://user@host[:port][,host[:port]…]/database`.
    pub(super) fn parse(url: &str, options: &Options) -> Result<Self, Error> {
        // The parser's own words could hold a piece of the password.
        let config = url.strip_prefix("postgres").and_then(|_| Config::from_str(url).ok());
        let config = config.filter(|config| !config.get_hosts().is_empty());
        let config = config.ok_or_else(|| Error::Open {
            place: "postgres://…".into(),
            why: "it is no address of PostgreSQL \
                  (expected postgres://user@host[:port][,host[:port]]/database)"
                .into(),
        })?;
        let named = named(&config);
        let database = config.get_dbname().or(config.get_user()).unwrap_or("postgres");
        let hosts: Vec<String> = named.iter().map(|(host, port)| text(host, *port)).collect();
        let place = format!("postgres://{}/{database}", hosts.join(","));
        let open = |why: String| Error::Open { place: place.clone(), why };

        let user = config.get_user().unwrap_or("postgres");
        let passwords = match &options.passwords {
            Some(path) => Some(passwords(path).map_err(open)?),
            None => None,
        };
        let nodes = named.into_iter().map(|(host, port)| {
            let mut node = Config::new();
            node.user(user).dbname(database).port(port);
            node.application_name(config.get_application_name().unwrap_or("bulla"));
            // In the clear only to this machine, unless the address says so.
            let local = match &host {
                Host::Tcp(name) => {
                    node.host(name);
                    is_loopback(name)
                }
                Host::Unix(path) => {
                    node.host_path(path);
                    true
                }
            };
            let chosen = url.contains("sslmode=");
            let mode = if chosen || local { config.get_ssl_mode() } else { SslMode::Require };
            node.ssl_mode(mode).ssl_negotiation(config.get_ssl_negotiation());
            let found = || passwords.as_deref()?.lookup(&host, port, database, user);
            if let Some(password) = config.get_password() {
                node.password(password);
            } else if let Some(password) = options.password.as_ref() {
                node.password(password.as_bytes());
            } else if let Some(password) = found() {
                node.password(password.as_bytes());
            }
            // A node that has stopped without a word is noticed.
            node.connect_timeout(Duration::from_secs(2))
                .tcp_user_timeout(Duration::from_secs(10))
                .keepalives_idle(Duration::from_secs(10))
                .keepalives_interval(Duration::from_secs(5))
                .keepalives_retries(3);
            node
        });
        let nodes = nodes.collect();
        let tls = tls::connector(options.certificates.as_deref()).map_err(open)?;
        Ok(Self { nodes, tls, place })
    }
}

/// Hosts with their ports: one port holds for all, none is 5432.
fn named(config: &Config) -> Vec<(Host, u16)> {
    let ports = config.get_ports();
    let port = |n: usize| ports.get(n).or(ports.first()).copied().unwrap_or(5432);
    config.get_hosts().iter().enumerate().map(|(n, host)| (host.clone(), port(n))).collect()
}

fn text(host: &Host, port: u16) -> String {
    match host {
        Host::Tcp(name) => format!("{name}:{port}"),
        Host::Unix(path) => format!("{}:{port}", path.display()),
    }
}

fn is_loopback(name: &str) -> bool {
    name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// A file of passwords as PostgreSQL's own programs read it (its manual, section 34.16):
/// lines `host:port:database:user:password`, `*` for any, `\` before a colon or itself.
struct Passwords(zeroize::Zeroizing<String>);

fn passwords(path: &Path) -> Result<Arc<Passwords>, String> {
    let file = std::fs::File::open(path).map_err(|e| format!("{}: {e}", path.display()))?;
    if files::is_exposed(&file).map_err(|e| format!("{}: {e}", path.display()))? {
        return Err(format!("{} can be read by others (expected mode 0600)", path.display()));
    }
    let bytes = files::read_to_limit(file, PASSWORDS).map_err(|e| e.to_string())?;
    let text = String::from_utf8(bytes).map_err(|_| format!("{} is no text", path.display()))?;
    Ok(Arc::new(Passwords(text.into())))
}

impl Passwords {
    fn lookup(
        &self,
        host: &Host,
        port: u16,
        database: &str,
        user: &str,
    ) -> Option<zeroize::Zeroizing<String>> {
        let host = match host {
            Host::Tcp(name) => name.as_str(),
            Host::Unix(_) => "localhost",
        };
        let port = port.to_string();
        self.0.lines().filter(|line| !line.starts_with('#')).find_map(|line| {
            let mut rest = line;
            for expected in [host, &port, database, user] {
                let (field, more) = field(rest)?;
                if *field != *expected && *field != "*" {
                    return None;
                }
                rest = more;
            }
            // What follows is the password, colons and all.
            Some(field(rest).map_or_else(|| unescape(rest), |_| unescape(rest)))
        })
    }
}

/// Splits a line at its next bare colon.
fn field(line: &str) -> Option<(zeroize::Zeroizing<String>, &str)> {
    let mut escaped = false;
    for (at, c) in line.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            ':' => return Some((unescape(line.get(..at)?), line.get(at + 1..)?)),
            _ => {}
        }
    }
    None
}

fn unescape(text: &str) -> zeroize::Zeroizing<String> {
    let mut out = zeroize::Zeroizing::new(String::with_capacity(text.len()));
    let mut escaped = false;
    for c in text.chars() {
        if c == '\\' && !escaped {
            escaped = true;
        } else {
            out.push(c);
            escaped = false;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let options = Options::default();
        let url = "postgres://relay:s3cret@a.example,b.example:5433/mail";
        let target = Target::parse(url, &options).unwrap();
        assert_eq!(target.nodes.len(), 2);
        assert!(!target.to_string().contains("s3cret"), "{target}");
        assert!(target.nodes.iter().all(|node| node.get_ssl_mode() == SslMode::Require));
        let local = Target::parse("postgres://relay@127.0.0.1:1/mail", &options).unwrap();
        assert_eq!(local.nodes[0].get_ssl_mode(), SslMode::Prefer);
        let plain = Target::parse("postgres://a.example/mail?sslmode=disable", &options).unwrap();
        assert_eq!(plain.nodes[0].get_ssl_mode(), SslMode::Disable);
        for wrong in ["postgres://u:s3cret@h/d?s3cret=1", "mysql://h", "postgres://", "postgres:"] {
            let Err(error) = Target::parse(wrong, &options) else { panic!("{wrong}") };
            assert!(!error.to_string().contains("s3cret"), "{error}");
        }
    }

    #[test]
    fn passwords_of_a_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(
            file.path(),
            "# a comment\nb.example:*:*:*:wrong\na.example:5432:mail:re\\:lay:p\\\\a:ss\n*:*:*:*:any\n",
        )
        .unwrap();
        let passwords = passwords(file.path()).unwrap();
        let find = |host: &str, port, user| {
            passwords.lookup(&Host::Tcp(host.into()), port, "mail", user).unwrap().to_string()
        };
        assert_eq!(find("a.example", 5432, "re:lay"), "p\\a:ss");
        assert_eq!(find("a.example", 5433, "re:lay"), "any");
        assert_eq!(find("b.example", 1, "x"), "wrong");
    }
}
