//! The header of a request.

use bytes::{Buf, Bytes};
use kafka_protocol::{messages::ApiKey, protocol::StrBytes};

use crate::{Error, reader::Reader};

/// The header of every request. Key and version are as sent, and may be unknown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestHeader {
    /// The API's key.
    pub api_key: i16,
    /// The version of the API.
    pub api_version: i16,
    /// Returned in the response.
    pub correlation_id: i32,
    /// The client's own name.
    pub client_id: Option<StrBytes>,
}

impl RequestHeader {
    /// Reads the header of `frame`, which advances to the body.
    ///
    /// If the API or version is unknown, the rest of the header can't be distinguished from the
    /// body, and `frame` may still include it: don't decode such a body.
    pub fn split_from(frame: &mut Bytes) -> Result<Self, Error> {
        let mut reader = Reader::new(frame);
        let api_key = reader.int16()?;
        let api_version = reader.int16()?;
        let correlation_id = reader.int32()?;
        let client_id_length = i64::from(reader.int16()?);
        let client_id = match reader.length(client_id_length)? {
            Some(size_bytes) => Some(frame.slice_ref(reader.take(size_bytes)?)),
            None => None,
        };
        if has_tags(api_key, api_version) {
            reader.skip_tags()?;
        }
        let size_bytes = frame.len() - reader.remaining();
        frame.advance(size_bytes);
        let client_id = client_id
            .map(StrBytes::from_utf8)
            .transpose()
            .map_err(|_| Error::NotUtf8)?;
        Ok(Self {
            api_key,
            api_version,
            correlation_id,
            client_id,
        })
    }
}

/// Whether the header is of version 2.
fn has_tags(api_key: i16, api_version: i16) -> bool {
    let Ok(key) = ApiKey::try_from(api_key) else {
        return false;
    };
    key.valid_versions().min <= api_version
        && api_version <= key.valid_versions().max
        && key.request_header_version(api_version) >= 2
}
