//! A secret of fixed length: boxed, wiped when dropped, silent in `Debug`, compared in
//! constant time. There is no `Clone`, `Display` or `serde`: a secret is moved or lent.

use core::fmt;

use subtle::ConstantTimeEq as _;
use zeroize::{Zeroize as _, Zeroizing};

/// `N` secret bytes on the heap, so that moving the value leaves no copy behind.
pub struct Secret<const N: usize>(Box<[u8; N]>);

/// A string that is wiped when dropped: passphrases and printed identities.
pub type SecretString = Zeroizing<String>;

impl<const N: usize> Secret<N> {
    /// Fills a new secret in place.
    pub(crate) fn build<E>(fill: impl FnOnce(&mut [u8; N]) -> Result<(), E>) -> Result<Self, E> {
        let mut secret = Self(Box::new([0; N]));
        fill(&mut secret.0)?;
        Ok(secret)
    }

    /// Takes the bytes over and wipes the place they came from.
    pub fn take(from: &mut [u8; N]) -> Self {
        let secret = Self(Box::new(*from));
        from.zeroize();
        secret
    }

    /// A secret from a slice, or `None` when its length is not `N`.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        let mut secret = Self(Box::new([0; N]));
        (bytes.len() == N).then(|| secret.0.copy_from_slice(bytes))?;
        Some(secret)
    }

    /// Lends the bytes. The name is long so that every use is seen.
    pub fn expose(&self) -> &[u8; N] {
        &self.0
    }
}

impl<const N: usize> Drop for Secret<N> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl<const N: usize> fmt::Debug for Secret<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("..")
    }
}

impl<const N: usize> PartialEq for Secret<N> {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(other.0.as_ref()).into()
    }
}

impl<const N: usize> Eq for Secret<N> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing() {
        let secret = Secret::from_slice(&[0x41; 32]).unwrap() as Secret<32>;
        assert_eq!(format!("{secret:?}"), "..");
        assert_eq!(format!("{:?}", Some(&secret)), "Some(..)");
    }

    #[test]
    fn length_is_checked_and_source_is_wiped() {
        assert!(Secret::<4>::from_slice(&[1, 2, 3]).is_none());
        let mut source = [7u8; 4];
        let secret = Secret::take(&mut source);
        assert_eq!(source, [0; 4]);
        assert_eq!(secret.expose(), &[7; 4]);
        assert_eq!(secret, Secret::from_slice(&[7; 4]).unwrap());
        assert!(secret != Secret::from_slice(&[8; 4]).unwrap());
    }
}
