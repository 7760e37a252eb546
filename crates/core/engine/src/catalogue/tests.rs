use smallvec::SmallVec;
use stele_base_types::{LogId, Name, SessionId, Timestamp};

use super::*;
use crate::{
    Command, Durability, LedgerConfig, LogConfig, Record, Retention, State, Window,
    config::Lifetime,
};

mod bounds;
mod declarations;
mod exchanges;
mod replicas;
mod serving;

const NOW: Timestamp = Timestamp(1_000);

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn config() -> LogConfig {
    LogConfig {
        partitions: 1,
        durability: Durability::Synced,
        retention: Retention::QUEUE,
        lifetime: Lifetime::default(),
        queue: Some(LedgerConfig::default()),
    }
}

fn declaration(log: &str, facet: &str, config: LogConfig) -> DeclareLog {
    DeclareLog {
        vhost: Name::vhost_default(),
        name: name(log),
        config,
        adopt: Adopt::same_as(&config),
        facet: facet.into(),
        settings: Settings::new(),
    }
}

fn exchange(text: &str, kind: ExchangeKind) -> DeclareExchange {
    DeclareExchange {
        vhost: Name::vhost_default(),
        name: name(text),
        kind,
        durable: true,
        auto_delete: false,
        internal: false,
        arguments: Arguments::new(),
    }
}

fn bind(source: &str, target: BindingTarget, key: &str) -> Bind {
    Bind {
        vhost: Name::vhost_default(),
        source: name(source),
        target,
        key: name(key),
        arguments: Arguments::new(),
    }
}

fn to_exchange(text: &str) -> BindingTarget {
    BindingTarget::Exchange(name(text))
}

/// A state with a catalogue, and the records that made it.
#[derive(Default)]
struct Driven {
    state: State,
    records: Vec<CatalogueRecord>,
}

impl Driven {
    fn run<C: Command>(&mut self, command: C) -> Result<C::Reply, C::Error> {
        let decision = command.decide(&self.state, NOW)?;
        self.apply(decision.records);
        Ok(decision.reply)
    }

    /// Notes that the log's shard has closed it.
    fn undefine(&mut self, log: LogId) {
        let undefined = self.state.catalogue.undefine(log);
        self.apply(undefined.records);
    }

    /// Ends the process and starts another one.
    fn recover(&mut self) {
        loop {
            let dropped = self.state.catalogue.drop_fleeting();
            if dropped.is_nothing() {
                return;
            }
            self.apply(dropped.records);
        }
    }

    fn apply(&mut self, records: impl IntoIterator<Item = Record>) {
        for record in records {
            self.state.apply(&record);
            if let Record::Catalogue(record) = record {
                self.records.push(record);
            }
        }
    }

    fn declare(&mut self, declaration: DeclareLog) -> Result<Declared, CatalogueError> {
        self.run(declaration)
    }

    /// Declares a durable queue.
    fn queue(&mut self, log: &str) -> LogId {
        let declared = self.declare(declaration(log, "amqp", config())).unwrap();
        declared.definition().id
    }

    fn exchange(&mut self, declaration: DeclareExchange) {
        self.run(declaration).unwrap();
    }

    fn bind(&mut self, bind: Bind) {
        self.run(bind).unwrap();
    }

    fn route(&self, exchange: &str, key: &str) -> Vec<LogId> {
        let mut targets = SmallVec::new();
        self.state
            .catalogue
            .route("/", exchange, &[key], &NoHeaders, &mut targets)
            .unwrap();
        targets.into_vec()
    }

    fn bindings(&self, exchange: &str) -> usize {
        self.state.catalogue.bindings("/", exchange).count()
    }
}

fn week() -> Retention {
    Retention {
        until_acknowledged: false,
        window: Some(Window {
            time_ms: Some(604_800_000),
            size_bytes: None,
        }),
    }
}

fn exclusive() -> LogConfig {
    LogConfig {
        lifetime: Lifetime {
            exclusive: Some(SessionId(7)),
            ..Lifetime::default()
        },
        ..config()
    }
}
