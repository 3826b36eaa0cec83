//! A moment, as configurations write it: `2026-11-23T09:00:00Z`, or a day, which lasts to its end. Not a clock: the caller
//! brings the time.

use std::fmt;
use std::time::Duration;

use super::Date;

const DAY: i64 = 86_400;

/// Seconds since 1970 in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(u64);

impl Moment {
    /// The moment so many seconds after 1970.
    pub fn of_unix_seconds(seconds: u64) -> Moment {
        Moment(seconds)
    }

    /// Seconds since 1970.
    pub fn unix_seconds(self) -> u64 {
        self.0
    }

    /// `by` later.
    pub fn after(self, by: Duration) -> Moment {
        Moment(self.0.saturating_add(by.as_secs()))
    }

    /// The moment that `text` names: RFC 3339, seconds and their fraction optional, or a day, which means its end.
    pub fn parse(text: &str) -> Option<Moment> {
        let date = Date::parse(text.get(..10)?)?.unix_days() * DAY;
        let rest = &text[10..];
        let seconds = match rest.strip_prefix(['T', 't', ' ']) {
            None if rest.is_empty() => date + DAY,
            None => return None,
            Some(time) => date + of_day(time)?,
        };
        u64::try_from(seconds).ok().map(Moment)
    }
}

/// Seconds from midnight UTC: `09:00Z`, `09:00:30.5+02:00`.
fn of_day(time: &str) -> Option<i64> {
    let zone = time.find(['Z', 'z', '+', '-'])?;
    let (clock, zone) = time.split_at(zone);
    let clock = clock.split_once('.').map_or(clock, |(whole, _)| whole);
    let mut parts = clock.split(':');
    let (hour, minute) = (two(parts.next()?, 23)?, two(parts.next()?, 59)?);
    let second = parts.next().map_or(Some(0), |part| two(part, 60))?;
    let ahead = match zone.as_bytes()[0] {
        b'Z' | b'z' => (zone.len() == 1).then_some(0)?,
        sign => {
            let (hours, minutes) = zone[1..].split_once(':')?;
            let offset = two(hours, 23)? * 3600 + two(minutes, 59)? * 60;
            if sign == b'+' { offset } else { -offset }
        }
    };
    parts.next().is_none().then_some(hour * 3600 + minute * 60 + second - ahead)
}

fn two(digits: &str, max: i64) -> Option<i64> {
    let both = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|number| both && *number <= max)
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of_day = self.0 % DAY as u64;
        let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
        write!(f, "{}T{hour:02}:{minute:02}:{second:02}Z", Date::of_unix_seconds(self.0))
    }
}

/// The time that `text` spells: a number and `m`, `h`, `d` or `w`.
pub fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let seconds = match unit {
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        "w" => 604_800,
        _ => return None,
    };
    let count: u32 = number.parse().ok().filter(|count| *count > 0)?;
    Some(Duration::from_secs(u64::from(count) * seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_and_written() {
        let cases = [
            ("2026-11-23T09:00:00Z", Some("2026-11-23T09:00:00Z")),
            ("2026-11-23T09:00Z", Some("2026-11-23T09:00:00Z")),
            ("2026-11-23 09:00:00.25+02:00", Some("2026-11-23T07:00:00Z")),
            ("2026-11-23T23:30:00-01:00", Some("2026-11-24T00:30:00Z")),
            ("2026-02-28", Some("2026-03-01T00:00:00Z")),
            ("2026-11-23T09:00:00", None),
            ("2026-11-23T24:00:00Z", None),
            ("2026-11-23T09:00:00Zx", None),
            ("2026-11-23x", None),
            ("soon", None),
            ("1969-12-30", None),
        ];
        assert_eq!(Moment::of_unix_seconds(1_795_340_591).to_string(), "2026-11-22T09:43:11Z");
        for (text, expected) in cases {
            assert_eq!(Moment::parse(text).map(|moment| moment.to_string()).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn durations_are_read() {
        let cases = [
            ("90m", Some(5400)),
            ("24h", Some(86_400)),
            ("7d", Some(604_800)),
            ("2w", Some(1_209_600)),
            ("h", None),
            ("0h", None),
            ("1y", None),
            ("-1h", None),
            ("", None),
            ("1é", None),
        ];
        for (text, expected) in cases {
            assert_eq!(duration(text).map(|it| it.as_secs()), expected, "{text}");
        }
    }
}
