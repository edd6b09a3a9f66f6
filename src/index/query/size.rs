//! Sizes in queries, in bytes.

/// What is understood, for errors.
pub(super) const EXPECTED: &str = "a size as >1M, >=1M, <10k, 1M..5M, 1M.. or 4096";

/// The least and the most that a text allows.
pub(super) fn range(text: &str) -> Option<(Option<u64>, Option<u64>)> {
    if let Some((from, to)) = text.split_once("..") {
        let end = |text: &str| if text.is_empty() { Some(None) } else { bytes(text).map(Some) };
        let (from, to) = (end(from)?, end(to)?);
        return (from.is_some() || to.is_some()).then_some((from, to));
    }
    if let Some(least) = text.strip_prefix(">=") {
        return Some((Some(bytes(least)?), None));
    }
    if let Some(most) = text.strip_prefix("<=") {
        return Some((None, Some(bytes(most)?)));
    }
    if let Some(under) = text.strip_prefix('>') {
        return Some((Some(bytes(under)?.checked_add(1)?), None));
    }
    if let Some(over) = text.strip_prefix('<') {
        return Some((None, Some(bytes(over)?.checked_sub(1)?)));
    }
    let exact = bytes(text)?;
    Some((Some(exact), Some(exact)))
}

/// `4096`, `10k`, `1M`, `2G`: units of 1024.
fn bytes(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(digits)?;
    let shift = match unit {
        "" | "B" => 0,
        "k" | "K" => 10,
        "M" => 20,
        "G" => 30,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(1 << shift)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form() {
        let m = 1 << 20;
        for (text, want) in [
            (">1M", (Some(m + 1), None)),
            (">=1M", (Some(m), None)),
            ("<10k", (None, Some(10_239))),
            ("<=10K", (None, Some(10_240))),
            ("1M..5M", (Some(m), Some(5 * m))),
            ("1G..", (Some(1024 * m), None)),
            ("..1B", (None, Some(1))),
            ("0", (Some(0), Some(0))),
        ] {
            assert_eq!(range(text), Some(want), "{text}");
        }
        for bad in
            ["", "..", ">", "<0", "1T", "-1", "M", "1 M", "99999999999999999999", "9999999999999G"]
        {
            assert_eq!(range(bad), None, "{bad}");
        }
    }
}
