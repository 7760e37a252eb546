//! ApiVersions (key 18), versions 0 to 4.
//!
//! Returns the table of operations. An unsupported version is answered in version 0 with
//! `UNSUPPORTED_VERSION` and the versions of this API, so that a newer client can continue
//! (KIP-511).
//!
//! Produce is announced from version 0 on, although versions 0 to 2 aren't supported, as in Kafka 4
//! (KAFKA-18659): if they are missing, older librdkafka (for example 2.6.1) assumes that the broker
//! can't read compressed batches, and sends them uncompressed.
//!
//! Deviations: no features are announced, because none of Kafka's (transactions version 2, group
//! version 1, share groups) is supported.
//!
//! Spec: `ApiVersionsRequest.json`; KIP-35, KIP-511, KIP-584.

use stele_wire_kafka::{
    Error, RequestHeader, Response, ResponseError, encode_version,
    messages::{
        ApiKey, ApiVersionsRequest, ApiVersionsResponse, api_versions_response::ApiVersion,
    },
};

use super::{Entry, Operation, TABLE};
use crate::session::Session;

pub(crate) const KEY: i16 = ApiKey::ApiVersions as i16;

/// The operation.
pub(crate) struct ApiVersions;

impl Operation for ApiVersions {
    type Request = ApiVersionsRequest;

    const VERSIONS: (i16, i16) = (0, 4);

    async fn handle(
        _session: &mut Session,
        header: &RequestHeader,
        request: ApiVersionsRequest,
    ) -> ApiVersionsResponse {
        let names = [
            &request.client_software_name,
            &request.client_software_version,
        ];
        if header.api_version >= 3 && !names.iter().all(|name| is_software_name(name)) {
            let code = ResponseError::InvalidRequest.code();
            return ApiVersionsResponse::default().with_error_code(code);
        }
        ApiVersionsResponse::default().with_api_keys(TABLE.iter().map(version_of).collect())
    }
}

/// The response to an unsupported version.
pub(crate) fn unsupported_version(header: &RequestHeader) -> Result<Response, Error> {
    let itself = TABLE.iter().filter(|entry| entry.key as i16 == KEY);
    let response = ApiVersionsResponse::default()
        .with_error_code(ResponseError::UnsupportedVersion.code())
        .with_api_keys(itself.map(version_of).collect());
    encode_version::<ApiVersionsRequest>(header, &response, 0)
}

fn version_of(entry: &Entry) -> ApiVersion {
    let version_min = match entry.key {
        ApiKey::Produce => 0,
        _ => entry.version_min,
    };
    ApiVersion::default()
        .with_api_key(entry.key as i16)
        .with_min_version(version_min)
        .with_max_version(entry.version_max)
}

/// Letters, digits, dots and hyphens, with no dot or hyphen at either end (KIP-511).
fn is_software_name(name: &str) -> bool {
    let is_inner = |it: char| it.is_ascii_alphanumeric() || matches!(it, '-' | '.');
    let is_outer = |it: Option<char>| it.is_some_and(|it| it.is_ascii_alphanumeric());
    is_outer(name.chars().next()) && is_outer(name.chars().last()) && name.chars().all(is_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_client_software_are_checked_as_kafka_does() {
        for allowed in ["apache-kafka-java", "4.1.0", "a", "librdkafka"] {
            assert!(is_software_name(allowed), "{allowed}");
        }
        for refused in ["", "-a", "a-", "a b", "é"] {
            assert!(!is_software_name(refused), "{refused}");
        }
    }
}
