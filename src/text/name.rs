//! Names of people: which characters they may have, and which of them look alike (UTS 39).

use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory as _};
use unicode_security::{MixedScript as _, skeleton};

use super::display::is_hidden;

/// Returns why a name cannot be told from another by looking at it, if so.
pub(crate) fn name_fault(name: &str) -> Option<&'static str> {
    let mut before = ' ';
    if name.trim() != name {
        return Some("it begins or ends with white space");
    }
    for c in name.chars() {
        let is_mark = c.general_category_group() == GeneralCategoryGroup::Mark;
        if is_hidden(c) {
            return Some("it has an invisible, control, format or unassigned character");
        } else if c.is_whitespace() && (c != ' ' || before == ' ') {
            return Some("it has white space other than single spaces");
        } else if is_mark && before == ' ' {
            return Some("it has a combining mark without a letter");
        }
        before = c;
    }
    None
}

/// Skeletons of a name, which names that look alike share (UTS 39, section 4).
#[derive(Debug, Clone)]
pub(crate) struct Likeness([String; 3]);

impl Likeness {
    /// Returns what `name` looks like.
    pub(crate) fn of(name: &str) -> Self {
        // Capital I looks like l, and small i does not: each case is compared for itself.
        let forms = [name.to_owned(), name.to_lowercase(), name.to_uppercase()];
        Self(forms.map(|form| skeleton(&form).collect()))
    }

    /// Returns whether two names can be mistaken for each other, or are one but for upper and lower case.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).any(|(one, other)| one == other)
    }
}

/// Returns whether the letters of a name are of several scripts that are not written together (UTS 39,
/// section 5.1).
pub fn mixes_scripts(name: &str) -> bool {
    !name.is_single_script()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_nothing_that_is_not_seen() {
        for name in [
            "ann",
            "Ann B.",
            "Zoë",
            "Zoe\u{308}",
            "Иван",
            "田中 太郎",
            "علی",
            "O'Neil",
            "ann-2",
            "ann 🌻",
        ] {
            assert_eq!(name_fault(name), None, "{name:?}");
        }
        for c in "\u{0}\u{7f}\u{9b}\u{ad}\u{34f}\u{61c}\u{115f}\u{180e}\u{200b}\u{200c}\u{200d}\u{200e}\u{2028}\
            \u{2029}\u{202e}\u{2060}\u{2066}\u{2800}\u{3164}\u{378}\u{e000}\u{fe0f}\u{feff}\u{e0041}\u{e0100}\u{10ffff}\
            \u{a0}\u{3000}\u{2003}\t\n".chars()
        {
            for name in [format!("a{c}b"), format!("{c}ab"), format!("ab{c}")] {
                assert!(name_fault(&name).is_some(), "{name:?}");
            }
        }
        for name in [" ann", "ann ", "ann  b", "\u{301}ann", "ann \u{301}b"] {
            assert!(name_fault(name).is_some(), "{name:?}");
        }
    }

    #[test]
    fn names_that_look_alike_are_known() {
        for (one, other) in [
            ("ann", "аnn"),
            ("ANN", "АNN"),
            ("Paul", "PauI"),
            ("paul", "pau1"),
            ("Zoë", "Zoe\u{308}"),
            ("modern", "modem"),
            ("ann", "Ann"),
            ("bob", "ЬoЬ"),
        ] {
            assert!(Likeness::of(one).is_like(&Likeness::of(other)), "{one} {other}");
        }
        for (one, other) in [("ann", "anna"), ("ann", "ann-2"), ("ann", "bob"), ("田中", "田口")]
        {
            assert!(!Likeness::of(one).is_like(&Likeness::of(other)), "{one} {other}");
        }
        for name in ["аnn", "Pаypal", "αnn"] {
            assert!(mixes_scripts(name), "{name}");
        }
        for name in ["ann", "Иван", "田中さん", "김철수 金", "ann-2 🌻", "علی"] {
            assert!(!mixes_scripts(name), "{name}");
        }
    }
}
