//! Statements around a secret, written from bytes: the same bytes write the same statement. The property test takes them
//! from proptest, the fuzz target `secrets` from libFuzzer.

use std::fmt::Write as _;

/// Stands at several places of each secret, so that whatever is shown of one is found. No statement holds it otherwise.
pub const MARKER: &str = "Q7";

/// Bytes that decide; after their end, the first of all choices.
pub struct Bytes<'a>(pub &'a [u8]);

impl Bytes<'_> {
    fn below(&mut self, count: usize) -> usize {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        usize::from(*first) % count
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    fn flip(&mut self) -> bool {
        self.below(2) == 1
    }
}

/// A statement as a server shows it: in one of ten cases only its beginning.
pub fn statement(bytes: &mut Bytes<'_>) -> String {
    let mut statement = nested(bytes);
    if bytes.flip() {
        statement = format!(
            "{}{statement}",
            bytes.one(&["", "select 'a'; ", "begin;\n", "/* a'b */ ", "-- it's\n", "\n\t", "EXPLAIN "])
        );
    }
    if bytes.flip() {
        statement += bytes.one(&["", ";", "; select 'b'", " -- end", " /* ' */", "\n"]);
    }
    if bytes.below(10) == 9 {
        let mut at = bytes.below(256) * statement.len() / 255;
        while !statement.is_char_boundary(at) {
            at -= 1;
        }
        statement.truncate(at);
    }
    statement
}

/// Anything that the mask should survive: a secret or none, pieces of SQL in any order.
pub fn pieces(bytes: &mut Bytes<'_>) -> String {
    const PIECES: [&str; 34] = [
        "password",
        "'",
        "''",
        "\"",
        "=",
        " ",
        "\n",
        ";",
        ":",
        "/",
        "://u:",
        "@",
        "$$",
        "$a$",
        "$1",
        "\\",
        "\\x70",
        "%61",
        "--",
        "/*",
        "*/",
        "(",
        ")",
        ",",
        ".",
        "e'",
        "u&'",
        "set ",
        "to ",
        "alter role r ",
        "identified by ",
        "execute p(",
        "é",
        "12345",
    ];
    (0..bytes.below(40)).map(|_| bytes.one(&PIECES)).collect()
}

fn nested(bytes: &mut Bytes<'_>) -> String {
    let inner = form(bytes);
    match bytes.below(14) {
        0 => format!("do $d$ begin execute {}; end $d$", literal(bytes, &inner)),
        1 => format!("do {}", dollars("begin\n  ", &inner, "; perform 'x'; end", "$body$")),
        2 => format!("select dblink_exec('c', {})", literal(bytes, &inner)),
        3 => format!(
            "create function f() returns void language plpgsql as {}",
            literal(bytes, &format!("begin {inner}; end"))
        ),
        4 => format!("/* {} */ select 1", inner.replace("*/", "").replace("/*", "")),
        5 => format!("prepare p as {inner}"),
        6 => {
            let execute = format!("begin execute {}; end", literal(bytes, &inner));
            format!("do {}", literal(bytes, &execute))
        }
        7 => format!("select 1 -- {}", inner.replace(['\n', '\r'], " ")),
        8 => format!("execute p(1, {})", literal(bytes, &inner)),
        _ => inner,
    }
}

/// A statement, of any client, that holds a secret.
fn form(bytes: &mut Bytes<'_>) -> String {
    if bytes.below(8) == 7 {
        return bare(bytes);
    }
    let secret = secret(bytes);
    let quoted = literal(bytes, &secret);
    let key = key(bytes);
    match bytes.below(25) {
        0 => format!(
            "{} r {}password {quoted} valid until 'x'",
            role(bytes),
            bytes.one(&["", "with ", "login encrypted ", "ENCRYPTED "])
        ),
        1 => format!("alter role r PASSWORD\n/* it's */ {quoted} login"),
        2 => format!("create user mapping for u server s options (user 'u', {key} {quoted})"),
        3 => format!("alter server s options (set {key} {quoted}, add host 'h')"),
        4 => format!("create subscription s connection {} publication p", connection(bytes, &secret)),
        5 => format!("select dblink_connect('c', {})", connection(bytes, &secret)),
        6 => format!("select * from dblink({}, 'select 1') as t (a int)", connection(bytes, &secret)),
        7 => format!("copy t from program {} with (format csv)", command(bytes, &secret)),
        8 => format!("select set_config('app.{key}', {quoted}, false)"),
        9 => format!("set {}app.{key} = {quoted}", bytes.one(&["", "local ", "session "])),
        10 => format!("alter database d set app.{key} to {quoted}"),
        11 => format!("select {}", crypto(bytes, &quoted)),
        12 => format!("insert into t (doc) values ({})", document(bytes, &secret)),
        13 => format!(
            "select * from users u where u.{key} {} {quoted} and a = 'b'",
            bytes.one(&["=", "<>", "like", "in (''),", "~"])
        ),
        14 => format!("update users set \"{key}\" = {quoted}, a = 1 where id = 5"),
        15 => format!("insert into users (id, {key}) values (1, {quoted}) returning *"),
        16 => format!("select f({key} => {quoted}, id := 1)"),
        17 => format!(
            "create user a identified {} {quoted} account lock",
            bytes.one(&["by", "by password", "with plugin by", "with plugin as"])
        ),
        18 => format!("select doc #>> '{{a,{key}}}' = {quoted} from t"),
        19 => format!("select {} from t where a = 'x'", connection(bytes, &secret)),
        // Quotes that nobody escaped.
        20 => format!("alter role r password '{}'x{MARKER}'", secret.replace(['\'', '\\'], "")),
        21 => format!("create server s foreign data wrapper f options (host 'h', dbname {quoted})"),
        22 => format!("alter subscription s connection {quoted}"),
        23 => format!("select {}('u', {quoted})", bytes.one(&["login", "app.authenticate", "check_login"])),
        _ => format!("execute set_{key}({quoted})"),
    }
}

