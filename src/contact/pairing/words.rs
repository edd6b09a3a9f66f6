//! Words that two people speak: three of a list of 2,048, so one guess of 2^33 is right.

use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use strsim::osa_distance;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::contact::pairing::error::Error;
use crate::secret::{Secret, SecretString};
use crate::text::printable;

/// Words that are spoken.
pub(super) const WORDS: usize = 3;
/// Words in the list: a power of two, so that all are as likely.
const LIST: u16 = 2048;
/// Characters of a mistyped word that are looked at, and shown.
const SHOWN: usize = 24;

/// Short English words that are easy to say and to tell apart: none is another with one letter
/// changed, added, left out or swapped with the next, and no two sound alike, even where the line swallows whether a
/// consonant is hard or soft. In order.
static WORD_LIST: LazyLock<Vec<&'static str>> =
    LazyLock::new(|| include_str!("words.txt").lines().collect());

/// The words of one invite. `Debug` does not show them.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Words([u16; WORDS]);

impl Words {
    /// The words that random bytes mean, two for each.
    pub(super) fn from_random(random: &Secret<{ 2 * WORDS }>) -> Self {
        let (pairs, _) = random.expose().as_chunks::<2>();
        let mut words = [0; WORDS];
        for (word, pair) in words.iter_mut().zip(pairs) {
            *word = u16::from_be_bytes(*pair) % LIST;
        }
        Self(words)
    }

    /// The words as they are spoken, a blank between them.
    pub(crate) fn to_text(&self) -> SecretString {
        // As long as it can be, so that growing leaves no copy behind.
        let mut text = Zeroizing::new(String::with_capacity(WORDS * 16));
        for (at, word) in self.0.iter().enumerate() {
            if at > 0 {
                text.push(' ');
            }
            #[expect(clippy::expect_used, reason = "an empty word would be a password to guess")]
            text.push_str(
                WORD_LIST.get(usize::from(*word)).expect("a word has its place in the list"),
            );
        }
        text
    }
}

impl FromStr for Words {
    type Err = Error;

    /// Reads three words of the list, in any case, with anything between them that is no letter.
    ///
    /// # Errors
    ///
    /// [`Error::WordCount`], [`Error::Word`].
    fn from_str(text: &str) -> Result<Self, Error> {
        let typed = text.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty());
        let mut words = Self([0; WORDS]);
        let mut got = 0;
        for word in typed {
            let index = index(word)?;
            if let Some(slot) = words.0.get_mut(got) {
                *slot = index;
            }
            got += 1;
        }
        if got == WORDS { Ok(words) } else { Err(Error::WordCount { expected: WORDS, got }) }
    }
}

impl fmt::Debug for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Words(..)")
    }
}

/// The place of a word in the list.
fn index(typed: &str) -> Result<u16, Error> {
    let word = Zeroizing::new(typed.to_lowercase());
    match WORD_LIST.binary_search(&word.as_str()) {
        Ok(at) => Ok(at as u16),
        Err(_) => {
            let shown: String = word.chars().take(SHOWN).collect();
            let nearest = nearest(&shown);
            Err(Error::Word { got: printable(&shown), nearest })
        }
    }
}

