//! Where a relay is, and by which proxy it is reached.

use std::net::IpAddr;

use ureq::Proxy;
use ureq::http::Uri;

use crate::relay::client::error::Error;
use crate::relay::protocol::pin::Pin;
use crate::text;

/// A relay's address in its one normal form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    /// `http` or `https`.
    pub(super) scheme: &'static str,
    /// Lower-case host, and port unless it is the scheme's own: what is signed.
    pub(super) authority: String,
    /// Host without brackets.
    pub(super) host: String,
    /// The offline key the relay's certificate must come from, in place of an authority's.
    pub(super) pin: Option<Pin>,
}

impl Address {
    pub(super) fn parse(url: &str) -> Result<Self, Error> {
        let wrong = |why| Error::Url { url: text::printable(url), why };
        let (plain, fragment) = url.split_once('#').map_or((url, None), |(u, f)| (u, Some(f)));
        let uri: Uri = plain.parse().map_err(|_| wrong("it is not a URL"))?;
        let pin = fragment
            .map(|pin| pin.parse().map_err(|_| wrong("what follows # is no key: sha256-…")))
            .transpose()?;
        let (scheme, own_port) = match uri.scheme_str() {
            // A pin that the scheme does not announce would be dropped by others: no mixed forms.
            Some("http" | "https") if pin.is_some() => {
                return Err(wrong("a relay with a key in its address begins with relay+https"));
            }
            Some("relay+https") if pin.is_none() => return Err(wrong("its key is missing")),
            Some("http") => ("http", 80),
            Some("https" | "relay+https") => ("https", 443),
            Some(_) => return Err(wrong("its scheme is none of https, relay+https and http")),
            None => return Err(wrong("it has no scheme")),
        };
        let authority = uri.authority().ok_or_else(|| wrong("it has no host"))?;
        if authority.as_str().contains('@') {
            return Err(wrong("it has a user name"));
        }
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err(wrong("something follows the host"));
        }
        let host = authority.host().to_ascii_lowercase();
        let rest = authority.as_str().get(authority.host().len()..).unwrap_or_default();
        let port = match rest.strip_prefix(':') {
            None => own_port,
            Some(port) => port.parse::<u16>().map_err(|_| wrong("its port is not a number"))?,
        };
        if host.is_empty() || port == 0 {
            return Err(wrong("its host or port is empty"));
        }
        let authority = if port == own_port { host.clone() } else { format!("{host}:{port}") };
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        Ok(Self { scheme, authority, host, pin })
    }

    /// The address as it is handed on, with its key.
    pub(super) fn url(&self) -> String {
        match self.pin {
            None => self.base(),
            Some(pin) => format!("relay+https://{}#{pin}", self.authority),
        }
    }

    /// What the paths of requests are put behind.
    pub(super) fn base(&self) -> String {
        format!("{}://{}", self.scheme, self.authority)
    }

    /// The proxy the environment names for this address: `HTTPS_PROXY` or `HTTP_PROXY` by the
    /// scheme, else `ALL_PROXY`, unless `NO_PROXY` or a loopback host says otherwise. The proxy
    /// resolves the relay's name, also where its URL says `socks5`, which by custom would
    /// resolve it here.
    ///
    /// With a `circuit`, a word that nothing else has, the proxy is a SOCKS proxy that gets it
    /// as user name: Tor gives each user a circuit of his own (`IsolateSOCKSAuth`, its default).
    pub(super) fn proxy(
        &self,
        circuit: Option<&str>,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Proxy>, Error> {
        let read = |name: &str| {
            [name.to_owned(), name.to_ascii_lowercase()].into_iter().find_map(|name| {
                variable(&name).filter(|value| !value.is_empty()).map(|value| (name, value))
            })
        };
        let own = if self.scheme == "https" { "HTTPS_PROXY" } else { "HTTP_PROXY" };
        let chosen = read(own).or_else(|| read("ALL_PROXY"));
        let skip = self.is_loopback()
            || read("NO_PROXY").is_some_and(|(_, list)| is_listed(&self.host, &list));
        let Some((name, value)) = chosen.filter(|_| !skip) else {
            let why = if self.host.ends_with(".onion") {
                "an onion address is reached by a proxy: set ALL_PROXY=socks5h://…"
            } else if circuit.is_some() {
                "circuits of their own take a proxy: set ALL_PROXY=socks5h://…"
            } else {
                return Ok(None);
            };
            return Err(Error::Url { url: self.authority.clone(), why });
        };
        let wrong = |why| Error::Proxy { variable: name.clone(), why };
        let (scheme, rest) = value.split_once("://").unwrap_or(("http", &value));
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "http" => "http",
            "https" => "https",
            "socks5h" | "socks5" | "socks" => "socks5h",
            "socks4a" => "socks4a",
            "socks4" => return Err(wrong("socks4 cannot resolve names: use socks5h")),
            _ => return Err(wrong("expected http, https, socks5h or socks4a")),
        };
        let user = match circuit {
            None => String::new(),
            Some(_) if scheme != "socks5h" => return Err(wrong("only socks5h keeps users apart")),
            Some(_) if rest.contains('@') => {
                return Err(wrong("it names a user, and each mailbox has to be one"));
            }
            // Tor takes any password, but an empty one is not a password (RFC 1929).
            Some(circuit) => format!("{circuit}:0@"),
        };
        let proxy = Proxy::new(&format!("{scheme}://{user}{rest}"))
            .map_err(|_| wrong("it is not a URL of a proxy"))?;
        if proxy.resolve_target() {
            return Err(wrong("it would resolve names outside the proxy"));
        }
        Ok(Some(proxy))
    }

    /// Whether the host is an IP address and no name.
    pub(super) fn is_numeric(&self) -> bool {
        self.host.parse::<IpAddr>().is_ok()
    }

    fn is_loopback(&self) -> bool {
        self.host == "localhost"
            || self.host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

/// `NO_PROXY`: names with their subdomains, separated by commas, or `*`.
fn is_listed(host: &str, list: &str) -> bool {
    list.split(',').map(str::trim).filter(|entry| !entry.is_empty()).any(|entry| {
        let name = entry.trim_start_matches('*').trim_start_matches('.').to_ascii_lowercase();
        entry == "*" || host == name || host.strip_suffix(&name).is_some_and(|h| h.ends_with('.'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(url: &str) -> Address {
        Address::parse(url).unwrap()
    }

    #[test]
    fn one_normal_form() {
        assert_eq!(address("https://Relay.Example").authority, "relay.example");
        assert_eq!(address("https://relay.example:443/").authority, "relay.example");
        assert_eq!(address("http://relay.example:443").authority, "relay.example:443");
        assert_eq!(address("http://127.0.0.1:80").authority, "127.0.0.1");
        let six = address("http://[::1]:8080");
        assert_eq!((six.authority.as_str(), six.host.as_str()), ("[::1]:8080", "::1"));
    }

    #[test]
    fn a_pinned_address_keeps_its_key() {
        let pin = Pin([7; 32]);
        let url = format!("relay+https://Relay.example:443#{pin}");
        let relay = address(&url);
        assert_eq!((relay.pin, relay.base().as_str()), (Some(pin), "https://relay.example"));
        assert_eq!(relay.url(), format!("relay+https://relay.example#{pin}"));
        assert_eq!(address(&relay.url()), relay);
    }

    #[test]
    fn other_addresses_are_refused() {
        for url in [
            "",
            "relay.example",
            "relay.example:80",
            "ftp://relay.example",
            "https://",
            "https://me@relay.example",
            "https://me:secret@relay.example",
            "https://relay.example/path",
            "https://relay.example/?q",
            "https://relay.example/#f",
            "https://relay.example#sha256-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            "http://relay.example#sha256-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            "relay+https://relay.example",
            "relay+https://relay.example#",
            "relay+https://relay.example#sha256-AAAA",
            "relay+https://relay.example#AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            "relay+https://relay.example/?q#sha256-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            "relay+http://relay.example#sha256-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            "https://relay.example:0",
            "https://relay.example:99999",
            "https://relay.example:",
        ] {
            let error = Address::parse(url).unwrap_err();
            assert!(error.to_string().contains("https://host[:port]"), "{url}: {error}");
        }
    }

    #[test]
    fn proxies_resolve_names_themselves() {
        let set = |pairs: &'static [(&str, &str)]| {
            move |name: &str| {
                pairs.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned())
            }
        };
        let relay = address("https://relay.example");
        let proxy = |pairs| relay.proxy(None, set(pairs));
        assert!(proxy(&[]).unwrap().is_none());
        for url in ["socks5h://127.0.0.1:9050", "socks5://127.0.0.1:9050", "http://p:3128", "p:1"] {
            let pairs: &'static [(&str, &str)] = Box::leak(Box::new([("ALL_PROXY", url)]));
            let proxy = proxy(pairs).unwrap().unwrap();
            assert!(!proxy.resolve_target(), "{url}");
        }
        let one = proxy(&[("ALL_PROXY", "http://a:1"), ("https_proxy", "http://b:2")]);
        assert_eq!(one.unwrap().unwrap().host(), "b");
        assert_eq!(proxy(&[("HTTP_PROXY", "http://a:1")]).unwrap(), None);
        assert_eq!(
            proxy(&[("ALL_PROXY", "http://a:1"), ("NO_PROXY", "x, .example")]).unwrap(),
            None
        );
        assert!(
            proxy(&[("ALL_PROXY", "http://a:1"), ("NO_PROXY", "ay.example")]).unwrap().is_some()
        );
        // A proxy that cannot be followed is never gone around.
        for url in ["socks4://p:1", "gopher://p:1", "socks5h://"] {
            let pairs: &'static [(&str, &str)] = Box::leak(Box::new([("ALL_PROXY", url)]));
            assert!(matches!(proxy(pairs), Err(Error::Proxy { .. })), "{url}");
        }
        let local = address("http://127.0.0.1:8080");
        assert_eq!(local.proxy(None, set(&[("ALL_PROXY", "http://a:1")])).unwrap(), None);
        assert!(address("http://abc.onion").proxy(None, set(&[])).is_err());
    }

    #[test]
    fn a_circuit_of_its_own_takes_a_socks_proxy() {
        let relay = address("https://relay.example");
        let proxy = |url: Option<&str>| relay.proxy(Some("word"), |_| url.map(str::to_owned));
        let one = proxy(Some("socks5h://127.0.0.1:9050")).unwrap().unwrap();
        assert_eq!((one.username(), one.password()), (Some("word"), Some("0")));
        for url in [None, Some("http://p:1"), Some("socks4a://p:1"), Some("socks5h://me:x@p:1")] {
            assert!(proxy(url).is_err(), "{url:?}");
        }
        // Not even where NO_PROXY or a loopback host would go without.
        let set = |name: &str| Some(if name == "NO_PROXY" { "*" } else { "socks5h://p:1" }.into());
        assert!(relay.proxy(Some("word"), set).is_err());
        let local = address("http://127.0.0.1:1");
        assert!(local.proxy(Some("word"), |_| Some("socks5h://p:1".into())).is_err());
    }
}
