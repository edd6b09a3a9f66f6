//! Files that are complete or absent: written beside their place, synced, renamed.
//!
//! A secret key is not lost by that: [`Existing::Replace`] keeps it under another name.

mod atomic;
pub(crate) mod disk;
mod folder;
mod kept;
pub(crate) mod local;
pub(crate) mod lock;
mod naming;
mod plain;
#[cfg(test)]
pub(crate) mod sim;
mod temporary;

pub use atomic::{AtomicFile, replace_private};
pub use disk::{Access, Existing};
#[cfg(feature = "serve")]
pub(crate) use folder::create_state_folder;
#[cfg(feature = "index")]
pub(crate) use folder::restrict_folder;
pub use folder::{create_private_folder, sync_folder};
pub use kept::holds_key;
pub use lock::Lock;
pub use plain::{create_private_mark, is_exposed, read_bounded, read_to_limit, same_file};
