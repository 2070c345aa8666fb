//! Tables of statements with and without secrets. `tests/pure/secrets.rs` writes random ones.

use super::*;

#[test]
fn values_are_hidden_and_the_rest_is_shown() {
    for (statement, shown) in [
        (
            "CREATE ROLE a LOGIN PASSWORD 'se''cret' VALID UNTIL 'x'",
            "CREATE ROLE a LOGIN PASSWORD '***' VALID UNTIL '***'",
        ),
        ("alter user a encrypted password\nE'secret' login", "alter user a encrypted password\n'***' login"),
        ("alter user a password $x$secret$x$", "alter user a password '***'"),
        (r"alter role a password E'\'x' login", "alter role a password '***' login"),
        ("alter role a password U&'\\0061''b' uescape '!'", "alter role a password '***' uescape '***'"),
        ("alter role a password N'x'", "alter role a password '***'"),
        ("alter role a password 'x'\n  'y' login", "alter role a password '***'\n  '***' login"),
        ("alter role a password /* it's */ 'x'", "alter role a password /*'***'*/ '***'"),
        ("alter role a password -- it's\n'x'", "alter role a password --'***'\n'***'"),
        ("alter role a password $$x$$; select 'y'", "alter role a password '***'; select 'y'"),
        (
            "create subscription s connection 'host=h password=x' publication p",
            "create subscription s connection '***' publication p",
        ),
        (
            "create user mapping for a server s options (user 'u', key 'x')",
            "create user mapping for a server s options (user '***', key '***')",
        ),
        ("select dblink('postgres://u:x@h/d', 'select 1')", "select dblink('***', '***')"),
        (
            "select password from users where password = 'x' and id = 7",
            "select password from users where password = '***' and id = 7",
        ),
        ("insert into t (token, pin) values (E'x', 123456)", "insert into t (token, pin) values ('***', '***')"),
        ("select j ->> 'token' from t where j @> '{\"api_key\": \"x\"}'", "select j ->> '***' from t where j @> '***'"),
        (
            "select pgp_sym_encrypt(d, 'x'), crypt('y', s) from t",
            "select pgp_sym_encrypt(d, '***'), crypt('***', s) from t",
        ),
        ("select md5('x' || salt) from t", "select md5('***' || salt) from t"),
        ("copy t from program 'curl -u a:x http://h' with csv", "copy t from program '***' with csv"),
        ("select set_config('app.token', 'x', true)", "select set_config('***', '***', true)"),
        ("do $d$ begin execute 'alter role r password ''x'''; end $d$", "do '***'"),
        ("execute p (1, 'x')", "execute p (1, '***')"),
        ("select 'a'; EXECUTE p ('x')", "select 'a'; EXECUTE p ('***')"),
        (
            "create server s foreign data wrapper f options (dbname 'x')",
            "create server s foreign data wrapper f options (dbname '***')",
        ),
        ("alter subscription s connection 'host=h x'", "alter subscription s connection '***'"),
        ("alter system set archive_command = 'x'", "alter system set archive_command = '***'"),
        ("select authenticate('u', 'x')", "select authenticate('***', '***')"),
        ("select 'mysql -u root -ps3cr3t'", "select '***'"),
        ("select f('AKIAIOSFODNN7EXAMPLE', 'x')", "select f('***', '***')"),
        ("select g('https://h/d?sig=x')", "select g('***')"),
        ("select 1, 'x' -- password=y", "select 1, '***' --'***'"),
        ("comment on column t.password is 'the password:'", "comment on column t.password is '***'"),
        (
            "comment on column t.a is 'the password:'; select 'x' from t",
            "comment on column t.a is '***'; select 'x' from t",
        ),
    ] {
        assert_eq!(masked(statement), shown, "{statement}");
        assert_eq!(masked(shown), shown, "masked again: {statement}");
        assert!(is_masked(shown));
    }
}

