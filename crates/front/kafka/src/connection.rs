//! One connection: reads requests, hands them to the session, writes responses in order.
//!
//! ```text
//!   ┌─► whole frame in the inbox? ──no──► wait for: bytes · the first produce · stop · silence
//!   │        │ yes                                     │
//!   │   produce and room? ──yes──► begin it, queue it ─┤
//!   │        │ no                                      │
//!   │   finish all that is queued, handle it, write ───┤
//!   └──────────────────────────────────────────────────┘
//! ```

use std::{collections::VecDeque, io, sync::Arc};

use bytes::{Bytes, BytesMut};
use stele_front_accept::Stop;
use stele_wire_kafka::{FrameError, LENGTH_SIZE_BYTES, Response, split_frame};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use crate::{
    limits::{
        FRAME_STALL, IDLE, PRODUCES_IN_FLIGHT_BYTES_MAX, PRODUCES_IN_FLIGHT_MAX,
        READ_AHEAD_BYTES_MAX, READ_SIZE_BYTES, READ_WHILE_WAITING_BYTES_MAX, SHUTDOWN_GRACE,
        SMALL_REQUEST_SIZE_BYTES,
    },
    operations::k00_produce,
    outbox::Outbox,
    session::{Answer, Session, SessionError},
};

/// Bytes that one permit of the memory for requests stands for.
pub(crate) const MEMORY_PERMIT_SIZE_BYTES: usize = 1024;

/// Why a connection has ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum End {
    /// The client closed it between two requests.
    #[error("the client closed the connection")]
    Closed,
    /// The client closed it within a request.
    #[error("the client closed the connection within a request")]
    ClosedWithin,
    /// The server is stopping.
    #[error("the server is stopping")]
    Stopping,
    /// No request for too long.
    #[error("no request for {} s", IDLE.as_secs())]
    Idle,
    /// Part of a request, and then nothing.
    #[error("the rest of a request didn't come within {} s", FRAME_STALL.as_secs())]
    Stalled,
    /// Not Kafka, or too large.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The session can't go on.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// The socket failed.
    #[error("the connection failed: {0}")]
    Io(#[from] io::Error),
}

impl End {
    /// Whether it is the client's fault, and worth an operator's attention.
    pub(crate) fn is_violation(&self) -> bool {
        match self {
            Self::Frame(_) | Self::Session(_) | Self::ClosedWithin | Self::Stalled => true,
            Self::Closed | Self::Stopping | Self::Idle | Self::Io(_) => false,
        }
    }
}

/// A connection.
#[derive(Debug)]
pub(crate) struct Connection<S> {
    stream: S,
    session: Session,
    inbox: BytesMut,
    outbox: Outbox,
    /// First come first.
    produces: VecDeque<Producing>,
    /// The share of the request that is being received.
    receiving: Option<OwnedSemaphorePermit>,
    memory: Arc<Semaphore>,
    stop: Stop,
}

/// A produce request on its way.
#[derive(Debug)]
struct Producing {
    pending: k00_produce::Pending,
    size_bytes: usize,
    /// Its share of the memory, given back with it.
    _memory: Option<OwnedSemaphorePermit>,
}

/// What a wait ended with.
enum Event {
    /// This many bytes came; 0 is the end.
    Read(usize),
    /// The first produce request is finished.
    Produced(Result<Option<Response>, SessionError>),
    Stop,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    pub(crate) fn new(stream: S, session: Session, memory: Arc<Semaphore>, stop: Stop) -> Self {
        Self {
            stream,
            session,
            inbox: BytesMut::new(),
            outbox: Outbox::default(),
            produces: VecDeque::new(),
            receiving: None,
            memory,
            stop,
        }
    }

    /// Serves the client until either side ends it; tells why.
    pub(crate) async fn run(mut self) -> End {
        loop {
            if let Err(end) = self.step().await {
                // What has been accepted is answered, unless the client can't be trusted to read.
                if !end.is_violation() {
                    drop(timeout(SHUTDOWN_GRACE, self.finish_produces()).await);
                }
                return end;
            }
        }
    }

    async fn step(&mut self) -> Result<(), End> {
        let frame_size_bytes_max = self.session.settings.request_size_bytes_max;
        match split_frame(&mut self.inbox, frame_size_bytes_max)? {
            Some(frame) => self.request(frame).await,
            None => self.wait().await,
        }
    }

    async fn request(&mut self, frame: Bytes) -> Result<(), End> {
        let memory = self.receiving.take();
        let size_bytes = frame.len();
        if Session::may_overlap(&frame) {
            while !may_follow(
                self.produces.iter().map(|produce| produce.size_bytes),
                size_bytes,
            ) {
                self.finish_first_produce().await?;
            }
        } else {
            self.finish_produces().await?;
        }
        match self.handle(frame).await? {
            Answer::Produce(pending) => self.produces.push_back(Producing {
                pending,
                size_bytes,
                _memory: memory,
            }),
            Answer::Reply(response) => {
                drop(memory);
                self.respond(response).await?;
            }
        }
        Ok(())
    }

    async fn respond(&mut self, response: Response) -> Result<(), End> {
        self.outbox.push(response);
        let sent = self.outbox.flush(&mut self.stream).await?;
        self.session.meter.sent(sent);
        Ok(())
    }

