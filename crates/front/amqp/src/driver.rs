//! The socket of a connection: reads frames, writes output, checks timeouts.
//!
//! Back-pressure, from the client inwards: unread data stays in the socket. While the output is
//! full or a publish waits for space, no frames are processed, and at most one buffer is read, so
//! that heartbeats of a slow client are still seen. Deliveries that arrive while the output is full
//! wait without their bytes, because holding these would prevent their removal. The broker's credit
//! limits the number of deliveries.

use std::{
    future::pending,
    io::{self, IoSlice},
    net::SocketAddr,
    sync::Arc,
};

use bytes::BytesMut;
use stele_core_broker::{Broker, Event, FrontMeter, Memory};
use stele_front_accept::{
    Accepted, ConnectionInfo, Registered, SLICES_COPIED_AFTER, Sending, Stop, WRITE_STALL, read,
};
use stele_wire_amqp::FrameDecoder;
use tokio::{
    io::AsyncWriteExt,
    net::{
        TcpStream,
        tcp::{ReadHalf, WriteHalf},
    },
    time::{Instant, sleep_until, timeout},
};

use crate::{
    connection::{Connection, Progress, incoming::Incoming},
    errors::Fault,
    handshake,
    heartbeat::{Due, Heartbeat},
    limits::{CLOSE_TIMEOUT, CLOSE_TIMEOUT_STOPPING, READ_BYTES, READ_BYTES_MIN, WRITE_SLICES},
    session::Session,
    session::{Failure, content::Unfinished},
    settings::Settings,
};

/// Why an open connection ends.
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
    #[error("client has read nothing for too long")]
    Stalled,
}

