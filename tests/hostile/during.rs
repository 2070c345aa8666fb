//! What the server sends within a session: facts, and the answer to the user's statement. The node stays healthy.

use crate::before::{NOT_POSTGRES, WITHOUT_END, garbage};
use crate::cases::{Case, case};
use crate::support::fake::messages::{
    announced, complete, error, message, notice, prepared, ready, row, row_description, status,
};
use crate::support::fake::{Act, Stage};
use Act::{Drip, Forever, Hangup, Say, Types, Wait};
use Stage::{Facts, Pool, Prepare, Query};

/// A type that the driver must look up.
const UNKNOWN: u32 = 99_999;

pub fn cases() -> Vec<Case> {
    [facts(), pool(), prepare(), query(), results(), large()].into_iter().flatten().collect()
}

fn facts() -> Vec<Case> {
    let (no, odd) = (NOT_POSTGRES, "internal");
    // The facts come from a prepared statement, so their rows have no description.
    let lying = vec![Say(prepared(&[], &[("server_time", 701)])), Wait, Say([message(b'2', b""), row(&[])].concat())];
    vec![
        case("facts-garbage", Facts, vec![Say(garbage())], odd, no),
        case("facts-length-of-2-GB", Facts, vec![Say(announced(b'D', 0x7fff_ffff, b""))], odd, no),
        case("facts-row-that-lies", Facts, lying, odd, no),
        case(
            "facts-types-without-end",
            Facts,
            vec![Say(prepared(&[], &[("x", UNKNOWN)])), Types],
            odd,
            "endlessly nested",
        ),
        case("facts-notices-without-end", Facts, vec![Forever(notice("hi"))], odd, WITHOUT_END),
        case("facts-out-of-turn", Facts, vec![Say([complete("SELECT 1"), ready()].concat())], odd, no),
        case("facts-error-without-fields", Facts, vec![Say([message(b'E', &[0]), ready()].concat())], odd, no),
        case("facts-close", Facts, vec![Hangup], "connection_lost", "was lost"),
        case("facts-half-a-message", Facts, vec![Say(b"1\0".to_vec())], "timeout", "no answer from"),
        case("facts-a-byte-a-second", Facts, vec![Drip(prepared(&[], &[]))], "timeout", "no answer from"),
    ]
}

fn pool() -> Vec<Case> {
    vec![
        case("pool-garbage", Pool, vec![Say(garbage())], "internal", NOT_POSTGRES),
        case("pool-close", Pool, vec![Hangup], "connection_lost", "was lost"),
        case("pool-silence", Pool, vec![], "timeout", "no answer from"),
        case("pool-notices-without-end", Pool, vec![Forever(notice("hi"))], "internal", WITHOUT_END),
    ]
}

fn prepare() -> Vec<Case> {
    let (no, odd) = (NOT_POSTGRES, "internal");
    let wide = announced(b'T', 900_000, &vec![0xff; 899_996]);
    vec![
        case("prepare-garbage", Prepare, vec![Say(garbage())], odd, no),
        case(
            "prepare-types-without-end",
            Prepare,
            vec![Say(prepared(&[], &[("x", UNKNOWN)])), Types],
            odd,
            "endlessly nested",
        ),
        case("prepare-65535-columns", Prepare, vec![Say(wide)], odd, "a result of 65535 columns"),
        case("prepare-close", Prepare, vec![Hangup], "connection_lost", "was lost"),
    ]
}

