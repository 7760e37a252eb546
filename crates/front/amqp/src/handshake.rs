//! Opens a connection on a socket, within [`Settings::handshake_timeout`].
//!
//! A client that hasn't authenticated uses one buffer of at most one small frame.

use std::{io, net::SocketAddr};

use bytes::BytesMut;
use stele_base_types::{ForeignProtocol, Principal};
use stele_core_broker::{Broker, FrontMeter};
use stele_front_accept::log_failed_login;
use stele_wire_amqp::{
    Frame, FrameDecoder, Method, PROTOCOL_HEADER, ProtocolHeader, ShortString, encode,
    method::connection::{Close, CloseOk},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{sleep, timeout},
};

use crate::{
    errors::Fault,
    limits::{FRAME_UNAUTHENTICATED_BYTES, REFUSAL_DELAY},
    negotiation::{Negotiation, Opened, Refusal, Step},
    settings::Settings,
};

/// The ids of a `close` that no method caused.
const NO_METHOD: (u16, u16) = (0, 0);

/// Why the connection wasn't opened.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error("{0}")]
    Socket(#[from] io::Error),
    #[error("closed by the client")]
    Closed,
    #[error("{}", ForeignProtocol::describe(.0, "AMQP"))]
    Foreign(Vec<u8>),
    #[error("the client speaks AMQP {}.{}.{}, not AMQP 0-9-1", .0[1], .0[2], .0[3])]
    Version([u8; 4]),
    #[error("{}", .0.text())]
    Refused(Fault),
    /// Already logged.
    #[error("login failed")]
    Login,
}

/// Opens a connection. Returns the negotiated values and any bytes read beyond them; `None` if the
/// connection wasn't opened, after logging the reason.
pub(crate) async fn open(
    stream: &mut TcpStream,
    broker: &Broker,
    settings: &Settings,
    meter: &FrontMeter,
    principal: Principal,
) -> Option<(Opened, BytesMut)> {
    let peer = principal.address;
    let mut input = BytesMut::new();
    let mut socket = Socket { stream, meter };
    let mut negotiation = Negotiation::new(settings, principal);
    let negotiated = negotiate(&mut socket, &mut input, broker, &mut negotiation, peer);
    let within = settings.handshake_timeout;
    match timeout(within, negotiated).await {
        Ok(Ok(opened)) => Some((opened, input)),
        Ok(Err(Failed::Closed)) => {
            tracing::debug!(%peer, "amqp: closed before the connection was open");
            None
        }
        Ok(Err(Failed::Login)) => {
            meter.connection_error();
            None
        }
        Ok(Err(failed)) => {
            let user = negotiation.user();
            tracing::warn!(%peer, user, reason = %failed, "amqp: connection closed");
            meter.connection_error();
            None
        }
        Err(_) => {
            meter.connection_error();
            let reason = format!("not open after {within:?}");
            tracing::warn!(%peer, reason, "amqp: connection closed");
            None
        }
    }
}

async fn negotiate(
    socket: &mut Socket<'_>,
    input: &mut BytesMut,
    broker: &Broker,
    negotiation: &mut Negotiation<'_>,
    peer: SocketAddr,
) -> Result<Opened, Failed> {
    await_header(socket, input).await?;
    socket.send(negotiation.start()).await?;
    loop {
        let method = next_method(socket, input).await?;
        let ids = method.ids();
        let vhost_exists = |vhost: &str| broker.catalogue().has_vhost(vhost);
        match negotiation.accept(method, vhost_exists) {
            Ok(Step::Reply(method)) => socket.send(method).await?,
            Ok(Step::Wait) => {}
            Ok(Step::Opened(opened)) => return Ok(opened),
            Ok(Step::Closed) => {
                socket.send(CloseOk {}.into()).await?;
                return Err(Failed::Closed);
            }
            Err(Refusal::Told(fault)) => return Err(refuse(socket, fault, ids).await),
            Err(Refusal::Silent(fault)) => {
                sleep(REFUSAL_DELAY).await;
                return Err(Failed::Refused(fault));
            }
            Err(Refusal::Login(failed)) => {
                log_failed_login("amqp", peer, &failed.user, &failed.reason);
                match failed.told {
                    // It names no method, as in RabbitMQ.
                    Some(fault) => drop(refuse(socket, fault, NO_METHOD).await),
                    None => sleep(REFUSAL_DELAY).await,
                }
                return Err(Failed::Login);
            }
        }
    }
}

async fn await_header(socket: &mut Socket<'_>, input: &mut BytesMut) -> Result<(), Failed> {
    loop {
        let failed = match ProtocolHeader::decode(input) {
            Some(ProtocolHeader::Amqp091) => return Ok(()),
            Some(ProtocolHeader::OtherVersion(version)) => Failed::Version(version),
            Some(ProtocolHeader::Foreign(octets)) => Failed::Foreign(octets),
            None => {
                socket.read(input).await?;
                continue;
            }
        };
        socket.write(&PROTOCOL_HEADER).await?;
        return Err(failed);
    }
}

async fn next_method(socket: &mut Socket<'_>, input: &mut BytesMut) -> Result<Method, Failed> {
    let decoder = FrameDecoder::new(FRAME_UNAUTHENTICATED_BYTES);
    loop {
        match decoder.decode(input) {
            Ok(Some(Frame::Method {
                channel: 0,
                payload,
            })) => match Method::decode(payload) {
                Ok(method) => return Ok(method),
                Err(error) => return Err(refuse(socket, error.into(), NO_METHOD).await),
            },
            Ok(Some(Frame::Heartbeat { .. })) => {}
            Ok(Some(_)) => {
                let fault = Fault::unexpected_frame("a frame before the connection is open");
                return Err(refuse(socket, fault, NO_METHOD).await);
            }
            Ok(None) => socket.read(input).await?,
            Err(error) => return Err(refuse(socket, error.into(), NO_METHOD).await),
        }
    }
}

/// Tells the client why the connection isn't opened, and gives it a moment to read that: closing a
/// socket with unread input would discard the message.
async fn refuse(socket: &mut Socket<'_>, fault: Fault, ids: (u16, u16)) -> Failed {
    let close = Close {
        reply_code: fault.code.code,
        reply_text: ShortString::truncated(&fault.text()),
        class_id: ids.0,
        method_id: ids.1,
    };
    if socket.send(close.into()).await.is_ok() {
        drop(timeout(REFUSAL_DELAY, discard(socket.stream)).await);
    }
    Failed::Refused(fault)
}

/// The client's socket, with its bytes counted.
struct Socket<'a> {
    stream: &'a mut TcpStream,
    meter: &'a FrontMeter,
}

impl Socket<'_> {
    async fn read(&mut self, input: &mut BytesMut) -> Result<(), Failed> {
        match self.stream.read_buf(input).await? {
            0 => Err(Failed::Closed),
            count => {
                self.meter.received(count as u64);
                Ok(())
            }
        }
    }

    async fn send(&mut self, method: Method) -> io::Result<()> {
        let mut out = BytesMut::new();
        encode::method(&mut out, 0, &method);
        self.write(&out).await
    }

    async fn write(&mut self, octets: &[u8]) -> io::Result<()> {
        self.stream.write_all(octets).await?;
        self.meter.sent(octets.len() as u64);
        Ok(())
    }
}

/// Reads and discards until the client closes.
pub(crate) async fn discard(stream: &mut TcpStream) {
    let mut sink = [0; 1024];
    while stream.read(&mut sink).await.is_ok_and(|count| count > 0) {}
}
