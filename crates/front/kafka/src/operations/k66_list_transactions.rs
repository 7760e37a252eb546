//! ListTransactions (key 66), versions 0 to 2.
//!
//! Returns an empty list: there are no transactions yet. States that Kafka doesn't know are
//! reported, as in Kafka.
//!
//! Deviations: the pattern isn't validated.
//!
//! Spec: `ListTransactionsRequest.json`; KIP-664, KIP-994 (duration), KIP-1152 (pattern).

use stele_wire_kafka::{
    RequestHeader, StrBytes,
    messages::{ListTransactionsRequest, ListTransactionsResponse},
};

use super::Operation;
use crate::session::Session;

const STATES: &[&str] = &[
    "Empty",
    "Ongoing",
    "PrepareCommit",
    "PrepareAbort",
    "CompleteCommit",
    "CompleteAbort",
    "Dead",
    "PrepareEpochFence",
];

/// The operation.
pub(crate) struct ListTransactions;

impl Operation for ListTransactions {
    type Request = ListTransactionsRequest;

    const VERSIONS: (i16, i16) = (0, 2);

    async fn handle(
        _session: &mut Session,
        _header: &RequestHeader,
        request: ListTransactionsRequest,
    ) -> ListTransactionsResponse {
        let is_unknown = |state: &StrBytes| !STATES.contains(&&**state);
        let unknown = request.state_filters.into_iter().filter(is_unknown);
        ListTransactionsResponse::default().with_unknown_state_filters(unknown.collect())
    }
}
