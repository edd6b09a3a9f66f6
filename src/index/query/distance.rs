//! How much two words differ.

/// Characters of each that are compared.
const COMPARED: usize = 64;

/// Whether two words differ in so many letters at the most; most words do in their length alone.
pub(crate) fn is_like(one: &str, other: &str, most: u8) -> bool {
    let most = usize::from(most);
    one.chars().count().abs_diff(other.chars().count()) <= most && distance(one, other) <= most
}

/// Letters to change, leave out, put in or swap with their neighbour to come from one to the other
/// (optimal string alignment: none of them twice), which is what the engine's automata count.
pub(super) fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().take(COMPARED).collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    let (mut before, mut next, mut last_c) = (Vec::new(), Vec::with_capacity(row.len()), None);
    for (at, c) in one.chars().take(COMPARED).enumerate() {
        let (mut left, mut last_d) = (at + 1, None);
        next.push(left);
        // What it took to come to the letters before the last two.
        let mut swapped = std::iter::once(None).chain(before.iter().map(Some));
        for (d, above) in other.iter().zip(row.windows(2)) {
            let &[corner, above] = above else { continue };
            let mut cost = (corner + usize::from(c != *d)).min(left + 1).min(above + 1);
            if let Some(swapped) = swapped.next().flatten()
                && (last_c, last_d) == (Some(*d), Some(c))
            {
                cost = cost.min(swapped + 1);
            }
            next.push(cost);
            (left, last_d) = (cost, Some(*d));
        }
        (before, row, next) = (row, next, before);
        next.clear();
        last_c = Some(c);
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use crate::index::query::distance::{distance, is_like};

    #[test]
    fn distances() {
        for (one, other, far) in [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("kitten", "sitting", 3),
            ("flaw", "lawn", 2),
            ("ab", "ba", 1),
            ("ca", "abc", 3),
            ("abcd", "badc", 2),
            ("invocie", "invoice", 1),
            ("recieved", "receive", 2),
            ("größe", "grösse", 2),
        ] {
            assert_eq!(distance(one, other), far, "{one} {other}");
            assert_eq!(distance(other, one), far);
            for most in 0..4 {
                assert_eq!(is_like(one, other, most), far <= most.into(), "{one} {other} {most}");
            }
        }
    }
}
