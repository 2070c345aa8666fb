//! Asks for texts beside the rows: those that are asked once for each row, and one as a whole.

use futures_util::StreamExt;
use tokio::time::Instant;
use tokio_postgres::SimpleQueryMessage;

use super::{Failure, MAX_BYTES, SharedTexts, ViewSession, cells, is_encoding, lock};
use crate::connection::session::SessionKind;
use crate::connection::views::texts;
use crate::model::protocol::{TextRequest, ViewRows, WholeText};
use crate::model::view::Source;
use crate::model::{ErrorKind, NodeConfig, NodeError, Role, View};

impl ViewSession {
    /// Adds the texts that are asked once for each row. Without them the rows are worth as much: a failure leaves its
    /// reason. Returns whether the session can be used again.
    pub(super) async fn add_texts(
        &mut self,
        node: &NodeConfig,
        view: &View,
        role: Role,
        answer: &mut ViewRows,
        shared: &SharedTexts,
        wish: u64,
    ) -> bool {
        let once = (0..view.columns.len()).find_map(|column| Some((column, view.once(column)?.0)));
        let Some((column, of)) = once else { return true };
        let Source::Sql { at, .. } = &of.source else { return true };
        let began = Instant::now();
        let wanted = lock(shared).of(view).wanted(view, &answer.rows, wish, began);
        let mut lives = true;
        if let Some(keys) = wanted {
            let failed = loop {
                let asked = self.in_time(node, view.timeout, async |on| {
                    let sql =
                        on.statement(node, view, role, |view, target| view.once_sql(column, &keys, target)).await?;
                    let (sql, _) = on.stand_ins.apply(view, sql, role);
                    let as_bytes = on.asks_bytes(view);
                    on.texts(node, view, &sql, |cells| lock(shared).of(view).add(of, cells, as_bytes)).await
                });
                match asked.await {
                    Ok(unread) if unread && !self.asks_bytes(view) => self.ask_bytes(view),
                    Ok(_) => break None,
                    Err(Failure::Said(error)) if is_encoding(&error) && !self.asks_bytes(view) => self.ask_bytes(view),
                    Err(failure) => {
                        lives = !matches!(failure, Failure::Broken(_));
                        break Some(missing(view, column, failure));
                    }
                }
            };
            lock(shared).of(view).asked(began, Instant::now(), wish, failed);
        }
        lock(shared).of(view).fill(view, *at, answer);
        lives
    }

    /// Asks for one text as a whole. Also returns whether the session can be used again.
    pub(in crate::connection::views) async fn whole(
        &mut self,
        node: &NodeConfig,
        request: &TextRequest,
        role: Option<Role>,
    ) -> (Result<Option<WholeText>, NodeError>, bool) {
        let (view, role) = (&*request.view, self.role_of(role));
        loop {
            let Some(of) = view.columns.get(request.column) else { return (Ok(None), true) };
            let mut whole = None;
            let asked = self.in_time(node, view.timeout, async |on| {
                let (key, column) = (&request.key, request.column);
                let sql = on.statement(node, view, role, |view, target| view.whole_sql(column, key, target)).await?;
                let (sql, _) = on.stand_ins.apply(view, sql, role);
                let as_bytes = on.asks_bytes(view);
                let read = |cells: &[Option<&str>]| {
                    let size = cells.get(1).copied().flatten();
                    whole = cells.first().copied().flatten().map(|text| texts::whole(of, text, size, as_bytes));
                };
                on.texts(node, view, &sql, read).await
            });
            return match asked.await {
                Ok(unread) if unread && !self.asks_bytes(view) => {
                    self.ask_bytes(view);
                    continue;
                }
                Ok(_) => (Ok(whole), true),
                Err(Failure::Said(error)) if is_encoding(&error) && !self.asks_bytes(view) => {
                    self.ask_bytes(view);
                    continue;
                }
                Err(Failure::Lacks(why)) => (Err(NodeError::new(ErrorKind::Sql, why)), true),
                Err(Failure::Said(error)) => (Err(error), true),
                Err(Failure::Broken(error)) => (Err(error), false),
                Err(Failure::Unprepared) => (Ok(None), true),
            };
        }
    }

    /// Runs a statement that is not prepared, and hands over the cells of each of its rows. Returns true if there was a
    /// text that is not UTF-8, whose cell is missing.
    async fn texts(
        &mut self,
        node: &NodeConfig,
        view: &View,
        sql: &str,
        mut each: impl FnMut(&[Option<&str>]),
    ) -> Result<bool, Failure> {
        let setting = self.setting(view);
        let sql = self.dialled.message(SessionKind::View, view.timeout, sql);
        let Self { client, driver, .. } = self;
        let answer = async {
            let settling =
                async { if let Some(setting) = setting { client.batch_execute(&setting).await } else { Ok(()) } };
            let rows = async {
                let mut stream = std::pin::pin!(client.simple_query_raw(&sql).await?);
                let (mut bytes, mut unread) = (0, false);
                while let Some(message) = stream.next().await {
                    let SimpleQueryMessage::Row(row) = message? else { continue };
                    let cells: Vec<Option<&str>> =
                        cells(&row).inspect(|cell| unread |= cell.is_none()).map(Option::flatten).collect();
                    bytes += cells.iter().flatten().map(|cell| cell.len()).sum::<usize>();
                    // The rest is read, for the sake of the session, and asked for again.
                    if bytes <= MAX_BYTES {
                        each(&cells);
                    }
                }
                Ok(unread)
            };
            let (settled, rows) = futures_util::future::join(settling, rows).await;
            settled.and(rows)
        };
        driver.until(answer).await.map_err(|error| self.failed(node, &error))
    }
}

/// Why the texts of a column are missing.
fn missing(view: &View, column: usize, failure: Failure) -> String {
    let title = view.columns.get(column).map_or("", |column| column.title.as_str());
    // 42883: there is no conversion from one encoding to the other.
    let is_unconverted = |error: &NodeError| is_encoding(error) || error.sqlstate.as_deref() == Some("42883");
    match failure {
        Failure::Said(error) if is_unconverted(&error) => format!(
            "{title} is missing: one of the texts cannot be converted ({}); a node for a database in UTF8 may show them",
            error.message
        ),
        Failure::Said(error) | Failure::Broken(error) => format!("{title} is missing: {}", error.message),
        Failure::Lacks(why) => format!("{title} is missing: {why}"),
        Failure::Unprepared => format!("{title} is missing"),
    }
}
