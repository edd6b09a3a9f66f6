//! Dates in queries: absolute and relative, in UTC.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, ToSpan as _};

/// What is understood, for errors.
pub(super) const EXPECTED: &str =
    "a date as 2026, 2026-03, 2026-03-14, 2026-03-14T15:09Z, today, yesterday, 3d, 2w, 6m or 1y";

/// The first second of what a text names, and the first one behind it; `None` where it has no
/// end, as of `2w`: two weeks ago and since.
pub(super) fn span(text: &str, now: i64) -> Option<(i64, Option<i64>)> {
    let now = Timestamp::from_second(now).ok()?.to_zoned(TimeZone::UTC).datetime();
    match text {
        "today" => return days(now.date(), 1.day()),
        "yesterday" => return days(now.date().yesterday().ok()?, 1.day()),
        _ => {}
    }
    if let Some(span) = ago(text) {
        return Some((second(now.checked_sub(span).ok()?)?, None));
    }
    match text.split_once('T') {
        None => day_or_more(text),
        Some((date, time)) => moment(date, time),
    }
}

/// From when and until when: a date, or two with `..` between, of which one may lack. Fails at the
/// byte where something else stands.
pub(super) fn range(text: &str, now: i64) -> Result<(Option<i64>, Option<i64>), usize> {
    let Some((from, to)) = text.split_once("..") else {
        let (from, to) = span(text, now).ok_or(0usize)?;
        return Ok((Some(from), to));
    };
    if from.is_empty() && to.is_empty() {
        return Err(0);
    }
    let begin = match from {
        "" => None,
        from => Some(span(from, now).ok_or(0usize)?.0),
    };
    let end = match to {
        "" => None,
        // Of what has no end, as 2w, the moment itself is the end.
        to => span(to, now).map(|(at, end)| Some(end.unwrap_or(at))).ok_or(from.len() + 2)?,
    };
    Ok((begin, end))
}

/// `3d`: how long.
fn ago(text: &str) -> Option<Span> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at_checked(digits)?;
    let number: i64 = number.parse().ok()?;
    let span = Span::new();
    match unit {
        "h" => span.try_hours(number),
        "d" => span.try_days(number),
        "w" => span.try_weeks(number),
        "m" => span.try_months(number),
        "y" => span.try_years(number),
        _ => return None,
    }
    .ok()
}

/// `2026`, `2026-03`, `2026-03-14`.
fn day_or_more(text: &str) -> Option<(i64, Option<i64>)> {
    let parts: Vec<&str> = text.split('-').collect();
    match parts.as_slice() {
        [year] => days(date(year, "01", "01")?, 1.year()),
        [year, month] => days(date(year, month, "01")?, 1.month()),
        [year, month, day] => days(date(year, month, day)?, 1.day()),
        _ => None,
    }
}

fn date(year: &str, month: &str, day: &str) -> Option<Date> {
    Date::new(number(year, 4)?, number(month, 2)?, number(day, 2)?).ok()
}

/// `15:09Z`, `15:09:26Z` of a day; the Z may be left out, or be another place's time: `+02:00`.
fn moment(day: &str, text: &str) -> Option<(i64, Option<i64>)> {
    let (date, _) = day_or_more(day).filter(|_| day.matches('-').count() == 2)?;
    let (time, ahead) = match text.split_once(['+', '-']) {
        Some((time, offset)) => {
            let (hours, minutes) = offset.split_once(':')?;
            let [hours, minutes]: [i64; 2] = [number(hours, 2)?, number(minutes, 2)?];
            if hours > 23 || minutes > 59 {
                return None;
            }
            let ahead = 3600 * hours + 60 * minutes;
            (time, if text.contains('+') { ahead } else { -ahead })
        }
        None => (text.strip_suffix('Z').unwrap_or(text), 0),
    };
    let parts: Vec<&str> = time.split(':').collect();
    let (hour, minute, second, length) = match parts.as_slice() {
        [hour, minute] => (hour, minute, &"00", 60),
        [hour, minute, second] => (hour, minute, second, 1),
        _ => return None,
    };
    let [hour, minute, second]: [i64; 3] =
        [number(hour, 2)?, number(minute, 2)?, number(second, 2)?];
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let from = date + 3600 * hour + 60 * minute + second - ahead;
    Some((from, Some(from + length)))
}

fn number<T: std::str::FromStr>(text: &str, digits: usize) -> Option<T> {
    let fits = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
    if fits { text.parse().ok() } else { None }
}

/// From the beginning of a day, so long.
fn days(first: Date, length: Span) -> Option<(i64, Option<i64>)> {
    let end = first.checked_add(length).ok().and_then(|end| second(end.into()));
    Some((second(first.into())?, end))
}

fn second(at: DateTime) -> Option<i64> {
    Some(at.to_zoned(TimeZone::UTC).ok()?.timestamp().as_second())
}

/// A second as [`span`] reads it.
pub(super) fn print(second: i64) -> String {
    match Timestamp::from_second(second) {
        Ok(at) => at.to_string(),
        Err(_) => second.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-03-14T15:09:26Z, a Saturday.
    const NOW: i64 = 1_773_500_966;
    const DAY: i64 = 86_400;

    #[test]
    fn every_form() {
        let midnight = NOW - NOW % DAY;
        for (text, want) in [
            ("today", (midnight, Some(midnight + DAY))),
            ("yesterday", (midnight - DAY, Some(midnight))),
            ("2026-03-14", (midnight, Some(midnight + DAY))),
            ("2026-03", (midnight - 13 * DAY, Some(midnight + 18 * DAY))),
            ("1970", (0, Some(365 * DAY))),
            ("1969-12-31T23:59", (-60, Some(0))),
            ("2026-03-14T15:09:26Z", (NOW, Some(NOW + 1))),
            ("2026-03-14T17:09:26+02:00", (NOW, Some(NOW + 1))),
            ("2026-03-14T09:39-05:30", (NOW - 26, Some(NOW + 34))),
            ("3d", (NOW - 3 * DAY, None)),
            ("2w", (NOW - 14 * DAY, None)),
            ("5h", (NOW - 5 * 3600, None)),
            ("1m", (NOW - 28 * DAY, None)),
            ("1y", (NOW - 365 * DAY, None)),
            ("0d", (NOW, None)),
        ] {
            assert_eq!(span(text, NOW), Some(want), "{text}");
        }
        for bad in [
            "",
            "26",
            "2026-1",
            "2026-13",
            "2026-02-30",
            "2026-03-14T",
            "2026-03T10:00",
            "2026-03-14T24:00",
            "2026-01-01-01",
            "2026-03-14T15:09+2",
            "2026-03-14T15:09+24:00",
            "2026-03-14T15:09Z+02:00",
            "2026-03-14T15:09+02:00Z",
            "3",
            "d",
            "3x",
            "-3d",
            "99999999999999999999d",
            "99999999999y",
            "tomorrow",
            "Today",
            "２d",
        ] {
            assert_eq!(span(bad, NOW), None, "{bad}");
        }
    }

    #[test]
    fn seconds_print_as_they_are_read() {
        for second in [NOW, 0, -1, 253_402_207_200, -377_705_023_201] {
            let text = print(second);
            if (0..10_000).contains(&text.split('-').next().unwrap().parse().unwrap_or(-1)) {
                assert_eq!(span(&text, 0), Some((second, Some(second + 1))), "{text}");
            }
        }
    }
}
