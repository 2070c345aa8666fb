//! The configuration as people meet it: a folder of files with what pgwatch says about each, the example file against
//! the real defaults, and the precedence of libpq's environment, password and service files.
//!
//! After an intended change of the messages: `UPDATE_EXPECT=1 cargo test --test pure config`, then read the difference.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use pgwatch::config::{self, Config, Environment, Flags};
use pgwatch::model::{NodeConfig, NodeName, PasswordSource, RootCert, SslMode};

const CASES: &str = "tests/config/cases";

/// An environment that is the same on every machine.
fn environment() -> Environment {
    Environment::empty().with_user("oncall").with_home("/nonexistent")
}

/// Loads a case. Its first lines may say `# cluster: NAME` and `# env: NAME=value`.
fn load_case(path: &Path) -> Result<Config, Vec<config::Diagnostic>> {
    let text = fs::read_to_string(path).unwrap();
    let mut env = environment();
    let mut cluster = None;
    for line in text.lines().take_while(|line| line.starts_with('#')) {
        if let Some(name) = line.strip_prefix("# cluster: ") {
            cluster = Some(name.to_owned());
        } else if let Some((name, value)) = line.strip_prefix("# env: ").and_then(|line| line.split_once('=')) {
            env = env.with_var(name, value);
        }
    }
    config::load(path, cluster.as_deref(), &env)
}

/// What a case yields, in the form of its `.expected` file.
fn told(outcome: Result<Config, Vec<config::Diagnostic>>) -> String {
    let mut out = String::new();
    match outcome {
        Err(problems) => problems.iter().for_each(|problem| writeln!(out, "{problem}").unwrap()),
        Ok(config) => {
            config.warnings.iter().for_each(|warning| writeln!(out, "warning: {warning}").unwrap());
            config.nodes.iter().for_each(|node| writeln!(out, "{}", described(node)).unwrap());
            out.push_str(&described_rest(&config));
        }
    }
    out.replace(&format!("{CASES}/"), "")
}

/// A node in one line: address and user, then what differs from the default.
fn described(node: &NodeConfig) -> String {
    let mut out = format!("{}: {}@{}/{}", node.name, node.user, node.address(), node.database);
    let default = NodeConfig::new(node.name.clone(), &*node.host);
    let mut tell = |what: &str, value: String, usual: String| {
        if value != usual {
            write!(out, ", {what} {value}").unwrap();
        }
    };
    let tunnel = |node: &NodeConfig| {
        let tunnel = node.tunnel.as_ref()?;
        Some(tunnel.stands_for().map_or_else(|| tunnel.name().to_owned(), |command| format!("`{command}`")))
    };
    tell("through", tunnel(node).unwrap_or_default(), String::new());
    tell("password", format!("{:?}", node.password), format!("{:?}", default.password));
    let (tls, usual) = (&node.tls, &default.tls);
    tell("sslmode", tls.mode.as_str().to_owned(), usual.mode.as_str().to_owned());
    tell("sslrootcert", format!("{:?}", tls.root_cert), format!("{:?}", usual.root_cert));
    tell("sslcert", format!("{:?}", tls.cert), format!("{:?}", usual.cert));
    tell("sslkey", format!("{:?}", tls.key), format!("{:?}", usual.key));
    tell("sslpassword", format!("{:?}", tls.key_password), format!("{:?}", usual.key_password));
    let rest = |tls: &pgwatch::model::TlsConfig| {
        let versions = (tls.min_version, tls.max_version);
        format!(
            "{:?}",
            (tls.channel_binding, versions, tls.direct, tls.without_sni, tls.without_cert, &tls.crl, &tls.crl_dir)
        )
    };
    tell("TLS", rest(tls), rest(usual));
    let (hosts, unset) = (&node.connect, &default.connect);
    tell("hostaddr", format!("{:?}", hosts.hostaddr), format!("{:?}", unset.hostaddr));
    tell("further hosts", format!("{:?}", hosts.further_hosts), format!("{:?}", unset.further_hosts));
    let order = |connect: &pgwatch::model::ConnectConfig| {
        format!("{} {}", connect.session_attrs.as_str(), connect.random_order)
    };
    tell("order", order(hosts), order(unset));
    let login = |connect: &pgwatch::model::ConnectConfig| {
        format!("{:?}", (&connect.options, &connect.require_auth, &connect.require_peer, &connect.unmet))
    };
    tell("login", login(hosts), login(unset));
    tell("", format!("{:?}", hosts.tcp), format!("{:?}", unset.tcp));
    tell("", format!("{:?}", node.pool), format!("{:?}", default.pool));
    tell("", format!("{:?}", node.health), format!("{:?}", default.health));
    tell("read_only", format!("{:?}", node.read_only), format!("{:?}", default.read_only));
    tell("pglogical", node.pglogical.to_string(), default.pglogical.to_string());
    out
}

