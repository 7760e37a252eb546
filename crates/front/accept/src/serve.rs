//! The accept loop, which also supervises connections until they end.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use stele_base_types::Principal;
use stele_core_broker::FrontMeter;
use tokio::{
    net::TcpStream,
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::{Listening, Sockets, Stop, sockets::Socket};

/// How long accepting pauses after an error of the system, for example when no file descriptors are
/// left: an immediate retry would fail again.
const ACCEPT_REST: Duration = Duration::from_millis(100);

/// A front's connection limits and its meter.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The front's name, for log lines.
    pub front: &'static str,
    /// Maximum number of connections; further ones are closed immediately.
    pub connections_max: usize,
    /// The sockets shared by several fronts; connections beyond them are also closed immediately.
    pub sockets: Sockets,
    /// How long connections may take to end on shutdown before they are cut off. `None` waits
    /// without limit.
    pub drain_max: Option<Duration>,
    /// Counts the connections; `None` for a front that listens before the broker exists.
    pub meter: Option<Arc<FrontMeter>>,
}

/// An accepted connection.
#[derive(Debug)]
pub struct Accepted {
    /// The socket, with `TCP_NODELAY`: no front writes pieces that would be worth combining.
    pub stream: TcpStream,
    /// The client, anonymous at first.
    pub principal: Principal,
    /// The server address that the client connected to.
    pub local: SocketAddr,
    /// Signals when the connection must end.
    pub stop: Stop,
}

impl Accepted {
    fn new(stream: TcpStream, peer: SocketAddr, stop: &Stop) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self {
            local: stream.local_addr()?,
            principal: Principal::anonymous(peer),
            stream,
            stop: stop.clone(),
        })
    }
}

/// Accepts connections on `listening` and runs `connection` for each in its own task. When `stop`
/// fires, stops accepting, waits until the connections have ended, and returns.
pub async fn serve<C, F>(listening: impl Into<Listening>, limits: Limits, stop: Stop, connection: C)
where
    C: Fn(Accepted) -> F,
    F: Future<Output = ()> + Send + 'static,
{
    serve_from(listening.into(), limits, stop, connection).await;
}

/// A source of connections.
pub(crate) trait Source {
    fn accept(&mut self) -> impl Future<Output = io::Result<(TcpStream, SocketAddr)>> + Send;
}

async fn serve_from<C, F>(mut source: impl Source, limits: Limits, mut stop: Stop, connection: C)
where
    C: Fn(Accepted) -> F,
    F: Future<Output = ()> + Send + 'static,
{
    let front = limits.front;
    let mut connections = Connections {
        limits,
        tasks: JoinSet::new(),
    };
    loop {
        let accepted = tokio::select! {
            // Ended connections are counted first, because they make room for the next one.
            biased;
            () = stop.wait() => break,
            Some(_) = connections.tasks.join_next() => continue,
            accepted = source.accept() => accepted,
        };
        match accepted {
            Ok((_, peer)) if connections.are_full() => {
                tracing::warn!(%peer, "{front}: too many connections; closed a new one");
            }
            Ok((stream, peer)) => match connections.limits.sockets.take() {
                Some(socket) => match Accepted::new(stream, peer, &stop) {
                    Ok(accepted) => connections.run(connection(accepted), peer, socket),
                    Err(error) => {
                        tracing::debug!(%peer, %error, "{front}: connection lost immediately");
                    }
                },
                None => tracing::warn!(
                    %peer,
                    "{front}: no open files left for clients; closed a new connection"
                ),
            },
            Err(error) => {
                tracing::warn!(%error, "{front}: cannot accept a connection");
                sleep(ACCEPT_REST).await;
            }
        }
    }
    drop(source);
    connections.drain().await;
}

/// The open connections.
struct Connections {
    limits: Limits,
    tasks: JoinSet<()>,
}

impl Connections {
    fn are_full(&self) -> bool {
        self.tasks.len() >= self.limits.connections_max
    }

    fn run(
        &mut self,
        connection: impl Future<Output = ()> + Send + 'static,
        peer: SocketAddr,
        socket: Socket,
    ) {
        let front = self.limits.front;
        let open = self.limits.meter.as_ref().map(FrontMeter::connect);
        self.tasks.spawn(async move {
            tracing::debug!(%peer, "{front}: client connected");
            connection.await;
            tracing::debug!(%peer, "{front}: client gone");
            drop((open, socket));
        });
    }

    /// Returns once all connections have ended.
    async fn drain(mut self) {
        let ended = async { while self.tasks.join_next().await.is_some() {} };
        match self.limits.drain_max {
            // Dropping the set of tasks cuts off the rest.
            Some(drain_max) => drop(timeout(drain_max, ended).await),
            None => ended.await,
        }
    }
}

#[cfg(test)]
mod tests;
