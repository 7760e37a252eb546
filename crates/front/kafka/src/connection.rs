//! A connection: reads requests, passes them to the session, writes responses in order.
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
use stele_base_types::ForeignProtocol;
use stele_core_broker::{Kind, Share};
use stele_front_accept::{Receiving, Stop, read};
use stele_wire_kafka::{FrameError, LENGTH_SIZE_BYTES, Response, split_frame};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{sleep, timeout},
};

use crate::{
    limits::{
        IDLE, PRODUCES_IN_FLIGHT_BYTES_MAX, PRODUCES_IN_FLIGHT_MAX, READ_AHEAD_BYTES_MAX,
        READ_SIZE_BYTES, READ_WHILE_WAITING_BYTES_MAX, SHUTDOWN_GRACE,
    },
    operations::k00_produce,
    outbox::Outbox,
    session::{Answer, Session, SessionError},
};

/// How many bytes of a client that doesn't speak Kafka are shown.
const FIRST_BYTES_MAX: usize = 8;

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum End {
    /// The client closed it between two requests.
    #[error("the client closed the connection")]
    Closed,
    /// The client closed it inside a request.
    #[error("the client closed the connection within a request")]
    ClosedWithin,
    /// The server is stopping.
    #[error("the server is stopping")]
    Stopping,
    /// No request arrived for too long.
    #[error("no request for {} s", IDLE.as_secs())]
    Idle,
    /// A request arrived too slowly.
    #[error("the rest of a request didn't arrive in time")]
    Stalled,
    /// The first bytes aren't a request, nor of a known protocol.
    #[error("{0}")]
    NotKafka(String),
    /// Another protocol's bytes, or a request that is too large.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The session can't continue.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// The socket failed.
    #[error("the connection failed: {0}")]
    Io(#[from] io::Error),
}

impl End {
    /// Whether the client is at fault, which is worth an operator's attention.
    pub(crate) fn is_violation(&self) -> bool {
        match self {
            Self::NotKafka(_)
            | Self::Frame(_)
            | Self::Session(_)
            | Self::ClosedWithin
            | Self::Stalled => true,
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
    /// In the order of arrival.
    produces: VecDeque<Producing>,
    /// The partially received request, if there is one.
    receiving: Option<Receiving>,
    /// Whether a whole request has arrived.
    has_asked: bool,
    stop: Stop,
}

/// A produce request in progress.
#[derive(Debug)]
struct Producing {
    pending: k00_produce::Pending,
    size_bytes: usize,
    /// Its memory.
    _room: Option<Receiving>,
}

/// The result of a wait.
enum Event {
    /// This many bytes were read; 0 is the end of the stream.
    Read(usize),
    /// The oldest produce request is finished.
    Produced(Result<Option<Response>, SessionError>),
    Stop,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    pub(crate) fn new(stream: S, session: Session, stop: Stop) -> Self {
        Self {
            stream,
            inbox: BytesMut::new(),
            outbox: Outbox::new(session.broker.memory().clone()),
            session,
            produces: VecDeque::new(),
            receiving: None,
            has_asked: false,
            stop,
        }
    }

    /// Serves the client until either side ends the connection. Returns the reason.
    pub(crate) async fn run(mut self) -> End {
        loop {
            if let Err(end) = self.step().await {
                // Accepted requests are answered, unless the client can't be trusted to read.
                if !end.is_violation() {
                    drop(timeout(SHUTDOWN_GRACE, self.finish_produces()).await);
                }
                return end;
            }
        }
    }

    async fn step(&mut self) -> Result<(), End> {
        let frame_size_bytes_max = self.session.settings.request_size_bytes_max;
        match split_frame(&mut self.inbox, frame_size_bytes_max) {
            Ok(Some(frame)) => self.request(frame).await,
            Ok(None) if self.is_no_request() => Err(self.not_kafka()),
            Ok(None) => self.wait().await,
            Err(error) => Err(self.broken(error)),
        }
    }

    /// Whether the first bytes, read as a request of some length, name no API that may exist: then
    /// the rest of the request needn't be waited for.
    fn is_no_request(&self) -> bool {
        let Some(mut first) = self.inbox.first_chunk::<FIRST_BYTES_MAX>().copied() else {
            return false;
        };
        first[0] = 0;
        !self.has_asked && ForeignProtocol::guess(&first) != Some(ForeignProtocol::Kafka)
    }

    /// A client whose first bytes aren't a request doesn't speak Kafka, rather than too much of it.
    fn broken(&self, error: FrameError) -> End {
        match error {
            FrameError::Length { .. } if self.is_no_request() => self.not_kafka(),
            error => End::Frame(error),
        }
    }

    fn not_kafka(&self) -> End {
        let first = &self.inbox[..self.inbox.len().min(FIRST_BYTES_MAX)];
        End::NotKafka(ForeignProtocol::describe(first, "Kafka"))
    }

    async fn request(&mut self, frame: Bytes) -> Result<(), End> {
        self.has_asked = true;
        let room = self.receiving.take();
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
            // It may wait for memory that others can't return as long as they wait for a large
            // share.
            room.iter().for_each(Receiving::stand_aside);
        }
        match self.handle(frame).await? {
            Answer::Produce(pending) => self.produces.push_back(Producing {
                pending,
                size_bytes,
                _room: room,
            }),
            Answer::Reply(response) => {
                drop(room);
                self.respond(response, Share::NONE).await?;
            }
            Answer::Records(response, taken) => {
                drop(room);
                self.respond(response, taken).await?;
            }
        }
        Ok(())
    }

    async fn respond(&mut self, response: Response, room: Share) -> Result<(), End> {
        self.outbox.push(response, room);
        let sent = self.outbox.flush(&mut self.stream).await?;
        self.session.meter.sent(sent);
        Ok(())
    }

    /// Passes a request to the session. Meanwhile reads a little, to notice when the client has
    /// closed: a closed connection must not keep a long poll or a place in a group.
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
                read = fill(&mut self.stream, &mut self.inbox, READ_SIZE_BYTES), if may_read => {
                    match read? {
                        0 => return Err(End::Closed),
                        size_bytes => meter.received(size_bytes as u64),
                    }
                }
            }
        }
    }

    /// Waits for the next event.
    async fn wait(&mut self) -> Result<(), End> {
        let room = self.make_room().await?;
        let receiving = self.receiving.as_ref();
        let received = self.inbox.len();
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
                    read = fill(&mut self.stream, &mut self.inbox, room) => {
                        read.map(Event::Read)
                    }
                }
            };
            let silence = async {
                match receiving {
                    Some(receiving) => receiving.is_late(received).await,
                    None => sleep(IDLE).await,
                }
            };
            tokio::select! {
                biased;
                event = events => Some(event?),
                () = silence => None,
            }
        };
        match event {
            Some(event) => self.event(event).await,
            None if self.receiving.is_some() => Err(End::Stalled),
            None => Err(End::Idle),
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
                    Some(response) => self.respond(response, Share::NONE).await,
                    None => Ok(()),
                }
            }
        }
    }

    /// Returns how much to read, after reserving the memory for it.
    async fn make_room(&mut self) -> Result<usize, End> {
        if self.inbox.is_empty() {
            self.receiving = None;
            return Ok(READ_SIZE_BYTES);
        }
        let length = self.inbox.first_chunk::<LENGTH_SIZE_BYTES>();
        // The length is valid: it was checked when the frame was found incomplete.
        let size_bytes = length.map_or(0, |length| u32::from_be_bytes(*length) as usize);
        let size_bytes = LENGTH_SIZE_BYTES + size_bytes;
        let missing = size_bytes.saturating_sub(self.inbox.len());
        // As much again as has arrived: a length that is only announced costs little.
        let ahead = self
            .inbox
            .len()
            .clamp(READ_SIZE_BYTES, READ_AHEAD_BYTES_MAX);
        let room = missing.min(ahead);
        let memory = self.session.broker.memory();
        let receiving = self
            .receiving
            .get_or_insert_with(|| Receiving::new(memory.clone(), Kind::Requests));
        receiving.received(self.inbox.len());
        if !receiving.try_cover((self.inbox.len() + room).min(size_bytes)) {
            // Waiting for memory that this connection's own requests hold would be a deadlock.
            self.finish_produces().await?;
            if let Some(receiving) = &mut self.receiving {
                tokio::select! {
                    () = receiving.cover(size_bytes) => {}
                    () = self.stop.wait() => return Err(End::Stopping),
                }
            }
        }
        Ok(room)
    }

    /// Waits for and answers all produce requests in progress.
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

/// Whether a produce request may be in progress together with others of these sizes. A single one
/// always may.
fn may_follow(others: impl ExactSizeIterator<Item = usize>, size_bytes: usize) -> bool {
    let count = others.len();
    let in_flight_bytes = others.sum::<usize>() + size_bytes;
    count == 0 || count < PRODUCES_IN_FLIGHT_MAX && in_flight_bytes <= PRODUCES_IN_FLIGHT_BYTES_MAX
}

/// Reads once, into at least `room` bytes of free space.
async fn fill(
    stream: &mut (impl AsyncRead + Unpin),
    inbox: &mut BytesMut,
    room: usize,
) -> io::Result<usize> {
    read(stream, inbox, room, room).await
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