fn query() -> Vec<Case> {
    let (no, odd) = (NOT_POSTGRES, "internal");
    let not_postgres = |name, bytes: Vec<u8>| case(name, Query, vec![Say(bytes)], odd, no);
    let described = || row_description(&[("hostile", 23)]);
    vec![
        not_postgres("query-garbage", garbage()),
        not_postgres("query-tiny-length", announced(b'D', 1, b"")),
        not_postgres("query-negative-length", announced(b'C', u32::MAX, b"")),
        not_postgres("query-error-without-fields", [message(b'E', &[0]), ready()].concat()),
        not_postgres("query-error-of-odd-numbers", message(b'E', b"SERROR\0C22000\0Mx\0Pnowhere\0\0")),
        not_postgres("query-row-undescribed", row(&[None])),
        not_postgres("query-authentication", message(b'R', &[0; 4])),
        not_postgres(
            "query-name-of-no-text",
            row_description(&[("x", 23)]).iter().map(|&b| if b == b'x' { 0xff } else { b }).collect(),
        ),
        not_postgres("query-cells-beyond-the-row", [described(), message(b'D', b"\0\x01\0\0\0\xff1")].concat()),
        not_postgres("query-10-million-columns", announced(b'T', 180_000_000, &[0xff; 64])),
        case("query-row-that-lies", Query, vec![Say([described(), row(&[None; 3])].concat())], odd, no),
        case(
            "query-length-of-2-GB",
            Query,
            vec![Say(announced(b'D', 0x7fff_ffff, b""))],
            "sql",
            "a row of 2047 MB is larger",
        ),
        case(
            "query-notice-of-500-MB",
            Query,
            vec![Say(announced(b'N', 500 << 20, b""))],
            "sql",
            "a notice of 500 MB is larger",
        ),
        case("query-close", Query, vec![Hangup], "connection_lost", "was lost"),
        case("query-half-a-message", Query, vec![Say(b"T\0\0\0\x99\0\x01".to_vec())], "timeout", "no answer from"),
        case("query-a-byte-a-second", Query, vec![Drip([described(), ready()].concat())], "timeout", "no answer from"),
        case("query-copy-in", Query, vec![Say(message(b'G', &[0; 3]))], "sql", "COPY"),
        case(
            "query-copy-out-without-end",
            Query,
            vec![Say(message(b'H', &[0; 3])), Forever(message(b'd', b"x"))],
            "sql",
            "COPY",
        ),
        case(
            "query-rows-after-FATAL",
            Query,
            vec![Say(error("FATAL", "57P01", "terminating connection")), Forever(row(&[None]))],
            "terminated",
            "terminating connection",
        ),
        case("query-cancel-answered-with-garbage", Query, vec![], "timeout", "no answer from")
            .with_cancel(vec![Forever(garbage())]),
        case("query-cancel-never-answered", Query, vec![], "timeout", "no answer from"),
        case("query-cancel-hung-up-on", Query, vec![], "timeout", "no answer from").with_cancel(vec![Hangup]),
    ]
}

/// Valid messages without end.
fn results() -> Vec<Case> {
    let described = || row_description(&[("hostile", 23)]);
    let endless = |name, bytes: Vec<u8>| case(name, Query, vec![Forever(bytes)], "internal", WITHOUT_END);
    let long = "long ".repeat(400);
    let bad = [described(), row(&[Some(b"\xff\xfe")]), complete("SELECT 1"), ready()].concat();
    vec![
        endless("query-notices-without-end", notice(&long)),
        endless("query-settings-without-end", status(b"name", long.as_bytes())),
        endless("query-descriptions-without-end", described()),
        endless("query-completions-without-end", complete(&long)),
        case("query-ready-without-end", Query, vec![Say(complete("SELECT 0")), Forever(ready())], "ok", ""),
        case("query-rows-without-columns", Query, vec![Say(row_description(&[])), Forever(row(&[]))], "ok", "").large(),
        case("query-cell-of-no-text", Query, vec![Say(bad)], "ok", ""),
        case(
            "query-row-on-a-drip",
            Query,
            vec![Say(described()), Drip(row(&[Some(b"1")]))],
            "timeout",
            "no answer from",
        ),
    ]
}

/// Results of the largest size that is allowed.
fn large() -> Vec<Case> {
    let described = || Say(row_description(&[("hostile", 25)]));
    let row_of = |bytes: usize| row(&[Some(&vec![b'x'; bytes])]);
    let half = || row_of(62 << 20).split_last().map(|(_, most)| most.to_vec()).unwrap_or_default();
    vec![
        case("large-rows-without-end", Query, vec![described(), Forever(row_of(2_000))], "ok", "").large(),
        case(
            "large-row",
            Query,
            vec![described(), Say([row_of(62 << 20), complete("SELECT 1"), ready()].concat())],
            "ok",
            "",
        )
        .large(),
        case("large-row-without-its-end", Query, vec![described(), Say(half())], "timeout", "no answer from").large(),
    ]
}
