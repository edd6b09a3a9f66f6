//! Server side of a relay: HTTP/1.1 and HTTP/2 on one listener, under TLS or in the clear.
//!
//! It prints nothing and logs nothing: no addresses, no mailboxes. The operator asks
//! [`Server::address`] where it listens and [`Server::run`] why it ended.
//!
//! | module | its question |
//! |---|---|
//! | `http` | how do connections, requests and answers work |
//! | `owner` `events` | what may the owner of a mailbox ask |
//! | `sender` | what may a sender push |
//! | `guard` `limits` | whose request is this, and is it one too many |
//! | [`tls`] | which certificate does the relay show |
//! | [`admin`] | what may the operator ask |
//! | [`Background`] | how does a test of a client run a relay |

pub mod admin;
mod app;
mod background;
mod config;
mod events;
mod guard;
mod http;
mod limits;
mod owner;
mod sender;
mod serve;
#[cfg(test)]
mod tests;
pub mod tls;

pub use self::background::Background;
pub use self::config::Config;
pub use self::serve::{Error, Server};
