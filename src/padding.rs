//! Padmé: lengths rounded up so that they tell little, at a cost of at most 12 %.
//!
//! Nikitin, Barman, Lueks, Underwood, Hubaux, Ford: "Reducing Metadata Leakage from Encrypted
//! Files and Communication with PURBs" (PoPETs 2019), section 4.

/// The Padmé length of `length` bytes: at least `length`, at most 12 % more.
///
/// A length is written as a floating-point number whose mantissa has no more bits than its
/// exponent; `O(log log length)` bits are told instead of `O(log length)`.
pub(crate) fn padme(length: u64) -> u64 {
    if length < 2 {
        return length;
    }
    let exponent = length.ilog2();
    let mantissa = exponent.ilog2() + 1;
    let low_bits = exponent.saturating_sub(mantissa);
    let mask = (1u64 << low_bits) - 1;
    length.checked_add(mask).map_or(length, |sum| sum & !mask)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn values_of_the_paper() {
        assert_eq!(padme(0), 0);
        assert_eq!(padme(1), 1);
        assert_eq!(padme(9), 10);
        assert_eq!(padme(1000), 1024);
        assert_eq!(padme(1_000_000), 1_015_808);
        assert_eq!(padme(u64::MAX), u64::MAX);
    }

    proptest! {
        #[test]
        fn at_least_the_length_and_twelve_percent_more(length in 0u64..1 << 50) {
            let padded = padme(length);
            prop_assert!(padded >= length);
            prop_assert!(padded - length <= length * 12 / 100 + 1);
            prop_assert_eq!(padme(padded), padded);
        }
    }
}
