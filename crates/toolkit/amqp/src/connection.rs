//! Connections, and how long trying again takes.

use std::{future::Future, sync::Arc, time::Duration};

use lapin::{Connection, ConnectionProperties, uri::AMQPUri};
use stele_toolkit_bus::TransportError;
use tokio::{sync::OnceCell, time};

use crate::{
    Settings,
    errors::{refused, translate, unreachable},
    names::Exchanges,
};

const BACKOFF_MIN: Duration = Duration::from_millis(50);
const BACKOFF_MAX: Duration = Duration::from_secs(5);

/// What everything of a transport shares.
#[derive(Debug)]
pub(crate) struct Broker {
    pub(crate) settings: Settings,
    pub(crate) exchanges: Exchanges,
    /// Whether the broker delays messages, once it was asked.
    pub(crate) delays: OnceCell<bool>,
    uri: AMQPUri,
}

impl Broker {
    pub(crate) fn new(settings: Settings) -> Result<Arc<Self>, TransportError> {
        let uri = settings.uri.parse::<AMQPUri>();
        let uri = uri.map_err(|error| refused(format!("the URI is wrong: {error}")))?;
        Ok(Arc::new(Self {
            exchanges: Exchanges::of(&settings.namespace)?,
            settings,
            delays: OnceCell::new(),
            uri,
        }))
    }

    /// A new connection, after one try.
    pub(crate) async fn connect(&self, purpose: &str) -> Result<Connection, TransportError> {
        let name = format!("stele-toolkit {purpose}");
        let properties = ConnectionProperties::default().with_connection_name(name.into());
        let connecting = Connection::connect_uri(self.uri.clone(), properties);
        self.in_time(connecting).await
    }

    /// A new connection, after as many tries as the time-out allows.
    pub(crate) async fn connect_patiently(
        &self,
        purpose: &str,
    ) -> Result<Connection, TransportError> {
        let deadline = time::Instant::now() + self.settings.timeout;
        let mut backoff = Backoff::new();
        loop {
            match self.connect(purpose).await {
                Err(error) if error.is_transient() && time::Instant::now() < deadline => {
                    backoff.wait().await;
                }
                result => return result,
            }
        }
    }

    /// What the broker answers, if it does in time.
    pub(crate) async fn in_time<T>(
        &self,
        asking: impl Future<Output = lapin::Result<T>>,
    ) -> Result<T, TransportError> {
        let answer = self.answer(asking).await?;
        answer.map_err(|error| translate(&error))
    }

    /// The same with the client library's error, for whoever looks at its code.
    pub(crate) async fn answer<T>(
        &self,
        asking: impl Future<Output = lapin::Result<T>>,
    ) -> Result<lapin::Result<T>, TransportError> {
        let timeout = self.settings.timeout;
        let answer = time::timeout(timeout, asking).await;
        answer.map_err(|_| unreachable(format!("no answer within {timeout:?}")))
    }
}

/// Times between tries: each twice the last one.
#[derive(Debug)]
pub(crate) struct Backoff(Duration);

impl Backoff {
    pub(crate) fn new() -> Self {
        Self(BACKOFF_MIN)
    }

    pub(crate) async fn wait(&mut self) {
        time::sleep(self.0).await;
        self.0 = (self.0 * 2).min(BACKOFF_MAX);
    }
}
