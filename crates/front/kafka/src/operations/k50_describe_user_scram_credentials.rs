//! DescribeUserScramCredentials (key 50), version 0.
//!
//! Reports that no user has SCRAM credentials: clients of this protocol don't log in.
//!
//! Deviations: none known.
//!
//! Spec: `DescribeUserScramCredentialsRequest.json`; KIP-554.

use std::collections::BTreeMap;

use stele_wire_kafka::{
    RequestHeader, ResponseError, StrBytes,
    messages::{
        DescribeUserScramCredentialsRequest, DescribeUserScramCredentialsResponse,
        describe_user_scram_credentials_response::DescribeUserScramCredentialsResult,
    },
};

use super::{Operation, text};
use crate::session::Session;

/// The operation.
pub(crate) struct DescribeUserScramCredentials;

impl Operation for DescribeUserScramCredentials {
    type Request = DescribeUserScramCredentialsRequest;

    const VERSIONS: (i16, i16) = (0, 0);

    async fn handle(
        _session: &mut Session,
        _header: &RequestHeader,
        request: DescribeUserScramCredentialsRequest,
    ) -> DescribeUserScramCredentialsResponse {
        let mut counts: BTreeMap<StrBytes, usize> = BTreeMap::new();
        for user in request.users.unwrap_or_default() {
            *counts.entry(user.name).or_default() += 1;
        }
        let results = counts.into_iter().map(|(user, count)| refused(user, count));
        DescribeUserScramCredentialsResponse::default()
            .with_error_message(None)
            .with_results(results.collect())
    }
}

fn refused(user: StrBytes, count: usize) -> DescribeUserScramCredentialsResult {
    let (error, message) = match count {
        1 => (
            ResponseError::ResourceNotFound,
            "Attempt to describe a user credential that does not exist: ",
        ),
        _ => (
            ResponseError::DuplicateResource,
            "Cannot describe SCRAM credentials for the same user twice in a single request: ",
        ),
    };
    let message = format!("{message}{user}");
    DescribeUserScramCredentialsResult::default()
        .with_error_code(error.code())
        .with_error_message(Some(text(&message)))
        .with_user(user)
}