/// The word of the list that takes the fewest changes, of several the first that begins the same.
fn nearest(word: &str) -> &'static str {
    let begins = |known: &str| known.chars().next() == word.chars().next();
    let far = |known: &&&str| (osa_distance(word, known), !begins(known));
    WORD_LIST.iter().min_by_key(far).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn the_list_is_whole_and_in_order() {
        let list = &*WORD_LIST;
        assert_eq!(list.len(), usize::from(LIST));
        assert!(list.windows(2).all(|two| two[0] < two[1]));
        for word in list {
            assert!((3..=9).contains(&word.len()), "{word}");
            assert!(word.bytes().all(|b| b.is_ascii_lowercase()), "{word}");
        }
    }

    /// How a word sounds, where the ear does not tell p from b, t from d, k from g, f from v or th,
    /// s from z, sh from ch or j, m from n, nor which of the bright or dark vowels it hears.
    fn sound(word: &str) -> String {
        let mut word = word.to_owned();
        let begins = [("kn", "n"), ("wr", "r"), ("gn", "n"), ("ps", "s"), ("wh", "w"), ("x", "s")];
        if let Some((from, to)) = begins.iter().find(|(from, _)| word.starts_with(from)) {
            word.replace_range(..from.len(), to);
        }
        if word.len() > 3 && word.ends_with('e') {
            word.insert(word.len(), '$');
        }
        for (from, to) in [
            ("tion", "Jn"),
            ("sion", "Jn"),
            ("tch", "J"),
            ("sch", "sk"),
            ("dge", "J"),
            ("ch", "J"),
            ("sh", "J"),
            ("ph", "f"),
            ("th", "f"),
            ("igh", "i"),
            ("gh", ""),
            ("ck", "k"),
            ("qu", "kw"),
            ("x", "ks"),
            ("ce", "se"),
            ("ci", "si"),
            ("cy", "sy"),
            ("ge", "Je"),
            ("gi", "Ji"),
            ("gy", "Jy"),
            ("e$", ""),
        ] {
            word = word.replace(from, to);
        }
        if word.ends_with("mb") {
            word.pop();
        }
        let class = |letter| match letter {
            'b' | 'p' => 'p',
            'd' | 't' => 't',
            'c' | 'g' | 'k' | 'q' => 'k',
            'f' | 'v' => 'f',
            's' | 'z' => 's',
            'j' | 'J' => 'j',
            'm' | 'n' => 'n',
            'e' | 'i' | 'y' => 'i',
            'o' | 'u' => 'o',
            other => other,
        };
        let mut heard = String::new();
        for letter in word.chars().map(class) {
            let vowel = |letter| matches!(letter, 'a' | 'i' | 'o');
            let last = heard.chars().last();
            if last != Some(letter) && !(vowel(letter) && last.is_some_and(vowel)) {
                heard.push(letter);
            }
        }
        heard
    }

    #[test]
    fn no_two_words_sound_alike() {
        assert_eq!(sound("knight"), sound("night"));
        assert_eq!(sound("bat"), sound("pad"));
        assert_ne!(sound("maple"), sound("table"));
        let mut heard = HashMap::new();
        for word in WORD_LIST.iter() {
            if let Some(other) = heard.insert(sound(word), word) {
                panic!("{word} sounds like {other}");
            }
        }
    }

    #[test]
    fn no_word_is_another_mistyped() {
        for (at, word) in WORD_LIST.iter().enumerate() {
            for other in &WORD_LIST[at + 1..] {
                let near = word.len().abs_diff(other.len()) < 2;
                assert!(!near || osa_distance(word, other) > 1, "{word} and {other}");
            }
        }
    }

    #[test]
    fn words_are_read_as_people_type_them() {
        let words = Words::from_random(&Secret::take(&mut [0xff, 0xff, 0, 0, 1, 2]));
        let text = words.to_text();
        assert_eq!(text.split(' ').count(), WORDS);
        let typed: Vec<_> = text.split(' ').collect();
        for typed in [
            text.to_string(),
            text.to_uppercase(),
            format!("  {}\n", typed.join("-")),
            format!("{}, {}, {}.", typed[0], typed[1], typed[2]),
            format!("{}\t{} / {}", typed[0], typed[1], typed[2]),
        ] {
            assert_eq!(typed.parse::<Words>().unwrap(), words, "{typed}");
        }
        assert_eq!(format!("{words:?}"), "Words(..)");
    }

    #[test]
    fn what_is_no_word_is_told_with_the_nearest_one() {
        let first = WORD_LIST[0];
        let parse = |text: &str| text.parse::<Words>().unwrap_err();
        for (text, count) in [("", 0), (" - ", 0), (first, 1), (&[first; 4].join(" "), 4)] {
            assert!(matches!(parse(text), Error::WordCount { got, .. } if got == count), "{text}");
        }
        for (typed, meant) in [("mapel", "maple"), ("BAMBO", "bamboo"), ("zigzagg", "zigzag")] {
            let Error::Word { got, nearest } = parse(&format!("{first} {typed} {first}")) else {
                panic!("{typed}")
            };
            assert_eq!((got, nearest), (typed.to_lowercase(), meant));
        }
        // However long it is, and whatever is in it.
        let Error::Word { got, .. } = parse(&"é".repeat(1 << 20)) else { panic!() };
        assert_eq!(got.chars().count(), SHOWN);
    }

    #[test]
    fn every_word_is_drawn() {
        let mut seen = vec![false; usize::from(LIST)];
        for number in 0..=u16::MAX {
            let [high, low] = number.to_be_bytes();
            let words = Words::from_random(&Secret::take(&mut [high, low, 0, 0, 0, 0]));
            seen[usize::from(words.0[0])] = true;
        }
        assert!(seen.iter().all(|seen| *seen));
    }
}
