//! A row of figures as the server tells it.

use serde::Deserialize as _;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use tokio_postgres::Row;
use tokio_postgres::types::FromSql;

/// A row as the server tells it.
#[derive(Debug)]
pub(super) enum Told {
    Row(Row),
    /// Behind a pooler, whose messages are text.
    Json(Map<String, Value>),
}

impl Told {
    /// The value of a column; `None` if there is none, or one of another type.
    pub(super) fn get<T: for<'a> FromSql<'a> + DeserializeOwned>(&self, column: &str) -> Option<T> {
        match self {
            Self::Row(row) => row.try_get(column).ok().flatten(),
            Self::Json(row) => Option::<T>::deserialize(row.get(column)?).ok().flatten(),
        }
    }
}
