//! Unusual values of every setting that a role may have (`context` is `user`): what pgwatch says must not depend on any.

use pgwatch::demo::Server;

/// Settings that the role does not get, and why.
const LEFT: [(&str, &str); 8] = [
    ("role", "another role has other rights"),
    ("session_authorization", "another role has other rights"),
    ("transaction_isolation", "of one transaction only"),
    ("transaction_read_only", "of one transaction only"),
    ("transaction_deferrable", "of one transaction only"),
    ("local_preload_libraries", "a library that is not there makes a login impossible"),
    ("default_tablespace", "there is no other tablespace"),
    ("temp_tablespaces", "there is no other tablespace"),
];

/// The values of texts, and of numbers whose lowest value would end each statement.
const CHOSEN: [(&str, &str); 21] = [
    ("restrict_nonsystem_relation_kind", "view, foreign-table"),
    ("DateStyle", "SQL, DMY"),
    ("TimeZone", "Asia/Kathmandu"),
    ("timezone_abbreviations", "India"),
    ("search_path", "nowhere, \"$user\""),
    ("application_name", "odd"),
    ("client_encoding", "LATIN1"),
    ("lc_monetary", "C"),
    ("lc_numeric", "C"),
    ("lc_time", "C"),
    ("default_text_search_config", "pg_catalog.german"),
    ("default_table_access_method", "heap"),
    ("createrole_self_grant", "set"),
    ("default_toast_compression", "pglz"),
    ("statement_timeout", "1h"),
    ("lock_timeout", "1h"),
    ("transaction_timeout", "1h"),
    ("idle_in_transaction_session_timeout", "1h"),
    ("idle_session_timeout", "500ms"),
    ("client_connection_check_interval", "1h"),
    ("tcp_user_timeout", "1h"),
];

/// Gives the role `odd` its settings.
pub(super) fn give(server: &Server) {
    let sql = "select name, vartype, setting, min_val, max_val, array_to_string(enumvals, ',') from pg_settings where context = 'user' order by 1";
    let mut given = 0;
    for line in server.psql(sql).unwrap().lines() {
        let [name, kind, now, min, max, values] = line.split('|').collect::<Vec<_>>()[..] else { panic!("{line}") };
        if LEFT.iter().any(|(left, _)| *left == name) || !min.is_empty() && min == max {
            continue;
        }
        let chosen = CHOSEN.iter().find(|(chosen, _)| *chosen == name).map(|(_, value)| (*value).to_owned());
        let value = chosen.or_else(|| match kind {
            "bool" => Some(if now == "on" { "off" } else { "on" }.to_owned()),
            "enum" => values.split(',').find(|value| *value != now).map(str::to_owned),
            "integer" if min == now => Some((min.parse::<i64>().unwrap() + 1).to_string()),
            "real" if min == now => Some(max.to_owned()),
            "integer" | "real" => Some(min.to_owned()),
            _ => None,
        });
        let value = value.unwrap_or_else(|| panic!("{name} needs a value"));
        // A list of names is one only without quotes around it.
        let value = if name == "search_path" { value } else { format!("'{value}'") };
        match server.psql(&format!("alter role odd set {name} = {value}")) {
            Ok(_) => given += 1,
            // From 19 on it can only be on.
            Err(_) if name == "standard_conforming_strings" => (),
            Err(error) => panic!("{name}: {error}"),
        }
    }
    assert!(given > 80, "{given} settings");
}
