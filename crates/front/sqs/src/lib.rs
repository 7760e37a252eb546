//! The SQS front.
