//! Passwords in the statements of others: `pg_stat_activity` and `pg_stat_statements` show `ALTER ROLE ... PASSWORD '...'`
//! as it was sent. It is hidden before anybody sees it.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::Regex;

/// `password 'x'`, in all the ways that SQL quotes a text, and `password=x` within a connection string. What is cut off
/// before its closing quote is hidden to the end.
static PASSWORD: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?i)(password\s*(?:=\s*)?)((?:e|u&)?'(?:[^']|'')*(?:'|$)|\$(\w*)\$(?s:.*?)(?:\$\w*\$|$))|(password\s*=\s*)([^\s'&;,]+)|(://[^:@/\s']*:)([^@/\s']+)(@)")
        .ok()
});

/// The statement without the passwords in it.
pub(super) fn masked(statement: &str) -> Cow<'_, str> {
    // Most statements hold neither.
    let suspicious =
        statement.contains("://") || statement.as_bytes().windows(8).any(|word| word.eq_ignore_ascii_case(b"password"));
    match &*PASSWORD {
        Some(pattern) if suspicious => pattern.replace_all(statement, "$1$4$6'***'$8"),
        None if suspicious => Cow::Borrowed("(a statement that may hold a password)"),
        _ => Cow::Borrowed(statement),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_hidden_and_nothing_else() {
        for (statement, shown) in [
            ("select 1", "select 1"),
            (
                "CREATE ROLE a LOGIN PASSWORD 'se''cret' VALID UNTIL 'x'",
                "CREATE ROLE a LOGIN PASSWORD '***' VALID UNTIL 'x'",
            ),
            ("alter user a encrypted password\nE'secret'", "alter user a encrypted password\n'***'"),
            ("alter user a password $x$secret$x$", "alter user a password '***'"),
            ("alter user a password 'secret cut", "alter user a password '***'"),
            (
                "create subscription s connection 'host=h password=secret user=u' publication p",
                "create subscription s connection 'host=h password='***' user=u' publication p",
            ),
            ("select dblink('postgres://u:secret@h/d')", "select dblink('postgres://u:'***'@h/d')"),
            (
                "select password from users where password = 'secret'",
                "select password from users where password = '***'",
            ),
            ("select password, 'x' from users", "select password, 'x' from users"),
            ("update t set password = $1", "update t set password = '***'"),
        ] {
            assert_eq!(masked(statement), shown);
        }
    }
}
