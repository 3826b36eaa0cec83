//! Times and sizes as people write them: `25s`, `16MiB`.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error, Visitor};

/// A time: a number of seconds, or a number with `ms`, `s`, `m` or `h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Time(pub(super) Duration);

/// A size: a number of bytes, or a number with `KiB`, `MiB` or `GiB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size(pub(super) usize);

const TIMES: [(&str, u64); 4] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000)];
const SIZES: [(&str, u64); 4] = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("B", 1)];

/// Longer times and larger sizes are mistakes.
const MAX_MILLISECONDS: u64 = 30 * 24 * 3_600_000;
const MAX_BYTES: u64 = 1 << 40;

fn scaled(text: &str, units: &[(&str, u64)], max: u64) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit.trim_start())?;
    number.parse::<u64>().ok()?.checked_mul(*factor).filter(|value| *value <= max)
}

macro_rules! unit {
    ($type:ident, $name:literal, $expecting:literal, $example:literal, |$integer:ident| $of_integer:expr, |$text:ident| $of_text:expr) => {
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<$type, D::Error> {
                struct Words;
                impl Visitor<'_> for Words {
                    type Value = $type;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str($expecting)
                    }
                    fn visit_i64<E: Error>(self, value: i64) -> Result<$type, E> {
                        let parsed = u64::try_from(value).ok().and_then(|$integer| $of_integer);
                        parsed.map($type).ok_or_else(|| E::custom(format!("{value} is not {}", $expecting)))
                    }
                    fn visit_u64<E: Error>(self, $integer: u64) -> Result<$type, E> {
                        $of_integer.map($type).ok_or_else(|| E::custom(format!("{} is not {}", $integer, $expecting)))
                    }
                    fn visit_str<E: Error>(self, $text: &str) -> Result<$type, E> {
                        $of_text.map($type).ok_or_else(|| E::custom(format!("`{}` is not {}", $text, $expecting)))
                    }
                }
                deserializer.deserialize_any(Words)
            }
        }

        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                $name.into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": ["string", "integer"], "description": $expecting, "examples": [$example] })
            }
        }
    };
}

unit!(
    Time,
    "Time",
    "a time, such as \"500ms\", \"25s\", \"5m\", \"1h\", or a number of seconds",
    "25s",
    |seconds| seconds.checked_mul(1_000).filter(|time| *time <= MAX_MILLISECONDS).map(Duration::from_millis),
    |text| scaled(text, &TIMES, MAX_MILLISECONDS).map(Duration::from_millis)
);
unit!(
    Size,
    "Size",
    "a size, such as \"64KiB\", \"16MiB\", or a number of bytes",
    "16MiB",
    |bytes| usize::try_from(bytes).ok().filter(|_| bytes <= MAX_BYTES),
    |text| scaled(text, &SIZES, MAX_BYTES).and_then(|bytes| usize::try_from(bytes).ok())
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_sizes_are_read() {
        let time = |text| scaled(text, &TIMES, MAX_MILLISECONDS);
        assert_eq!(
            [time("25s"), time("500ms"), time("2 m"), time("1h")].map(Option::unwrap),
            [25_000, 500, 120_000, 3_600_000]
        );
        assert_eq!([time("25"), time("s"), time("-1s"), time("1d"), time("1.5s"), time("99999h")], [None; 6]);
        let size = |text| scaled(text, &SIZES, MAX_BYTES);
        assert_eq!([size("16MiB"), size("64 KiB"), size("9B")].map(Option::unwrap), [16 << 20, 64 << 10, 9]);
        assert_eq!([size("16MB"), size("16"), size("99999999GiB")], [None; 3]);
    }
}
