//! A condition on one value. It colours a cell, hides a row, passes a filter, or raises an alert.

use std::cmp::Ordering;

/// How a value is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    Greater,
    /// `>=`
    AtLeast,
}

impl Op {
    /// All operators, the longer signs first, so that `<=` is not read as `<`.
    pub const ALL: [Self; 6] = [Self::NotEqual, Self::AtMost, Self::AtLeast, Self::Equal, Self::Less, Self::Greater];

    /// The sign that people write.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::Greater => ">",
            Self::AtLeast => ">=",
        }
    }

    fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Equal => order.is_eq(),
            Self::NotEqual => order.is_ne(),
            Self::Less => order.is_lt(),
            Self::AtMost => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::AtLeast => order.is_ge(),
        }
    }
}

/// The right-hand side of a comparison.
#[derive(Debug, Clone, PartialEq)]
pub enum Operand {
    /// Compared as a number, in the unit of the value.
    Number(f64),
    /// Compared as text, without case.
    Text(String),
}

/// A comparison with a constant.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    /// How the value is compared.
    pub op: Op,
    /// What it is compared with, on the right of the sign.
    pub operand: Operand,
}

impl Condition {
    /// True if the value meets the condition. NULL meets none; text is compared without case; true and false may also
    /// be written `t` and `f`.
    pub fn holds(&self, value: Option<&str>) -> bool {
        let Some(value) = value else { return false };
        match &self.operand {
            Operand::Number(wanted) => value.trim().parse().is_ok_and(|value| self.holds_for(value, *wanted)),
            Operand::Text(wanted) => self.op.holds(spelt(value).cmp(&spelt(wanted))),
        }
    }

    /// [`Self::holds`] for a number that was never text.
    pub fn holds_number(&self, value: Option<f64>) -> bool {
        match (value, &self.operand) {
            (Some(value), Operand::Number(wanted)) => self.holds_for(value, *wanted),
            _ => false,
        }
    }

    fn holds_for(&self, value: f64, wanted: f64) -> bool {
        value.partial_cmp(&wanted).is_some_and(|order| self.op.holds(order))
    }
}

fn spelt(text: &str) -> String {
    match text.trim().to_lowercase().as_str() {
        "t" => "true".to_owned(),
        "f" => "false".to_owned(),
        other => other.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_compare_numbers_and_words() {
        let number = |op, wanted| Condition { op, operand: Operand::Number(wanted) };
        let text = |op, wanted: &str| Condition { op, operand: Operand::Text(wanted.to_owned()) };
        for (condition, value, holds) in [
            (number(Op::Greater, 5.0), Some("5.1"), true),
            (number(Op::Greater, 5.0), Some("5"), false),
            (number(Op::AtLeast, 5.0), Some("5"), true),
            (number(Op::Less, 5.0), Some("x"), false),
            (number(Op::NotEqual, 5.0), None, false),
            (text(Op::Equal, "Idle"), Some("idle"), true),
            (text(Op::Equal, "false"), Some("f"), true),
            (text(Op::NotEqual, "streaming"), Some("catchup"), true),
            (text(Op::NotEqual, "streaming"), None, false),
        ] {
            assert_eq!(condition.holds(value), holds, "{condition:?} {value:?}");
        }
        assert!(number(Op::AtMost, 1.0).holds_number(Some(1.0)));
        assert!(!number(Op::AtMost, 1.0).holds_number(Some(f64::NAN)));
        assert!(!text(Op::Equal, "1").holds_number(Some(1.0)));
    }
}
