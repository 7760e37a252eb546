//! The record batch: the one stored form of data, and Kafka's wire form.
