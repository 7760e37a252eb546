//! One connection's socket: reads frames, writes what waits, keeps time.
//!
//! Back-pressure, from the client inwards: what isn't read stays in the socket. While the output is
//! full or a publish waits for space, no frames are taken and no more than one buffer is read: a
//! client that is slow to read still shows by its heartbeats that it lives. Events are left with
//! the broker while the output is full, and the broker delivers no more than it has credit for.

use std::{
    future::pending,
    io::{self, IoSlice},
    sync::Arc,
};

use bytes::BytesMut;
use stele_core_broker::{Broker, Event, FrontMeter};
use stele_front_accept::{Accepted, Stop, WRITE_STALL};
use stele_wire_amqp::FrameDecoder;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpStream,
        tcp::{ReadHalf, WriteHalf},
    },
    time::{Instant, sleep_until, timeout},
};

use crate::{
    connection::{Connection, Progress},
    errors::Fault,
    handshake,
    heartbeat::{Due, Heartbeat},
    limits::{CLOSE_TIMEOUT, OUTBOX_HIGH_BYTES, READ_BYTES, READ_BYTES_MIN, WRITE_SLICES},
    session::Failure,
    settings::Settings,
};

/// Why a connection that was open ends.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error("{0}")]
    Socket(#[from] io::Error),
    #[error("client unexpectedly closed TCP connection")]
    Dropped,
    #[error("missed heartbeats from client")]
    Silent,
    #[error("no close-ok from client")]
    Unanswered,
    #[error("client has read nothing for {WRITE_STALL:?}")]
    Stalled,
}

/// Serves one client until it or the process ends.
pub(crate) async fn run(
    accepted: Accepted,
    broker: Broker,
    settings: Arc<Settings>,
    meter: Arc<FrontMeter>,
) {
    let Accepted {
        mut stream,
        principal,
        stop: mut shutdown,
        ..
    } = accepted;
    let opened = tokio::select! {
        opened = handshake::open(&mut stream, &broker, &settings, &meter, principal) => opened,
        () = shutdown.wait() => return,
    };
    let Some((opened, input)) = opened else {
        return;
    };
    let client = opened.principal.clone();
    tracing::info!(%client, vhost = %opened.vhost, "connection open");
    let decoder = FrameDecoder::new(opened.frame_bytes_max);
    let heartbeat = Heartbeat::new(opened.heartbeat_s, Instant::now());
    let connection = Connection::open(broker, settings, opened, meter).await;
    let mut driver = Driver {
        connection,
        decoder,
        input,
        heartbeat,
        lost: false,
        close_by: None,
        write_by: None,
    };
    match driver.drive(&mut stream, &mut shutdown).await {
        Ok(()) => tracing::info!(%client, "connection closed"),
        // The log has the reason that we closed it for.
        Err(ended) if driver.connection.progress() == Progress::Closing => {
            tracing::debug!(%client, "connection closed: {ended}");
        }
        Err(ended) => {
            tracing::warn!(%client, "connection lost: {ended}");
            if matches!(ended, Ended::Silent | Ended::Stalled) {
                driver.connection.meter.connection_error();
            }
            driver.connection.release_all().await;
        }
    }
    let is_closed_by_client = driver.is_over() && driver.close_by.is_none();
    drop(driver);
    if is_closed_by_client {
        linger(&mut stream, &mut shutdown).await;
    }
}

/// Leaves it to a client that has its `close-ok` to close the socket, as RabbitMQ does: some take
/// an end that comes before theirs for a lost connection.
async fn linger(stream: &mut TcpStream, shutdown: &mut Stop) {
    tokio::select! {
        _ = timeout(CLOSE_TIMEOUT, handshake::discard(stream)) => {}
        () = shutdown.wait() => {}
    }
}

struct Driver {
    connection: Connection,
    decoder: FrameDecoder,
    input: BytesMut,
    heartbeat: Heartbeat,
    /// The client's frames can't be told apart any more: what it sends is dropped, and read only so
    /// that closing doesn't take our `close` with it.
    lost: bool,
    /// When to stop waiting for `close-ok`.
    close_by: Option<Instant>,
    /// When to stop waiting for the client to read: heartbeats don't say that it does.
    write_by: Option<Instant>,
}

/// What happened.
enum Happened {
    Read(io::Result<usize>),
    Written(io::Result<usize>),
    Told,
    Time,
    Shutdown,
}

impl Driver {
    async fn drive(&mut self, stream: &mut TcpStream, shutdown: &mut Stop) -> Result<(), Ended> {
        let (mut reader, mut writer) = stream.split();
        let mut events = Vec::new();
        // Frames may have come together with the `open`. A disk that is full is known before them.
        if let Err(fault) = self.connection.drain_events().await {
            self.fail(fault).await;
        }
        self.frames().await;
        loop {
            self.connection.flush().await;
            if self.is_over() {
                return Ok(());
            }
            let happened = self
                .wait(&mut reader, &mut writer, &mut events, shutdown)
                .await;
            match happened {
                Happened::Read(count) => self.read(count?).await?,
                Happened::Written(count) => self.written(count?).await,
                Happened::Told => self.told(&mut events).await,
                Happened::Time => self.time()?,
                Happened::Shutdown => self.fail(Fault::shutdown()).await,
            }
        }
    }