/// The settings beside the nodes that differ from the default.
fn described_rest(config: &Config) -> String {
    let default = Config::default();
    let mut out = String::new();
    let mut tell = |what: &str, value: String, usual: String| {
        if value != usual {
            writeln!(out, "{what}: {value}").unwrap();
        }
    };
    tell("cluster", format!("{:?}", config.cluster), format!("{:?}", default.cluster));
    tell("clusters", format!("{:?}", config.clusters), format!("{:?}", default.clusters));
    tell("refresh", format!("{:?}", config.refresh), format!("{:?}", default.refresh));
    tell("query_timeout", format!("{:?}", config.query_timeout), format!("{:?}", default.query_timeout));
    tell("shutdown_timeout", format!("{:?}", config.shutdown_timeout), format!("{:?}", default.shutdown_timeout));
    tell("show_statements", config.show_statements.to_string(), default.show_statements.to_string());
    tell("theme", format!("{:?}", config.theme), format!("{:?}", default.theme));
    tell("colors", format!("{:?}", config.colors), format!("{:?}", default.colors));
    tell("thresholds", format!("{:?}", config.thresholds), format!("{:?}", default.thresholds));
    out
}

#[test]
fn every_case_says_what_is_expected() {
    let update = std::env::var_os("UPDATE_EXPECT").is_some();
    let mut cases: Vec<PathBuf> = fs::read_dir(CASES).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    cases.sort();
    assert!(cases.len() > 40, "the cases are gone: {}", cases.len());
    let mut wrong = String::new();
    for case in &cases {
        let got = told(load_case(case));
        assert!(!got.contains("hunter2"), "{}: a password is told:\n{got}", case.display());
        let expected = case.with_extension("expected");
        if update {
            fs::write(&expected, &got).unwrap();
        }
        let want = fs::read_to_string(&expected).unwrap_or_default();
        if got != want {
            write!(wrong, "\n--- {}\nwanted:\n{want}\ngot:\n{got}", case.display()).unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

const EXAMPLE: &str = "config/cluster.example.yaml";

/// The example with each documented default (`#= key: value`) written out.
fn example_with_defaults() -> String {
    let text = fs::read_to_string(EXAMPLE).unwrap();
    text.lines().map(|line| line.replacen("#= ", "", 1) + "\n").collect()
}

fn load_text(text: &str, env: &Environment) -> Result<Config, Vec<config::Diagnostic>> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cluster.yaml");
    fs::write(&path, text).unwrap();
    config::load(&path, None, env)
}

/// Every leaf of the tree, as `a.b.c`.
fn leaves(value: &serde_yaml::Value, path: &str, out: &mut Vec<String>) {
    match value {
        serde_yaml::Value::Mapping(map) if !map.is_empty() => {
            for (key, value) in map {
                leaves(value, &format!("{path}.{}", key.as_str().unwrap()), out);
            }
        }
        _ => out.push(path.trim_start_matches('.').to_owned()),
    }
}

#[test]
fn the_example_loads_and_names_the_real_defaults() {
    let env = environment();
    let plain = config::load(Path::new(EXAMPLE), None, &env).unwrap();
    assert_eq!(plain.warnings, []);
    assert_eq!(
        plain.nodes.iter().map(|node| node.name.as_str()).collect::<Vec<_>>(),
        ["primary", "replica-1", "replica-2"]
    );
    let text = example_with_defaults();
    assert_ne!(text, fs::read_to_string(EXAMPLE).unwrap());
    let written = load_text(&text, &env).unwrap();
    let primary = &written.nodes[0];
    let model = NodeConfig::new(NodeName::parse("primary").unwrap(), "10.0.0.1");
    assert_eq!(primary.is_read_only(), model.is_read_only());
    assert_eq!(
        NodeConfig { user: model.user.clone(), read_only: None, ..primary.clone() },
        model,
        "the defaults that the example documents for a node are not those of the model"
    );
    assert_eq!(written.theme.as_deref(), Some(pgwatch::model::THEMES[0]));
    let default = Config::default();
    assert_eq!(
        (written.refresh, written.query_timeout, written.shutdown_timeout, written.show_statements, written.thresholds),
        (default.refresh, default.query_timeout, default.shutdown_timeout, default.show_statements, default.thresholds)
    );
    // With or without the defaults written out, the file means the same.
    assert_eq!(NodeConfig { read_only: None, ..primary.clone() }, plain.nodes[0]);
}

#[test]
fn the_example_documents_every_default() {
    let all: serde_yaml::Value = serde_yaml::from_str(&example_with_defaults()).unwrap();
    let plain: serde_yaml::Value = serde_yaml::from_str(&fs::read_to_string(EXAMPLE).unwrap()).unwrap();
    let (mut documented, mut written) = (Vec::new(), Vec::new());
    leaves(&all, "", &mut documented);
    leaves(&plain, "", &mut written);
    documented.retain(|leaf| !written.contains(leaf));
    documented.sort();
    assert_eq!(
        documented,
        [
            "nodes.primary.database",
            "nodes.primary.health.interval",
            "nodes.primary.health.slow_after",
            "nodes.primary.health.timeout",
            "nodes.primary.health.unhealthy_after",
            "nodes.primary.pglogical",
            "nodes.primary.pool.connect_timeout",
            "nodes.primary.pool.idle_timeout",
            "nodes.primary.pool.max",
            "nodes.primary.pool.min",
            "nodes.primary.port",
            "nodes.primary.read_only",
            "nodes.primary.sslmode",
            "query_timeout",
            "refresh",
            "show_statements",
            "shutdown_timeout",
            "theme",
            "thresholds.conflict_rate.critical",
            "thresholds.conflict_rate.warning",
            "thresholds.replication_lag.critical",
            "thresholds.replication_lag.warning",
            "thresholds.slot_retention.critical",
            "thresholds.slot_retention.warning",
        ]
    );
    // Every key is in the file, if only in a comment.
    let text = fs::read_to_string(EXAMPLE).unwrap();
    let told = load_text(
        "zzz: 1\nnodes: {a: {zzz: 1, pool: {zzz: 1}, health: {zzz: 1}}}\nthresholds: {zzz: 1}\n",
        &environment(),
    );
    for problem in told.unwrap_err() {
        let (_, keys) = problem.message.split_once("allowed keys are ").unwrap();
        for key in keys.split(", ") {
            assert!(text.contains(&format!("{key}:")), "the example does not explain {key}:");
        }
    }
}

/// A home folder with a password file.
fn home() -> tempfile::TempDir {
    use std::os::unix::fs::PermissionsExt;
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join(".pgpass"), "*:*:*:*:hunter2\n").unwrap();
    fs::set_permissions(home.path().join(".pgpass"), fs::Permissions::from_mode(0o600)).unwrap();
    home
}

#[test]
fn passwords_have_the_precedence_of_libpq() {
    let home = home();
    let env = environment().with_home(home.path());
    let source = |text: &str, env: &Environment| load_text(text, env).unwrap().nodes.remove(0).password;
    let given = |text: &str| PasswordSource::Given(pgwatch::model::Secret::new(text));
    let pgpass = PasswordSource::File(home.path().join(".pgpass"));
    assert_eq!(source("nodes: {a: {host: x}}", &environment()), PasswordSource::None);
    assert_eq!(source("nodes: {a: {host: x}}", &env), pgpass);
    assert_eq!(source("nodes: {a: {host: x, password: \"\"}}", &env), pgpass);
    assert_eq!(source("nodes: {a: {host: x, password: own}}", &env), given("own"));
    assert_eq!(source("nodes: {a: 'postgres://u:own@x'}", &env), given("own"));
    assert_eq!(source("nodes: {a: {host: x, password_command: c}}", &env), PasswordSource::Command("c".to_owned()));
    let env = env.with_var("PGPASSWORD", "env");
    assert_eq!(source("nodes: {a: {host: x}}", &env), given("env"));
    assert_eq!(source("nodes: {a: {host: x}}\ndefaults: {password: shared}", &env), given("shared"));
    assert_eq!(source("nodes: {a: {host: x, password: own}}\ndefaults: {password_command: c}", &env), given("own"));
    // A password file that the node names, and one that does not exist.
    let other = home.path().join("other");
    fs::copy(home.path().join(".pgpass"), &other).unwrap();
    let env = environment().with_home(home.path()).with_var("PGPASSFILE", other.to_str().unwrap());
    assert_eq!(source("nodes: {a: {host: x}}", &env), PasswordSource::File(other));
    let env = env.with_var("PGPASSFILE", "/nonexistent/file");
    assert_eq!(source("nodes: {a: {host: x}}", &env), PasswordSource::None);
}

#[test]
fn a_password_file_that_others_can_read_is_refused_with_a_warning() {
    use std::os::unix::fs::PermissionsExt;
    let home = home();
    let path = home.path().join(".pgpass");
    let look = || config::passfile::lookup(&path, "h", 1, "d", "u");
    assert_eq!(look().unwrap().unwrap().expose(), "hunter2");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let told = look().unwrap_err();
    assert!(told.contains("chmod 0600") && !told.contains("hunter2"), "{told}");
    let env = environment().with_home(home.path());
    let loaded = load_text("nodes: {a: {host: x}, b: {host: y}}", &env).unwrap();
    assert_eq!(loaded.warnings.len(), 1, "{:?}", loaded.warnings);
    assert!(loaded.warnings[0].message.contains("chmod 0600"));
    assert!(config::passfile::lookup(home.path(), "h", 1, "d", "u").is_err());
    assert!(config::passfile::lookup(Path::new("/nonexistent"), "h", 1, "d", "u").is_err());
}

#[test]
fn relative_paths_start_at_the_file() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("ca.crt"), "").unwrap();
    let path = folder.path().join("cluster.yaml");
    fs::write(&path, "nodes: {a: {host: x, sslrootcert: ca.crt}, b: 'host=x sslrootcert=ca.crt'}").unwrap();
    let loaded = config::load(&path, None, &environment()).unwrap();
    for node in &loaded.nodes {
        assert_eq!(node.tls.root_cert, Some(RootCert::File(folder.path().join("ca.crt"))));
    }
    assert_eq!(loaded.warnings, []);
    assert_eq!(loaded.path, Some(path));
}