#[test]
fn values_without_quotes_are_hidden() {
    for (statement, shown) in [
        ("set app.token to x", "set app.token to '***'"),
        ("set local \"app.password\" = \"x\"", "set local \"app.password\" = '***'"),
        ("alter role a set app.token = x, y", "alter role a set app.token = '***'"),
        ("alter database a set token.app to 12", "alter database a set token.app to '***'"),
        ("alter role a password x login", "alter role a password '***'"),
        ("alter role a password \"x y\"", "alter role a password '***'"),
        ("create user a identified by x#y; select 1", "create user a identified by '***'; select 1"),
        ("PGPASSWORD=x psql -h h", "PGPASSWORD='***' psql -h h"),
        ("PGPASSWORD=$1x psql", "PGPASSWORD='***' psql"),
        ("psql postgres://u:x@h/d -c y", "psql postgres://'***' -c y"),
        ("password: x y\nuser: u", "password: '***'\nuser: u"),
        ("{\"password\": \"x\", \"a\": 1}", "{\"password\": '***'"),
        ("where password = \"x\"", "where password = '***'"),
        ("where password = 12", "where password = '***'"),
        ("Authorization: Bearer x y", "Authorization: Bearer '***'"),
        ("select \"host=h password=x\"", "select '***'"),
    ] {
        assert_eq!(masked(statement), shown, "{statement}");
    }
}

#[test]
fn all_is_hidden_where_quotes_are_mixed_up_or_the_text_is_cut_off() {
    for (statement, shown) in [
        ("alter user a password 'x cut", "alter user a password '***'"),
        ("alter role a password 'cut''", "alter role a password '***'"),
        (r"alter role a password E'cut\", "alter role a password '***'"),
        ("alter role a password $x$cut$x", "alter role a password '***'"),
        ("alter role a password 'it's x' login", "alter role a password '***'"),
        ("alter role a password 'it' s x' login", "alter role a password '***'"),
        ("alter role a password 'it's; x'", "alter role a password '***'"),
        (r"alter role a password 'a\'x' login", "alter role a password '***'"),
        ("select 'a' where token = 'b'c'", "select '***'"),
        ("select 'postgres://u:12", "select '***'"),
        ("select U&'p!0061ss", "select '***'"),
        ("/* password = x", "/*'***'"),
    ] {
        assert_eq!(masked(statement), shown, "{statement}");
    }
}

#[test]
fn ordinary_statements_stay_as_they_are() {
    for statement in [
        "select 1",
        "select * from users where password = $1",
        "select password from t",
        "update t set password = $1, token = $2 where id = 5",
        "update t set password = lower(password), token = null, secret = default",
        "select * from users where password is null and not token_expired limit 10",
        "select password::text, token[1:2] from t order by token desc",
        "select u.id from users u join tokens t on t.token = u.token and u.token_id = t.id",
        "select \"u\".\"id\" from \"users\" \"u\" join \"tokens\" on \"u\".\"token_id\" = \"tokens\".\"id\"",
        "select 1 from public.users join public.tokens on users.token_id = public.tokens.id",
        "insert into users (id, password) values ($1, $2) on conflict do update set password = excluded.password",
        "create table users (id int, password varchar(255) not null)",
        "alter table t rename password to p",
        "alter role a password null",
        "alter role a rename to token_admin",
        "grant token_admin to bob",
        "set session authorization bob",
        "set search_path to public",
        "execute p ($1, 2)",
        "select 'a:b@c', 'http://h/p' from t where name = 'x'",
        "create trigger t after insert on t execute function f('x')",
    ] {
        assert_eq!(masked(statement), statement);
    }
}

#[test]
fn a_setting_is_hidden_as_a_whole() {
    assert_eq!(masked_setting("PGPASSWORD=x cp %p /a"), MASK);
    assert_eq!(masked_setting("cp %p /a"), "cp %p /a");
}

#[test]
fn the_time_grows_with_the_length_alone() {
    for piece in [
        "password",
        "password=",
        "password=f(",
        "password '",
        "password$",
        "'password ",
        "$a$password",
        "a://b:c",
        "a://",
        "/*://:",
        "postgres://a:b/",
        "E'\\'password ",
        "token.",
        "a.token=b.c ",
        "\\",
        "%41",
        "-pass",
        "program ",
        "set token to ",
        "password=x",
        "execute ",
        "identified by ",
        "://a@b ",
        "password:[",
        "Pass",
        "eyJ",
        "-p ",
        "-u a:",
        "login ( ",
        "role's token ",
        "\"password x\" ",
        "md5 /*",
    ] {
        let began = std::time::Instant::now();
        let repeated = piece.repeat((64 << 10) / piece.len());
        for text in
            [format!("select '{repeated}"), format!("set {repeated}"), format!("alter role {repeated}"), repeated]
        {
            let _ = masked(&text);
            let _ = masked_setting(&text);
            let _ = masked_message(&text);
            let _ = masked_plan(&text);
        }
        assert!(began.elapsed().as_secs() < 10, "{piece}: {:?}", began.elapsed());
    }
}
