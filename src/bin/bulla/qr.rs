//! A QR code in the terminal.

use anyhow::{Context as _, Result};
use qrcodegen::{QrCode, QrCodeEcc};

/// Light modules around a code (ISO/IEC 18004, section 9.1).
const QUIET: i32 = 4;

/// Draws a text, two modules a character: dark is the terminal's background made black, light is
/// white, whatever the terminal's colours are.
pub(crate) fn draw(text: &str) -> Result<String> {
    let code = QrCode::encode_text(text, QrCodeEcc::Low).ok().context("too long for a QR code")?;
    let mut drawn = String::new();
    for y in (-QUIET..code.size() + QUIET).step_by(2) {
        drawn.push_str("\x1b[97;40m");
        for x in -QUIET..code.size() + QUIET {
            // Beyond its edge every module is light; get_module says that of any place there.
            drawn.push(match (code.get_module(x, y), code.get_module(x, y + 1)) {
                (false, false) => '█',
                (false, true) => '▀',
                (true, false) => '▄',
                (true, true) => ' ',
            });
        }
        drawn.push_str("\x1b[0m\n");
    }
    Ok(drawn)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_module_is_drawn() {
        let text = "BULLA-INVITE-1QQQSYQCYQ5RQWZQFPG9SCRGWPUGPZYSNZS23V9CCRYDPK8QARC0S";
        let code = QrCode::encode_text(text, QrCodeEcc::Low).unwrap();
        let drawn = draw(text).unwrap();
        let rows: Vec<Vec<char>> = drawn
            .lines()
            .map(|line| line.strip_prefix("\x1b[97;40m").unwrap())
            .map(|line| line.strip_suffix("\x1b[0m").unwrap().chars().collect())
            .collect();
        let side = code.size() + 2 * QUIET;
        assert_eq!(rows.len() as i32, (side + 1) / 2);
        for (y, row) in rows.iter().enumerate() {
            assert_eq!(row.len() as i32, side);
            for (x, drawn) in row.iter().enumerate() {
                let (x, y) = (x as i32 - QUIET, 2 * y as i32 - QUIET);
                let light = [' ', '▄', '▀', '█'].iter().position(|c| c == drawn).unwrap();
                assert_eq!(light & 2 == 0, code.get_module(x, y), "{x} {y}");
                assert_eq!(light & 1 == 0, code.get_module(x, y + 1), "{x} {y}");
            }
        }
    }
}
