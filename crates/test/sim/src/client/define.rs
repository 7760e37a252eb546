//! Declaring, altering and deleting logs.

use stele_base_types::{LogId, Name};
use stele_core_broker::{AnswerTo, Error, Request};
use stele_core_engine::{
    Adopt, AlterLog, DeclareLog, DeleteLog, Durability, LedgerConfig, Lifetime, LogConfig,
    LogDefinition, LogError, Retention, Window,
};
use tokio::sync::oneshot::{self, Receiver};

use super::{Client, Turn, shard_of, take_heard};
use crate::{event::Event, letters, run::AGED_MS};

/// Requests that wait for their answers.
#[derive(Debug, Default)]
pub(super) struct Definitions {
    declaring: Vec<((), AnswerTo<DeclareLog>)>,
    altering: Vec<((), AnswerTo<AlterLog>)>,
    deleting: Vec<(LogId, Deleted)>,
    /// Logs whose deletion was acknowledged.
    pub(super) gone: Vec<LogId>,
}

type Deleted = Receiver<Result<u64, Error<LogError>>>;

/// The names of all possible logs.
const NAMES: [&str; 11] = [
    "queue",
    "fifo",
    "fifo-wide",
    "delayed",
    "topic",
    "aged",
    "both",
    "flushed",
    "volatile",
    "priorities",
    "one-by-one",
];

fn config(name: &str) -> LogConfig {
    let named = config_of(name);
    let queue = letters::config(name);
    LogConfig {
        queue: queue.or(named.queue),
        ..named
    }
}

fn config_of(name: &str) -> LogConfig {
    let queue = LedgerConfig::default();
    let window = |time_ms, size_bytes| Retention {
        until_acknowledged: false,
        window: Some(Window {
            time_ms,
            size_bytes,
        }),
    };
    let plain = LogConfig {
        partitions: 1,
        durability: Durability::Synced,
        retention: Retention::QUEUE,
        lifetime: Lifetime::default(),
        queue: Some(queue),
    };
    let fifo = Some(LedgerConfig {
        fifo: true,
        ..queue
    });
    let with = |partitions, durability, retention, queue| LogConfig {
        partitions,
        durability,
        retention,
        queue,
        ..plain
    };
    let delayed = Some(LedgerConfig {
        delay_ms: 5_000,
        ..queue
    });
    let by_priority = Some(LedgerConfig {
        by_priority: true,
        ..queue
    });
    let single_active = Some(LedgerConfig {
        single_active: true,
        ..queue
    });
    let (kept, synced) = (Retention::QUEUE, Durability::Synced);
    match name {
        "fifo" => with(1, synced, kept, fifo),
        "fifo-wide" => with(3, synced, kept, fifo),
        "priorities" => with(4, synced, kept, by_priority),
        "one-by-one" => with(1, synced, kept, single_active),
        "delayed" => with(1, synced, kept, delayed),
        "topic" => with(3, synced, window(None, Some(4_000)), None),
        "aged" => with(1, synced, window(Some(AGED_MS), None), None),
        "both" => with(
            2,
            synced,
            kept.union(window(None, Some(2_000))),
            Some(queue),
        ),
        "flushed" => with(1, Durability::Flushed, kept, Some(queue)),
        "volatile" => with(1, Durability::Volatile, kept, Some(queue)),
        _ => plain,
    }
}

impl Client {
    pub(super) fn declare(&mut self, turn: &mut Turn<'_>) {
        let with_letters = self.letters.are_used && !turn.random.once_in(3);
        let names = if with_letters {
            &letters::NAMES[..]
        } else {
            &NAMES
        };
        let name = names[turn.random.place(names.len())];
        let facet = ["kafka", "amqp", "sqs"][turn.random.place(3)];
        let declaration = DeclareLog {
            vhost: Name::vhost_default(),
            name: Name::new(name).expect("a short name"),
            config: config(name),
            adopt: Adopt::same_as(&config(name)),
            facet: facet.into(),
            settings: Default::default(),
        };
        let answer = turn.call(0, declaration);
        self.definitions.declaring.push(((), answer));
    }

    /// Adds a partition.
    pub(super) fn alter(&mut self, turn: &mut Turn<'_>) {
        let grows = |log: &LogDefinition| {
            let is_fixed = |queue: LedgerConfig| queue.fifo || queue.by_priority;
            log.config.partitions < 4 && !log.config.queue.is_some_and(is_fixed)
        };
        let Some(log) = self.some_log(turn, grows) else {
            return;
        };
        let alter = AlterLog {
            partitions: Some(log.config.partitions + 1),
            ..AlterLog::nothing(log.id)
        };
        let answer = turn.call(0, alter);
        self.definitions.altering.push(((), answer));
    }

    /// Deletes the data and the definition.
    pub(super) fn delete(&mut self, turn: &mut Turn<'_>) {
        if !turn.random.once_in(2) {
            return;
        }
        let Some(log) = self.some_log(turn, |_| true) else {
            return;
        };
        turn.events.push(Event::Deleting(log.id));
        let (reply, answer) = oneshot::channel();
        let delete = DeleteLog::anyway(log.id);
        let shard = shard_of(turn, log.id);
        let request = Request::Delete { delete, reply };
        turn.process.handle(shard, request, turn.now);
        self.definitions.deleting.push((log.id, answer));
    }

    pub(super) fn hear_definitions(&mut self, turn: &mut Turn<'_>) {
        for (_, answer) in take_heard(&mut self.definitions.declaring) {
            if let Some(Ok(declared)) = answer {
                defined(turn, declared.definition());
            }
        }
        for (_, answer) in take_heard(&mut self.definitions.altering) {
            if let Some(Ok(altered)) = answer {
                defined(turn, altered.definition());
            }
        }
        for (log, answer) in take_heard(&mut self.definitions.deleting) {
            if let Some(Ok(_)) = answer {
                turn.events.push(Event::Deleted(log));
                self.definitions.gone.push(log);
            }
        }
    }
}

fn defined(turn: &mut Turn<'_>, definition: &LogDefinition) {
    let definition = Box::new(definition.clone());
    turn.events.push(Event::Defined(definition));
}
