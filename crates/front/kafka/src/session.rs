//! A client's session: turns requests into responses, without socket I/O.

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

/// The connection data that operations use.
#[derive(Debug)]
pub struct Session {
    pub(crate) broker: Broker,
    pub(crate) meter: Arc<FrontMeter>,
    pub(crate) settings: Arc<Settings>,
    /// The address given to this client in metadata.
    pub(crate) endpoint: Endpoint,
    /// The client.
    pub(crate) principal: Principal,
    pub(crate) fetch_session: Option<FetchSession>,
}

/// The result of a request.
#[derive(Debug)]
pub enum Answer {
    /// Its response.
    Reply(Response),
    /// A response with records, and their memory.
    Records(Response, Share),
    /// A produce request that has been sent to its shards. The response, if any, follows when it is
    /// finished.
    Produce(k00_produce::Pending),
}

/// Why a connection can't continue. Each closes it with one log line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// Not a request, or a body that doesn't match its header.
    #[error(transparent)]
    Wire(#[from] wire::Error),
    /// An unsupported API. No response would be understood by every client.
    #[error("API key {0} isn't served")]
    UnknownApi(i16),
    /// An unsupported version of an API other than ApiVersions.
    #[error("version {version} of API key {key} isn't served")]
    UnsupportedVersion {
        /// The API.
        key: i16,
        /// The version.
        version: i16,
    },
    /// A request larger than its API allows.
    #[error("a request of {size_bytes} bytes to API key {key} is too large")]
    TooLarge {
        /// The API.
        key: i16,
        /// The request's size.
        size_bytes: usize,
    },
    /// A produce request without a response (`acks=0`) has failed: closing the connection tells the
    /// client.
    #[error("an unacknowledged produce request failed: {0}")]
    Unacknowledged(String),
}

impl Session {
    /// A session for a client that gets `endpoint` in metadata.
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

    /// Whether `frame` is a request that may overlap with earlier ones.
    pub fn may_overlap(frame: &[u8]) -> bool {
        frame.starts_with(&k00_produce::KEY.to_be_bytes())
    }

    /// Handles a request, given without its length. Long polls and rebalances wait here; dropping
    /// the future ends the wait.
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

    /// The client's address as Kafka writes it in group descriptions: Java's
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

/// A client that uses a newer version of ApiVersions gets a response that any client understands
/// (KIP-511); for all other APIs it could have asked before.
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
