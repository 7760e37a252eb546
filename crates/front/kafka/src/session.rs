//! A client's session: one request in, one answer out. No sockets.

use std::sync::Arc;

use bytes::Bytes;
use stele_base_types::Principal;
use stele_core_broker::{Broker, FrontMeter, Share};
use stele_wire_kafka::{self as wire, RequestHeader, Response};

use crate::{
    Endpoint, Settings,
    fetch_session::FetchSession,
    operations::{self, k00_produce, k18_api_versions},
    topics::Topics,
};

/// What a connection is to the operations.
#[derive(Debug)]
pub struct Session {
    pub(crate) broker: Broker,
    pub(crate) meter: Arc<FrontMeter>,
    pub(crate) settings: Arc<Settings>,
    /// What this client is told to connect to.
    pub(crate) endpoint: Endpoint,
    /// The client.
    pub(crate) principal: Principal,
    pub(crate) fetch_session: Option<FetchSession>,
}

/// What becomes of a request.
#[derive(Debug)]
pub enum Answer {
    /// Its response.
    Reply(Response),
    /// Its response with records, and the memory that they take.
    Records(Response, Share),
    /// A produce request that has been sent to its shards: its response, or none, comes when it is
    /// finished.
    Produce(k00_produce::Pending),
}

/// Why a connection can't go on. Each closes it with one line in the log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// Not a request, or one whose body isn't what its header says.
    #[error(transparent)]
    Wire(#[from] wire::Error),
    /// An API that isn't served. There is no response that every client would understand.
    #[error("API key {0} isn't served")]
    UnknownApi(i16),
    /// A version that isn't served, of an API other than ApiVersions.
    #[error("version {version} of API key {key} isn't served")]
    UnsupportedVersion {
        /// The API.
        key: i16,
        /// The version.
        version: i16,
    },
    /// A request larger than its API may be.
    #[error("a request of {size_bytes} bytes to API key {key} is too large")]
    TooLarge {
        /// The API.
        key: i16,
        /// The request's size.
        size_bytes: usize,
    },
    /// A produce request that asked for no response has failed: closing tells the client
    /// (`acks=0`).
    #[error("an unacknowledged produce request failed: {0}")]
    Unacknowledged(String),
}

impl Session {
    /// A session for a client that is told `endpoint`.
    pub fn new(
        broker: Broker,
        settings: Arc<Settings>,
        endpoint: Endpoint,
        principal: Principal,
    ) -> Self {
        Self {
            meter: broker.front_meter("kafka", &operations::NAMES),
            broker,
            settings,
            endpoint,
            principal,
            fetch_session: None,
        }
    }

    /// Whether `frame` is a request that may overlap with those before it.
    pub fn may_overlap(frame: &[u8]) -> bool {
        frame.starts_with(&k00_produce::KEY.to_be_bytes())
    }

    /// Handles a request, without its length. A long poll or a rebalance waits here; dropping the
    /// future ends the wait.
    pub async fn handle(&mut self, mut frame: Bytes) -> Result<Answer, SessionError> {
        let header = RequestHeader::split_from(&mut frame)?;
        let operation =
            operations::find(header.api_key).ok_or(SessionError::UnknownApi(header.api_key))?;
        if !operation.versions().contains(&header.api_version) {
            return unsupported_version(&header);
        }
        operation.check_size(frame.len(), &self.settings)?;
        self.meter.request(operations::position(header.api_key), 1);
        operation.run(self, header, frame).await
    }

    /// Where the client is, as Kafka writes it in group descriptions: Java's
    /// `InetAddress.toString`.
    pub(crate) fn client_host(&self) -> Box<str> {
        format!("/{}", self.principal.address.ip()).into()
    }

    /// The broker's topics.
    pub(crate) fn topics(&self) -> Topics<'_> {
        Topics {
            broker: &self.broker,
            client: &self.principal,
            settings: &self.settings,
        }
    }
}

/// A client that knows more versions of ApiVersions than the server gets an answer that any client
/// understands (KIP-511); for every other API it had the chance to ask.
fn unsupported_version(header: &RequestHeader) -> Result<Answer, SessionError> {
    if header.api_key == k18_api_versions::KEY {
        return Ok(Answer::Reply(k18_api_versions::unsupported_version(
            header,
        )?));
    }
    Err(SessionError::UnsupportedVersion {
        key: header.api_key,
        version: header.api_version,
    })
}
