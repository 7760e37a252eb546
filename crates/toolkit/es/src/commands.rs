//! Commands: what a program is asked to change.

use std::{
    any::{Any, TypeId, type_name},
    collections::HashMap,
    error::Error,
    fmt,
    sync::Arc,
};

use async_trait::async_trait;
use stele_toolkit_envelope::Context;

use crate::Position;

/// Something that a program is asked to change.
pub trait Command: Send + Sync + 'static {
    /// Why it may be refused.
    type Error: Error + Send + Sync + 'static;
}

/// Handles commands of one type.
#[async_trait]
pub trait CommandHandler<C: Command>: Send + Sync + 'static {
    /// Does what the command asks for. Returns the place behind the last event that happened, so
    /// that who sent it can read what it did; see [`Queries::after`](crate::Queries::after).
    async fn handle(&self, command: C, context: &Context) -> Result<Position, C::Error>;
}

/// Why a command wasn't handled.
#[derive(Debug, thiserror::Error)]
pub enum CommandError<E: Error + 'static> {
    /// Nobody handles commands of its type: an error in the program.
    #[error("nothing handles {0}")]
    NoHandler(&'static str),
    /// Its handler refused it, or failed.
    #[error(transparent)]
    Handler(E),
}

/// Brings commands to their handlers: one for each type.
#[derive(Clone, Default)]
pub struct Commands {
    handlers: HashMap<TypeId, (&'static str, Arc<dyn Any + Send + Sync>)>,
}

/// A handler behind `dyn Any`, which needs a type of a known size.
struct Boxed<C>(Box<dyn CommandHandler<C>>);

impl Commands {
    /// No handlers.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same with a handler for a type of command. A handler that was there for it is replaced.
    #[must_use]
    pub fn with<C: Command>(mut self, handler: impl CommandHandler<C>) -> Self {
        let boxed = Boxed::<C>(Box::new(handler));
        let entry: (&str, Arc<dyn Any + Send + Sync>) = (type_name::<C>(), Arc::new(boxed));
        self.handlers.insert(TypeId::of::<C>(), entry);
        self
    }

    /// Has a command handled. `context` says who sends it and why.
    pub async fn handle<C: Command>(
        &self,
        command: C,
        context: &Context,
    ) -> Result<Position, CommandError<C::Error>> {
        let found = self.handlers.get(&TypeId::of::<C>());
        let handler = found.and_then(|(_, handler)| handler.downcast_ref::<Boxed<C>>());
        let Some(handler) = handler else {
            return Err(CommandError::NoHandler(type_name::<C>()));
        };
        let handled = handler.0.handle(command, context).await;
        handled.map_err(CommandError::Handler)
    }
}

impl fmt::Debug for Commands {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.handlers.values().map(|(name, _)| name);
        f.debug_set().entries(names).finish()
    }
}

#[async_trait]
impl<C: Command, H: CommandHandler<C>> CommandHandler<C> for Arc<H> {
    async fn handle(&self, command: C, context: &Context) -> Result<Position, C::Error> {
        (**self).handle(command, context).await
    }
}
