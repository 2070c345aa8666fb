//! `pgwatch man`: one manual page for the program and its subcommands, made from the same definitions as `--help`.

use clap::{Command, CommandFactory as _};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use super::args::{Args, EXAMPLES};
use crate::app::keys::keymap;
use crate::app::update::command;

const EXIT_STATUS: &[(&str, &str)] = &[
    ("pgwatch, demo", "0 left by key or signal; 1 failed while running; 2 invalid file or usage"),
    ("check", "0 the file is valid; 2 it has errors"),
    (
        "status",
        "0 all nodes healthy, no alerts; 1 a degraded node or a warning; 2 a node down or a critical alert; 3 invalid file or usage",
    ),
    ("query", "0 every node answered; 1 some node did not; 2 invalid file or usage"),
    ("view", "0 every node answered; 1 some node did not; 2 invalid file or usage"),
    (
        "ended by a signal",
        "status, query and view exit with 128 plus the signal number and leave nothing on the servers",
    ),
];

const COMMANDS_HELP: &str = "After : type a command, the name of a view, or a statement. A command may be shortened to \
    any unique prefix and wins over SQL: one word is a statement only with a ; at its end. The foot says before Enter \
    what the line does and on which nodes. If a statement does something that no rollback undoes, pgwatch asks first. \
    This is a courtesy, not a safeguard.";

const FILES: &[(&str, &str)] = &[
    ("$XDG_CONFIG_HOME/pgwatch/config.yaml", "the configuration file, unless --config names another"),
    ("$XDG_CONFIG_HOME/pgwatch/views/*.yaml", "views of your own"),
    ("$XDG_CONFIG_HOME/pgwatch/alerts/*.yaml", "alert rules of your own"),
    ("~/.pgpass, pg_service.conf", "read as by every PostgreSQL client"),
];

const ENVIRONMENT: &[(&str, &str)] = &[
    ("PGHOST, PGPORT, PGUSER, PGDATABASE, PGPASSWORD, PGPASSFILE, PGSSLMODE, ...", "connection defaults, as for psql"),
    ("PGWATCH_LOG", "log level for --log: a level (debug), or a comma-separated list of module=level"),
    ("NO_COLOR", "draw without colours; signs and words show the state"),
];

/// The page in roff.
pub(super) fn page() -> std::io::Result<Vec<u8>> {
    let mut command = Args::command().disable_help_subcommand(true);
    command.build();
    let version = format!("pgwatch {}", env!("CARGO_PKG_VERSION"));
    let man = Man::new(command.clone()).title("PGWATCH").section("1").source(version).manual("User Commands");
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    for command in command.get_subcommands() {
        subcommand(command, &mut page)?;
    }
    let mut rest = Roff::new();
    keys(&mut rest);
    commands(&mut rest);
    table(&mut rest, "EXIT STATUS", EXIT_STATUS);
    table(&mut rest, "FILES", FILES);
    table(&mut rest, "ENVIRONMENT", ENVIRONMENT);
    rest.control("SH", ["EXAMPLES"]);
    prose(&mut rest, EXAMPLES.trim_start_matches("Examples:\n"));
    rest.to_writer(&mut page)?;
    Ok(page)
}

/// The section of one subcommand: the contents of a page of its own, one level deeper.
fn subcommand(command: &Command, page: &mut Vec<u8>) -> std::io::Result<()> {
    let mut heading = Roff::new();
    heading.control("SH", [command.get_bin_name().unwrap_or_default().to_uppercase().as_str()]);
    heading.to_writer(page)?;
    let man = Man::new(command.clone());
    let mut parts = Vec::new();
    man.render_description_section(&mut parts)?;
    man.render_synopsis_section(&mut parts)?;
    man.render_options_section(&mut parts)?;
    let parts = String::from_utf8_lossy(&parts).replace(".SH DESCRIPTION\n", ".PP\n").replace(".SH ", ".SS ");
    page.extend(parts.as_bytes());
    if let Some(help) = command.get_after_help() {
        let mut notes = Roff::new();
        notes.control("SS", ["NOTES"]);
        prose(&mut notes, &help.to_string());
        notes.to_writer(page)?;
    }
    Ok(())
}

/// The keys of the dashboard, from its key map.
fn keys(roff: &mut Roff) {
    roff.control("SH", ["KEYS"]);
    for place in keymap::keymap().places() {
        roff.control("SS", [place.title()]);
        for (action, keys) in keymap::keymap().section(place) {
            roff.control("TP", []);
            roff.text([bold(keymap::labels(keys, true))]);
            roff.text([roman(action.doc())]);
        }
    }
}

/// What can be typed after `:`.
fn commands(roff: &mut Roff) {
    roff.control("SH", ["COMMANDS"]);
    roff.text([roman(COMMANDS_HELP)]);
    for spec in command::commands() {
        roff.control("TP", []);
        roff.text([bold(format!(":{} {}", spec.name, spec.argument).trim_end())]);
        roff.text([roman(spec.doc)]);
    }
}

fn table(roff: &mut Roff, heading: &str, rows: &[(&str, &str)]) {
    roff.control("SH", [heading]);
    for (term, text) in rows {
        roff.control("TP", []);
        roff.text([bold(*term)]);
        roff.text([roman(*text)]);
    }
}

/// The text below `--help`: indented lines are examples, kept as they are; the others are paragraphs.
fn prose(roff: &mut Roff, text: &str) {
    for line in text.lines() {
        if let Some(example) = line.strip_prefix("  ") {
            roff.control("nf", []);
            roff.text([roman(example)]);
            roff.control("fi", []);
        } else if line.is_empty() {
            roff.control("PP", []);
        } else {
            roff.text([roman(line)]);
        }
    }
}
