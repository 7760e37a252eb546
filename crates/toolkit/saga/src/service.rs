//! Sagas in a service: their messages are handlers of the service, and a loop beside the handlers
//! looks after deadlines.

use std::{
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use stele_toolkit_bus::{
    Call, Failure, FromMessage as _, HandlerFuture, Outgoing, Refusal, Service,
};
use stele_toolkit_envelope::Envelope;
use stele_toolkit_sql::Tx;
use tokio::sync::Notify;

use crate::{
    Correlation, Handled, Orchestrator, Plan, Process, Saga, SagaAlert, SagaError, SagaMetrics,
    any_plan::AnyPlan, keeper::Keeper, orchestrator, process::ProcessPlan,
};

/// The sagas, processes and correlations of a service.
///
/// ```
/// # use stele_toolkit_bus::Service;
/// # use stele_toolkit_saga::{Correlation, Sagas, WithSagas as _};
/// let service = Service::new("orders").sagas(Sagas::new().correlation(Correlation::new("flow")));
/// ```
#[derive(Clone, Debug)]
#[must_use = "give them to a service"]
pub struct Sagas {
    pub(crate) plans: Vec<Arc<dyn AnyPlan>>,
    pub(crate) metrics: SagaMetrics,
    pub(crate) keeps_ended: Option<Duration>,
}

/// For how long an instance is kept after its end, unless something else is said.
const KEEPS_ENDED: Duration = Duration::from_secs(30 * 24 * 3600);

impl Default for Sagas {
    fn default() -> Self {
        Self {
            plans: Vec::new(),
            metrics: SagaMetrics::default(),
            keeps_ended: Some(KEEPS_ENDED),
        }
    }
}

impl Sagas {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// A version of a saga. New instances go by the highest version of its name; those that are
    /// there go on by their own, for as long as it is here.
    pub fn with<S: Saga>(self) -> Self {
        self.and(Plan::<S>::new())
    }

    /// A version of a process, likewise.
    pub fn process<P: Process>(self) -> Self {
        self.and(ProcessPlan::<P>::new())
    }

    /// A correlation.
    pub fn correlation(self, correlation: Correlation) -> Self {
        self.and(correlation)
    }

    /// For how long an instance is kept after its end, with its history: 30 days by default, `None`
    /// for ever. Then it is deleted, unless it is stuck. A message that comes later finds no
    /// instance, and one that starts instances makes a new one: a service refuses to start if this
    /// is shorter than its inbox remembers messages.
    pub fn keep_ended(mut self, time: impl Into<Option<Duration>>) -> Self {
        self.keeps_ended = time.into();
        self
    }

    /// Where they count.
    pub fn metrics(mut self, metrics: &SagaMetrics) -> Self {
        self.metrics = metrics.clone();
        self
    }

    fn and(mut self, plan: impl AnyPlan + 'static) -> Self {
        self.plans.push(Arc::new(plan));
        self
    }
}

/// Services with sagas.
pub trait WithSagas {
    /// Has the service handle what starts these sagas and every reply to them, in the handler's
    /// transaction; and look after their deadlines and after what operators ask, for as long as it
    /// runs. Its store has to be a [`stele_toolkit_sql::Db`].
    ///
    /// A service has one handler for each type of message: other handlers of the same types belong
    /// in a service of their own.
    #[must_use = "a service does nothing until it runs"]
    fn sagas(self, sagas: Sagas) -> Self;
}

impl WithSagas for Service {
    fn sagas(self, sagas: Sagas) -> Self {
        let reads = orchestrator::reads(&sagas.plans);
        let shared = Arc::new(Shared {
            sagas,
            orchestrator: OnceLock::new(),
            wake: Notify::new(),
            alerts: Mutex::default(),
        });
        let mut service = self.beside(Arc::new(Keeper::new(Arc::clone(&shared))));
        for reads in reads {
            let shared = Arc::clone(&shared);
            service = service.on_type(reads, move |call| shared.call(call));
        }
        service
    }
}

/// What the handlers and the loop share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) sagas: Sagas,
    /// Set before the service takes messages.
    pub(crate) orchestrator: OnceLock<Orchestrator>,
    /// Wakes the loop: there is a deadline that may be earlier, or something to tell.
    pub(crate) wake: Notify,
    /// What handlers found that a person should know; the loop tells it.
    alerts: Mutex<Vec<SagaAlert>>,
}

impl Shared {
    fn call(self: &Arc<Self>, call: &mut Call<'_>) -> Result<HandlerFuture, Refusal> {
        let first = call.received().first();
        let envelope = first.and_then(|received| received.envelope.clone());
        let envelope = envelope.ok_or_else(|| Refusal::new("no_envelope", "it has none"))?;
        let (mut tx, outbox) = (Tx::from_message(call)?, call.outbox());
        let shared = Arc::clone(self);
        Ok(Box::pin(async move {
            for message in shared.handle(&mut tx, &envelope).await? {
                outbox.forward(message);
            }
            Ok(())
        }))
    }

    async fn handle(
        self: &Arc<Self>,
        tx: &mut Tx,
        envelope: &Envelope,
    ) -> Result<Vec<Outgoing>, Failure> {
        let Some(orchestrator) = self.orchestrator.get() else {
            let early = "the service takes messages before its sagas are ready";
            return Err(Failure::retry(early));
        };
        let handled = orchestrator.handle(tx, envelope).await;
        let mut handled = handled.map_err(SagaError::into_failure)?;
        let messages = std::mem::take(&mut handled.messages);
        let shared = Arc::clone(self);
        tx.after_commit(move || shared.committed(handled));
        Ok(messages)
    }

    /// What a handler did is committed.
    fn committed(&self, handled: Handled) {
        self.sagas.metrics.note(&handled);
        let is_to_wake = handled.due_at.is_some() || !handled.alerts.is_empty();
        let mut alerts = self.alerts.lock().unwrap_or_else(PoisonError::into_inner);
        alerts.extend(handled.alerts);
        drop(alerts);
        if is_to_wake {
            self.wake.notify_one();
        }
    }

    /// What is to be told, once.
    pub(crate) fn take_alerts(&self) -> Vec<SagaAlert> {
        let mut alerts = self.alerts.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *alerts)
    }
}
