//! The command line, and nothing else: what can be typed. Man pages and completions are
//! rendered from here.

mod agent;
mod backup;
mod contact;
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
mod tag;
pub(crate) mod time;

pub(crate) use self::agent::*;
pub(crate) use self::backup::*;
pub(crate) use self::contact::*;
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
pub(crate) use self::tag::*;
