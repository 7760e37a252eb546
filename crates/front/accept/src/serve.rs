//! The loop that accepts connections and looks after them until they end.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use stele_base_types::Principal;
use stele_core_broker::FrontMeter;
use tokio::{
    net::TcpStream,
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::{Listening, Sockets, Stop, sockets::Socket};

/// How long accepting rests after the system has refused it, as when there are no file descriptors
/// left: the next attempt would fail as well.
const ACCEPT_REST: Duration = Duration::from_millis(100);

/// What bounds a front's connections, and counts them.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The front's name, for the log.
    pub front: &'static str,
    /// Connections at a time; a further one is closed at once rather than kept waiting.
    pub connections_max: usize,
    /// Those of all fronts that share them; the same holds for one too many.
    pub sockets: Sockets,
    /// How long connections may take to end once the process stops; then they are cut off. `None`
    /// waits for as long as they take.
    pub drain_max: Option<Duration>,
    /// Counts the connections; `None` for a front that listens before there is a broker.
    pub meter: Option<Arc<FrontMeter>>,
}

/// A connection that has been accepted.
#[derive(Debug)]
pub struct Accepted {
    /// The socket. It sends at once what it is given: no front writes in pieces that are worth
    /// waiting for one another.
    pub stream: TcpStream,
    /// The client, who is anonymous so far.
    pub principal: Principal,
    /// The address that the client has reached.
    pub local: SocketAddr,
    /// Says when the connection is to end.
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

/// Accepts connections on `listening` and runs `connection` for each, in a task of its own. Once
/// `stop` says so it accepts no more, waits until the connections have ended, and returns.
pub async fn serve<C, F>(listening: impl Into<Listening>, limits: Limits, stop: Stop, connection: C)
where
    C: Fn(Accepted) -> F,
    F: Future<Output = ()> + Send + 'static,
{
    serve_from(listening.into(), limits, stop, connection).await;
}

/// Where connections come from.
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
            // Those that have ended make room before the next one is let in.
            biased;
            () = stop.wait() => break,
            Some(_) = connections.tasks.join_next() => continue,
            accepted = source.accept() => accepted,
        };
        match accepted {
            Ok((_, peer)) if connections.are_full() => {
                tracing::warn!(%peer, "{front}: too many connections; one closed");
            }
            Ok((stream, peer)) => match connections.limits.sockets.take() {
                Some(socket) => match Accepted::new(stream, peer, &stop) {
                    Ok(accepted) => connections.run(connection(accepted), peer, socket),
                    Err(error) => {
                        tracing::debug!(%peer, %error, "{front}: connection lost at once");
                    }
                },
                None => tracing::warn!(
                    %peer,
                    "{front}: no more open files are allowed for clients; one closed"
                ),
            },
            Err(error) => {
                tracing::warn!(%error, "{front}: can't accept a connection");
                sleep(ACCEPT_REST).await;
            }
        }
    }
    drop(source);
    connections.drain().await;
}

/// The connections that are open.
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

    /// Returns once all have ended.
    async fn drain(mut self) {
        let ended = async { while self.tasks.join_next().await.is_some() {} };
        match self.limits.drain_max {
            // What is left is cut off with the set of tasks.
            Some(drain_max) => drop(timeout(drain_max, ended).await),
            None => ended.await,
        }
    }
}

#[cfg(test)]
mod tests;