    async fn wait(
        &mut self,
        reader: &mut ReadHalf<'_>,
        writer: &mut WriteHalf<'_>,
        events: &mut Vec<Event>,
        shutdown: &mut Stop,
    ) -> Happened {
        let connection = &mut self.connection;
        let has_room = connection.outbox.pending() < OUTBOX_HIGH_BYTES;
        let takes_frames = has_room && connection.takes_input();
        let is_over = connection.progress() == Progress::Over;
        let reads = !is_over && (takes_frames || self.input.len() < READ_BYTES);
        let is_open = connection.progress() == Progress::Open;
        let is_writing = !connection.outbox.is_empty();
        self.write_by = self
            .write_by
            .or_else(|| Some(Instant::now() + WRITE_STALL))
            .filter(|_| is_writing);
        let next = [self.heartbeat.next(), self.close_by, self.write_by]
            .into_iter()
            .flatten()
            .min();
        if !reads {
            // It may be saying that it lives, where nobody looks.
            self.heartbeat.received(Instant::now());
        }
        // A buffer is used up before another is taken: most reads are far smaller than one.
        if reads && self.input.capacity() - self.input.len() < READ_BYTES_MIN {
            self.input.reserve(READ_BYTES);
        }
        let mut slices = [IoSlice::new(&[]); WRITE_SLICES];
        let filled = connection.outbox.slices(&mut slices);
        tokio::select! {
            count = reader.read_buf(&mut self.input), if reads => Happened::Read(count),
            count = writer.write_vectored(&slices[..filled]), if filled > 0 => {
                Happened::Written(count)
            }
            () = connection.events.receive(events), if has_room && is_open => Happened::Told,
            () = until(next) => Happened::Time,
            () = shutdown.wait(), if is_open => Happened::Shutdown,
        }
    }

    async fn read(&mut self, count: usize) -> Result<(), Ended> {
        if count == 0 {
            return Err(Ended::Dropped);
        }
        self.heartbeat.received(Instant::now());
        self.connection.meter.received(count as u64);
        self.frames().await;
        Ok(())
    }

    /// Takes the frames that are there.
    async fn frames(&mut self) {
        if self.lost {
            self.input.clear();
        }
        while self.takes_frames() {
            match self.decoder.decode(&mut self.input) {
                Ok(Some(frame)) => self.connection.frame(frame).await,
                Ok(None) => break,
                Err(error) => {
                    self.lost = true;
                    self.fail(error.into()).await;
                }
            }
        }
        if self.connection.progress() == Progress::Closing && self.close_by.is_none() {
            self.close_by = Some(Instant::now() + CLOSE_TIMEOUT);
        }
    }

    fn takes_frames(&self) -> bool {
        let has_room = self.connection.outbox.pending() < OUTBOX_HIGH_BYTES;
        has_room && self.connection.takes_input() && !self.lost
    }

    async fn written(&mut self, count: usize) {
        self.write_by = None;
        self.heartbeat.sent(Instant::now());
        self.connection.meter.sent(count as u64);
        self.connection.outbox.advance(count);
        self.connection.return_credit().await;
        // There may be room now for what frames that were left lying ask for.
        if !self.input.is_empty() {
            self.frames().await;
        }
    }

    async fn told(&mut self, events: &mut Vec<Event>) {
        if let Err(fault) = self.connection.events(events).await {
            self.fail(fault).await;
        }
        self.connection.resume().await;
        self.frames().await;
    }

    fn time(&mut self) -> Result<(), Ended> {
        let now = Instant::now();
        if self.close_by.is_some_and(|by| now >= by) {
            return Err(Ended::Unanswered);
        }
        if self.write_by.is_some_and(|by| now >= by) {
            return Err(Ended::Stalled);
        }
        match self.heartbeat.due(now) {
            Due::Nothing => {}
            Due::Gone => return Err(Ended::Silent),
            Due::Send => {
                self.connection.outbox.heartbeat();
                self.heartbeat.sent(now);
            }
        }
        Ok(())
    }

    /// Closes the connection with a fault that no method caused.
    async fn fail(&mut self, fault: Fault) {
        let failure = Failure {
            channel: 0,
            method: (0, 0),
            fault,
        };
        self.connection.fail(failure).await;
        self.close_by = Some(Instant::now() + CLOSE_TIMEOUT);
    }

    fn is_over(&self) -> bool {
        self.connection.progress() == Progress::Over && self.connection.outbox.is_empty()
    }
}

async fn until(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => pending().await,
    }
}
