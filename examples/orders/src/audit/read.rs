//! How evidence is read: rows of databases, answers of HTTP interfaces, lines of files.

use std::{io, path::Path, time::Duration};

use serde_json::Value;
use stele_toolkit_sql::sqlx::{
    self, AnyConnection, AssertSqlSafe, Connection as _, Row as _,
    any::{AnyRow, install_default_drivers},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use super::Failed;

const TIMEOUT: Duration = Duration::from_secs(30);

/// A database that is read, and nothing else.
#[derive(Debug)]
pub(super) struct Database(AnyConnection);

impl Database {
    pub(super) async fn open(url: &str) -> Result<Self, Failed> {
        install_default_drivers();
        let url = match url.starts_with("sqlite:") {
            true => format!("{url}?mode=ro"),
            false => url.to_owned(),
        };
        let open = AnyConnection::connect(&url).await;
        Ok(Self(open.map_err(|error| format!("{url}: {error}"))?))
    }

    /// The rows of a query without parameters, each made into something by `make`.
    pub(super) async fn rows<T>(
        &mut self,
        query: &str,
        make: impl Fn(&Row<'_>) -> Result<T, Failed>,
    ) -> Result<Vec<T>, Failed> {
        let rows = sqlx::query(AssertSqlSafe(query.to_owned()));
        let rows = rows.fetch_all(&mut self.0).await;
        let rows = rows.map_err(|error| format!("{query}: {error}"))?;
        rows.iter().map(|row| make(&Row(row))).collect()
    }

    /// The number of rows of a table.
    pub(super) async fn count(&mut self, table: &str) -> Result<i64, Failed> {
        let query = format!("SELECT COUNT(*) FROM {table}");
        let counts = self.rows(&query, |row| row.number(0)).await?;
        Ok(counts.first().copied().unwrap_or_default())
    }

    pub(super) async fn close(self) -> Result<(), Failed> {
        Ok(self.0.close().await?)
    }
}

/// A row, by the places of its columns.
pub(super) struct Row<'a>(&'a AnyRow);

impl Row<'_> {
    pub(super) fn text(&self, column: usize) -> Result<String, Failed> {
        Ok(self.0.try_get(column)?)
    }

    pub(super) fn number(&self, column: usize) -> Result<i64, Failed> {
        Ok(self.0.try_get(column)?)
    }

    pub(super) fn json(&self, column: usize) -> Result<Value, Failed> {
        Ok(serde_json::from_str(&self.text(column)?)?)
    }

    pub(super) fn bytes(&self, column: usize) -> Result<Vec<u8>, Failed> {
        Ok(self.0.try_get(column)?)
    }
}

/// A JSON answer to a GET request.
pub(super) async fn get(address: &str, path: &str) -> Result<Value, Failed> {
    let asking = async {
        let mut socket = TcpStream::connect(address).await?;
        let request = format!("GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n");
        socket.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer).await?;
        Ok::<_, io::Error>(answer)
    };
    let answer = timeout(TIMEOUT, asking).await??;
    let text = String::from_utf8(answer)?;
    let (head, body) = text
        .split_once("\r\n\r\n")
        .ok_or("an answer without an end")?;
    if !head
        .lines()
        .next()
        .is_some_and(|line| line.contains(" 200 "))
    {
        return Err(format!("http://{address}{path}: {head}").into());
    }
    Ok(serde_json::from_str(body)?)
}

/// The lines of a file, each JSON; none if there is no such file.
pub(super) async fn lines(file: &Path) -> Result<Vec<Value>, Failed> {
    let text = match tokio::fs::read_to_string(file).await {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    text.lines()
        .map(|line| Ok(serde_json::from_str(line)?))
        .collect()
}

/// The text of a field, or nothing.
pub(super) fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_default().to_owned()
}

/// The number of a field, or 0.
pub(super) fn number(value: &Value, field: &str) -> i64 {
    value[field].as_i64().unwrap_or_default()
}
