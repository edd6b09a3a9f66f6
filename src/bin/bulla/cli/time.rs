//! Times as they are typed. Every option with a time is read here, so that none is longer than can be
//! added to a clock.

use std::time::{Duration, Instant};

use bulla::account::{Clock as _, SystemClock};

/// Longest time that can be asked for, in days: a hundred years.
const DAYS: u64 = 36_500;
/// The same in seconds.
pub(crate) const LONGEST: u64 = DAYS * 86_400;

/// Reads whole seconds, for `SECONDS`.
pub(super) fn seconds(least: u64) -> clap::builder::RangedU64ValueParser {
    clap::value_parser!(u64).range(least..=LONGEST)
}

/// Reads `90`, `90s`, `15m`, `12h`, `30d`, for `TIME`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let malformed = || "expected a number with s, m, h or d, such as 30d".to_owned();
    let split = text.len() - usize::from(text.ends_with(|c: char| c.is_ascii_alphabetic()));
    let (number, unit) = text.split_at(split);
    let factor = match unit {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return Err(malformed()),
    };
    if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(malformed());
    }
    let seconds = number.parse().ok().and_then(|number: u64| number.checked_mul(factor));
    let seconds = seconds.filter(|seconds| *seconds <= LONGEST);
    let seconds = seconds.ok_or_else(|| format!("expected at most {DAYS}d (a hundred years)"))?;
    Ok(Duration::from_secs(seconds))
}

/// Reads a time for which something can be had again: at most a week.
pub(super) fn keep(text: &str) -> Result<Duration, String> {
    let time = duration(text)?;
    if time <= KEEP { Ok(time) } else { Err("expected at most 7d".to_owned()) }
}

/// Longest time for which something can be had again.
const KEEP: Duration = Duration::from_secs(7 * 86_400);

/// When a time that begins now is over.
pub(crate) fn deadline(time: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(time.min(Duration::from_secs(LONGEST))).unwrap_or(now)
}

/// Seconds since 1970, UTC.
pub(crate) fn now() -> u64 {
    SystemClock.now()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;
    use clap::error::ErrorKind;

    use super::*;
    use crate::cli::Cli;

    #[test]
    fn times_with_units() {
        assert_eq!(duration("30d").unwrap().as_secs(), 30 * 86_400);
        assert_eq!(duration("90").unwrap().as_secs(), 90);
        for wrong in ["30x", "d", "é", "", "-1", "+1s", "1 d"] {
            assert!(duration(wrong).unwrap_err().contains("such as 30d"), "{wrong}");
        }
        assert_eq!(duration("36500d").unwrap().as_secs(), LONGEST);
        for long in ["36501d", "18446744073709551615", "99999999999999999999s", "1000000000000h"] {
            assert!(duration(long).unwrap_err().contains("36500d"), "{long}");
        }
        assert!(deadline(Duration::MAX) > Instant::now() + Duration::from_secs(3600));
    }

    /// Every option of the program that takes a time, with the words that lead to it.
    fn times(command: &clap::Command, words: &[String], found: &mut Vec<Vec<String>>) {
        let words = [words, &[command.get_name().to_owned()]].concat();
        for arg in command.get_arguments() {
            let named = arg.get_value_names().unwrap_or_default();
            if named.iter().any(|name| matches!(name.as_str(), "SECONDS" | "TIME")) {
                let long = arg.get_long().expect("an option");
                found.push([&words[..], &[format!("--{long}")]].concat());
            }
        }
        command.get_subcommands().for_each(|verb| times(verb, &words, found));
    }

    #[test]
    fn no_time_is_longer_than_a_clock_can_count() {
        let mut command = Cli::command();
        command.build();
        let mut found = Vec::new();
        times(&command, &[], &mut found);
        assert!(found.len() > 20, "{found:?}");
        for words in found {
            for long in ["18446744073709551615", "3153600001"] {
                let words = words.iter().map(String::as_str).chain([long]);
                let refused = Cli::command().try_get_matches_from(words.clone()).err();
                let kind = refused.map(|error| error.kind());
                let words: Vec<&str> = words.collect();
                assert_eq!(kind, Some(ErrorKind::ValueValidation), "{words:?}");
            }
        }
    }
}