/// A secret that is written without quotes, of letters and digits.
fn bare(bytes: &mut Bytes<'_>) -> String {
    let key = key(bytes).replace('-', "_");
    let secret = format!("{}{MARKER}{}", bytes.one(&["s", "S3", "abc"]), bytes.one(&["", "x", "123"]));
    match bytes.below(9) {
        0 => format!("set app.{key} = {secret}"),
        1 => format!("alter role r set app.{key} to {secret}"),
        2 => format!("alter role r password {secret} login"),
        3 => format!("create user a identified by {secret} account lock"),
        4 => format!("{key}={secret} psql -h h"),
        5 => format!("psql postgres://u:{secret}@h/d"),
        6 => format!("select * from users where {key} = \"{secret}\""),
        7 => format!("{{\"{key}\": \"{secret}\"}}"),
        _ => format!("{key}: {secret} {secret}"),
    }
}

fn role(bytes: &mut Bytes<'_>) -> String {
    format!("{} {}", bytes.one(&["create", "ALTER"]), bytes.one(&["role", "USER", "group"]))
}

fn secret(bytes: &mut Bytes<'_>) -> String {
    const PARTS: [&str; 24] = [
        "", "a", "0", "'", "''", "\\", "\\'", "\"", "$$", "$d$", "$1", "@", ":", "/", "//", "%", "%41", ";", "--",
        "/*", "*/", " ", "\n", "é",
    ];
    let mut secret = bytes.one(&PARTS).to_owned();
    for _ in 0..=bytes.below(3) {
        secret = secret + MARKER + bytes.one(&PARTS) + bytes.one(&["", "b"]);
    }
    secret
}

/// A name of a secret, as people write them.
fn key(bytes: &mut Bytes<'_>) -> String {
    const KEYS: [&str; 26] = [
        "password",
        "passwd",
        "pwd",
        "pass",
        "pw",
        "secret",
        "token",
        "api_key",
        "apikey",
        "access_key",
        "secret_key",
        "private_key",
        "sslpassword",
        "bearer",
        "jwt",
        "db_password",
        "PGPASSWORD",
        "aws_secret_access_key",
        "dbPassword",
        "userPwd",
        "apiKey",
        "accessToken",
        "smtp_pass",
        "client_secret",
        "password2",
        "passphrase",
    ];
    let key = bytes.one(&KEYS);
    match bytes.below(4) {
        0 => key.to_uppercase(),
        1 => format!("my_{key}"),
        2 => format!("{key}_hash"),
        _ => key.to_owned(),
    }
}

fn dollars(before: &str, text: &str, after: &str, tag: &str) -> String {
    let others = (0..).map(|number| format!("$d{number}$"));
    let tag = std::iter::once(tag.to_owned()).chain(others).find(|tag| !text.contains(tag)).unwrap();
    format!("{tag}{before}{text}{after}{tag}")
}

