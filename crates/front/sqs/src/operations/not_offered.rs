//! The actions that aren't offered: permissions (access is by credentials alone) and those about
//! dead letters.
//!
//! - Deviations: each is answered with `UnsupportedOperation`, which it has in AWS's model, rather
//!   than as if it didn't exist.
//! - Spec: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_Operations.html>

use stele_wire_sqs::{Action, Error, ErrorKind};

/// The refusal.
pub(crate) fn refuse(action: Action) -> Error {
    Error::new(
        ErrorKind::UnsupportedOperation,
        format!("{action} isn't supported by this server."),
    )
}