#[test]
fn flags_make_one_node() {
    let flags = |host: &str, port, user: &str, dbname: &str| {
        let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Flags { host: text(host), port, user: text(user), dbname: text(dbname) }
    };
    let one = |flags: Flags, env: &Environment| {
        let config = config::from_flags(&flags, env).unwrap();
        assert_eq!((config.nodes.len(), &config.path, &config.cluster), (1, &None, &None));
        config.nodes.into_iter().next().unwrap()
    };
    let env = environment();
    let node = one(flags("10.0.0.1", Some(6432), "me", "app"), &env);
    assert_eq!((node.name.as_str(), node.address().as_str()), ("node-10-0-0-1", "10.0.0.1:6432"));
    assert_eq!((node.user.as_str(), node.database.as_str()), ("me", "app"));
    let node = one(flags("/run/pg", None, "", ""), &env);
    assert_eq!((node.name.as_str(), node.host.as_str(), node.user.as_str()), ("local", "/run/pg", "oncall"));
    assert_eq!(one(flags("fe80::1%eth0", None, "", ""), &env).host, "fe80::1%eth0");
    // As with psql, the connection string overrides the other flags.
    let node = one(flags("other", Some(1), "", "postgres://u@db.example/shop?sslmode=require"), &env);
    assert_eq!((node.name.as_str(), node.address().as_str()), ("db-example", "db.example:1"));
    assert_eq!((node.database.as_str(), node.tls.mode), ("shop", SslMode::Require));
    let env = env.with_var("PGHOST", "fromenv").with_var("PGDATABASE", "envdb");
    let node = one(flags("", None, "x", ""), &env);
    assert_eq!((node.name.as_str(), node.database.as_str()), ("fromenv", "envdb"));
    for bad in [
        flags("a b", None, "", ""),
        flags("a", Some(0), "", ""),
        flags("", None, "", "host=x passwrd=hunter2"),
        // A process list shows the password to everybody.
        flags("", None, "", "postgres://u:hunter2@db.example/shop"),
    ] {
        let told = config::from_flags(&bad, &environment()).unwrap_err();
        assert!(
            !format!("{told:?}").contains("hunter2") && told[0].to_string().starts_with("the command line: --"),
            "{told:?}"
        );
    }
}

