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
            Ok(replaced) => yaml.value = replaced,
            Err(message) => {
                report.problem(yaml.position, message);
                yaml.value = Value::Broken;
            }
        },
        Value::List(items) => items.iter_mut().for_each(|item| tree(item, env, report)),
        Value::Map(entries) => entries.iter_mut().for_each(|entry| tree(&mut entry.value, env, report)),
        Value::Null | Value::Bytes(_) | Value::Broken => {}
    }
}

/// Replaces the variables in one text. A dollar before anything but `{` and `$` is itself. As in a shell, the default
/// is also used for a variable that is empty. A variable need not be UTF-8: it may be a password.
fn text(text: &str, env: &Environment) -> Result<Value, String> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        out.extend_from_slice(before.as_bytes());
        if let Some(after) = after.strip_prefix('$') {
            out.push(b'$');
            rest = after;
        } else if let Some(inside) = after.strip_prefix('{') {
            let (inside, after) = inside.split_once('}').ok_or_else(|| format!("${{ is not closed: {FORMS}"))?;
            out.extend_from_slice(variable(inside, env)?);
            rest = after;
        } else {
            out.push(b'$');
            rest = after;
        }
    }
    out.extend_from_slice(rest.as_bytes());
    Ok(String::from_utf8(out).map_or_else(|error| Value::Bytes(error.into_bytes()), Value::Text))
}

/// The value of `${inside}`.
fn variable<'a>(inside: &'a str, env: &'a Environment) -> Result<&'a [u8], String> {
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
        Some(default) => Ok(env.var_bytes(name).filter(|value| !value.is_empty()).unwrap_or(default.as_bytes())),
        None => env.var_bytes(name).ok_or_else(|| {
            format!("the variable {name} is not set: set it, or write a default, as in ${{{name}:-default}} ($$ is a dollar)")
        }),
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    use proptest::prelude::*;

    use super::*;

    fn replaced(input: &str, env: &Environment) -> String {
        match text(input, env).unwrap() {
            Value::Text(text) => text,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_variable_that_is_not_utf_8_keeps_its_bytes() {
        let env = Environment::empty().with_var("A", OsStr::from_bytes(b"gr\xfc\xdfe"));
        assert_eq!(text("${A}!", &env), Ok(Value::Bytes(b"gr\xfc\xdfe!".to_vec())));
    }

    #[test]
    fn variables_are_replaced_by_their_values() {
        let env = Environment::empty().with_var("A", "1: #x").with_var("EMPTY", "");
        let ok = |input: &str| replaced(input, &env);
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
            prop_assert_eq!(replaced(&input.replace('$', "$$"), &Environment::empty()), input);
        }

        #[test]
        fn no_text_panics(input in "[$]?[{]?.*[$]?[{]?[A-Z:}-]*") {
            let _ = text(&input, &Environment::empty());
        }

        #[test]
        fn a_value_is_never_interpolated_again(value in ".*") {
            let env = Environment::empty().with_var("V", value.clone());
            prop_assert_eq!(replaced("${V}", &env), value);
        }
    }
}
