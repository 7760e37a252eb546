//! DescribeTransactions (key 65), version 0.
//!
//! Reports all transactional ids as not found: there are no transactions yet.
//!
//! Deviations: none known.
//!
//! Spec: `DescribeTransactionsRequest.json`; KIP-664.

use stele_wire_kafka::{
    RequestHeader, ResponseError,
    messages::{
        DescribeTransactionsRequest, DescribeTransactionsResponse, ProducerId,
        describe_transactions_response::TransactionState,
    },
};

use super::Operation;
use crate::session::Session;

/// The operation.
pub(crate) struct DescribeTransactions;

impl Operation for DescribeTransactions {
    type Request = DescribeTransactionsRequest;

    const VERSIONS: (i16, i16) = (0, 0);

    async fn handle(
        _session: &mut Session,
        _header: &RequestHeader,
        request: DescribeTransactionsRequest,
    ) -> DescribeTransactionsResponse {
        let states = request.transactional_ids.into_iter().map(|id| {
            TransactionState::default()
                .with_transactional_id(id)
                .with_error_code(ResponseError::TransactionalIdNotFound.code())
                .with_producer_id(ProducerId(-1))
                .with_producer_epoch(-1)
        });
        DescribeTransactionsResponse::default().with_transaction_states(states.collect())
    }
}