    /// Has the session handle a request. Reads on meanwhile, a little, since a client that has
    /// gone must not keep a long poll or its place in a group.
    async fn handle(&mut self, frame: Bytes) -> Result<Answer, End> {
        let meter = Arc::clone(&self.session.meter);
        let handling = self.session.handle(frame);
        tokio::pin!(handling);
        loop {
            let may_read = self.inbox.len() < READ_WHILE_WAITING_BYTES_MAX;
            tokio::select! {
                biased;
                outcome = &mut handling => return Ok(outcome?),
                () = self.stop.wait() => return Err(End::Stopping),
                read = read(&mut self.stream, &mut self.inbox, READ_SIZE_BYTES), if may_read => {
                    match read? {
                        0 => return Err(End::Closed),
                        size_bytes => meter.received(size_bytes as u64),
                    }
                }
            }
        }
    }

    /// Waits for something to do.
    async fn wait(&mut self) -> Result<(), End> {
        let room = self.make_room().await?;
        let silence = if self.inbox.is_empty() {
            IDLE
        } else {
            FRAME_STALL
        };
        let event = {
            let first = self.produces.front_mut();
            let may_produce = first.is_some();
            let produced = async {
                match first {
                    Some(produce) => produce.pending.finish().await,
                    None => Ok(None),
                }
            };
            let events = async {
                tokio::select! {
                    biased;
                    () = self.stop.wait() => Ok(Event::Stop),
                    result = produced, if may_produce => Ok(Event::Produced(result)),
                    read = read(&mut self.stream, &mut self.inbox, room) => read.map(Event::Read),
                }
            };
            timeout(silence, events).await
        };
        match event {
            Err(_) if self.inbox.is_empty() => Err(End::Idle),
            Err(_) => Err(End::Stalled),
            Ok(event) => self.event(event?).await,
        }
    }

    async fn event(&mut self, event: Event) -> Result<(), End> {
        match event {
            Event::Stop => Err(End::Stopping),
            Event::Read(0) if self.inbox.is_empty() => Err(End::Closed),
            Event::Read(0) => Err(End::ClosedWithin),
            Event::Read(size_bytes) => {
                self.session.meter.received(size_bytes as u64);
                Ok(())
            }
            Event::Produced(result) => {
                self.produces.pop_front();
                match result? {
                    Some(response) => self.respond(response).await,
                    None => Ok(()),
                }
            }
        }
    }

    /// How much to read. For a large request, its share of the memory is taken before its bytes
    /// are.
    async fn make_room(&mut self) -> Result<usize, End> {
        let Some(length) = self.inbox.first_chunk::<LENGTH_SIZE_BYTES>() else {
            return Ok(READ_SIZE_BYTES);
        };
        // The length is in bounds: it has been looked at when the frame was found incomplete.
        let size_bytes = u32::from_be_bytes(*length) as usize;
        let missing = (LENGTH_SIZE_BYTES + size_bytes).saturating_sub(self.inbox.len());
        if size_bytes > SMALL_REQUEST_SIZE_BYTES && self.receiving.is_none() {
            self.receiving = Some(self.take_memory(size_bytes).await?);
        }
        Ok(missing.clamp(READ_SIZE_BYTES, READ_AHEAD_BYTES_MAX))
    }

    async fn take_memory(&mut self, size_bytes: usize) -> Result<OwnedSemaphorePermit, End> {
        let all = self.session.settings.request_memory_bytes_max / MEMORY_PERMIT_SIZE_BYTES;
        let permits = size_bytes
            .div_ceil(MEMORY_PERMIT_SIZE_BYTES)
            .min(all.max(1));
        let permits = u32::try_from(permits).unwrap_or(u32::MAX);
        // What this connection itself has in flight must not keep it waiting for ever.
        if self.memory.available_permits() < permits as usize {
            self.finish_produces().await?;
        }
        let taken = Arc::clone(&self.memory).acquire_many_owned(permits);
        tokio::select! {
            permit = taken => permit.map_err(|_| End::Stopping),
            () = self.stop.wait() => Err(End::Stopping),
        }
    }

    /// Answers every produce request that is on its way.
    async fn finish_produces(&mut self) -> Result<(), End> {
        while !self.produces.is_empty() {
            self.finish_first_produce().await?;
        }
        Ok(())
    }

    async fn finish_first_produce(&mut self) -> Result<(), End> {
        if let Some(produce) = self.produces.front_mut() {
            let result = produce.pending.finish().await;
            self.event(Event::Produced(result)).await?;
        }
        Ok(())
    }
}

/// Whether a produce request may be on its way with others of these sizes. Any may be alone.
fn may_follow(others: impl ExactSizeIterator<Item = usize>, size_bytes: usize) -> bool {
    let count = others.len();
    let in_flight_bytes = others.sum::<usize>() + size_bytes;
    count == 0 || count < PRODUCES_IN_FLIGHT_MAX && in_flight_bytes <= PRODUCES_IN_FLIGHT_BYTES_MAX
}

/// Reads once, into at least `room` bytes of free space.
async fn read(
    stream: &mut (impl AsyncRead + Unpin),
    inbox: &mut BytesMut,
    room: usize,
) -> io::Result<usize> {
    inbox.reserve(room);
    stream.read_buf(inbox).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn produce_requests_on_their_way_are_bounded_in_number_and_in_bytes() {
        let small = [100; PRODUCES_IN_FLIGHT_MAX];
        assert!(may_follow(small[1..].iter().copied(), 100));
        assert!(!may_follow(small.into_iter(), 100));
        let large = [PRODUCES_IN_FLIGHT_BYTES_MAX / 2];
        assert!(may_follow(large.into_iter(), large[0]));
        assert!(!may_follow(large.into_iter(), large[0] + 1));
    }

    #[test]
    fn a_produce_request_of_any_size_may_be_alone() {
        assert!(may_follow([].into_iter(), 2 * PRODUCES_IN_FLIGHT_BYTES_MAX));
    }
}