#[test]
fn missing_binary_and_endless_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let told = |path: &Path| config::load(path, None, &environment()).unwrap_err()[0].to_string();
    assert!(told(&folder.path().join("none.yaml")).ends_with("none.yaml: no such file"));
    assert!(told(folder.path()).contains("is a directory"));
    let path = folder.path().join("bad.yaml");
    fs::write(&path, b"nodes:\n  \xc3\xa4: \xff\n").unwrap();
    assert!(told(&path).ends_with("bad.yaml:2:6: this is not UTF-8 text: save the file as UTF-8"), "{}", told(&path));
    fs::write(&path, vec![b'#'; (4 << 20) + 1]).unwrap();
    assert!(told(&path).contains("larger than 4 MB"));
    assert!(told(Path::new("/dev/zero")).contains("larger than 4 MB"));
}

#[test]
fn the_default_file_is_in_the_configuration_folder() {
    let path = |env: &Environment| config::default_path(env).map(|path| path.display().to_string());
    assert_eq!(path(&Environment::empty()), None);
    let env = Environment::empty().with_home("/home/me");
    assert_eq!(path(&env).as_deref(), Some("/home/me/.config/pgwatch/config.yaml"));
    assert_eq!(path(&env.clone().with_var("XDG_CONFIG_HOME", "/etc/x")).as_deref(), Some("/etc/x/pgwatch/config.yaml"));
    assert_eq!(
        path(&env.with_var("XDG_CONFIG_HOME", "relative")).as_deref(),
        Some("/home/me/.config/pgwatch/config.yaml")
    );
}

