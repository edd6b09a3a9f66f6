//! One verb, one file.

pub(crate) mod agent;
pub(crate) mod backup;
pub(crate) mod card;
pub(crate) mod contact;
pub(crate) mod generate;
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
pub(crate) mod search;
pub(crate) mod show;
pub(crate) mod tag;
