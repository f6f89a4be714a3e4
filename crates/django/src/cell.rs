//! A value of a stranger's database, and what can be read from it.
//!
//! SQLite gives each value the type that it was written with, whatever the column says; from PostgreSQL everything
//! comes as text. So each reading here takes all forms that a value of its kind may have, and refuses the others with a
//! clause that goes on from the column's name.

use std::fmt;

use countersign_core::Timestamp;
use time::{Date, Month, PrimitiveDateTime, Time, UtcOffset};

/// The longest text that is taken from the database, in bytes. Django's own columns have at most 254 characters.
pub(crate) const TEXT_MAX: usize = 64 * 1024;

/// A value. `Debug` shows its kind alone: it may be a password's hash.
#[derive(Clone, PartialEq)]
pub enum Cell {
    /// Nothing.
    Null,
    /// A whole number.
    Integer(i64),
    /// A number with a fraction.
    Real(f64),
    /// A text.
    Text(String),
    /// Bytes that are no text.
    Bytes,
    /// A text longer than any that we take.
    TooLong,
}

/// Why a value is not what its column should hold: a clause that goes on from the column's name.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Misfit {
    /// There is none.
    #[error("is empty")]
    Empty,
    /// It is longer than any that we take.
    #[error("is longer than {TEXT_MAX} bytes")]
    TooLong,
    /// It is not text, or not in UTF-8.
    #[error("is no text")]
    NoText,
    /// It is no whole number.
    #[error("is no whole number")]
    NoInteger,
    /// It is neither true nor false.
    #[error("is neither true nor false")]
    NoBoolean,
    /// It is no moment of the calendar.
    #[error("is no date and time")]
    NoTime,
}

impl Cell {
    /// What fits into a text of ours.
    pub(crate) fn of_text(bytes: &[u8]) -> Self {
        if bytes.len() > TEXT_MAX {
            return Self::TooLong;
        }
        std::str::from_utf8(bytes).map_or(Self::Bytes, |text| Self::Text(text.to_owned()))
    }

    /// As a text; `None` where there is nothing.
    pub fn text(self) -> Result<Option<String>, Misfit> {
        match self {
            Self::Null => Ok(None),
            Self::Text(text) => Ok(Some(text)),
            Self::Integer(number) => Ok(Some(number.to_string())),
            Self::Real(number) => Ok(Some(number.to_string())),
            Self::Bytes => Err(Misfit::NoText),
            Self::TooLong => Err(Misfit::TooLong),
        }
    }

    /// As a whole number.
    pub fn integer(&self) -> Result<i64, Misfit> {
        match self {
            Self::Null => Err(Misfit::Empty),
            Self::Integer(number) => Ok(*number),
            Self::Text(text) => text.parse().map_err(|_| Misfit::NoInteger),
            Self::Real(_) | Self::Bytes | Self::TooLong => Err(Misfit::NoInteger),
        }
    }

    /// As true or false.
    pub fn boolean(&self) -> Result<bool, Misfit> {
        match self {
            Self::Null => Err(Misfit::Empty),
            Self::Integer(0) => Ok(false),
            Self::Integer(1) => Ok(true),
            Self::Text(text) => match &**text {
                "f" | "false" | "0" => Ok(false),
                "t" | "true" | "1" => Ok(true),
                _ => Err(Misfit::NoBoolean),
            },
            Self::Integer(_) | Self::Real(_) | Self::Bytes | Self::TooLong => Err(Misfit::NoBoolean),
        }
    }

    /// As a moment; one without an offset is in UTC, as Django keeps it.
    pub fn time(&self) -> Result<Option<Timestamp>, Misfit> {
        match self {
            Self::Null => Ok(None),
            Self::Text(text) => moment(text).map(Some).ok_or(Misfit::NoTime),
            Self::Integer(_) | Self::Real(_) | Self::Bytes | Self::TooLong => Err(Misfit::NoTime),
        }
    }
}

/// Reads `2024-05-06 07:08:09`, with a `T` between the halves or a blank, with up to nine digits of a fraction, and
/// with `Z`, `+02`, `+0200` or `+02:00` behind it. A day alone is its beginning.
fn moment(text: &str) -> Option<Timestamp> {
    let (date, rest) = text.split_at_checked(10)?;
    let date = day(date)?;
    let (clock, offset) = match rest.strip_prefix([' ', 'T']) {
        Some(rest) => clock(rest)?,
        None if rest.is_empty() => (Time::MIDNIGHT, UtcOffset::UTC),
        None => return None,
    };
    let nanos = PrimitiveDateTime::new(date, clock).assume_offset(offset).unix_timestamp_nanos();
    i64::try_from(nanos.div_euclid(1_000_000)).ok().map(Timestamp::from_millis)
}