#[test]
fn read_only_in_the_file_overrides_read_write() {
    let mut config = load_text(
        "nodes: {a: {host: x}, b: {host: x, read_only: true}, c: {host: x, read_only: false}}",
        &environment(),
    )
    .unwrap();
    assert_eq!(config.nodes.iter().map(NodeConfig::is_read_only).collect::<Vec<_>>(), [true, true, false]);
    config.apply_read_write();
    assert_eq!(config.nodes.iter().map(NodeConfig::is_read_only).collect::<Vec<_>>(), [false, true, false]);
    assert!(!config.template.is_read_only(), "a node added by hand may write as well");
}

#[test]
fn debug_shows_no_password() {
    let text = "nodes:\n  a: {host: x, password: hunter2, sslpassword: hunter2}\n  b: postgres://u:hunter2@x\n";
    let config = load_text(text, &environment().with_var("PGPASSWORD", "hunter2")).unwrap();
    assert!(!format!("{config:?}").contains("hunter2"));
    let info = config::conninfo::parse("host=x password=hunter2 sslpassword=hunter2").unwrap();
    assert!(!format!("{info:?}").contains("hunter2"));
}

#[test]
fn absurd_files_are_read_or_refused_soon() {
    let many = |line: fn(usize) -> String, n: usize| (0..n).map(line).collect::<String>();
    let texts = [
        format!(
            "nodes:\n{}",
            many(|i| format!("  n{i}: {{host: h{i}, port: 5432, user: u, pool: {{max: 3}}}}\n"), 5_000)
        ),
        format!("nodes:\n{}", many(|i| format!("  n{i}:\n"), 20_000)),
        format!("nodes:\n{}", many(|_| "  n: {host: x}\n".to_owned(), 20_000)),
        many(|i| format!("k{i}: 1\n"), 20_000),
        format!("clusters: {{c: {{nodes: [{}]}}}}\nnodes: {{a: {{host: x}}}}", "b, ".repeat(20_000)),
        format!("nodes: {}", "[".repeat(100_000)),
        format!("nodes: {}", "[".repeat(5_000)),
        format!("nodes: \"{}\"", "${A:-}".repeat(20_000)),
    ];
    let start = Instant::now();
    for text in &texts {
        let _ = load_text(text, &environment());
    }
    assert!(start.elapsed() < Duration::from_mins(1), "{:?}", start.elapsed());
}
