//! SQS requests and responses in both of its protocols as values.
