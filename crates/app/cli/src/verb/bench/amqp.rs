//! An AMQP client: one connection with one channel, which publishes with confirms or consumes.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use bytes::{Bytes, BytesMut};
use stele_wire_amqp::{
    ContentHeader, Frame, FrameDecoder, Method, PROTOCOL_HEADER, Properties, ShortString, Table,
    Value, encode,
    method::{basic, channel, confirm, connection, queue},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

const CHANNEL: u16 = 1;
const FRAME_BYTES_MAX: u32 = 128 * 1024;

/// Size of a frame without its payload.
const FRAME_OVERHEAD_BYTES: usize = 8;

/// Maximum number of unacknowledged deliveries.
const PREFETCH: u16 = 1000;

/// How long receiving waits for the first message.
const RECEIVE_TIMEOUT: Duration = Duration::from_secs(1);

pub(super) struct Client {
    stream: TcpStream,
    input: BytesMut,
    output: BytesMut,
    decoder: FrameDecoder,
    queue: ShortString,
    published: u64,
}

impl Client {
    pub(super) async fn connect(address: &str, queue: &str, login: &str) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let mut client = Self {
            stream,
            input: BytesMut::new(),
            output: BytesMut::new(),
            decoder: FrameDecoder::new(FRAME_BYTES_MAX),
            queue: ShortString::new(queue)?,
            published: 0,
        };
        client.handshake(login).await?;
        Ok(client)
    }

    async fn handshake(&mut self, login: &str) -> Result<()> {
        let (name, password) = login
            .split_once(':')
            .context("the login must be NAME:PASSWORD")?;
        self.stream.write_all(&PROTOCOL_HEADER).await?;
        self.method().await?;
        // Without this capability, a broker without disk space would stop reading and the client
        // would wait without knowing why.
        let capabilities = Table::new().with("connection.blocked", Value::Bool(true));
        let start_ok = connection::StartOk {
            client_properties: Table::new().with("capabilities", Value::Table(capabilities)),
            mechanism: ShortString::new("PLAIN")?,
            response: Bytes::from(format!("\0{name}\0{password}")),
            locale: ShortString::new("en_US")?,
        };
        self.call(0, start_ok)
            .await
            .context("the broker refuses the login")?;
        let tune_ok = connection::TuneOk {
            channel_max: CHANNEL,
            frame_max: FRAME_BYTES_MAX,
            heartbeat: 0,
        };
        encode::method(&mut self.output, 0, &tune_ok.into());
        let open = connection::Open {
            virtual_host: ShortString::new("/")?,
        };
        self.call(0, open).await?;
        self.call(CHANNEL, channel::Open::default()).await?;
        self.call(CHANNEL, confirm::Select::default()).await?;
        Ok(())
    }

    pub(super) async fn create(&mut self) -> Result<()> {
        let declare = queue::Declare {
            queue: self.queue.clone(),
            durable: true,
            ..queue::Declare::default()
        };
        self.call(CHANNEL, declare).await.map(drop)
    }

    pub(super) async fn delete(&mut self) -> Result<()> {
        let delete = queue::Delete {
            queue: self.queue.clone(),
            ..queue::Delete::default()
        };
        self.call(CHANNEL, delete).await.map(drop)
    }

    pub(super) async fn send(&mut self, bodies: &[Bytes]) -> Result<()> {
        const PERSISTENT: u8 = 2;
        let publish = basic::Publish {
            routing_key: self.queue.clone().into(),
            ..basic::Publish::default()
        };
        let publish = Method::from(publish);
        let properties = Properties {
            delivery_mode: Some(PERSISTENT),
            ..Properties::default()
        }
        .encode();
        for body in bodies {
            encode::method(&mut self.output, CHANNEL, &publish);
            let header = ContentHeader {
                class_id: basic::CLASS_ID,
                body_size: body.len() as u64,
                properties: properties.clone(),
            };
            encode::header(&mut self.output, CHANNEL, &header);
            for part in body.chunks(FRAME_BYTES_MAX as usize - FRAME_OVERHEAD_BYTES) {
                encode::body(&mut self.output, CHANNEL, part);
            }
        }
        self.flush().await?;
        let mut unconfirmed = bodies.len() as u64;
        let mut confirmed_to = self.published;
        self.published += unconfirmed;
        while unconfirmed > 0 {
            match self.method().await? {
                Method::Basic(basic::Method::Ack(ack)) if ack.multiple => {
                    unconfirmed -= ack.delivery_tag - confirmed_to;
                    confirmed_to = ack.delivery_tag;
                }
                Method::Basic(basic::Method::Ack(_)) => {
                    unconfirmed -= 1;
                    confirmed_to += 1;
                }
                other => bail!("received {}, expected a confirm", other.name()),
            }
        }
        Ok(())
    }

    pub(super) async fn subscribe(&mut self) -> Result<()> {
        let qos = basic::Qos {
            prefetch_count: PREFETCH,
            ..basic::Qos::default()
        };
        self.call(CHANNEL, qos).await?;
        let consume = basic::Consume {
            queue: self.queue.clone(),
            ..basic::Consume::default()
        };
        self.call(CHANNEL, consume).await.map(drop)
    }

    pub(super) async fn receive(&mut self, bodies: &mut Vec<Bytes>) -> Result<()> {
        let mut latest = None;
        while let Some(frame) = self.arrived(latest.is_none()).await? {
            match frame {
                Frame::Method { payload, .. } => match Method::decode(payload)? {
                    Method::Basic(basic::Method::Deliver(deliver)) => {
                        latest = Some(deliver.delivery_tag);
                        bodies.push(self.content().await?);
                    }
                    Method::Connection(
                        connection::Method::Blocked(_) | connection::Method::Unblocked(_),
                    ) => {}
                    other => bail!("received {}, expected a delivery", other.name()),
                },
                Frame::Heartbeat { .. } => {}
                other => bail!("received {other:?}, expected a delivery"),
            }
        }
        if let Some(delivery_tag) = latest {
            let ack = basic::Ack {
                delivery_tag,
                multiple: true,
            };
            encode::method(&mut self.output, CHANNEL, &ack.into());
            self.flush().await?;
        }
        Ok(())
    }

    /// The next frame. `None` if nothing has arrived, after a timeout if `may_wait`.
    async fn arrived(&mut self, may_wait: bool) -> Result<Option<Frame>> {
        if let Some(frame) = self.decoder.decode(&mut self.input)? {
            return Ok(Some(frame));
        }
        // Waits for the rest of a partial frame, because a message must be received whole before it
        // is acknowledged.
        if !may_wait && self.input.is_empty() {
            return Ok(None);
        }
        match timeout(RECEIVE_TIMEOUT, self.frame()).await {
            Ok(frame) => frame.map(Some),
            Err(_) => Ok(None),
        }
    }

    /// The body of the message whose method was read last.
    async fn content(&mut self) -> Result<Bytes> {
        let Frame::Header { payload, .. } = self.frame().await? else {
            bail!("the delivery has no header");
        };
        let size = usize::try_from(ContentHeader::decode(payload)?.body_size)?;
        let mut body = BytesMut::new();
        while body.len() < size {
            let Frame::Body { payload, .. } = self.frame().await? else {
                bail!("the body is truncated");
            };
            if body.is_empty() && payload.len() == size {
                return Ok(payload);
            }
            body.extend_from_slice(&payload);
        }
        Ok(body.freeze())
    }

    /// Sends a method and waits for the reply.
    async fn call(&mut self, channel: u16, method: impl Into<Method>) -> Result<Method> {
        encode::method(&mut self.output, channel, &method.into());
        self.flush().await?;
        self.method().await
    }

    /// The next method. Fails on a method that closes the channel or the connection.
    async fn method(&mut self) -> Result<Method> {
        loop {
            match self.frame().await? {
                Frame::Method { payload, .. } => {
                    return match Method::decode(payload)? {
                        Method::Connection(connection::Method::Close(close)) => {
                            bail!("{} {}", close.reply_code, close.reply_text.as_str())
                        }
                        Method::Channel(channel::Method::Close(close)) => {
                            bail!("{} {}", close.reply_code, close.reply_text.as_str())
                        }
                        Method::Connection(connection::Method::Blocked(blocked)) => {
                            bail!("the broker blocks publishing: {}", blocked.reason.as_str())
                        }
                        Method::Connection(connection::Method::Unblocked(_)) => continue,
                        method => Ok(method),
                    };
                }
                Frame::Heartbeat { .. } => {}
                other => bail!("received {other:?}, expected a method"),
            }
        }
    }

    async fn frame(&mut self) -> Result<Frame> {
        loop {
            if let Some(frame) = self.decoder.decode(&mut self.input)? {
                return Ok(frame);
            }
            if self.stream.read_buf(&mut self.input).await? == 0 {
                bail!("the broker closed the connection");
            }
        }
    }

    async fn flush(&mut self) -> Result<()> {
        self.stream.write_all(&self.output).await?;
        self.output.clear();
        Ok(())
    }
}
