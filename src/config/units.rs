//! Durations and sizes as people write them: parsed and formatted without rounding.

use std::time::Duration;

/// Units of a duration, the largest first, in nanoseconds.
const DURATIONS: [(&str, u128); 6] = [
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
];

/// Units of a size in bytes, the largest first: powers of 1024, as in PostgreSQL.
const SIZES: [(&str, u128); 5] = [("TB", 1 << 40), ("GB", 1 << 30), ("MB", 1 << 20), ("kB", 1 << 10), ("B", 1)];

/// The forms that [`parse_duration`] accepts, for messages.
pub const DURATION_FORMS: &str = "write 250ms, 5s, 1m, 1h or plain seconds";

/// The forms that [`parse_size`] accepts, for messages.
pub const SIZE_FORMS: &str = "write 64MB, 1GB or plain bytes";

/// Reads `250ms`, `5s`, `1.5m`, `1h`, `2d` or plain seconds (`0.5`). `None` if it is none of these.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let (number, unit) = split(text)?;
    let factor = match unit {
        "" => 1_000_000_000,
        unit => DURATIONS.iter().find(|(name, _)| *name == unit)?.1,
    };
    let nanos = times(number, factor)?;
    Some(Duration::new(u64::try_from(nanos / 1_000_000_000).ok()?, (nanos % 1_000_000_000) as u32))
}

/// Formats a duration so that [`parse_duration`] reads the same: in the largest unit that gives a whole number.
pub fn format_duration(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    // Days are accepted but not written: 24h is clearer than 1d.
    match DURATIONS.iter().skip(1).find(|(_, factor)| nanos.is_multiple_of(*factor) && nanos >= *factor) {
        Some((unit, factor)) => format!("{}{unit}", nanos / factor),
        None if nanos == 0 => "0s".to_owned(),
        None => format!("{}.{:09}", duration.as_secs(), duration.subsec_nanos()).trim_end_matches('0').to_owned(),
    }
}

/// Reads `64MB`, `1.5GB`, `512kB`, `2TB` or plain bytes; the case of the unit does not matter. `None` if it is none of
/// these.
pub fn parse_size(text: &str) -> Option<u64> {
    let (number, unit) = split(text)?;
    let factor = match unit {
        "" => 1,
        unit => SIZES.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit))?.1,
    };
    u64::try_from(times(number, factor)?).ok()
}

/// Formats a size so that [`parse_size`] reads the same.
pub fn format_size(bytes: u64) -> String {
    let bytes = u128::from(bytes);
    match SIZES.iter().find(|(_, factor)| bytes.is_multiple_of(*factor) && bytes >= *factor) {
        Some((unit, factor)) => format!("{}{unit}", bytes / factor),
        None => "0B".to_owned(),
    }
}

/// The number and the unit of a text, which may have blanks between them.
fn split(text: &str) -> Option<(&str, &str)> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(end)?;
    Some((number, unit.trim_start()))
}

/// `number` (digits, perhaps with a fraction) times `factor`, rounded down.
fn times(number: &str, factor: u128) -> Option<u128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    if whole.is_empty() || fraction.is_empty() || fraction.len() > 18 {
        return None;
    }
    let scale = 10_u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let whole = whole.parse::<u128>().ok()?.checked_mul(factor)?;
    let part = fraction.parse::<u64>().ok().map(u128::from)?.checked_mul(factor)? / scale;
    whole.checked_add(part)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_are_read_and_written() {
        let ms = Duration::from_millis;
        for (text, want) in [
            ("250ms", ms(250)),
            ("5s", ms(5_000)),
            ("1m", ms(60_000)),
            ("1h", ms(3_600_000)),
            ("1d", ms(86_400_000)),
            ("1.5s", ms(1_500)),
            ("0.5", ms(500)),
            ("30", ms(30_000)),
            ("5 s", ms(5_000)),
            ("0", ms(0)),
            ("200us", Duration::from_micros(200)),
        ] {
            assert_eq!(parse_duration(text), Some(want), "{text}");
        }
        for bad in
            ["", "s", "5x", "-1s", "1.s", ".5s", "1..5s", "5S", "1m30s", "1e3", "ms", "99999999999999999999", "5 s s"]
        {
            assert_eq!(parse_duration(bad), None, "{bad}");
        }
        assert_eq!(format_duration(ms(90_000)), "90s");
        assert_eq!(format_duration(ms(1_500)), "1500ms");
        assert_eq!(format_duration(Duration::ZERO), "0s");
        assert_eq!(format_duration(Duration::from_hours(24)), "24h");
        assert_eq!(format_duration(Duration::from_nanos(10)), "0.00000001");
        // More microseconds than fit into 64 bits.
        let ages = Duration::from_micros(111) + Duration::from_secs(141_111_111_111_111);
        assert_eq!(parse_duration(&format_duration(ages)), Some(ages));
    }

    #[test]
    fn sizes_are_read_and_written() {
        for (text, want) in [
            ("64MB", 64 << 20),
            ("1GB", 1 << 30),
            ("1.5GB", 3 << 29),
            ("8192", 8192),
            ("1kB", 1024),
            ("1KB", 1024),
            ("2 tb", 2 << 40),
            ("0B", 0),
        ] {
            assert_eq!(parse_size(text), Some(want), "{text}");
        }
        for bad in ["", "MB", "1PB", "1 M", "-1", "1GiBB", "99999999TB99"] {
            assert_eq!(parse_size(bad), None, "{bad}");
        }
        assert_eq!(format_size(64 << 20), "64MB");
        assert_eq!(format_size(1500), "1500B");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(seconds in 0_u64..1 << 40, nanos in 0_u32..1_000_000_000, bytes: u64, unit in 0_u32..4) {
            for duration in [Duration::new(seconds, nanos), Duration::from_millis(seconds), Duration::from_secs(seconds)] {
                prop_assert_eq!(parse_duration(&format_duration(duration)), Some(duration));
            }
            for size in [bytes, bytes >> (10 * unit) << (10 * unit)] {
                prop_assert_eq!(parse_size(&format_size(size)), Some(size));
            }
        }

        #[test]
        fn no_text_panics(text in "[0-9]*[.]?[0-9]*.*") {
            let _ = (parse_duration(&text), parse_size(&text));
        }
    }
}
