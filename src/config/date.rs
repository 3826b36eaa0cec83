//! A day of the calendar, as configurations write it. Not a clock: the caller brings the time.

use std::fmt;

/// A day of the Gregorian calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date {
    year: i64,
    month: u8,
    day: u8,
}

impl Date {
    /// The day that `text` names as `YYYY-MM-DD`, if there is such a day.
    pub fn parse(text: &str) -> Option<Date> {
        let shape = text.len() == 10
            && text.bytes().enumerate().all(|(at, byte)| match at {
                4 | 7 => byte == b'-',
                _ => byte.is_ascii_digit(),
            });
        let number = |range| text.get(range).and_then(|part: &str| part.parse::<u8>().ok());
        let year = text.get(..4)?.parse().ok().filter(|_| shape)?;
        let date = Date { year, month: number(5..7)?, day: number(8..10)? };
        ((1..=12).contains(&date.month) && (1..=days(year, date.month)).contains(&date.day)).then_some(date)
    }

    /// The day in UTC of so many seconds after 1970.
    ///
    /// Days are counted in eras of 400 years that begin on the first of March (Hinnant, "chrono-compatible low-level date
    /// algorithms").
    pub fn of_unix_seconds(seconds: u64) -> Date {
        let shifted = (seconds / 86_400) as i64 + 719_468;
        let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
        let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let from_march = (5 * day_of_year + 2) / 153;
        let day = (day_of_year - (153 * from_march + 2) / 5 + 1) as u8;
        let month = (if from_march < 10 { from_march + 3 } else { from_march - 9 }) as u8;
        Date { year: year_of_era + era * 400 + i64::from(month <= 2), month, day }
    }
}

impl Date {
    /// Days since 1970, counted as [`Date::of_unix_seconds`] does.
    pub fn unix_days(&self) -> i64 {
        let year = self.year - i64::from(self.month <= 2);
        let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
        let from_march = (i64::from(self.month) + 9) % 12;
        let day_of_year = (153 * from_march + 2) / 5 + i64::from(self.day) - 1;
        era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
    }
}

fn days(year: i64, month: u8) -> u8 {
    let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    match month {
        2 => 28 + u8::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_read_and_written() {
        for text in ["2026-01-31", "2024-02-29", "2000-02-29", "1970-01-01"] {
            assert_eq!(Date::parse(text).unwrap().to_string(), text);
        }
        for text in [
            "2026-02-29",
            "1900-02-29",
            "2026-13-01",
            "2026-00-01",
            "2026-04-31",
            "26-04-01",
            "2026-4-1",
            "2026-04-0x",
            "",
        ] {
            assert_eq!(Date::parse(text), None, "{text}");
        }
    }

    #[test]
    fn seconds_become_days() {
        let cases =
            [(0, "1970-01-01"), (86_399, "1970-01-01"), (951_782_400, "2000-02-29"), (4_102_444_799, "2099-12-31")];
        for (seconds, day) in cases {
            assert_eq!(Date::of_unix_seconds(seconds).to_string(), day);
            assert_eq!(Date::parse(day).unwrap().unix_days(), (seconds / 86_400) as i64);
        }
    }
}
