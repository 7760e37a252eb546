//! Deletes acknowledged messages, in batches: what is acknowledged while a request is on its way
//! goes with the next one.

use std::{collections::VecDeque, sync::Arc};

use aws_sdk_sqs::types::DeleteMessageBatchRequestEntry;
use futures_util::{StreamExt as _, stream::FuturesUnordered};
use stele_toolkit_bus::TransportError;
use tokio::sync::{mpsc, oneshot};

use crate::{
    errors::{refused, translate, translate_entry},
    leases::Receipt,
    publisher::BATCH_MAX,
    queues::{Queue, Queues},
};

/// How many requests are on their way at a time.
const REQUESTS_MAX: usize = 8;

/// A message to delete, and who is told what came of it.
#[derive(Debug)]
pub(crate) struct Delete {
    pub(crate) receipt: Receipt,
    pub(crate) done: oneshot::Sender<Result<(), TransportError>>,
}

/// Deletes until nobody can ask for it any more.
pub(crate) async fn run(queues: Arc<Queues>, mut deletes: mpsc::Receiver<Delete>) {
    let mut waiting: VecDeque<Delete> = VecDeque::new();
    let mut requests = FuturesUnordered::new();
    let mut is_open = true;
    while is_open || !waiting.is_empty() || !requests.is_empty() {
        while requests.len() < REQUESTS_MAX
            && let Some(batch) = next_batch(&mut waiting)
        {
            requests.push(delete(&queues, batch));
        }
        tokio::select! {
            next = deletes.recv(), if is_open => match next {
                Some(delete) => {
                    waiting.push_back(delete);
                    // All that is there already goes together.
                    while let Ok(delete) = deletes.try_recv() {
                        waiting.push_back(delete);
                    }
                }
                None => is_open = false,
            },
            Some(()) = requests.next(), if !requests.is_empty() => {}
        }
    }
}

/// The oldest delete, and others of its queue.
fn next_batch(waiting: &mut VecDeque<Delete>) -> Option<Vec<Delete>> {
    let queue = waiting.front()?.receipt.queue.clone();
    let (mut batch, mut rest) = (Vec::new(), VecDeque::new());
    for delete in waiting.drain(..) {
        match batch.len() < BATCH_MAX && delete.receipt.queue == queue {
            true => batch.push(delete),
            false => rest.push_back(delete),
        }
    }
    *waiting = rest;
    Some(batch)
}

async fn delete(queues: &Queues, batch: Vec<Delete>) {
    let queue = batch[0].receipt.queue.clone();
    let handles: Vec<&str> = batch.iter().map(|d| d.receipt.handle.as_str()).collect();
    let results = match queues.delete(&queue, &handles).await {
        Ok(results) => results,
        Err(error) => batch.iter().map(|_| Err(error.clone())).collect(),
    };
    for (delete, result) in batch.into_iter().zip(results) {
        // Whoever acknowledged may have given up.
        delete.done.send(result).ok();
    }
}

impl Queues {
    async fn delete(
        &self,
        queue: &Queue,
        handles: &[&str],
    ) -> Result<Vec<Result<(), TransportError>>, TransportError> {
        let entries = handles.iter().enumerate().map(|(number, handle)| {
            let entry = DeleteMessageBatchRequestEntry::builder().id(number.to_string());
            let entry = entry.receipt_handle(*handle).build();
            entry.map_err(|error| refused(error.to_string()))
        });
        let entries: Result<Vec<_>, _> = entries.collect();
        let deleting = self.client.delete_message_batch().queue_url(&queue.url);
        let deleted = deleting.set_entries(Some(entries?)).send().await;
        let deleted = deleted.map_err(|error| translate(&error, &queue.name))?;
        let mut results: Vec<_> = handles.iter().map(|_| Ok(())).collect();
        for failed in deleted.failed() {
            let number: Option<usize> = failed.id().parse().ok();
            if let Some(result) = number.and_then(|number| results.get_mut(number)) {
                *result = Err(translate_entry(failed, &queue.name));
            }
        }
        Ok(results)
    }
}
