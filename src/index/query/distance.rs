//! How much two words differ.

/// Characters of each that are compared.
const COMPARED: usize = 64;

/// Letters to change, leave out, put in or swap with their neighbour to come from one to the other
/// (optimal string alignment: none of them twice), which is what the engine's automata count.
pub(in crate::index) fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().take(COMPARED).collect();
    let (mut before, mut row) = (Vec::new(), (0..=other.len()).collect::<Vec<usize>>());
    let mut last_c = None;
    for (at, c) in one.chars().take(COMPARED).enumerate() {
        let mut next = vec![at + 1];
        let (mut left, mut last_d) = (at + 1, None);
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
        (before, row, last_c) = (row, next, Some(c));
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
            ("ab", "ba", 1),
            ("ca", "abc", 3),
            ("abcd", "badc", 2),
            ("invocie", "invoice", 1),
            ("recieved", "receive", 2),
            ("größe", "grösse", 2),
        ] {
            assert_eq!(distance(one, other), far, "{one} {other}");
            assert_eq!(distance(other, one), far);
        }
    }
}
