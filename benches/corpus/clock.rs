//! The time stamps of a log: a clock that only moves when told to, and the five ways in which lines print it.

use std::io::Write;

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// How a family of lines prints the time.
#[derive(Clone, Copy)]
pub(super) enum Stamp {
    /// `2025-06-15T14:03:22.118Z`
    Iso,
    /// `2025-06-15 14:03:22,118`, log4j's default.
    Log4j,
    /// `Jun 15 14:03:22`, RFC 3164.
    Syslog,
    /// `15/Jun/2025:14:03:22 +0000`, the combined log format.
    Access,
    /// `0615 14:03:22.118000`, klog.
    Klog,
    /// Milliseconds since 1970.
    Millis,
}

/// Milliseconds since 1970.
pub(super) struct Clock(u64);

impl Clock {
    /// Starts within about twelve days of June 2025, depending on the seed.
    pub(super) fn new(seed: u64) -> Self {
        Self(1_749_990_000_000 + seed % 1_000_000_007)
    }

    pub(super) fn advance(&mut self, millis: u32) {
        self.0 += u64::from(millis);
    }

    pub(super) fn print(&self, out: &mut Vec<u8>, stamp: Stamp) {
        let (seconds, millis) = (self.0 / 1000, self.0 % 1000);
        let (year, month, day) = civil(seconds / 86_400);
        let (h, m, s) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
        let name = MONTHS[month - 1];
        match stamp {
            Stamp::Iso => write!(out, "{year}-{month:02}-{day:02}T{h:02}:{m:02}:{s:02}.{millis:03}Z"),
            Stamp::Log4j => write!(out, "{year}-{month:02}-{day:02} {h:02}:{m:02}:{s:02},{millis:03}"),
            Stamp::Syslog => write!(out, "{name} {day:2} {h:02}:{m:02}:{s:02}"),
            Stamp::Access => write!(out, "{day:02}/{name}/{year}:{h:02}:{m:02}:{s:02} +0000"),
            Stamp::Klog => write!(out, "{month:02}{day:02} {h:02}:{m:02}:{s:02}.{millis:03}000"),
            Stamp::Millis => write!(out, "{}", self.0),
        }
        .expect("writing to a Vec cannot fail");
    }
}

/// Year, month and day of a day counted from 1970: Howard Hinnant's `civil_from_days`, for days after 1970 only.
fn civil(days: u64) -> (u64, usize, u64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    (year, month as usize, day_of_year - (153 * from_march + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    #[test]
    fn days_become_dates() {
        for (days, expected) in [(0, (1970, 1, 1)), (11_016, (2000, 2, 29)), (20_254, (2025, 6, 15))] {
            assert_eq!(super::civil(days), expected);
        }
    }
}