fn day(text: &str) -> Option<Date> {
    let mut parts = text.split('-');
    let (year, month, day) =
        (digits(parts.next()?, 4)?, digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
    let month = Month::try_from(u8::try_from(month).ok()?).ok()?;
    if parts.next().is_some() {
        return None;
    }
    Date::from_calendar_date(i32::try_from(year).ok()?, month, u8::try_from(day).ok()?).ok()
}

fn clock(text: &str) -> Option<(Time, UtcOffset)> {
    let end = text.find(['Z', '+', '-']).unwrap_or(text.len());
    let (clock, offset) = text.split_at_checked(end)?;
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let mut parts = clock.split(':');
    let mut part = || digits(parts.next()?, 2).and_then(|number| u8::try_from(number).ok());
    let (hour, minute, second) = (part()?, part()?, part()?);
    if parts.next().is_some() || fraction.len() > 9 {
        return None;
    }
    let nanos = digits(&format!("{fraction:0<9}"), 9)?;
    Some((Time::from_hms_nano(hour, minute, second, nanos).ok()?, zone(offset)?))
}

fn zone(text: &str) -> Option<UtcOffset> {
    if text.is_empty() || text == "Z" {
        return Some(UtcOffset::UTC);
    }
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let numbers = text.strip_prefix(['+', '-'])?.replace(':', "");
    let (hours, minutes) = numbers.split_at_checked(2)?;
    let hours = i8::try_from(digits(hours, 2)?).ok()?;
    let minutes = if minutes.is_empty() { 0 } else { i8::try_from(digits(minutes, 2)?).ok()? };
    UtcOffset::from_hms(sign * hours, sign * minutes, 0).ok()
}

/// So many digits, and nothing else.
fn digits(text: &str, count: usize) -> Option<u32> {
    let fits = text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    fits.then(|| text.parse().ok()).flatten()
}

impl fmt::Debug for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Null => "Null",
            Self::Integer(_) => "Integer(…)",
            Self::Real(_) => "Real(…)",
            Self::Text(_) => "Text(…)",
            Self::Bytes => "Bytes",
            Self::TooLong => "TooLong",
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn time(text: &str) -> Result<String, Misfit> {
        Cell::Text(text.to_owned()).time().map(|moment| moment.map(|it| it.to_string()).unwrap_or_default())
    }

    #[test]
    fn a_moment_is_read_as_either_database_writes_it() {
        for (written, meant) in [
            ("2024-05-06 07:08:09.123456", "2024-05-06T07:08:09.123Z"),
            ("2024-05-06 07:08:09", "2024-05-06T07:08:09.000Z"),
            ("2024-05-06 07:08:09.5+00", "2024-05-06T07:08:09.500Z"),
            ("2024-05-06 09:08:09+02", "2024-05-06T07:08:09.000Z"),
            ("2024-05-06 01:38:09-05:30", "2024-05-06T07:08:09.000Z"),
            ("2024-05-06T07:08:09Z", "2024-05-06T07:08:09.000Z"),
            ("2024-05-06", "2024-05-06T00:00:00.000Z"),
            ("1969-12-31 23:59:59.9999", "1969-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(time(written).as_deref(), Ok(meant), "{written}");
        }
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for text in [
            "",
            "infinity",
            "yesterday",
            "2024-13-01 00:00:00",
            "2024-02-30",
            "2024-05-06 25:00:00",
            "2024-05-06 07:08",
            "2024-05-06 07:08:09.1234567890",
            "2024-05-06 07:08:09+99",
            "2024-05-06 07:08:09 BC",
            "2024-05-06x07:08:09",
            "２０２４-05-06",
            "2024-05-06 07:08:09é",
        ] {
            assert_eq!(time(text), Err(Misfit::NoTime), "{text}");
        }
        assert_eq!(Cell::Integer(1_700_000_000).time(), Err(Misfit::NoTime));
        assert_eq!(Cell::Null.time(), Ok(None));
    }

    #[test]
    fn a_flag_is_read_as_either_database_writes_it() {
        for (cell, meant) in [
            (Cell::Integer(0), Ok(false)),
            (Cell::Integer(1), Ok(true)),
            (Cell::Text("t".into()), Ok(true)),
            (Cell::Text("f".into()), Ok(false)),
            (Cell::Integer(2), Err(Misfit::NoBoolean)),
            (Cell::Text("yes".into()), Err(Misfit::NoBoolean)),
            (Cell::Bytes, Err(Misfit::NoBoolean)),
            (Cell::Null, Err(Misfit::Empty)),
        ] {
            assert_eq!(cell.boolean(), meant, "{cell:?}");
        }
    }

    // attack 115
    #[test]
    fn a_text_has_a_bound_and_is_text() {
        assert_eq!(Cell::of_text(&vec![b'x'; TEXT_MAX]).text().unwrap().unwrap().len(), TEXT_MAX);
        assert_eq!(Cell::of_text(&vec![b'x'; TEXT_MAX + 1]).text(), Err(Misfit::TooLong));
        assert_eq!(Cell::of_text(b"\xff\xfe").text(), Err(Misfit::NoText));
        assert_eq!(Cell::of_text(b"a\0b").text(), Ok(Some("a\0b".into())));
        assert_eq!(Cell::Null.text(), Ok(None));
    }

    #[test]
    fn a_value_shows_its_kind_alone() {
        assert_eq!(format!("{:?}", Cell::Text("pbkdf2_sha256$1$a$b".into())), "Text(…)");
    }

    proptest! {
        // attack 99
        #[test]
        fn no_value_makes_a_reading_panic(
            text in r"(\PC*|[0-9TZ:. +-]{0,40}|[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9:.]{0,18}[+-]?[0-9:]{0,8})",
            number: i64,
            real: f64,
            bytes: Vec<u8>,
        ) {
            for cell in [Cell::Text(text), Cell::Integer(number), Cell::Real(real), Cell::of_text(&bytes), Cell::TooLong] {
                let _ = (cell.integer(), cell.boolean(), cell.time(), cell.text());
            }
        }
    }
}
