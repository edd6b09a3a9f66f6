//! Lines of JSON that do nothing to a terminal.

use bulla::text::is_hostile;
use serde_json::Value;

/// A value as one line, in which no character does anything to a terminal.
pub(crate) fn json_line(value: &Value) -> String {
    let mut line = String::new();
    for c in value.to_string().chars() {
        if is_hostile(c) {
            line.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            line.push(c);
        }
    }
    line
}
