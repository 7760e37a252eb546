//! A socket with a timeout for clients that don't read.

use std::{
    fmt,
    io::{self, IoSlice},
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll, ready},
    time::Duration,
};

use stele_base_types::ForeignProtocol;
use stele_core_broker::Memory;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::sleep,
};

use crate::Sending;

/// How long a client may read nothing of what is written to it. Without a limit, a client that
/// never reads would hold its responses, its connection and its leases forever. RabbitMQ has the
/// same timeout.
pub const WRITE_STALL: Duration = Duration::from_secs(30);

/// Enough bytes to detect the protocol.
const FIRST_OCTETS_MAX: usize = 8;

/// The first bytes from a client, kept to report which protocol they are if they aren't HTTP.
#[derive(Clone, Debug, Default)]
pub struct FirstOctets(Arc<OnceLock<Vec<u8>>>);

impl FirstOctets {
    fn note(&self, octets: &[u8]) {
        if !octets.is_empty() && self.0.get().is_none() {
            let first = &octets[..octets.len().min(FIRST_OCTETS_MAX)];
            drop(self.0.set(first.to_vec()));
        }
    }

    /// Describes what they are instead of HTTP; `None` if they begin an HTTP request.
    pub(crate) fn not_http(&self) -> Option<String> {
        let octets = self.0.get()?;
        let is_http = ForeignProtocol::guess(octets) == Some(ForeignProtocol::Http);
        (!is_http).then(|| ForeignProtocol::describe(octets, "HTTP"))
    }
}

/// A stream whose writes fail as timed out after waiting for [`WRITE_STALL`], or sooner if others
/// wait for memory. Data buffered above this stream counts as written once it is flushed.
pub struct Impatient<S> {
    stream: S,
    /// The memory of the process. It is counted once the broker has recovered.
    memory: Option<Memory>,
    /// Set from the time a write has to wait until all is written.
    sending: Option<Sending>,
    /// Set while a write waits.
    stalled: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    first: FirstOctets,
}

impl<S: fmt::Debug> fmt::Debug for Impatient<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Impatient")
            .field("stream", &self.stream)
            .field("sending", &self.sending)
            .finish_non_exhaustive()
    }
}

impl<S> Impatient<S> {
    /// Wraps a stream.
    pub fn new(stream: S, memory: Option<Memory>) -> Self {
        Self {
            stream,
            memory,
            sending: None,
            stalled: None,
            first: FirstOctets::default(),
        }
    }

    /// The first bytes from the client, available once they arrive.
    pub fn first_octets(&self) -> FirstOctets {
        self.first.clone()
    }

    fn sent(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if let (Poll::Ready(Ok(count)), Some(sending)) = (&written, &mut self.sending) {
            sending.sent(*count as u64);
        }
        self.judge(context, written)
    }

    fn judge<T>(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let sending = *self.sending.get_or_insert_default();
        let memory = &self.memory;
        let stalled = self.stalled.get_or_insert_with(|| {
            let memory = memory.clone();
            Box::pin(async move {
                match memory {
                    Some(memory) => sending.stalled(&memory, WRITE_STALL).await,
                    None => sleep(WRITE_STALL).await,
                }
            })
        });
        ready!(stalled.as_mut().poll(context));
        Poll::Ready(Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "the client doesn't read",
        )))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Impatient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, into))?;
        self.first.note(&into.filled()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Impatient<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.sent(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.sent(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        if flushed.is_ready() {
            self.sending = None;
        }
        self.judge(context, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.stream).poll_shutdown(context);
        self.judge(context, shut)
    }
}

#[cfg(test)]
mod tests {
    use stele_core_broker::Kind;
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _, duplex},
        time::Instant,
    };

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_reads_nothing_is_given_up() {
        for (is_short, expected_s) in [(false, WRITE_STALL.as_secs()), (true, 2)] {
            let memory = Memory::new(1 << 20);
            let _others = is_short.then(|| memory.note(Kind::Responses, 1 << 20));
            let (ours, _theirs) = duplex(64);
            let begun = Instant::now();
            let written = Impatient::new(ours, Some(memory)).write_all(&[0; 65]).await;
            assert_eq!(written.unwrap_err().kind(), io::ErrorKind::TimedOut);
            assert_eq!(begun.elapsed().as_secs(), expected_s);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_reads_slowly_is_not() {
        let (ours, mut theirs) = duplex(64);
        let reading = async {
            let mut read = 0;
            while read < 1_000 {
                sleep(WRITE_STALL - Duration::from_secs(1)).await;
                read += theirs.read(&mut [0; 64]).await.unwrap();
            }
        };
        let mut ours = Impatient::new(ours, None);
        let (written, ()) = tokio::join!(ours.write_all(&[0; 1_000]), reading);
        written.unwrap();
    }
}