/// The text in one of the ways in which SQL quotes.
fn literal(bytes: &mut Bytes<'_>, text: &str) -> String {
    let doubled = text.replace('\'', "''");
    let escaped = text.replace('\\', "\\\\").replace('\'', "\\'");
    match bytes.below(12) {
        0 => format!("E'{escaped}'"),
        1 => format!(
            "e'{}'",
            text.replace('\\', "\\134").replace('\'', "''").replace('a', "\\x61").replace('p', "\\u0070")
        ),
        2 => format!(
            "U&'{}'",
            text.replace('\\', "\\\\").replace('\'', "''").replace('a', "\\0061").replace('p', "\\+000070")
        ),
        3 => format!("U&'{}' uescape '!'", text.replace('!', "!!").replace('\'', "''").replace('a', "!0061")),
        4 => format!("N'{doubled}'"),
        5 => dollars("", text, "", "$$"),
        6 => dollars("", text, "", "$q$"),
        // standard_conforming_strings is off.
        7 => format!("'{escaped}'"),
        8 | 9 => {
            let mut half = text.len() / 2;
            while !text.is_char_boundary(half) {
                half -= 1;
            }
            // Nobody splits an escape of what is inside.
            let is_inside = |at: usize| text.get(at..half).is_some_and(|near| near.contains(['\\', '%']));
            if text.char_indices().any(|(at, _)| at < half && half - at < 11 && is_inside(at)) {
                return format!("'{doubled}'");
            }
            let (first, second) = text.split_at(half);
            let between = bytes.one(&["\n", "  \n\t", " || ", "||"]);
            format!("'{}'{between}'{}'", first.replace('\'', "''"), second.replace('\'', "''"))
        }
        _ => format!("'{doubled}'"),
    }
}

/// Each byte of the text, or each that needs it, as `%41`.
fn percent(text: &str, all: bool) -> String {
    text.bytes().fold(String::new(), |mut written, byte| {
        // The marker stays, so that it is found.
        if byte.is_ascii_alphanumeric() && (!all || MARKER.as_bytes().contains(&byte)) {
            written.push(byte.into());
        } else {
            write!(written, "%{byte:02X}").unwrap();
        }
        written
    })
}

fn connection(bytes: &mut Bytes<'_>, secret: &str) -> String {
    let escaped = secret.replace('\\', "\\\\").replace('\'', "\\'");
    let word = bytes.one(&["password", "sslpassword", "PASSWORD"]);
    let (encoded, plain) = (percent(secret, false), secret.replace([' ', '\n'], ""));
    let string = match bytes.below(12) {
        0 => format!("host=h {word}='{escaped}' user=u"),
        1 => format!("user=u {word} = '{escaped}'\ndbname=d"),
        2 => format!("host=h {word}={} user=u", escaped.replace(' ', "\\ ").replace('\n', "\\\n")),
        3 => format!("postgres://u:{encoded}@h/d"),
        4 => format!("postgresql://u:{encoded}@h:5432,i:5433/d?target_session_attrs=any"),
        5 => format!("postgresql://u:{plain}@h:5432/d"),
        6 => format!("postgres://:{plain}@h"),
        7 => format!("postgres://h/d?user=u&{word}={encoded}&x=y"),
        8 => format!("postgres://h/d?{}={encoded}", percent(word, true)),
        9 => format!("postgres://u:12/{plain}@h/d"),
        10 => format!("jdbc:postgresql://h:5432/d?user=u&{word}={encoded}"),
        _ => format!("https://{}@h/x", if encoded.contains('%') { format!("u:{encoded}") } else { encoded }),
    };
    literal(bytes, &string)
}

fn command(bytes: &mut Bytes<'_>, secret: &str) -> String {
    let command = match bytes.below(5) {
        0 => format!("curl -u user:{secret} https://h/x"),
        1 => format!("curl -H \"Authorization: Bearer {secret}\" https://h/x"),
        2 => format!("PGPASSWORD={secret} psql -h h"),
        3 => format!("cat /{secret}/file"),
        _ => format!("mysql --password={secret} | gzip"),
    };
    literal(bytes, &command)
}

fn crypto(bytes: &mut Bytes<'_>, quoted: &str) -> String {
    match bytes.below(8) {
        0 => format!("crypt({quoted}, gen_salt('bf'))"),
        1 => format!("pgp_sym_encrypt(data, {quoted}) from t"),
        2 => format!("pgp_sym_decrypt(data, {quoted}, 'cipher-algo=aes256') from t"),
        3 => format!("encode(digest({quoted}, 'sha256'), 'hex')"),
        4 => format!("md5({quoted} || 'user')"),
        5 => format!("hmac(data, {quoted}, 'sha1') from t"),
        6 => format!("encrypt(data, {quoted}, 'aes') from t"),
        _ => format!("sha256 ({quoted}::bytea)"),
    }
}

fn document(bytes: &mut Bytes<'_>, secret: &str) -> String {
    let json = secret.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    let key = key(bytes);
    let document = match bytes.below(6) {
        0 => format!("{{\"id\": 1, \"{key}\": \"{json}\"}}"),
        1 => format!("{{\"auth\": {{\"{key}\":\"{json}\"}}, \"a\": [1]}}"),
        2 => format!("{{\"{}\": \"{json}\"}}", key.replace('s', "\\u0073").replace('t', "\\u0074")),
        3 => format!("user: u\n{key}: {secret}\n"),
        4 => format!("{key}={secret};user=u"),
        _ => format!("<conf {key}=\"{secret}\"/>"),
    };
    literal(bytes, &document)
}
