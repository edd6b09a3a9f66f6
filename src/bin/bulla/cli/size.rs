//! Sizes as they are typed.

/// `1000`, `64K`, `64M`, `1G`, in steps of 1,024.
pub(super) fn size(text: &str) -> Result<u64, String> {
    let split = text.len() - usize::from(text.ends_with(|c: char| c.is_ascii_alphabetic()));
    let (number, unit) = text.split_at(split);
    let shift = match unit {
        "" => 0,
        "K" | "k" => 10,
        "M" | "m" => 20,
        "G" | "g" => 30,
        "T" | "t" => 40,
        _ => return Err("expected a number with K, M, G or T, such as 64M".into()),
    };
    number
        .parse::<u64>()
        .ok()
        .and_then(|n| n.checked_mul(1 << shift))
        .ok_or_else(|| "expected a number with K, M, G or T, such as 64M".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_with_units() {
        assert_eq!(size("64M").unwrap(), 64 << 20);
        assert!(size("1X").is_err() && size("99999999999T").is_err());
    }
}
