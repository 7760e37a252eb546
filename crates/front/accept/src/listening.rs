//! The listening sockets of a port.

use std::{
    future::poll_fn,
    io,
    net::SocketAddr,
    task::{Context, Poll},
};

use tokio::net::{TcpListener, TcpStream};

use crate::serve::Source;

/// A port, with one socket for each of its addresses.
#[derive(Debug)]
pub struct Listening {
    sockets: Vec<TcpListener>,
    /// The socket to poll first. It rotates, so that many clients on one address don't delay those
    /// on the others.
    first: usize,
}

impl From<Vec<TcpListener>> for Listening {
    fn from(sockets: Vec<TcpListener>) -> Self {
        Self { sockets, first: 0 }
    }
}

impl From<TcpListener> for Listening {
    fn from(socket: TcpListener) -> Self {
        vec![socket].into()
    }
}

impl Source for Listening {
    fn accept(&mut self) -> impl Future<Output = io::Result<(TcpStream, SocketAddr)>> + Send {
        poll_fn(|context| self.poll_accept(context))
    }
}

impl Listening {
    fn poll_accept(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        let (before, after) = self.sockets.split_at(self.first);
        let mut in_turn = after.iter().chain(before).enumerate();
        let accepted = in_turn.find_map(|(at, socket)| match socket.poll_accept(context) {
            Poll::Ready(accepted) => Some((at, accepted)),
            Poll::Pending => None,
        });
        let Some((at, accepted)) = accepted else {
            return Poll::Pending;
        };
        self.first = (self.first + at + 1) % self.sockets.len();
        Poll::Ready(accepted)
    }
}