/// Serves one client until it disconnects or the process stops.
pub(crate) async fn run(
    accepted: Accepted,
    broker: Broker,
    settings: Arc<Settings>,
    meter: Arc<FrontMeter>,
) {
    let Accepted {
        mut stream,
        principal,
        local,
        stop: mut shutdown,
    } = accepted;
    let opened = tokio::select! {
        opened = handshake::open(&mut stream, &broker, &settings, &meter, principal) => opened,
        () = shutdown.wait() => return,
    };
    let Some((opened, input)) = opened else {
        return;
    };
    let client = opened.principal.clone();
    tracing::info!(%client, vhost = %opened.vhost, "amqp: connection open");
    let decoder = FrameDecoder::new(opened.frame_bytes_max);
    let heartbeat = Heartbeat::new(opened.heartbeat_s, Instant::now());
    let mut connection = Connection::open(broker, Arc::clone(&settings), opened, meter).await;
    let info = info(&connection.session, local, &settings);
    connection.name = info.name();
    let registered = settings.connections.open(info);
    let mut driver = Driver {
        connection,
        registered,
        decoder,
        input,
        heartbeat,
        lost: false,
        close_by: None,
        sending: None,
        aging: None,
    };
    match driver.drive(&mut stream, &mut shutdown).await {
        Ok(()) => tracing::info!(%client, "amqp: connection closed"),
        // The reason for our close has already been logged.
        Err(ended) if driver.connection.progress() == Progress::Closing => {
            tracing::debug!(%client, "amqp: connection closed: {ended}");
        }
        Err(ended) => {
            tracing::warn!(%client, reason = %ended, "amqp: connection lost");
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

/// The connection's entry in the registry.
fn info(session: &Session, local: SocketAddr, settings: &Settings) -> ConnectionInfo {
    let opened = &session.opened;
    ConnectionInfo {
        protocol: "AMQP 0-9-1",
        principal: opened.principal.clone(),
        local,
        vhost: opened.vhost.clone(),
        since: settings.clock.now(),
        properties: opened.client_properties.clone(),
        figures: vec![
            ("channel_max", opened.channel_max.into()),
            ("frame_max", opened.frame_bytes_max.into()),
            ("timeout", opened.heartbeat_s.into()),
        ],
        consumers: session.consumers.clone(),
    }
}

/// After `close-ok`, waits for the client to close the socket, as RabbitMQ does: some clients
/// report a lost connection if the server closes first.
async fn linger(stream: &mut TcpStream, shutdown: &mut Stop) {
    tokio::select! {
        _ = timeout(CLOSE_TIMEOUT, handshake::discard(stream)) => {}
        () = shutdown.wait() => {}
    }
}

struct Driver {
    connection: Connection,
    registered: Registered,
    decoder: FrameDecoder,
    input: BytesMut,
    heartbeat: Heartbeat,
    /// Frame boundaries are lost: input is discarded, and read only so that unread data doesn't
    /// make the system drop our `close`.
    lost: bool,
    /// The deadline for `close-ok`.
    close_by: Option<Instant>,
    /// Set while output is pending: heartbeats don't show that the client reads.
    sending: Option<Sending>,
    /// When to copy the current output, up to this position.
    aging: Option<(Instant, u64)>,
}

/// An event of the main loop.
enum Happened {
    Read(io::Result<usize>),
    Written(io::Result<usize>),
    Told,
    /// Memory is available for what waited for it.
    Granted,
    /// The client has waited long for memory.
    Short,
    /// Memory is available for a client that was told that it isn't.
    Relieved,
    /// A body arrives too slowly while others wait for memory.
    Late,
    /// An open transaction holds memory, and there is none to read its end.
    Stuck,
    /// The client has read nothing for too long.
    Unread,
    Time,
    Shutdown,
    /// An administrator closes the connection, for this reason.
    Forced(String),
}

impl Driver {
    async fn drive(&mut self, stream: &mut TcpStream, shutdown: &mut Stop) -> Result<(), Ended> {
        let (mut reader, mut writer) = stream.split();
        let mut events = Vec::new();
        // Frames may have arrived together with `open`. The state of the disk must be known before
        // they are processed.
        if let Err(fault) = self.connection.drain_events().await {
            self.fail(fault).await;
        }
        self.frames().await;
        loop {
            self.connection.flush().await;
            self.connection.settle_input(self.input.len());
            if self.is_over() {
                return Ok(());
            }
            let happened = self
                .wait(&mut reader, &mut writer, &mut events, shutdown)
                .await;
            self.connection.now = Instant::now();
            match happened {
                Happened::Read(count) => self.read(count?).await?,
                Happened::Written(count) => self.written(count?).await,
                Happened::Told => self.told(&mut events).await,
                Happened::Unread => return Err(Ended::Stalled),
                Happened::Time => self.time().await?,
                Happened::Granted => {}
                Happened::Short => self.connection.set_short(true),
                Happened::Relieved => self.connection.set_short(false),
                Happened::Late => {
                    let what = "the rest of a message body didn't arrive while memory is short";
                    self.fail(Fault::resource(what)).await;
                }
                Happened::Stuck => {
                    let what = "there is no memory for the rest of an open transaction";
                    self.fail(Fault::resource(what)).await;
                }
                Happened::Forced(reason) => self.fail(Fault::forced(&reason)).await,
                Happened::Shutdown => {
                    let is_idle = self.connection.outbox.is_empty();
                    self.fail(Fault::shutdown()).await;
                    if is_idle {
                        self.close_by = Some(Instant::now() + CLOSE_TIMEOUT_STOPPING);
                    }
                }
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
        let has_room = connection.outbox.has_room();
        let takes_frames = has_room && connection.takes_input();
        let is_over = connection.progress() == Progress::Over;
        let wants = !is_over && (takes_frames || self.input.len() < READ_BYTES);
        let reads = wants && connection.incoming.may_read();
        let unfinished = connection.session.unfinished();
        let is_open = connection.progress() == Progress::Open;
        let is_short = is_open && connection.is_short();
        let is_told = is_short || !is_open;
        let stuck = wants && !reads && is_open && connection.session.holds_transactions();
        let stuck_at = stuck.then(|| connection.incoming.stuck_at());
        let is_writing = !connection.outbox.is_empty();
        if is_writing {
            let queued = connection.outbox.queued();
            self.sending.get_or_insert_default();
            self.aging
                .get_or_insert_with(|| (Instant::now() + SLICES_COPIED_AFTER, queued));
        } else {
            self.sending = None;
            self.aging = None;
        }
        let next = self.next_deadline();
        let connection = &mut self.connection;
        let sending = self.sending.as_ref();
        let memory = connection.broker.memory();
        if reads || !wants {
            connection.incoming.waits_no_more();
        }
        if !reads {
            // Unread input may contain a heartbeat.
            self.heartbeat.received(Instant::now());
        }
        let input = &mut self.input;
        let mut slices = [IoSlice::new(&[]); WRITE_SLICES];
        let filled = connection.outbox.slices(&mut slices);
        let incoming = &mut connection.incoming;
        let awaits_grant = !is_writing && connection.outgoing.is_wanted();
        let taking = take_in(reader, input, incoming, unfinished, reads, is_told);
        let happens = async {
            tokio::select! {
                happened = taking, if wants => happened,
                count = writer.write_vectored(&slices[..filled]), if filled > 0 => {
                    Happened::Written(count)
                }
                () = connection.events.receive(events), if is_open => Happened::Told,
                () = connection.outgoing.grant(), if awaits_grant => Happened::Granted,
                () = Incoming::relieved(memory), if is_short => Happened::Relieved,
                () = until(next) => Happened::Time,
                () = shutdown.wait(), if is_open => Happened::Shutdown,
                () = until(stuck_at) => Happened::Stuck,
                reason = self.registered.close(), if is_open => Happened::Forced(reason),
            }
        };
        tokio::select! {
            biased;
            happened = happens => happened,
            // Only where there is nothing else to do: what the client has read meanwhile counts.
            () = unread(memory, sending) => Happened::Unread,
        }
    }

    /// When there is something to do that only time brings.
    fn next_deadline(&self) -> Option<Instant> {
        let is_open = self.connection.progress() == Progress::Open;
        let patience = self.connection.patience.next().filter(|_| is_open);
        let aging = self.aging.map(|it| it.0);
        let all = [self.heartbeat.next(), self.close_by, aging, patience];
        all.into_iter().flatten().min()
    }

    async fn read(&mut self, count: usize) -> Result<(), Ended> {
        if count == 0 {
            return Err(Ended::Dropped);
        }
        self.heartbeat.received(self.connection.now);
        self.connection.meter.received(count as u64);
        self.connection.incoming.read(count);
        self.frames().await;
        Ok(())
    }

    /// Processes the buffered frames.
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
        let has_room = self.connection.outbox.has_room();
        has_room && self.connection.takes_input() && !self.lost
    }

    async fn written(&mut self, count: usize) {
        if let Some(sending) = &mut self.sending {
            sending.sent(count as u64);
        }
        self.heartbeat.sent(self.connection.now);
        self.connection.meter.sent(count as u64);
        self.connection.outbox.advance(count);
        self.connection.return_credit().await;
        if self.connection.outbox.is_empty() {
            self.connection.resume().await;
        }
        // Frames left in the buffer may now have room.
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

    async fn time(&mut self) -> Result<(), Ended> {
        let now = self.connection.now;
        if self.close_by.is_some_and(|by| now >= by) {
            return Err(Ended::Unanswered);
        }
        if let Some((_, position)) = self.aging.take_if(|it| now >= it.0) {
            self.connection.outbox.copy_slices(position);
        }
        match self.heartbeat.due(now) {
            Due::Nothing => {}
            Due::Gone => return Err(Ended::Silent),
            Due::Send => {
                self.connection.outbox.heartbeat();
                self.heartbeat.sent(now);
            }
        }
        if self.connection.progress() == Progress::Open {
            self.connection.close_overdue().await;
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

/// Reads if permitted; otherwise waits for memory once there is something to read, and returns if
/// that takes long, unless the client has been told so.
async fn take_in(
    reader: &mut ReadHalf<'_>,
    input: &mut BytesMut,
    incoming: &mut Incoming,
    unfinished: Unfinished,
    reads: bool,
    is_told: bool,
) -> Happened {
    if !reads {
        if let Err(error) = reader.readable().await {
            return Happened::Read(Err(error));
        }
        let tell_at = Some(incoming.blocked_at()).filter(|_| !is_told);
        return tokio::select! {
            () = incoming.wait(unfinished.missing) => Happened::Granted,
            () = until(tell_at) => Happened::Short,
        };
    }
    // What has arrived is read first: a client isn't late because this process was.
    tokio::select! {
        biased;
        // A buffer is used up before the next is allocated: most reads are far smaller than a
        // buffer.
        count = read(reader, input, READ_BYTES_MIN, READ_BYTES) => Happened::Read(count),
        () = incoming.is_late(unfinished) => Happened::Late,
    }
}

async fn unread(memory: &Memory, sending: Option<&Sending>) {
    match sending {
        Some(sending) => sending.stalled(memory, WRITE_STALL).await,
        None => pending().await,
    }
}

async fn until(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => pending().await,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use stele_core_broker::Kind;
    use stele_front_accept::STILL_WHEN_SHORT;

    use super::*;

    #[tokio::test]
    async fn what_has_arrived_is_read_before_a_client_counts_as_late() {
        let memory = Memory::new(100 << 20);
        let _others = memory.note(Kind::Publishes, 9 << 20);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (client, server) = tokio::join!(TcpStream::connect(address), listener.accept());
        let (mut client, mut server) = (client.unwrap(), server.unwrap().0);
        let (mut reader, _writer) = server.split();
        let unfinished = Unfinished {
            received: 1,
            missing: 100,
        };
        let mut incoming = Incoming::new(memory);
        incoming.settle(0, unfinished);
        let mut input = BytesMut::new();
        let mut take = async |reader: &mut ReadHalf<'_>| {
            take_in(reader, &mut input, &mut incoming, unfinished, true, false).await
        };
        tokio::time::pause();
        // It gets no time to run for longer than a client may stand still.
        tokio::time::advance(STILL_WHEN_SHORT + Duration::from_secs(1)).await;
        tokio::time::resume();
        for _ in 0..64 {
            client.write_all(&[0]).await.unwrap();
            reader.readable().await.unwrap();
            let happened = take(&mut reader).await;
            assert!(matches!(happened, Happened::Read(Ok(1))));
        }
        assert!(matches!(take(&mut reader).await, Happened::Late));
    }
}
