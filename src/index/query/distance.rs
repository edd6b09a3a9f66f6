//! How much two words differ.

/// Characters of each that are compared.
const COMPARED: usize = 64;

/// Letters to change, leave out or put in to come from one to the other (Levenshtein).
pub(in crate::index) fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().take(COMPARED).collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (at, c) in one.chars().take(COMPARED).enumerate() {
        let (mut corner, mut left) = (at, at + 1);
        for (above, d) in row.iter_mut().skip(1).zip(&other) {
            let cost = (corner + usize::from(c != *d)).min(left + 1).min(*above + 1);
            corner = std::mem::replace(above, cost);
            left = cost;
        }
        if let Some(first) = row.first_mut() {
            *first = at + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::distance;

    #[test]
    fn distances() {
        for (one, other, far) in [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("kitten", "sitting", 3),
            ("flaw", "lawn", 2),
            ("ab", "ba", 2),
            ("größe", "grösse", 2),
        ] {
            assert_eq!(distance(one, other), far, "{one} {other}");
            assert_eq!(distance(other, one), far);
        }
    }
}
