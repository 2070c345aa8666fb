//! Conditions as people write them: `>30s`, `>= 90`, `= lost`. Used in view files, filters and rules of alerts.

use super::units;
use crate::model::condition::{Condition, Op, Operand};
use crate::model::view::{CellKind, Unit};

/// The forms that [`parse`] accepts, for messages.
pub const FORMS: &str = "write one of = != > >= < <= and a value, as in \">30s\", \">=90\" or \"= lost\"";

/// Reads a condition on values of a type and unit. A number may be given in the unit itself (`30000` for `ms`) or as
/// people write it (`30s`, `1GB`, `90%`). `None` if the text is no condition, or has no number where one is needed.
pub fn parse(text: &str, kind: CellKind, unit: Option<Unit>) -> Option<Condition> {
    let text = text.trim();
    let (op, rest) = Op::ALL.iter().find_map(|op| Some((*op, text.strip_prefix(op.as_str())?.trim())))?;
    let operand = if kind.is_number() {
        Operand::Number(number(rest, unit)?)
    } else if rest.is_empty() {
        return None;
    } else {
        Operand::Text(rest.to_owned())
    };
    Some(Condition { op, operand })
}

/// Reads a number as one in `unit`.
fn number(text: &str, unit: Option<Unit>) -> Option<f64> {
    if let Ok(plain) = text.parse::<f64>() {
        return plain.is_finite().then_some(plain);
    }
    match unit? {
        Unit::Ms => units::parse_duration(text).map(|time| time.as_secs_f64() * 1000.0),
        Unit::Seconds => units::parse_duration(text).map(|time| time.as_secs_f64()),
        Unit::Bytes => units::parse_size(text).map(|bytes| bytes as f64),
        Unit::BytesPerSecond => units::parse_size(text.trim_end_matches("/s")).map(|bytes| bytes as f64),
        Unit::PerSecond => text.trim_end_matches("/s").parse().ok(),
        Unit::Percent => text.trim_end_matches('%').trim().parse().ok(),
        Unit::Lsn | Unit::Time => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn values_are_read_in_their_unit_or_as_people_write_them() {
        let number = |op, value| Some(Condition { op, operand: Operand::Number(value) });
        let text = |op, value: &str| Some(Condition { op, operand: Operand::Text(value.to_owned()) });
        let (float, words) = (CellKind::Float8, CellKind::Text);
        for (written, kind, unit, condition) in [
            (">30s", float, Some(Unit::Ms), number(Op::Greater, 30_000.0)),
            ("> 30000", float, Some(Unit::Ms), number(Op::Greater, 30_000.0)),
            (">=1m", float, Some(Unit::Seconds), number(Op::AtLeast, 60.0)),
            ("<1GB", CellKind::Int8, Some(Unit::Bytes), number(Op::Less, f64::from(1 << 30))),
            (">1MB/s", float, Some(Unit::BytesPerSecond), number(Op::Greater, f64::from(1 << 20))),
            ("<= 90 %", float, Some(Unit::Percent), number(Op::AtMost, 90.0)),
            ("!=0", CellKind::Int4, None, number(Op::NotEqual, 0.0)),
            (">-1", CellKind::Int4, None, number(Op::Greater, -1.0)),
            ("= idle in transaction", words, None, text(Op::Equal, "idle in transaction")),
            ("=true", CellKind::Bool, None, text(Op::Equal, "true")),
            (">30s", float, None, None),
            (">", float, None, None),
            ("30", float, None, None),
            ("=", words, None, None),
            (">inf", float, None, None),
        ] {
            assert_eq!(parse(written, kind, unit), condition, "{written:?}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[=!<>]{0,2}.{0,8}") {
            for unit in Unit::ALL {
                let _ = parse(&text, CellKind::Float8, Some(unit));
            }
        }
    }
}
