//! Kafka requests and responses as values.
