//! One verb, one file.

#[cfg(feature = "index")]
pub(crate) mod agent;
pub(crate) mod backup;
pub(crate) mod card;
pub(crate) mod contact;
pub(crate) mod generate;
#[cfg(feature = "index")]
pub(crate) mod index;
pub(crate) mod inspect;
pub(crate) mod invite;
pub(crate) mod keygen;
pub(crate) mod open;
pub(crate) mod pair;
mod pairings;
pub(crate) mod relay;
pub(crate) mod replace;
pub(crate) mod restore;
pub(crate) mod seal;
#[cfg(feature = "index")]
pub(crate) mod search;
#[cfg(feature = "index")]
pub(crate) mod show;
#[cfg(feature = "index")]
pub(crate) mod tag;
