//! Configurations as lists of numbered fields, leaving out those with their default value.
//!
//! New fields are added at the end of their enum. A field is never removed, and its meaning never
//! changes.

use serde::{Deserialize, Serialize};
use stele_base_types::SessionId;

use crate::{
    Arguments, DeathReasons, Durability, Exchange, ExchangeKind, LedgerConfig, LogConfig, Overflow,
    Window,
};

/// A field of [`LogConfig`].
#[derive(Serialize, Deserialize)]
pub(crate) enum LogField {
    Partitions(u32),
    Durability(Durability),
    UntilAcknowledged,
    Window(Window),
    Exclusive(SessionId),
    AutoDelete,
    UnusedMsMax(u64),
    Queue(LedgerConfig),
}

/// A field of [`Window`].
#[derive(Serialize, Deserialize)]
pub(crate) enum WindowField {
    TimeMs(u64),
    SizeBytes(u64),
}

/// A field of [`LedgerConfig`].
#[derive(Serialize, Deserialize)]
pub(crate) enum LedgerField {
    Fifo,
    DelayMs(u64),
    ExpiryMs(u64),
    DeliveriesMax(u32),
    DeadLetters(DeathReasons),
    ReadyMax(u64),
    Overflow(Overflow),
    SingleActive,
    ByPriority,
    ReadyBytesMax(u64),
}

/// A field of [`Exchange`].
#[derive(Serialize, Deserialize)]
pub(crate) enum ExchangeField {
    Kind(ExchangeKind),
    Durable,
    AutoDelete,
    Internal,
    Arguments(Arguments),
}

impl From<LogConfig> for Vec<LogField> {
    fn from(config: LogConfig) -> Self {
        let LogConfig {
            partitions,
            durability,
            retention,
            lifetime,
            queue,
        } = config;
        let mut fields = vec![
            LogField::Partitions(partitions),
            LogField::Durability(durability),
        ];
        fields.extend(
            retention
                .until_acknowledged
                .then_some(LogField::UntilAcknowledged),
        );
        fields.extend(retention.window.map(LogField::Window));
        fields.extend(lifetime.exclusive.map(LogField::Exclusive));
        fields.extend(lifetime.auto_delete.then_some(LogField::AutoDelete));
        fields.extend(lifetime.unused_ms_max.map(LogField::UnusedMsMax));
        fields.extend(queue.map(LogField::Queue));
        fields
    }
}

impl From<Vec<LogField>> for LogConfig {
    fn from(fields: Vec<LogField>) -> Self {
        let mut config = Self::default();
        for field in fields {
            match field {
                LogField::Partitions(partitions) => config.partitions = partitions,
                LogField::Durability(durability) => config.durability = durability,
                LogField::UntilAcknowledged => config.retention.until_acknowledged = true,
                LogField::Window(window) => config.retention.window = Some(window),
                LogField::Exclusive(session) => config.lifetime.exclusive = Some(session),
                LogField::AutoDelete => config.lifetime.auto_delete = true,
                LogField::UnusedMsMax(ms) => config.lifetime.unused_ms_max = Some(ms),
                LogField::Queue(queue) => config.queue = Some(queue),
            }
        }
        config
    }
}

impl From<Window> for Vec<WindowField> {
    fn from(window: Window) -> Self {
        let time = window.time_ms.map(WindowField::TimeMs);
        let size = window.size_bytes.map(WindowField::SizeBytes);
        time.into_iter().chain(size).collect()
    }
}

impl From<Vec<WindowField>> for Window {
    fn from(fields: Vec<WindowField>) -> Self {
        let mut window = Self {
            time_ms: None,
            size_bytes: None,
        };
        for field in fields {
            match field {
                WindowField::TimeMs(ms) => window.time_ms = Some(ms),
                WindowField::SizeBytes(bytes) => window.size_bytes = Some(bytes),
            }
        }
        window
    }
}

impl From<LedgerConfig> for Vec<LedgerField> {
    fn from(config: LedgerConfig) -> Self {
        let LedgerConfig {
            fifo,
            delay_ms,
            expiry_ms,
            deliveries_max,
            dead_letters,
            ready_max,
            overflow,
            single_active,
            by_priority,
            ready_bytes_max,
        } = config;
        let mut fields = Self::new();
        fields.extend(fifo.then_some(LedgerField::Fifo));
        fields.extend((delay_ms > 0).then_some(LedgerField::DelayMs(delay_ms)));
        fields.extend(expiry_ms.map(LedgerField::ExpiryMs));
        fields.extend(deliveries_max.map(LedgerField::DeliveriesMax));
        if dead_letters != DeathReasons::NONE {
            fields.push(LedgerField::DeadLetters(dead_letters));
        }
        fields.extend(ready_max.map(LedgerField::ReadyMax));
        if overflow != Overflow::default() {
            fields.push(LedgerField::Overflow(overflow));
        }
        fields.extend(single_active.then_some(LedgerField::SingleActive));
        fields.extend(by_priority.then_some(LedgerField::ByPriority));
        fields.extend(ready_bytes_max.map(LedgerField::ReadyBytesMax));
        fields
    }
}

impl From<Vec<LedgerField>> for LedgerConfig {
    fn from(fields: Vec<LedgerField>) -> Self {
        let mut config = Self::default();
        for field in fields {
            match field {
                LedgerField::Fifo => config.fifo = true,
                LedgerField::DelayMs(ms) => config.delay_ms = ms,
                LedgerField::ExpiryMs(ms) => config.expiry_ms = Some(ms),
                LedgerField::DeliveriesMax(max) => config.deliveries_max = Some(max),
                LedgerField::DeadLetters(reasons) => config.dead_letters = reasons,
                LedgerField::ReadyMax(max) => config.ready_max = Some(max),
                LedgerField::Overflow(overflow) => config.overflow = overflow,
                LedgerField::SingleActive => config.single_active = true,
                LedgerField::ByPriority => config.by_priority = true,
                LedgerField::ReadyBytesMax(max) => config.ready_bytes_max = Some(max),
            }
        }
        config
    }
}

impl From<Exchange> for Vec<ExchangeField> {
    fn from(exchange: Exchange) -> Self {
        let Exchange {
            kind,
            durable,
            auto_delete,
            internal,
            arguments,
        } = exchange;
        let mut fields = vec![ExchangeField::Kind(kind)];
        fields.extend(durable.then_some(ExchangeField::Durable));
        fields.extend(auto_delete.then_some(ExchangeField::AutoDelete));
        fields.extend(internal.then_some(ExchangeField::Internal));
        if !arguments.is_empty() {
            fields.push(ExchangeField::Arguments(arguments));
        }
        fields
    }
}

impl From<Vec<ExchangeField>> for Exchange {
    fn from(fields: Vec<ExchangeField>) -> Self {
        let mut exchange = Self {
            kind: ExchangeKind::Direct,
            durable: false,
            auto_delete: false,
            internal: false,
            arguments: Arguments::new(),
        };
        for field in fields {
            match field {
                ExchangeField::Kind(kind) => exchange.kind = kind,
                ExchangeField::Durable => exchange.durable = true,
                ExchangeField::AutoDelete => exchange.auto_delete = true,
                ExchangeField::Internal => exchange.internal = true,
                ExchangeField::Arguments(arguments) => exchange.arguments = arguments,
            }
        }
        exchange
    }
}
