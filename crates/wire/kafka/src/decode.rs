//! Decoding a request's body.

use bytes::Bytes;
use kafka_protocol::protocol::Request;

use crate::{Error, api};

/// Decodes `body` as a request `R` of `version`. Texts and records are slices of `body`.
///
/// The request's shape is checked first, because the generated decoder allocates whatever the
/// lengths claim.
pub fn decode<R: Request>(version: i16, mut body: Bytes) -> Result<R, Error> {
    let unsupported = Error::Unsupported {
        key: R::KEY,
        version,
    };
    let api = api::find(R::KEY).ok_or(unsupported.clone())?;
    if !api.versions().contains(&version) {
        return Err(unsupported);
    }
    api.check_shape(version, &body)?;
    R::decode(&mut body, version).map_err(|error| Error::Malformed(error.to_string()))
}
