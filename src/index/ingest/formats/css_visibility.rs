//! Whether an element shows its text: `hidden`, and what its own style says.

use html5ever::tokenizer::Tag;

/// Bytes of a style that are read.
const STYLE: usize = 4 << 10;

/// How an element shows what is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Seen {
    /// Nothing of it, whatever is said within.
    none: bool,
    /// Not what does not say otherwise itself (`visibility`).
    invisible: bool,
    /// In letters without a size (`font-size:0`), until a size is given within.
    tiny: bool,
}

impl Seen {
    pub(crate) fn is_seen(self) -> bool {
        self == Self::default()
    }

    /// How an element within this one shows what is in it.
    pub(crate) fn within(mut self, tag: &Tag) -> Self {
        let has = |name: &str| tag.attrs.iter().any(|attribute| &*attribute.name.local == name);
        match &*tag.name {
            "template" | "datalist" | "rp" => self.none = true,
            "dialog" => self.none |= !has("open"),
            _ => {}
        }
        for attribute in &tag.attrs {
            match &*attribute.name.local {
                "hidden" => self.none = true,
                "style" => self.style(&attribute.value),
                _ => {}
            }
        }
        self
    }

    fn style(&mut self, style: &str) {
        for declaration in style.split(';').take(STYLE / 8) {
            let Some((property, value)) = declaration.split_once(':') else { continue };
            if value.len() > STYLE {
                continue;
            }
            let value = value.trim().to_ascii_lowercase();
            let value = value.split('!').next().unwrap_or_default().trim();
            let property = property.trim();
            let is = |name: &str| property.eq_ignore_ascii_case(name);
            if is("display") {
                self.none |= value == "none";
            } else if is("visibility") {
                match value {
                    "hidden" | "collapse" => self.invisible = true,
                    "visible" | "initial" => self.invisible = false,
                    _ => {}
                }
            } else if is("font-size") {
                self.size(value);
            } else if is("font")
                && let Some(size) = value.split([' ', '/']).find(|part| {
                    part.starts_with(|c: char| c.is_ascii_digit() || c == '.')
                        && (part.trim_end_matches(|c: char| c.is_ascii_alphabetic() || c == '%')
                            != *part
                            || *part == "0")
                })
            {
                self.size(size);
            }
        }
    }

    fn size(&mut self, value: &str) {
        let digits = value.trim_end_matches(|c: char| c.is_ascii_alphabetic() || c == '%');
        let unit = value.get(digits.len()..).unwrap_or_default();
        match digits.trim().parse::<f32>() {
            Ok(0.0) => self.tiny = true,
            // A part of nothing is nothing.
            Ok(_) if matches!(unit, "em" | "%" | "ex" | "ch") => {}
            Ok(_) => self.tiny = false,
            Err(_) if matches!(unit, "inherit" | "unset" | "larger" | "smaller" | "") => {}
            Err(_) => self.tiny = false,
        }
    }
}
