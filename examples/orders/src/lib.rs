//! An order system: six services that talk by messages, each with a database of its own.
//!
//! ```text
//!  customer ── HTTP ──► order ◄──── broker: Kafka, AMQP or SQS ────┬──────────────┐
//!                                     │        │        │          │              │
//!                                     ▼        ▼        ▼          ▼              ▼
//!                                 inventory  payment  shipping  notification  analytics
//!                                              │                   │
//!                                              ▼ HTTP              ▼ SMTP
//!                                           provider             mail server
//! ```
//!
//! One program, `shop`, has each of them as a subcommand, and `shop run` starts all of them. There
//! are two styles: *choreographed*, in which the services react to each other's events, and
//! *orchestrated*, in which the order service leads each order through its steps by a saga. Both
//! run over each of the three protocols, from one code base.
//!
//! Invariants, whatever ends or is delivered twice:
//! - An accepted order is confirmed or cancelled.
//! - What is confirmed is paid once, and its stock is set aside once.
//! - What is cancelled isn't paid, or paid back, and its stock is free.

pub mod activity;
pub mod analytics;
pub mod audit;
pub mod calls;
pub mod chaos;
pub mod costs;
pub mod counts;
pub mod dice;
pub mod faults;
pub mod http;
pub mod inventory;
pub mod letters;
pub mod load;
pub mod messages;
pub mod money;
pub mod notification;
pub mod order;
pub mod payment;
pub mod problem;
pub mod process;
pub mod provider;
pub mod run;
pub mod sending;
pub mod settings;
pub mod shipping;
pub mod sink;
pub mod soak;
pub mod topology;
pub mod transport;
pub mod trial;
