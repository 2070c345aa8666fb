//! The first round trip of a session: it makes the settings, finds out whether they are kept, and asks for version and
//! role.
//!
//! A session keeps what is set if the process that answers is the one that the login named, and if the next transaction
//! still finds the settings. Otherwise something in between hands out the server's processes, as poolers do: then nothing
//! of ours was left there.

use std::borrow::Cow;
use std::time::Duration;

use tokio_postgres::{Client, SimpleQueryMessage};

use super::dial::Dialled;
use super::settings::{self, MARK, PLAIN, SessionKind};
use crate::connection::error::is_said;
use crate::model::{NodeConfig, Role};
use crate::sql::with_escapes;

/// Reported by servers from 14 on.
const REPORTED: &str = "SHOW in_hot_standby";

/// What a server says of itself at first.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct First {
    /// `server_version_num`.
    pub(crate) version_num: Option<u32>,
    pub(crate) role: Option<Role>,
}

impl Dialled {
    /// Makes the settings of the session, and asks for version and role along with it. A server that refuses to tell
    /// them is asked once more, in a way that needs no right to a function that it may have taken away; one that answers at
    /// all is there. Cancel-safe: what was set on a session that is given up ends with it, or with its transaction.
    pub(crate) async fn open(
        &mut self,
        client: &Client,
        node: &NodeConfig,
        kind: SessionKind,
    ) -> Result<First, tokio_postgres::Error> {
        let ask = format!(
            "{PLAIN}SELECT current_setting('server_version_num'), pg_is_in_recovery(), current_setting('{}')",
            MARK.0
        );
        let messages = self.settings(node, kind);
        let setting = futures_util::future::join_all(messages.iter().map(|message| client.simple_query(message)));
        let (set, told) = futures_util::future::join(setting, client.simple_query(&ask)).await;
        let pid = set.first().and_then(|set| cell(set.as_deref().ok()?, 0)?.parse().ok());
        let has_settings = told.as_ref().map_or(true, |told| cell(told, 2) == Some(MARK.1));
        self.found(node.address(), pid, has_settings);
        self.heard.opened();
        let lives = |error: &tokio_postgres::Error| is_said(error, client, &self.heard);
        match told {
            Ok(told) => Ok(First {
                version_num: cell(&told, 0).and_then(|text| text.parse().ok()),
                role: role_of(cell(&told, 1)),
            }),
            Err(error) if lives(&error) => match client.simple_query(REPORTED).await {
                Ok(told) => Ok(First { version_num: None, role: role_of(cell(&told, 0)) }),
                Err(error) if lives(&error) => Ok(First::default()),
                Err(error) => Err(error),
            },
            Err(error) => Err(error),
        }
    }

    /// A statement of ours as it is sent on this session: behind a pooler it is one message with all that it depends on. A
    /// server reads the texts of a message before it obeys any of it.
    pub(crate) fn message<'a>(&self, kind: SessionKind, timeout: Duration, statement: &'a str) -> Cow<'a, str> {
        if !self.behind_pooler {
            return statement.into();
        }
        (settings::of_transaction(kind, self.server(), timeout) + &with_escapes(statement)).into()
    }

    /// The messages that make the settings of this session, also after `DISCARD ALL`.
    pub(crate) fn settings(&self, node: &NodeConfig, kind: SessionKind) -> Vec<String> {
        settings::opening(node, kind, self.server(), self.heard.pid())
    }
}

/// A cell of the first row; `None` where it is missing or not text: `get` would panic.
fn cell(messages: &[SimpleQueryMessage], column: usize) -> Option<&str> {
    let row = messages.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    });
    row?.try_get(column).ok().flatten()
}

fn role_of(in_recovery: Option<&str>) -> Option<Role> {
    match in_recovery? {
        "t" | "on" => Some(Role::Standby),
        "f" | "off" => Some(Role::Primary),
        _ => None,
    }
}
