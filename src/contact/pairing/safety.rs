//! Digits that two people compare at any time after they met, over what stays the same.

use std::fmt;
use std::str::FromStr;

use crate::contact::pairing::error::Error;
use crate::crypto::{self, label};
use crate::identity::Fingerprint;
use crate::secret::Secret;

/// Groups of five digits.
const GROUPS: usize = 12;
/// Digits in all.
const DIGITS: usize = 5 * GROUPS;
/// Bytes that each group is made of: no value of five digits is likelier than another by more than
/// one in ten million.
const BYTES: usize = 5;

/// Sixty digits over two fingerprints and the pairing between them, the same on both sides.
#[derive(Debug, Clone, Copy)]
pub struct SafetyNumber([u8; DIGITS]);

impl SafetyNumber {
    /// Computes the digits of two identities, in any order. `pairwise` is the secret of their last
    /// pairing, which stands for its transcript; `None` for a card that came by hand.
    pub(crate) fn of(
        one: &Fingerprint,
        other: &Fingerprint,
        pairwise: Option<&Secret<32>>,
    ) -> Self {
        let mut both = [one.to_bytes(), other.to_bytes()];
        both.sort_unstable();
        let salt = crypto::sha256(&[label::CONTACT_FINGERPRINTS, &both[0], &both[1]]);
        let expanded: Secret<{ GROUPS * BYTES }> = match pairwise {
            Some(secret) => crypto::hkdf(secret.expose(), &salt, label::CONTACT_DIGITS_PAIRED),
            None => crypto::hkdf(&[], &salt, label::CONTACT_DIGITS_CARD),
        };
        let mut digits = [0; DIGITS];
        let (groups, _) = expanded.expose().as_chunks::<BYTES>();
        let (places, _) = digits.as_chunks_mut::<5>();
        for (group, places) in groups.iter().zip(places) {
            let mut number = group.iter().fold(0u64, |sum, byte| sum << 8 | u64::from(*byte));
            for place in places.iter_mut().rev() {
                *place = b'0' + (number % 10) as u8;
                number /= 10;
            }
        }
        Self(digits)
    }
}

impl PartialEq for SafetyNumber {
    /// Compares in constant time.
    fn eq(&self, other: &Self) -> bool {
        crypto::equal(&self.0, &other.0)
    }
}

impl Eq for SafetyNumber {}

impl FromStr for SafetyNumber {
    type Err = Error;

    /// Reads sixty digits, with white space anywhere.
    fn from_str(text: &str) -> Result<Self, Error> {
        let mut digits = [0; DIGITS];
        let mut got = 0;
        for byte in text.bytes().filter(|byte| !byte.is_ascii_whitespace()) {
            match digits.get_mut(got) {
                Some(place) if byte.is_ascii_digit() => *place = byte,
                _ => return Err(Error::SafetyNumber),
            }
            got += 1;
        }
        if got == DIGITS { Ok(Self(digits)) } else { Err(Error::SafetyNumber) }
    }
}

impl fmt::Display for SafetyNumber {
    /// Writes three lines of four groups of five digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (groups, _) = self.0.as_chunks::<5>();
        for (at, group) in groups.iter().enumerate() {
            let before = match at {
                0 => "",
                _ if at % 4 == 0 => "\n",
                _ => " ",
            };
            write!(f, "{before}{}", String::from_utf8_lossy(group))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(one: u8, other: u8, pairwise: Option<u8>) -> SafetyNumber {
        let secret = pairwise.map(|byte| Secret::take(&mut [byte; 32]));
        let of = |byte| Fingerprint::from_bytes([byte; 32]);
        SafetyNumber::of(&of(one), &of(other), secret.as_ref())
    }

    #[test]
    fn both_sides_show_the_same_and_no_one_else_does() {
        let ours = number(1, 2, Some(3));
        assert_eq!(ours, number(2, 1, Some(3)));
        let others =
            [number(1, 2, None), number(1, 2, Some(4)), number(1, 3, Some(3)), number(2, 2, None)];
        for other in others {
            assert_ne!(ours, other);
        }
        assert_eq!(number(1, 2, None), number(2, 1, None));
    }

    /// Golden digits: another program must come to the same.
    #[test]
    fn digits_are_as_documented() {
        let shown = number(1, 2, Some(3)).to_string();
        assert_eq!(shown.lines().count(), 3);
        for line in shown.lines() {
            assert_eq!(line.split(' ').map(str::len).collect::<Vec<_>>(), [5; 4]);
        }
        assert_eq!(
            shown,
            "00604 87996 27829 19147\n08534 74017 57563 27197\n95651 83730 13253 09941"
        );
        assert_eq!(
            number(1, 2, None).to_string(),
            "97253 91847 79269 39796\n68996 05329 46524 86997\n40789 28241 51592 53589"
        );
    }

    #[test]
    fn digits_are_read_with_any_blanks() {
        let ours = number(1, 2, Some(3));
        let shown = ours.to_string();
        for typed in [shown.clone(), shown.replace([' ', '\n'], ""), format!("\t{shown}\r\n")] {
            assert_eq!(typed.parse::<SafetyNumber>().unwrap(), ours, "{typed:?}");
        }
        let digits = shown.replace([' ', '\n'], "");
        for wrong in ["", "12345", &digits[1..], &format!("{digits}0"), &digits.replace('1', "x")] {
            assert!(matches!(wrong.parse::<SafetyNumber>(), Err(Error::SafetyNumber)), "{wrong}");
        }
        assert_ne!(ours, "0".repeat(60).parse().unwrap());
    }
}
