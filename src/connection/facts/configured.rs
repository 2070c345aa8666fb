//! What a server's configuration sets: names and values of all settings that are not at their defaults, without secrets.
//! Asked once per connection, and again after the server has reloaded its configuration.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::LazyLock;

use super::told::Told;
use crate::model::facts::Configured;
use crate::sql::secrets::{masked, names_secret};

/// What our own session sets after its start (`session`) has the server's own value as `reset_val`; what it sets at its
/// start hides the server's value.
pub(super) const CONFIGURED: &str = "\
select name, case when source = 'session' then reset_val else current_setting(name) end as value, source = 'session' as raw,
  boot_val, unit, pending_restart from pg_settings
where source in ('configuration file', 'command line', 'environment variable') or pending_restart
  or (source = 'session' and reset_val is distinct from boot_val)
order by name";

/// Names of settings that only sound as if their values held a secret.
const HARMLESS: [&str; 5] = [
    "md5_password_warnings",
    "password_encryption",
    "password_expiration_warning_threshold",
    "ssl_key_file",
    "ssl_passphrase_command_supports_reload",
];

/// Values that must never be told apart by somebody else: a new key for each run.
static MARKS: LazyLock<RandomState> = LazyLock::new(RandomState::new);

/// Reads the rows of [`CONFIGURED`].
pub(super) fn read(rows: &[Told]) -> Option<Vec<Configured>> {
    rows.iter().map(of_row).collect()
}

fn of_row(row: &Told) -> Option<Configured> {
    let text = |column: &str| row.get::<String>(column).unwrap_or_default();
    let (name, value, unit) = (row.get::<String>("name")?, text("value"), text("unit"));
    let value = if row.get("raw")? { with_unit(&value, &unit) } else { value };
    let default = with_unit(&text("boot_val"), &unit);
    let (mark, default_mark) = (MARKS.hash_one(&value), MARKS.hash_one(&default));
    let value = (!may_hold_secret(&name)).then(|| masked(&value).into_owned());
    Some(Configured { name, value, mark, default, default_mark, pending_restart: row.get("pending_restart")? })
}

/// True if the value of a setting of this name may hold a secret: commands and connection strings do.
fn may_hold_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let ends = ["_command", "conninfo", "dsn", "_uri", "_url"];
    let is_named = ends.iter().any(|end| name.ends_with(end)) || name.contains("key") || names_secret(&name);
    is_named && !HARMLESS.contains(&name.as_str())
}

/// A number of `pg_settings` as `current_setting()` prints it: `16384` and `8kB` are `128MB`.
pub(super) fn with_unit(value: &str, unit: &str) -> String {
    const SIZES: [(&str, u64); 5] = [("TB", 1 << 40), ("GB", 1 << 30), ("MB", 1 << 20), ("kB", 1 << 10), ("B", 1)];
    const TIMES: [(&str, u64); 6] =
        [("d", 86_400_000_000), ("h", 3_600_000_000), ("min", 60_000_000), ("s", 1_000_000), ("ms", 1_000), ("us", 1)];
    let digits = unit.len() - unit.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (factor, name) = unit.split_at(digits);
    let units = if name.ends_with('B') { &SIZES[..] } else { &TIMES[..] };
    let one = units.iter().find(|(known, _)| *known == name).map(|(_, one)| *one);
    let factor = if factor.is_empty() { Ok(1) } else { factor.parse::<u64>() };
    let number = value.parse::<u64>().ok().filter(|number| *number > 0);
    let Some(((one, factor), number)) = one.zip(factor.ok()).zip(number) else {
        let is_positive = value.parse::<f64>().is_ok_and(|number| number > 0.0);
        return if is_positive { format!("{value}{name}") } else { value.to_owned() };
    };
    let Some(all) = number.checked_mul(factor).and_then(|number| number.checked_mul(one)) else {
        return format!("{value}{unit}");
    };
    let largest = units.iter().find(|(_, size)| all % size == 0);
    largest.map_or_else(|| format!("{value}{unit}"), |(name, size)| format!("{}{name}", all / size))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_default_reads_as_the_server_would_print_it() {
        let cases = [
            ("16384", "8kB", "128MB"),
            ("4096", "kB", "4MB"),
            ("1000", "kB", "1000kB"),
            ("1024", "MB", "1GB"),
            ("300", "s", "5min"),
            ("-1", "ms", "-1"),
            ("0", "kB", "0"),
            ("1440", "min", "1d"),
            ("0.5", "ms", "0.5ms"),
            ("on", "", "on"),
            ("", "", ""),
            ("100", "", "100"),
        ];
        for (value, unit, expected) in cases {
            assert_eq!(with_unit(value, unit), expected, "{value} {unit}");
        }
    }

    #[test]
    fn values_that_may_hold_a_secret_are_told_by_name() {
        for name in [
            "primary_conninfo",
            "ssl_passphrase_command",
            "archive_command",
            "restore_command",
            "app.password",
            "app.API_KEY",
            "vault.token",
            "app.dsn",
            "smtp.pass",
            "app.jwt",
            "app.auth",
            "app.pin",
        ] {
            assert!(may_hold_secret(name), "{name}");
        }
        for name in [
            "work_mem",
            "max_connections",
            "shared_buffers",
            "log_statement",
            "authentication_timeout",
            "password_encryption",
            "md5_password_warnings",
            "password_expiration_warning_threshold",
        ] {
            assert!(!may_hold_secret(name), "{name}");
        }
    }
}
