//! An alert by HTTP.

use std::{io, sync::Arc, time::Duration};

use async_trait::async_trait;
use serde::Serialize;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::{Alert, Clock, DeadNotice, Notice, SystemClock};

/// How long a request may take in all.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Posts each dead letter and each notice as JSON to an address: to a chat, a pager, or a gateway
/// to them. If that fails, the log says so, and nothing is tried again.
///
/// The client is as plain as can be: HTTP/1.1 without TLS, a connection a request, no redirects.
/// Put a proxy on the same machine before an address that needs more.
#[derive(Debug)]
pub struct WebhookAlert {
    authority: String,
    path: String,
    clock: Arc<dyn Clock>,
}

/// An address isn't one that [`WebhookAlert`] can post to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{url:?} isn't an address as http://host:port/path")]
pub struct WebhookError {
    url: String,
}

impl WebhookAlert {
    /// Posts to an address as `http://host:port/path`; the port is 80 if there is none.
    pub fn new(url: &str) -> Result<Self, WebhookError> {
        let refuse = || WebhookError {
            url: url.to_owned(),
        };
        let rest = url.strip_prefix("http://").ok_or_else(refuse)?;
        let (authority, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
        let is_plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
        if authority.is_empty() || authority.contains('@') || !is_plain(rest) {
            return Err(refuse());
        }
        Ok(Self {
            authority: authority.to_owned(),
            path: path.to_owned(),
            clock: Arc::new(SystemClock),
        })
    }

    async fn tell(&self, notice: &impl Serialize) {
        let body = match serde_json::to_string(notice) {
            Ok(body) => body,
            Err(error) => {
                tracing::error!("writing an alert: {error}");
                return;
            }
        };
        let posted = tokio::select! {
            biased;
            posted = self.post(&body) => posted,
            () = self.clock.sleep(TIMEOUT) => Err(io::ErrorKind::TimedOut.into()),
        };
        if let Err(error) = posted {
            tracing::error!(url = self.authority, "alerting: {error}");
        }
    }

    async fn post(&self, body: &str) -> io::Result<()> {
        let port = if self.has_port() { "" } else { ":80" };
        let address = format!("{}{port}", self.authority);
        let mut connection = TcpStream::connect(address).await?;
        let (path, host, length) = (&self.path, &self.authority, body.len());
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        );
        connection.write_all(request.as_bytes()).await?;
        let mut status = [0; 12];
        connection.read_exact(&mut status).await?;
        match &status[..10] {
            b"HTTP/1.1 2" | b"HTTP/1.0 2" => Ok(()),
            _ => {
                let status = String::from_utf8_lossy(&status).into_owned();
                Err(io::Error::other(format!("the answer is {status:?}")))
            }
        }
    }

    fn has_port(&self) -> bool {
        let after_host = self.authority.rsplit(']').next();
        after_host.is_some_and(|it| it.contains(':'))
    }
}

#[async_trait]
impl Alert for WebhookAlert {
    async fn dead(&self, notice: &DeadNotice) {
        self.tell(notice).await;
    }

    async fn notice(&self, notice: &Notice) {
        self.tell(notice).await;
    }
}
