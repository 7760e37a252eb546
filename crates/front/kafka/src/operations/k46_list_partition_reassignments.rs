//! ListPartitionReassignments (key 46), version 0.
//!
//! Returns an empty list: with one broker no partition ever moves. Topics that don't exist are left
//! out, like those that aren't moving.
//!
//! Deviations: none known.
//!
//! Spec: `ListPartitionReassignmentsRequest.json`; KIP-455.

use stele_wire_kafka::{
    RequestHeader,
    messages::{ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse},
};

use super::Operation;
use crate::session::Session;

/// The operation.
pub(crate) struct ListPartitionReassignments;

impl Operation for ListPartitionReassignments {
    type Request = ListPartitionReassignmentsRequest;

    const VERSIONS: (i16, i16) = (0, 0);

    async fn handle(
        _session: &mut Session,
        _header: &RequestHeader,
        _request: ListPartitionReassignmentsRequest,
    ) -> ListPartitionReassignmentsResponse {
        // Kafka's message is null here, but the default is empty.
        ListPartitionReassignmentsResponse::default().with_error_message(None)
    }
}
