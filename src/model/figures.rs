//! Figures as people write them: durations, sizes, counts, rates, shares. For the screen, for `table` output and for
//! sentences.

use std::borrow::Cow;
use std::time::Duration;

/// Shown for an unknown value, which is never shown as 0.
pub const UNKNOWN: &str = "–";

/// A duration: `0.4 ms`, `12 ms`, `4.1 s`, `38 s`, `5 min`, `3 h`, `41 d`.
pub fn duration(duration: Duration) -> String {
    let ms = duration.as_secs_f64() * 1000.0;
    match ms {
        0.0 => "0 ms".to_owned(),
        _ if ms < 0.05 => "<0.1 ms".to_owned(),
        _ if ms < 9.95 => short(ms, 1) + " ms",
        _ if ms < 999.5 => format!("{ms:.0} ms"),
        _ if ms < 9_950.0 => format!("{:.1} s", ms / 1000.0),
        _ => age(duration),
    }
}

/// A number without trailing zeros after the point: `3`, `0.4`, `99.7`.
fn short(number: f64, decimals: usize) -> String {
    let said = format!("{number:.decimals$}");
    said.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A time span in whole units: `0 s`, `14 s`, `5 min`, `3 h`, `41 d`.
pub fn age(duration: Duration) -> String {
    match duration.as_secs() {
        s @ 0..60 => format!("{s} s"),
        s @ 60..3_600 => format!("{} min", s / 60),
        s @ 3_600..172_800 => format!("{} h", s / 3_600),
        s => format!("{} d", s / 86_400),
    }
}

/// A period in the form of the configuration file: `250ms`, `1s`, `1m`.
pub fn period(period: Duration) -> String {
    let ms = period.as_millis();
    if ms.is_multiple_of(60_000) && ms > 0 {
        format!("{}m", ms / 60_000)
    } else if ms.is_multiple_of(1_000) {
        format!("{}s", ms / 1_000)
    } else {
        format!("{ms}ms")
    }
}

/// A size in PostgreSQL's units, which are powers of 1024: `0 B`, `412 MB`, `1.2 GB`.
pub fn bytes(bytes: f64) -> String {
    const UNITS: [&str; 6] = ["B", "kB", "MB", "GB", "TB", "PB"];
    let mut value = bytes.max(0.0);
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    let decimals = usize::from(unit > 0 && value < 9.95);
    format!("{value:.decimals$} {}", UNITS.get(unit).copied().unwrap_or_default())
}

/// A whole number with separators: `1,204`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A number with three significant digits or all digits before the point: `0.03`, `5.47`, `31.2`, `1,204`.
pub fn number(number: f64) -> String {
    match number.abs() {
        0.0 => "0".to_owned(),
        size if size < 9.995 => format!("{number:.2}"),
        size if size < 99.95 => format!("{number:.1}"),
        size if size.is_finite() => format!("{}{}", if number < 0.0 { "-" } else { "" }, count(size.round() as u64)),
        _ => UNKNOWN.to_owned(),
    }
}

/// A short form with a letter for thousands, millions …: `812`, `19.0k`, `118M`, `1.2G`.
pub fn compact(number: f64, decimals: usize) -> String {
    const UNITS: [&str; 7] = ["", "k", "M", "G", "T", "P", "E"];
    let mut value = number;
    let mut unit = 0;
    while value.abs() >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    let decimals = if unit > 0 && value.abs() < 99.95 { decimals } else { 0 };
    format!("{value:.decimals$}{}", UNITS.get(unit).copied().unwrap_or_default())
}

/// A count in at most `room` characters, or in full if even the short form has no room.
pub fn count_within(number: u64, room: usize) -> String {
    let shorter = [1, 0].map(|decimals| compact(number as f64, decimals));
    let said = count(number);
    if said.len() <= room { said } else { shorter.into_iter().find(|said| said.len() <= room).unwrap_or(said) }
}

/// A number as a server wrote it, in at most `room` characters: `1.2346e59` where its digits have no room. Text that is
/// no number is returned whole.
pub fn number_within(said: &str, room: usize) -> Cow<'_, str> {
    if said.len() <= room {
        return Cow::Borrowed(said);
    }
    let Some(number) = said.parse::<f64>().ok().filter(|number| number.is_finite()) else { return Cow::Borrowed(said) };
    let rounded = (0..=room).rev().map(|decimals| format!("{number:.decimals$e}"));
    rounded.into_iter().find(|said| said.len() <= room).map_or(Cow::Borrowed(said), Cow::Owned)
}

/// A rate per second, without the unit: `1,204`, `3`, `0.3`, `<0.1`; `0` only if nothing happened.
pub fn rate(per_second: f64) -> String {
    if per_second >= 0.95 {
        count(per_second.round() as u64)
    } else if per_second <= 0.0 {
        "0".to_owned()
    } else if per_second < 0.05 {
        "<0.1".to_owned()
    } else {
        short(per_second, 1)
    }
}

/// A share (0 to 1) in percent: `100 %`, `99.98 %`, `97.2 %`, `31 %`; never rounded up to 100.
pub fn percent(share: f64) -> String {
    let percent = (share * 100.0).clamp(0.0, 100.0);
    if percent >= 100.0 {
        "100 %".to_owned()
    } else if percent >= 99.0 {
        short((percent * 100.0).floor() / 100.0, 2) + " %"
    } else if percent >= 90.0 {
        short((percent * 10.0).floor() / 10.0, 1) + " %"
    } else {
        format!("{percent:.0} %")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_written_as_people_read_them() {
        for (micros, said) in [
            (0, "0 ms"),
            (20, "<0.1 ms"),
            (400, "0.4 ms"),
            (3_010, "3 ms"),
            (9_960, "10 ms"),
            (812_000, "812 ms"),
            (4_100_000, "4.1 s"),
            (38_000_000, "38 s"),
            (310_000_000, "5 min"),
            (90_000_000_000, "25 h"),
            (3 * 86_400_000_000, "3 d"),
        ] {
            assert_eq!(duration(Duration::from_micros(micros)), said);
        }
        assert_eq!([0.0, 999.0, 1024.0, 2.1e6, 1.3e9].map(bytes), ["0 B", "999 B", "1.0 kB", "2.0 MB", "1.2 GB"]);
        assert_eq!(
            [0.0, 812.0, 999.6, 19_012.0, 118_234_567.0, -1_234_567_890.0].map(|number| compact(number, 1)),
            ["0", "812", "1.0k", "19.0k", "118M", "-1.2G"]
        );
        assert_eq!([0.034, 5.467, 31.24, 1204.0].map(number), ["0.03", "5.47", "31.2", "1,204"]);
        assert_eq!([7, 6, 4, 3].map(|room| count_within(118_234, room)), ["118,234", "118k", "118k", "118,234"]);
        assert_eq!(number_within("123456789012345678901234567890", 12), "1.2345679e29");
        assert_eq!(number_within("1234", 4), "1234");
        assert_eq!([0, 999, 1204, 1_204_771].map(count), ["0", "999", "1,204", "1,204,771"]);
        assert_eq!([0.0, 0.01, 0.33, 3.42, 88.2, 1204.4].map(rate), ["0", "<0.1", "0.3", "3", "88", "1,204"]);
        assert_eq!([1.0, 0.99999, 0.997, 0.972, 0.9].map(percent), ["100 %", "99.99 %", "99.7 %", "97.2 %", "90 %"]);
        assert_eq!([0.31, 0.0].map(percent), ["31 %", "0 %"]);
    }
}
