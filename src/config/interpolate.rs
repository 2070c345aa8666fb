//! `${VAR}`, `${VAR:-default}` and `$$` in the values of the file.
//!
//! They are replaced after the YAML is parsed, so that a `:` or `#` in the value of a variable cannot change the
//! structure of the file.

use super::Environment;
use super::diagnostic::Diagnostics;
use super::yaml::{Value, Yaml};

const FORMS: &str = "write ${VAR}, ${VAR:-default}, or $$ for a dollar";

/// Replaces the variables in every text of the tree. A text in which that fails is marked as broken.
pub(super) fn tree(yaml: &mut Yaml, env: &Environment, report: &mut Diagnostics) {
    match &mut yaml.value {
        Value::Text(value) => match text(value, env) {
            Ok(replaced) => *value = replaced,
            Err(message) => {
                report.problem(yaml.position, message);
                yaml.value = Value::Broken;
            }
        },
        Value::List(items) => items.iter_mut().for_each(|item| tree(item, env, report)),
        Value::Map(entries) => entries.iter_mut().for_each(|entry| tree(&mut entry.value, env, report)),
        Value::Null | Value::Broken => {}
    }
}

/// Replaces the variables in one text. A dollar before anything but `{` and `$` is itself. As in a shell, the default
/// is also used for a variable that is empty.
fn text(text: &str, env: &Environment) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        if let Some(after) = after.strip_prefix('$') {
            out.push('$');
            rest = after;
        } else if let Some(inside) = after.strip_prefix('{') {
            let (inside, after) = inside.split_once('}').ok_or_else(|| format!("${{ is not closed: {FORMS}"))?;
            out.push_str(variable(inside, env)?);
            rest = after;
        } else {
            out.push('$');
            rest = after;
        }
    }
    out.push_str(rest);
    Ok(out)
}

/// The value of `${inside}`.
fn variable<'a>(inside: &'a str, env: &'a Environment) -> Result<&'a str, String> {
    let (name, default) = match inside.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inside, None),
    };
    // The message does not repeat an invalid name: it may be a piece of a password.
    let starts_right = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if !starts_right || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return Err(format!("${{ and }} must enclose the name of a variable: {FORMS}"));
    }
    if default.is_some_and(|default| default.contains("${")) {
        return Err(format!("the default of ${{{name}}} must not contain a variable: {FORMS}"));
    }
    match default {
        Some(default) => Ok(env.filled_var(name).unwrap_or(default)),
        None => env.var(name).ok_or_else(|| {
            format!("the variable {name} is not set: set it, or write a default, as in ${{{name}:-default}} ($$ is a dollar)")
        }),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn variables_are_replaced_by_their_values() {
        let env = Environment::empty().with_var("A", "1: #x").with_var("EMPTY", "");
        let ok = |input: &str| text(input, &env).unwrap();
        assert_eq!(ok("x${A}y"), "x1: #xy");
        assert_eq!(ok("${B:-b}${B:-}${A:-b}${EMPTY:-e}${EMPTY}"), "b1: #xe");
        assert_eq!(ok("$$ $$$${A} $x $"), "$ $${A} $x $");
        assert!(text("${B}", &env).unwrap_err().contains("variable B is not set"));
        for bad in ["${", "${}", "${A", "${1}", "${A-b}", "${a b}", "${:-x}", "${B:-${A}}"] {
            assert!(text(bad, &env).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn doubled_dollars_give_any_text_back(input in ".*") {
            prop_assert_eq!(text(&input.replace('$', "$$"), &Environment::empty()).unwrap(), input);
        }

        #[test]
        fn no_text_panics(input in "[$]?[{]?.*[$]?[{]?[A-Z:}-]*") {
            let _ = text(&input, &Environment::empty());
        }

        #[test]
        fn a_value_is_never_interpolated_again(value in ".*") {
            let env = Environment::empty().with_var("V", value.clone());
            prop_assert_eq!(text("${V}", &env).unwrap(), value);
        }
    }
}
