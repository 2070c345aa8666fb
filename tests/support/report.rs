//! Tables that a command measures and keeps in the repository: the text between two marks of a page is replaced, so
//! that a table in a document is exactly what the command printed.

use std::fs;
use std::path::Path;
use std::time::Duration;

/// Replaces the text between `<!-- NAME -->` and `<!-- /NAME -->` in a page of the repository.
///
/// # Panics
/// If the page or its marks are missing.
pub fn keep(page: &str, name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(page);
    let before = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{page}: {error}"));
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
    let (head, rest) = before.split_once(&begin).unwrap_or_else(|| panic!("{page} has no {begin}"));
    let (_, tail) = rest.split_once(&end).unwrap_or_else(|| panic!("{page} has no {end}"));
    let text = text.trim_end();
    fs::write(&path, format!("{head}{begin}{text}\n{end}{tail}")).unwrap_or_else(|error| panic!("{page}: {error}"));
}

/// Rows of cells as a Markdown table.
pub fn table<'a>(head: &[&str], rows: impl IntoIterator<Item = &'a [String]>) -> String {
    let mut lines = vec![format!("| {} |", head.join(" | ")), format!("|{}", " --- |".repeat(head.len()))];
    lines.extend(rows.into_iter().map(|row| format!("| {} |", row.join(" | "))));
    lines.join("\n") + "\n"
}

/// The machine of a measurement, in one line.
pub fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ")).map_or("", |(_, m)| m);
    format!("{cores} cores ({model}), servers and dashboard on the same machine")
}

/// The sample below which this share of all samples lies: 0.5 is the median, 1.0 the worst.
pub fn quantile(samples: &mut [Duration], share: f64) -> Duration {
    samples.sort_unstable();
    let rank = (share * samples.len() as f64).ceil() as usize;
    samples.get(rank.max(1) - 1).copied().unwrap_or_default()
}

pub fn median(samples: &mut [Duration]) -> Duration {
    quantile(samples, 0.5)
}

pub fn seconds(time: Duration) -> String {
    match time.as_secs_f64() {
        s if s < 0.01 => format!("{:.1} ms", s * 1000.0),
        s if s < 1.0 => format!("{:.0} ms", s * 1000.0),
        s => format!("{s:.2} s"),
    }
}

/// `median (max)`.
pub fn spread(samples: &mut [Duration]) -> String {
    let middle = median(samples);
    format!("{} (max {})", seconds(middle), seconds(quantile(samples, 1.0)))
}
