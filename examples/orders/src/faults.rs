//! Faults on purpose, for tests and chaos runs: messages that come twice, late, or out of order; a
//! process that ends at a named point; and guards that are switched off, so that it can be seen
//! that the audit finds what they prevent.

mod death;
pub mod disk;
mod dying;
mod store;
pub mod strikes;
mod unreliable;

use std::sync::Arc;

use clap::{Args, ValueEnum};
use stele_toolkit_bus::{Store, Transport};
use stele_toolkit_sql::Db;

use crate::dice::Dice;

pub use death::Death;
pub use strikes::Strikes;

/// What keeps a fault from having an effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Guard {
    /// A message that was handled isn't handled again.
    Inbox,
    /// What a handler sends is stored in its transaction; without, it is sent after the commit.
    Outbox,
    /// What is undone before it comes is refused when it comes.
    Tombstone,
    /// What comes of a call counts only for whoever still has the call.
    Fencing,
}

/// Faults on purpose.
#[derive(Args, Clone, Debug, Default)]
pub struct FaultSettings {
    /// Switches a guard off, to see what it prevents
    #[arg(long, value_enum, value_delimiter = ',')]
    pub without: Vec<Guard>,

    /// The share of messages that are sent a second time, up to two seconds later; one in five of
    /// them under another message id
    #[arg(long, default_value_t = 0.0)]
    pub doubles: f64,

    /// The share of messages that are held back for up to a second when they come, while later
    /// ones go ahead
    #[arg(long, default_value_t = 0.0)]
    pub delays: f64,

    /// What the random numbers of the faults begin with
    #[arg(long, default_value_t = 1)]
    pub seed: u64,

    /// Takes requests `POST /die/POINT`: the process kills itself when it comes to the point; and
    /// `PUT /disk`: its disk is full. Messages may make its handlers panic, or end it
    #[arg(long)]
    pub mortal: bool,
}

/// The guards that are switched off. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Guards(Arc<[Guard]>);

impl Guards {
    /// Whether a guard is on.
    pub fn has(&self, guard: Guard) -> bool {
        !self.0.contains(&guard)
    }
}

impl FaultSettings {
    /// The guards.
    pub fn guards(&self) -> Guards {
        Guards(self.without.clone().into())
    }

    /// What messages that strike do.
    pub fn strikes(&self) -> Strikes {
        Strikes { is_on: self.mortal }
    }

    /// A transport with these faults.
    pub fn transport(
        &self,
        transport: Arc<dyn Transport>,
        name: &str,
        death: &Death,
    ) -> Arc<dyn Transport> {
        let transport = match self.mortal {
            true => Arc::new(dying::Dying {
                inner: transport,
                death: death.clone(),
            }),
            false => transport,
        };
        if self.doubles <= 0.0 && self.delays <= 0.0 {
            return transport;
        }
        // Services have sequences of their own.
        let of_name = name.bytes().fold(self.seed, |seed, byte| {
            seed.wrapping_mul(31).wrapping_add(byte.into())
        });
        Arc::new(unreliable::Unreliable {
            inner: transport,
            doubles: self.doubles,
            delays: self.delays,
            dice: Dice::new(of_name),
        })
    }

    /// The store of a service: its database, with the guards that are on.
    pub fn store(&self, db: &Db, transport: &Arc<dyn Transport>) -> Arc<dyn Store> {
        let guards = self.guards();
        if guards.has(Guard::Inbox) && guards.has(Guard::Outbox) {
            return Arc::new(db.clone());
        }
        Arc::new(store::Unguarded {
            db: db.clone(),
            transport: Arc::clone(transport),
            guards,
        })
    }

    /// The same as arguments of a process.
    pub fn arguments(&self) -> Vec<String> {
        let mut arguments = vec![
            format!("--doubles={}", self.doubles),
            format!("--delays={}", self.delays),
            format!("--seed={}", self.seed),
        ];
        for guard in &self.without {
            if let Some(guard) = guard.to_possible_value() {
                arguments.push(format!("--without={}", guard.get_name()));
            }
        }
        if self.mortal {
            arguments.push("--mortal".to_owned());
        }
        arguments
    }
}
