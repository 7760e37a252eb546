use smallvec::SmallVec;
use stele_base_types::{LogId, Name, SessionId, Timestamp};

use super::*;
use crate::{
    Decision, Durability, LogConfig, QueueConfig, Record, Reply, Retention, Window,
    command::{Bind, CatalogueCommand, DeclareExchange, DeclareLog},
    config::Lifetime,
    reply::Declared,
};

mod declarations;
mod exchanges;
mod replicas;

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
        queue: Some(QueueConfig::default()),
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

/// A catalogue and the records that have made it.
#[derive(Default)]
struct Driven {
    catalogue: Catalogue,
    records: Vec<CatalogueRecord>,
}

impl Driven {
    fn run(&mut self, command: CatalogueCommand) -> Result<Reply, Error> {
        let Decision { records, reply, .. } = self.catalogue.decide(command, NOW);
        self.apply(records);
        reply.expect("the catalogue always answers")
    }

    /// The process has ended, and another begins.
    fn recover(&mut self) {
        loop {
            let dropped = self.catalogue.drop_fleeting();
            if dropped.is_nothing() {
                return;
            }
            self.apply(dropped.records);
        }
    }

    fn apply(&mut self, records: impl IntoIterator<Item = Record>) {
        for record in records {
            let Record::Catalogue(record) = record else {
                panic!("not the catalogue's: {record:?}");
            };
            self.catalogue.apply(&record);
            self.records.push(record);
        }
    }

    fn declare(&mut self, declaration: DeclareLog) -> Result<Declared, Error> {
        match self.run(CatalogueCommand::DeclareLog(declaration))? {
            Reply::Declared(declared) => Ok(*declared),
            other => panic!("{other:?}"),
        }
    }

    /// A new durable queue.
    fn queue(&mut self, log: &str) -> LogId {
        let declared = self.declare(declaration(log, "amqp", config())).unwrap();
        declared.definition().id
    }

    fn exchange(&mut self, declaration: DeclareExchange) {
        self.run(CatalogueCommand::DeclareExchange(declaration))
            .unwrap();
    }

    fn bind(&mut self, bind: Bind) {
        self.run(CatalogueCommand::Bind(bind)).unwrap();
    }

    fn route(&self, exchange: &str, key: &str) -> Vec<LogId> {
        let mut targets = SmallVec::new();
        self.catalogue
            .route("/", exchange, key, &NoHeaders, &mut targets)
            .unwrap();
        targets.into_vec()
    }

    fn bindings(&self, exchange: &str) -> usize {
        self.catalogue.bindings("/", exchange).count()
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
