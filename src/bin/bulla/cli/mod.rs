//! The command line, and nothing else: what can be typed. Man pages and completions are
//! rendered from here.

#[cfg(feature = "index")]
mod agent;
mod backup;
mod contact;
#[cfg(feature = "index")]
mod index;
mod keys;
mod letters;
#[cfg(feature = "serve")]
mod operator;
mod pair;
mod relay;
mod root;
#[cfg(feature = "serve")]
mod serve;
mod shared;
mod size;
#[cfg(feature = "serve")]
mod store;
#[cfg(feature = "index")]
mod tag;
pub(crate) mod time;

#[cfg(feature = "index")]
pub(crate) use self::agent::*;
pub(crate) use self::backup::*;
pub(crate) use self::contact::*;
#[cfg(feature = "index")]
pub(crate) use self::index::*;
pub(crate) use self::keys::*;
pub(crate) use self::letters::*;
#[cfg(feature = "serve")]
pub(crate) use self::operator::*;
pub(crate) use self::pair::*;
pub(crate) use self::relay::*;
pub(crate) use self::root::*;
#[cfg(feature = "serve")]
pub(crate) use self::serve::*;
pub(crate) use self::shared::*;
#[cfg(feature = "serve")]
pub(crate) use self::store::*;
#[cfg(feature = "index")]
pub(crate) use self::tag::*;
